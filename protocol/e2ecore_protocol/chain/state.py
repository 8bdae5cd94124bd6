"""What a chain adds up to, and the rules by which it may grow.

``extend`` is the only way to a new state: it checks every rule of every entry and returns a new
value, or raises and changes nothing. The same function serves the relay, which refuses, and every
client, which trusts nobody. It needs one thing from outside: Ed25519 verification.

Spec: protocol/spec/80-chain-and-consent.md
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final, Never

from e2ecore_protocol.chain.bodies import (
    MULTI_DEVICE_SYNC,
    AccountClosed,
    Body,
    ConsentGranted,
    ConsentWithdrawn,
    DeviceAdded,
    DeviceRemoved,
    Genesis,
    RemovalReason,
    is_critical,
)
from e2ecore_protocol.chain.checkpoint import Checkpoint
from e2ecore_protocol.chain.entry import (
    Entry,
    Sign,
    account_id_of,
    device_id_of,
    possession_message,
    sign_entry,
)
from e2ecore_protocol.chain.errors import (
    ChainForkError,
    ChainInvalidError,
    ConsentMissingError,
    UnknownCriticalEntryError,
)
from e2ecore_protocol.limits import MAX_DEVICES

Verify = Callable[[bytes, bytes, bytes], None]
"""Checks an Ed25519 signature: (public key, message, signature). Returns, or raises its own error.

For entries that were verified before, from the own database, a function that does nothing will do.
"""

_NONE_YET: Final[Mapping[bytes, Never]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Device:
    """A device, as its account's chain tells."""

    device_id: bytes
    key: bytes
    added_seq: int
    added_ms: int
    removed_ms: int | None = None
    removed_for: RemovalReason | None = None
    removed_seq: int | None = None

    def was_live(self, time_ms: int) -> bool:
        """Tell whether it had not been removed at a time."""
        return self.removed_ms is None or time_ms < self.removed_ms


@dataclass(frozen=True, slots=True)
class Consent:
    """A consent, as its account's chain tells."""

    consent_id: bytes
    purpose: str
    notice_hash: bytes
    commitment: bytes
    granted_ms: int
    expires_ms: int | None
    withdrawn_ms: int | None = None

    def is_in_force(self, now_ms: int) -> bool:
        """Tell whether it was given, not withdrawn, and has not expired."""
        return self.withdrawn_ms is None and (self.expires_ms is None or now_ms < self.expires_ms)

    def was_in_force(self, time_ms: int) -> bool:
        """Tell the same for a time in the past, when it may not have been withdrawn yet."""
        return not any(
            end is not None and end <= time_ms for end in (self.withdrawn_ms, self.expires_ms)
        )


@dataclass(frozen=True, slots=True)
class AccountState:
    """All that a valid chain says up to its head."""

    account_id: bytes
    identity_key: bytes
    devices: Mapping[bytes, Device]
    consents: Mapping[bytes, Consent]
    closed: bool
    head_seq: int
    head_hash: bytes
    head_ms: int

    def live_devices(self) -> tuple[Device, ...]:
        """Return the devices that were not removed, oldest first; none if the account is closed."""
        if self.closed:
            return ()
        return tuple([device for device in self.devices.values() if device.removed_ms is None])

    def valid_devices(self, now_ms: int) -> tuple[Device, ...]:
        """Return the devices to talk to now, oldest first.

        When the consent to multi-device sync has expired, that is the oldest live device alone.
        """
        live = self.live_devices()
        return live if self.has_consent(MULTI_DEVICE_SYNC, now_ms) else live[:1]

    def was_valid(self, device_id: bytes, time_ms: int) -> bool:
        """Tell whether a device was one to talk to at a time in the past, [CHN-20].

        A device that the chain does not name is nothing that the chain can judge: True. Of the time
        before it was added counts what held when it was: clocks differ.
        """
        device = self.devices.get(device_id)
        if device is None or len(self.devices) == 1:
            return True
        if not device.was_live(time_ms):
            return False
        since_ms = max(time_ms, device.added_ms)
        older = (one for one in self.devices.values() if one.added_seq < device.added_seq)
        return not any(one.was_live(since_ms) for one in older) or any(
            one.purpose == MULTI_DEVICE_SYNC and one.was_in_force(time_ms)
            for one in self.consents.values()
        )

    def came_alone(self, device_id: bytes) -> bool:
        """Tell whether no other device was live when one was added: the first one, or after a move.

        Raises:
            KeyError: The chain does not name it.
        """
        seq = self.devices[device_id].added_seq
        older = (one for one in self.devices.values() if one.added_seq < seq)
        return all(one.removed_seq is not None and one.removed_seq < seq for one in older)

    def has_consent(self, purpose: str, now_ms: int) -> bool:
        """Tell whether a consent for this purpose is in force."""
        return any(
            consent.purpose == purpose and consent.is_in_force(now_ms)
            for consent in self.consents.values()
        )

    def ends_ms(self, purpose: str, now_ms: int) -> int | None:
        """Return when no consent for this purpose will be in force any more; None: no end is known.

        That is ``now_ms`` if none is in force at that time.
        """
        in_force = [
            one.expires_ms
            for one in self.consents.values()
            if one.purpose == purpose and one.is_in_force(now_ms)
        ]
        ends = [end for end in in_force if end is not None]
        return max(ends, default=now_ms) if len(ends) == len(in_force) else None

    def checkpoint(self) -> Checkpoint:
        """Return how far this chain is known, for others to compare."""
        return Checkpoint.of(self.account_id, self.head_seq, self.head_hash)

    def next_entry(self, body: Body, *, now_ms: int, sign: Sign) -> Entry:
        """Make the signed entry that follows the head. ``extend`` checks whether it is allowed.

        Args:
            body: What to say.
            now_ms: The author's clock; if it is behind the head's time, that is used.
            sign: The account's identity key.
        """
        return sign_entry(
            self.account_id,
            self.head_seq + 1,
            self.head_hash,
            body,
            created_ms=max(now_ms, self.head_ms),
            sign=sign,
        )

    def next_possession_message(self, device_key: bytes) -> bytes:
        """Return what a device signs that is to be added by the next entry."""
        return possession_message(self.account_id, self.head_seq + 1, self.head_hash, device_key)


