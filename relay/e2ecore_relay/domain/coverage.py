"""Which devices a consent covers, and until when: so that nobody has to ask again before that.

Whoever is connected is told apart once, when they come and when something of their account changes.
What remains is to wait (``Lapses``): no message costs a look at a chain.

Spec: protocol/spec/80-chain-and-consent.md, [CHN-20], [CHN-53]
"""

import heapq
from collections import Counter
from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from e2ecore_protocol.chain.bodies import MULTI_DEVICE_SYNC
from e2ecore_protocol.chain.state import AccountState
from e2ecore_relay.domain import blob_consents, minors
from e2ecore_relay.domain.chains import state_of
from e2ecore_relay.domain.ports import Ledger, StoredDevice

_NONE: Final[Mapping[int, AccountState]] = MappingProxyType({})
_FEW: Final = 64
"""Entries for which it is not worth while to make a heap anew."""


class Covered(NamedTuple):
    """A live device that may be connected.

    Attributes:
        device: The device.
        until_ms: When no consent covers it any more, by the relay's clock; None: no end is known.
    """

    device: StoredDevice
    until_ms: int | None


class Coverage(NamedTuple):
    """What the consents of some accounts say at a moment.

    Attributes:
        covered: Live devices that may be connected.
        lapsed: Numbers of those that may not.
        ended: Ids of blobs that were ended, as their consent was taken back.
    """

    covered: list[Covered]
    lapsed: list[int]
    ended: list[bytes]


def review(ledger: Ledger, chains: Mapping[int, AccountState], now_ms: int) -> Coverage:
    """Something has changed for some accounts, given with their chains: tell what it comes to.

    What needs a consent that was taken back is ended.
    """
    ended: list[bytes] = []
    for account, chain in chains.items():
        counted = minors.counted(ledger, account, chain, now_ms)
        ended += blob_consents.end_unagreed(ledger, account, counted)
    return coverage(ledger, chains, now_ms, chains)._replace(ended=ended)


def coverage(
    ledger: Ledger,
    accounts: Collection[int],
    now_ms: int,
    chains: Mapping[int, AccountState] = _NONE,
) -> Coverage:
    """Tell which live devices of accounts may be connected: all while a consent is in force.

    Else that is the one that was added first.

    Args:
        ledger: The open transaction.
        accounts: Their numbers.
        now_ms: The relay's clock.
        chains: Those of their chains that were read already.
    """
    live = ledger.accounts.live_devices(accounts)
    count = Counter([device.account for device in live])
    ends: dict[int, int | None] = {}
    for account in [account for account, devices in count.items() if devices > 1]:
        chain = chains.get(account) or state_of(ledger, account)
        ends[account] = minors.counted(ledger, account, chain, now_ms).ends_ms(
            MULTI_DEVICE_SYNC, now_ms
        )
    found, seen = Coverage([], [], []), set[int]()
    for device in live:  # the oldest first
        until_ms = ends[device.account] if device.account in seen else None
        seen.add(device.account)
        if until_ms is None or now_ms < until_ms:
            found.covered.append(Covered(device, until_ms))
        else:
            found.lapsed.append(device.device)
    return found


class Lapses:
    """When devices that are connected are not covered any more. The next one is found at once."""

    def __init__(self) -> None:
        """Nobody is connected."""
        self._until: dict[int, int] = {}
        self._heap: list[tuple[int, int]] = []

    def __len__(self) -> int:
        return len(self._until)

    def note(self, device: int, until_ms: int | None) -> None:
        """A device has come, or something has changed for it. None: no end is known."""
        if until_ms is None:
            self._until.pop(device, None)
        elif self._until.get(device) != until_ms:
            self._until[device] = until_ms
            heapq.heappush(self._heap, (until_ms, device))
            if len(self._heap) > 2 * len(self._until) + _FEW:
                self._heap = sorted([(until, one) for one, until in self._until.items()])

    def next_ms(self) -> int | None:
        """Return when the next one is over; None if nobody's end is known."""
        while self._heap and self._until.get(self._heap[0][1]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def take(self, now_ms: int) -> list[int]:
        """Return, once, whose time is over."""
        over: list[int] = []
        while (next_ms := self.next_ms()) is not None and next_ms <= now_ms:
            device = heapq.heappop(self._heap)[1]
            del self._until[device]
            over.append(device)
        return over
