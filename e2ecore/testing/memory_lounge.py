"""Rendezvous of the relay in memory. Nothing that is said is kept.

Spec: protocol/spec/70-linking.md
"""

from collections.abc import Callable

from e2ecore.crypto.rng import Rng
from e2ecore.testing.memory_channel import Session
from e2ecore.testing.memory_log import RefusedError
from e2ecore_protocol.errors import ErrorCode
from e2ecore_protocol.frames.frame import Frame
from e2ecore_protocol.frames.rendezvous import (
    CloseRendezvous,
    JoinRendezvous,
    OpenRendezvous,
    PassRendezvous,
    RendezvousClosed,
    RendezvousMessage,
    RendezvousOpened,
)
from e2ecore_protocol.frames.session import Ok
from e2ecore_protocol.limits import RENDEZVOUS_NUMBERS, RENDEZVOUS_S


class MemoryLounge:
    """All rendezvous that are open."""

    def __init__(self, clock_ms: Callable[[], int], rng: Rng) -> None:
        self._clock_ms = clock_ms
        self._rng = rng
        self._open: dict[int, tuple[Session, int]] = {}

    @staticmethod
    def concerns(session: Session, frame: Frame) -> bool:
        """Is it a frame of a rendezvous, from a connection that may send it?"""
        if isinstance(frame, JoinRendezvous):
            return session.device is None
        is_met = session.device is not None or session.visit is not None
        return isinstance(frame, OpenRendezvous | PassRendezvous | CloseRendezvous) and is_met

    def take(self, session: Session, frame: Frame) -> Frame | None:
        """Act on one frame."""
        for number, (host, ends_ms) in list(self._open.items()):
            if ends_ms <= self._clock_ms():
                self.leave(host)
                self._open.pop(number, None)
        match frame:
            case OpenRendezvous(request):
                return self._begin(session, request)
            case JoinRendezvous(request, number):
                return self._join(session, request, number)
            case PassRendezvous(payload):
                if session.visit is not None:
                    session.visit.push(RendezvousMessage(payload))
            case CloseRendezvous():
                self.leave(session)
            case _:
                pass
        return None

    def _begin(self, session: Session, request: int) -> Frame:
        self.leave(session)
        number = int.from_bytes(self._rng(8)) % RENDEZVOUS_NUMBERS
        ends_ms = self._clock_ms() + RENDEZVOUS_S * 1000
        self._open[number] = (session, ends_ms)
        session.number = number
        return RendezvousOpened(request, number, ends_ms)

    def _join(self, session: Session, request: int, number: int) -> Frame:
        host, _ = self._open.get(number, (None, 0))
        if host is None or host.visit is not None:
            raise RefusedError(ErrorCode.UNKNOWN_RENDEZVOUS)
        host.visit, session.visit = session, host
        return Ok(request)

    def leave(self, session: Session) -> None:
        """End the rendezvous of a connection, if there is one."""
        other, session.visit = session.visit, None
        for one in (session, other):
            if one is None:
                continue
            is_open = self._open.pop(one.number, None) if one.number is not None else None
            if one.visit is not None or is_open is not None or one is other:
                one.visit = one.number = None
                one.push(RendezvousClosed())
