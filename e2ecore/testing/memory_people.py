"""Accounts, handles, chains and key packages of the relay in memory.

Spec: protocol/spec/20-relay-frames.md
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from e2ecore.crypto.signing import ED25519
from e2ecore.testing.memory_guardians import MemoryGuardians
from e2ecore.testing.memory_log import RefusedError
from e2ecore_protocol.chain.bodies import MULTI_DEVICE_SYNC
from e2ecore_protocol.chain.entry import Entry
from e2ecore_protocol.chain.errors import ChainError, ConsentMissingError
from e2ecore_protocol.chain.state import AccountState, extend, start
from e2ecore_protocol.errors import ErrorCode, MalformedError
from e2ecore_protocol.frames.accounts import (
    Account,
    AppendChain,
    ChainHead,
    ChainHeads,
    FetchChain,
    FetchHeads,
    LookupHandle,
    Register,
    Registered,
)
from e2ecore_protocol.frames.conversations import DeviceAddress
from e2ecore_protocol.frames.key_packages import (
    ClaimDeviceKeyPackages,
    ClaimKeyPackages,
    DeviceKeyPackage,
    KeyPackages,
    PublishKeyPackages,
)
from e2ecore_protocol.frames.notices import KeyPackagesLow
from e2ecore_protocol.frames.session import Ok
from e2ecore_protocol.limits import (
    KEY_PACKAGES_LOW,
    LAST_RESORT_KEY_PACKAGE_S,
    MAX_ENTRIES_PER_FRAME,
    MAX_KEY_PACKAGES_PER_FRAME,
    ONE_TIME_KEY_PACKAGE_S,
)

Low = list[tuple[DeviceAddress, int]]
"""Devices whose key packages run out, and how many they have left."""


@dataclass
class MemoryAccount:
    """One account."""

    handle: str | None
    state: AccountState
    entries: list[bytes]


def verify(public: bytes, message: bytes, signature: bytes) -> None:
    """Check an Ed25519 signature."""
    ED25519.verify(public, message, signature)


class MemoryPeople:
    """All accounts."""

    def __init__(self, clock_ms: Callable[[], int]) -> None:
        self._clock_ms = clock_ms
        self._published_ms: dict[bytes, int] = {}
        self.accounts: dict[bytes, MemoryAccount] = {}
        self.guardians = MemoryGuardians(clock_ms, lambda name: self._account(name).state)
        self._handles: dict[str, bytes] = {}
        self._packages: defaultdict[bytes, list[bytes]] = defaultdict(list)
        self._last_resorts: dict[bytes, bytes] = {}

    def agreed_ms(self, account_id: bytes, purpose: str) -> int | None:
        """Return until when an account has agreed to something; None: no end is known.

        Raises:
            RefusedError: It has not.
        """
        now_ms = self._clock_ms()
        until_ms = self.counted(account_id).ends_ms(purpose, now_ms)
        if until_ms is not None and until_ms <= now_ms:
            raise RefusedError(ErrorCode.CONSENT_REQUIRED, purpose)
        return until_ms

    def covered_ms(self, device: DeviceAddress) -> int | None:
        """Return until when a device may be connected; None: no end is known; 0: not now."""
        live, now_ms = self.accounts[device.account_id].state.live_devices(), self._clock_ms()
        if live and live[0].device_id == device.device_id:
            return None
        until_ms = self.counted(device.account_id).ends_ms(MULTI_DEVICE_SYNC, now_ms)
        return until_ms if until_ms is None or now_ms < until_ms else 0

    def counted(self, account_id: bytes) -> AccountState:
        """Return a chain with the consents that count here."""
        return self.guardians.counted(self.accounts[account_id].state)

    def register(self, frame: Register) -> Registered:
        """Make an account, or answer as at first."""
        try:
            entries = [Entry.decode(data) for data in frame.entries]
            state = start(entries, verify)
        except (ChainError, MalformedError) as error:
            raise RefusedError(ErrorCode.CHAIN_INVALID) from error
        known = self.accounts.get(state.account_id)
        if known is None:
            if frame.handle is not None and frame.handle in self._handles:
                raise RefusedError(ErrorCode.HANDLE_TAKEN)
            self.accounts[state.account_id] = MemoryAccount(
                frame.handle, state, list(frame.entries)
            )
            if frame.handle is not None:
                self._handles[frame.handle] = state.account_id
        elif known.handle != frame.handle or known.entries[:2] != list(frame.entries):
            raise RefusedError(ErrorCode.ACCOUNT_EXISTS)
        return Registered(frame.request, state.account_id)

    def _account(self, account_id: bytes) -> MemoryAccount:
        account = self.accounts.get(account_id)
        if account is None:
            raise RefusedError(ErrorCode.UNKNOWN_ACCOUNT, account_id)
        return account

    def show(self, frame: LookupHandle | FetchChain | FetchHeads) -> Account | ChainHeads:
        """Answer what anybody may know."""
        match frame:
            case LookupHandle():
                return self.look_up(frame)
            case FetchChain():
                return self.fetch(frame)
            case FetchHeads():
                return self.heads(frame)

    def look_up(self, frame: LookupHandle) -> Account:
        """Answer whose handle it is."""
        account_id = self._handles.get(frame.handle)
        if account_id is None:
            raise RefusedError(ErrorCode.UNKNOWN_HANDLE)
        return self.fetch(FetchChain(frame.request, account_id, 0))

    def fetch(self, frame: FetchChain) -> Account:
        """Answer a page of a chain."""
        account = self._account(frame.account_id)
        page = account.entries[frame.from_seq : frame.from_seq + MAX_ENTRIES_PER_FRAME]
        head = account.state.head_seq
        return Account(frame.request, frame.account_id, account.handle, tuple(page), head)

    def heads(self, frame: FetchHeads) -> ChainHeads:
        """Answer how far chains have grown."""
        known = [self.accounts[name].state for name in frame.accounts if name in self.accounts]
        heads = [ChainHead(one.account_id, one.head_seq, one.head_hash) for one in known]
        return ChainHeads(frame.request, tuple(heads))

    def append(self, account_id: bytes, frame: AppendChain) -> Ok:
        """Add entries to the own chain."""
        account = self._account(account_id)
        try:
            entries = [Entry.decode(data) for data in frame.entries]
            first = entries[0].seq
            if account.entries[first : first + len(entries)] == list(frame.entries):
                return Ok(frame.request)
            if first != account.state.head_seq + 1:
                raise RefusedError(ErrorCode.CHAIN_CONFLICT, account.state.head_seq)
            after = extend(account.state, entries, verify)
            self.guardians.check_growth(after, entries)
        except ConsentMissingError as error:
            raise RefusedError(ErrorCode.CONSENT_REQUIRED, error.purpose) from error
        except (ChainError, MalformedError) as error:
            raise RefusedError(ErrorCode.CHAIN_INVALID) from error
        account.state = after
        account.entries.extend(frame.entries)
        if after.closed:
            self.guardians.account_closed(account_id)
        return Ok(frame.request)

    def publish(self, device: DeviceAddress, frame: PublishKeyPackages) -> Ok:
        """Keep key packages."""
        waiting = self._packages[device.device_id]
        waiting.extend(one for one in frame.key_packages if one not in waiting)
        last_resort = () if frame.last_resort is None else (frame.last_resort,)
        self._published_ms |= dict.fromkeys((*frame.key_packages, *last_resort), self._clock_ms())
        del waiting[: max(0, len(waiting) - MAX_KEY_PACKAGES_PER_FRAME)]
        if frame.last_resort is not None:
            self._last_resorts[device.device_id] = frame.last_resort
        return Ok(frame.request)

    def packages_left(self, device_id: bytes) -> int:
        """Return how many one-time packages wait."""
        self._forget_old(device_id)
        return len(self._packages[device_id])

    def discard(self, device_id: bytes) -> int:
        """Delete the packages of a device that is gone; return how many were one-time."""
        self._last_resorts.pop(device_id, None)
        return len(self._packages.pop(device_id, ()))

    def _forget_old(self, device_id: bytes) -> None:
        now_ms, since = self._clock_ms(), self._published_ms
        self._packages[device_id][:] = [
            one
            for one in self._packages[device_id]
            if now_ms - since.get(one, now_ms) <= ONE_TIME_KEY_PACKAGE_S * 1_000
        ]
        last = self._last_resorts.get(device_id)
        if last and now_ms - since.get(last, now_ms) > LAST_RESORT_KEY_PACKAGE_S * 1_000:
            del self._last_resorts[device_id]

    def claim(
        self,
        asking: DeviceAddress,
        frame: ClaimKeyPackages | ClaimDeviceKeyPackages,
        notify: Callable[[DeviceAddress, KeyPackagesLow], None],
    ) -> KeyPackages:
        """Hand out one package for each live device, or some of one; tell those who run out."""
        low = Low()
        if isinstance(frame, ClaimKeyPackages):
            found = self._of_accounts(asking, frame.accounts, low)
        else:
            found = self._of_device(asking, frame, low)
        for address, left in low:
            notify(address, KeyPackagesLow(left))
        return KeyPackages(frame.request, tuple(found))

    def _of_accounts(
        self, asking: DeviceAddress, accounts: Iterable[bytes], low: Low
    ) -> list[DeviceKeyPackage]:
        found: list[DeviceKeyPackage] = []
        for account_id in dict.fromkeys(accounts):
            for device in self._account(account_id).state.live_devices():
                address = DeviceAddress(account_id, device.device_id)
                if address != asking:
                    found.append(DeviceKeyPackage(*address, self._take(address, low)[0]))
        return found

    def _of_device(
        self, asking: DeviceAddress, frame: ClaimDeviceKeyPackages, low: Low
    ) -> list[DeviceKeyPackage]:
        """Several within an account, else one."""
        address = DeviceAddress(frame.account_id, frame.device_id)
        live = self._account(address.account_id).state.live_devices()
        if all(one.device_id != address.device_id for one in live):
            raise RefusedError(ErrorCode.NO_KEY_PACKAGE, address.account_id)
        count = frame.count if asking.account_id == address.account_id else 1
        return [DeviceKeyPackage(*address, one) for one in self._take(address, low, count)]

    def _take(self, address: DeviceAddress, low: Low, count: int = 1) -> list[bytes]:
        self._forget_old(address.device_id)
        waiting = self._packages[address.device_id]
        if waiting:
            before, found = len(waiting), waiting[:count]
            del waiting[:count]
            if not waiting or len(waiting) <= KEY_PACKAGES_LOW < before:
                low.append((address, len(waiting)))
            return found
        last_resort = self._last_resorts.get(address.device_id)
        if last_resort is None:
            raise RefusedError(ErrorCode.NO_KEY_PACKAGE, address.account_id)
        return [last_resort]
