"""How the relay in memory forwards signals: to who is there, and keeping nothing."""

from collections.abc import Iterable
from typing import Final

from e2ecore.testing.faults import Faults
from e2ecore.testing.memory_channel import Session
from e2ecore.testing.memory_log import MemoryLog
from e2ecore_protocol.frames.signals import Signal, Signalled
from e2ecore_protocol.limits import MAX_SIGNAL_READERS

_SLOW: Final = 64
"""Frames that wait for a reader; beyond, it gets no signals."""


def forward(
    sender: bytes, frame: Signal, log: MemoryLog | None, sessions: Iterable[Session], faults: Faults
) -> None:
    """Hand a signal on, or drop it.

    Args:
        sender: Device id.
        frame: What it sent.
        log: Of the conversation; None: there is none.
        sessions: Who is connected.
        faults: What goes wrong on the way.
    """
    if log is None or not log.is_member(sender) or len(log.readers) > MAX_SIGNAL_READERS:
        return
    for other in sessions:
        device = other.device.device_id if other.device else b""
        if device == sender or not log.is_member(device) or len(other.outbound) > _SLOW:
            continue
        signals = [Signalled(frame.conversation, frame.payload)]
        for fault in faults.signals:
            signals = fault(device, signals)
        for one in signals:
            other.push(one)
