"""Rendezvous: who waits under which number, and who has come. Nothing that is said is kept.

Spec: protocol/spec/70-linking.md
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from e2ecore_protocol.errors import ErrorCode
from e2ecore_protocol.limits import MAX_RENDEZVOUS_MESSAGES, RENDEZVOUS_NUMBERS, RENDEZVOUS_S
from e2ecore_relay.domain.errors import RefusedError

MAX_OPEN: Final = RENDEZVOUS_NUMBERS // 20
"""Most rendezvous at once: of twenty guesses at a number, one finds somebody at most."""


class Party(Protocol):
    """One of the two connections."""

    def hand(self, payload: bytes, /) -> None:
        """Give it what the other side passed."""
        ...

    def part(self) -> None:
        """Tell it that the rendezvous is over."""
        ...


@dataclass(eq=False, slots=True)
class Rendezvous:
    """One that is open."""

    number: int
    ends_ms: int
    host: Party
    guest: Party | None = None
    passed: int = 0


class Lounge:
    """All that are open."""

    def __init__(self) -> None:
        """Nobody waits."""
        self._by_number: dict[int, Rendezvous] = {}
        self._by_party: dict[Party, Rendezvous] = {}

    def __len__(self) -> int:
        return len(self._by_number)

    def open(self, host: Party, now_ms: int, rng: Callable[[int], bytes]) -> Rendezvous:
        """Let a device wait; what it had open before is over.

        Raises:
            RefusedError: Too many wait.
        """
        self.leave(host)
        self.expire(now_ms)
        if len(self._by_number) >= MAX_OPEN:
            raise RefusedError(ErrorCode.RELAY_FULL)
        while (number := int.from_bytes(rng(8)) % RENDEZVOUS_NUMBERS) in self._by_number:
            pass
        opened = Rendezvous(number, now_ms + RENDEZVOUS_S * 1000, host)
        self._by_number[number] = self._by_party[host] = opened
        return opened

    def join(self, number: int, guest: Party, now_ms: int) -> Rendezvous:
        """Bring somebody to whoever waits under a number.

        Raises:
            RefusedError: Nobody does, or somebody has come already.
        """
        self.expire(now_ms)
        found = self._by_number.get(number)
        if found is None or found.guest is not None:
            raise RefusedError(ErrorCode.UNKNOWN_RENDEZVOUS)
        found.guest = guest
        self._by_party[guest] = found
        return found

    def hand_over(self, sender: Party, payload: bytes, now_ms: int) -> None:
        """Hand a message to the other side. Nobody there: it is dropped."""
        self.expire(now_ms)
        found = self._by_party.get(sender)
        if found is None or found.guest is None:
            return
        found.passed += 1
        if found.passed > MAX_RENDEZVOUS_MESSAGES:
            self._end(found)
            return
        other = found.guest if sender is found.host else found.host
        other.hand(payload)

    def leave(self, party: Party) -> None:
        """End the rendezvous of a connection that says so, or is gone; if there is one."""
        found = self._by_party.pop(party, None)
        if found is not None:
            self._end(found)

    def expire(self, now_ms: int) -> None:
        """End what has been open for long enough. They were opened in the order of their ends."""
        while self._by_number:
            oldest = next(iter(self._by_number.values()))
            if oldest.ends_ms > now_ms:
                return
            self._end(oldest)

    def _end(self, found: Rendezvous) -> None:
        """Take it from the table first: whoever is told may act at once."""
        del self._by_number[found.number]
        for party in (found.host, found.guest):
            if party is not None and self._by_party.pop(party, None) is not None:
                party.part()