def genesis_entry(identity_key: bytes, *, created_ms: int, sign: Sign) -> Entry:
    """Make the first entry of a new account.

    Args:
        identity_key: The account's Ed25519 public key.
        created_ms: Milliseconds since the Unix epoch.
        sign: The private key that belongs to it.
    """
    return sign_entry(b"", 0, b"", Genesis(identity_key), created_ms=created_ms, sign=sign)


def start(entries: Sequence[Entry], verify: Verify) -> AccountState:
    """Check a chain from its genesis entry on.

    Args:
        entries: At least the genesis entry; then any number of entries, in order.
        verify: Checks Ed25519 signatures; its error goes through.

    Raises:
        ChainError: As ``extend``; also when there is no entry at all.
    """
    if not entries:
        raise ChainInvalidError("a chain begins with a genesis entry")
    return extend(_begin(entries[0], verify), entries[1:], verify)


def extend(state: AccountState, entries: Sequence[Entry], verify: Verify) -> AccountState:
    """Check entries that follow a state, and add them to it: all or none.

    Args:
        state: What is known of the account.
        entries: The entries after the head, in order.
        verify: Checks Ed25519 signatures; its error goes through.

    Returns:
        The new state; ``state`` itself when there are no entries.

    Raises:
        ChainInvalidError: An entry breaks a rule.
        ChainForkError: An entry contradicts the one that is known.
        UnknownCriticalEntryError: This version is too old to judge the chain.
    """
    for entry in entries:
        state = _append(state, entry, verify)
    return state


def check_head(state: AccountState, seq: int, head_hash: bytes) -> int:
    """Compare a head that somebody claims with what is known.

    Args:
        state: What is known of the account.
        seq: Number of the claimed newest entry.
        head_hash: Hash of the claimed newest entry.

    Returns:
        How many entries are missing here; negative if the claim is behind what is known, which is
        an old answer, or a relay that hides entries.

    Raises:
        ChainForkError: Same number, different entry.
    """
    if seq == state.head_seq and head_hash != state.head_hash:
        raise ChainForkError(state.account_id, seq)
    return seq - state.head_seq


def _begin(entry: Entry, verify: Verify) -> AccountState:
    body = entry.parse_body()
    if not isinstance(body, Genesis) or entry.seq != 0:
        raise ChainInvalidError("a chain begins with a genesis entry")
    verify(body.identity_key, entry.signed_message(), entry.signature)
    return AccountState(
        account_id=account_id_of(entry),
        identity_key=body.identity_key,
        devices=_NONE_YET,
        consents=_NONE_YET,
        closed=False,
        head_seq=0,
        head_hash=entry.hash(),
        head_ms=entry.created_ms,
    )


