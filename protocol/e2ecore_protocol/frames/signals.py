"""Signals: what matters only now. Forwarded to who is online, stored nowhere, never repeated.

Spec: protocol/spec/20-relay-frames.md, [FRM-60]
"""

from dataclasses import dataclass
from typing import ClassVar

from e2ecore_protocol.frames.conversations import conversation_id
from e2ecore_protocol.frames.frame import Frame
from e2ecore_protocol.limits import SIGNAL_BYTES
from e2ecore_protocol.shape import Check, exactly

_SHAPE: tuple[Check[object], ...] = (conversation_id, exactly(SIGNAL_BYTES))


@dataclass(frozen=True, slots=True)
class Signal(Frame):
    """Client: forward this to the devices of a conversation that are online. Not answered."""

    TYPE: ClassVar[int] = 21
    SHAPE: ClassVar[tuple[Check[object], ...]] = _SHAPE
    conversation: bytes
    payload: bytes


@dataclass(frozen=True, slots=True)
class Signalled(Frame):
    """Relay: another device of this conversation sent a signal just now."""

    TYPE: ClassVar[int] = 83
    SHAPE: ClassVar[tuple[Check[object], ...]] = _SHAPE
    conversation: bytes
    payload: bytes
