"""What the relay in memory sends by itself: whatever waits for a device."""

from collections.abc import Mapping
from typing import Final

from e2ecore.testing.faults import Faults
from e2ecore.testing.memory_channel import Session
from e2ecore.testing.memory_log import MemoryLog
from e2ecore_protocol.frames.conversations import ConversationKind
from e2ecore_protocol.frames.delivery import INBOX, CaughtUp, Deliver

_PAGE: Final = 64
"""Deliveries per frame: far below every limit of a frame."""


def stream(session: Session, logs: Mapping[bytes, MemoryLog], faults: Faults) -> None:
    """Send a device what it has not been sent on this connection."""
    if session.device is None or session.closed:
        return
    device_id = session.device.device_id
    others = [name for name, log in logs.items() if log.log_id != INBOX]
    others.sort(key=lambda name: logs[name].kind != ConversationKind.SELF)
    for name in (b"inbox" + device_id, *others):
        if device_id in logs[name].readers:
            _stream_log(session, device_id, name, logs[name], faults)
    if not session.caught_up and session.room() > 0:
        session.caught_up = True
        session.push(CaughtUp())


def _stream_log(
    session: Session, device_id: bytes, name: bytes, log: MemoryLog, faults: Faults
) -> None:
    while session.room() > 0:
        after = session.sent.get(name, log.readers[device_id].cursor)
        found, scanned = log.unread(device_id, after, min(_PAGE, session.room()))
        if scanned == after:
            return
        session.sent[name] = scanned
        session.unacked.setdefault(name, []).extend(item.seq for item in found)
        for fault in faults.deliveries:
            found = fault(device_id, found)
        if found:
            session.push(Deliver(tuple(found)))