def _append(state: AccountState, entry: Entry, verify: Verify) -> AccountState:
    _check_place(state, entry)
    body = entry.parse_body()
    if body is None and is_critical(entry.kind):
        raise UnknownCriticalEntryError(f"entry {entry.seq} has the unknown kind {entry.kind}")
    verify(state.identity_key, entry.signed_message(), entry.signature)
    changed = _apply(state, entry, body, verify)
    return replace(changed, head_seq=entry.seq, head_hash=entry.hash(), head_ms=entry.created_ms)


def _check_place(state: AccountState, entry: Entry) -> None:
    if state.closed:
        raise ChainInvalidError("the account is closed")
    if entry.account_id != state.account_id:
        raise ChainInvalidError("the entry belongs to another account")
    if entry.seq == state.head_seq and entry.hash() != state.head_hash:
        raise ChainForkError(state.account_id, entry.seq)
    if entry.seq != state.head_seq + 1:
        raise ChainInvalidError(f"entry {entry.seq} cannot follow entry {state.head_seq}")
    if entry.prev_hash != state.head_hash:
        raise ChainForkError(state.account_id, state.head_seq)
    if entry.created_ms < state.head_ms:
        raise ChainInvalidError("the entry is older than the one before it")


def _apply(state: AccountState, entry: Entry, body: Body | None, verify: Verify) -> AccountState:
    match body:
        case DeviceAdded():
            return _add_device(state, entry, body, verify)
        case DeviceRemoved():
            return _remove_device(state, entry, body)
        case ConsentGranted():
            return _grant(state, entry, body)
        case ConsentWithdrawn():
            return _withdraw(state, entry, body)
        case AccountClosed():
            return replace(state, closed=True)
        case Genesis():
            raise ChainInvalidError("a genesis entry is the first or none")
        case _:
            return state


def _add_device(
    state: AccountState, entry: Entry, body: DeviceAdded, verify: Verify
) -> AccountState:
    device_id = device_id_of(body.device_key)
    live = state.live_devices()
    if device_id in state.devices or body.device_key == state.identity_key:
        raise ChainInvalidError("the device key was used before")
    if len(live) >= MAX_DEVICES:
        raise ChainInvalidError(f"an account has at most {MAX_DEVICES} live devices")
    if live and not state.has_consent(MULTI_DEVICE_SYNC, entry.created_ms):
        raise ConsentMissingError("a second device needs a consent first", MULTI_DEVICE_SYNC)
    message = possession_message(entry.account_id, entry.seq, entry.prev_hash, body.device_key)
    verify(body.device_key, message, body.device_signature)
    device = Device(device_id, body.device_key, entry.seq, entry.created_ms)
    return replace(state, devices=MappingProxyType({**state.devices, device_id: device}))


def _remove_device(state: AccountState, entry: Entry, body: DeviceRemoved) -> AccountState:
    device = state.devices.get(body.device_id)
    if device is None or device.removed_ms is not None:
        raise ChainInvalidError("the device to remove is not a live device of the account")
    device = replace(
        device, removed_ms=entry.created_ms, removed_for=body.reason, removed_seq=entry.seq
    )
    return replace(state, devices=MappingProxyType({**state.devices, body.device_id: device}))


def _grant(state: AccountState, entry: Entry, body: ConsentGranted) -> AccountState:
    if body.consent_id in state.consents:
        raise ChainInvalidError("the consent id was used before")
    if body.expires_ms is not None and body.expires_ms <= entry.created_ms:
        raise ChainInvalidError("the consent expires before it begins")
    consent = Consent(
        body.consent_id,
        body.purpose,
        body.notice_hash,
        body.commitment,
        entry.created_ms,
        body.expires_ms,
    )
    return replace(state, consents=MappingProxyType({**state.consents, body.consent_id: consent}))


def _withdraw(state: AccountState, entry: Entry, body: ConsentWithdrawn) -> AccountState:
    consent = state.consents.get(body.consent_id)
    if consent is None or consent.withdrawn_ms is not None:
        raise ChainInvalidError("the consent to withdraw was not given, or is withdrawn already")
    consent = replace(consent, withdrawn_ms=entry.created_ms)
    consents = MappingProxyType({**state.consents, body.consent_id: consent})
    after = replace(state, consents=consents)
    if (
        consent.purpose == MULTI_DEVICE_SYNC
        and len(after.live_devices()) > 1
        and not after.has_consent(MULTI_DEVICE_SYNC, entry.created_ms)
    ):
        raise ConsentMissingError("remove the other devices first", MULTI_DEVICE_SYNC)
    return after
