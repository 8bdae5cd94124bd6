"""Frames of a rendezvous: two connections exchange a few messages, of which nothing is stored.

Spec: protocol/spec/70-linking.md
"""

from dataclasses import dataclass
from typing import ClassVar

from e2ecore_protocol.frames.frame import Frame
from e2ecore_protocol.limits import MAX_RENDEZVOUS_BYTES, RENDEZVOUS_NUMBERS
from e2ecore_protocol.shape import Check, blob, integer, request, time_ms

_NUMBER = integer(RENDEZVOUS_NUMBERS - 1)
_PAYLOAD = blob(MAX_RENDEZVOUS_BYTES, 1)


@dataclass(frozen=True, slots=True)
class OpenRendezvous(Frame):
    """Client: wait for somebody who will name a number. Answered by RendezvousOpened.

    A rendezvous that the same device had open before is over.
    """

    TYPE: ClassVar[int] = 9
    SHAPE: ClassVar[tuple[Check[object], ...]] = (request,)
    request: int


@dataclass(frozen=True, slots=True)
class JoinRendezvous(Frame):
    """Client, in place of Authenticate: let me talk to whoever waits under a number.

    Answered by Ok; afterwards the connection serves for nothing else.
    """

    TYPE: ClassVar[int] = 10
    SHAPE: ClassVar[tuple[Check[object], ...]] = (request, _NUMBER)
    request: int
    number: int


@dataclass(frozen=True, slots=True)
class PassRendezvous(Frame):
    """Client, either side: hand this to the other one. Not answered."""

    TYPE: ClassVar[int] = 11
    SHAPE: ClassVar[tuple[Check[object], ...]] = (_PAYLOAD,)
    payload: bytes


@dataclass(frozen=True, slots=True)
class CloseRendezvous(Frame):
    """Client, either side: the rendezvous is over. Not answered."""

    TYPE: ClassVar[int] = 12
    SHAPE: ClassVar[tuple[Check[object], ...]] = ()


@dataclass(frozen=True, slots=True)
class RendezvousOpened(Frame):
    """Relay: who names this number until then, by the relay's clock, comes to you."""

    TYPE: ClassVar[int] = 75
    SHAPE: ClassVar[tuple[Check[object], ...]] = (request, _NUMBER, time_ms)
    request: int
    number: int
    expires_ms: int


@dataclass(frozen=True, slots=True)
class RendezvousMessage(Frame):
    """Relay: the other side passed this."""

    TYPE: ClassVar[int] = 76
    SHAPE: ClassVar[tuple[Check[object], ...]] = (_PAYLOAD,)
    payload: bytes


@dataclass(frozen=True, slots=True)
class RendezvousClosed(Frame):
    """Relay: the rendezvous is over."""

    TYPE: ClassVar[int] = 77
    SHAPE: ClassVar[tuple[Check[object], ...]] = ()
