"""Which files of a parcel can go into a message now. Pure: rows in, decision out.

A file waits at the relay for a time that begins when room is made for it, not when its message is
sent. A parcel that takes long could so name files that nobody can fetch any more. Hence:

- what the relay is about to delete is uploaded once more, before the message is written;
- where the rest takes so long that this would have no end, what is ready is sent as a message of
  its own, and the rest becomes the next one. Each round sends something or makes something young,
  and nothing is made young twice for the same message: it ends.
"""

from collections.abc import Collection, Sequence
from typing import Final, NamedTuple

from e2ecore.storage.attachments import AttachmentRow, FileState

_YOUNG: Final = 2
"""More than one part in so many of its time is left: nobody has to hurry."""
_STALE: Final = 4
"""Less than one part in so many is left: who looks now and then would come too late."""


class Plan(NamedTuple):
    """What is to be done next with a parcel, in this order."""

    renew: list[AttachmentRow]
    """To be uploaded once more."""
    send: list[AttachmentRow]
    """To be put into a message now."""
    bring: AttachmentRow | None
    """To be uploaded next, if nothing is sent."""


def plan_parcel(
    rows: Sequence[AttachmentRow], now_ms: int, *, brought: int, renewed: Collection[int]
) -> Plan:
    """Decide what comes next.

    Args:
        rows: The files of the parcel, in order.
        now_ms: Milliseconds since the Unix epoch.
        brought: The file whose upload has just ended; 0: none. It is as young as it can be.
        renewed: Files that were uploaded once more already.
    """
    ready = [row for row in rows if row.state != FileState.WAITING]
    stale = [
        row
        for row in ready
        if row.receipt or (row.aid != brought and _share(row, now_ms) < 1 / _STALE)
    ]
    live = [row for row in ready if row not in stale]
    waiting = [row for row in rows if row.state == FileState.WAITING]
    is_late = any(_share(row, now_ms) < 1 / _YOUNG for row in live)
    is_endless = any(row.aid in renewed for row in stale)
    is_whole = not waiting and not stale
    send = live if is_whole or is_late or is_endless else []
    return Plan(stale, send, waiting[0] if waiting else None)


def _share(row: AttachmentRow, now_ms: int) -> float:
    """How much of its time at the relay a file has left, from 0 to 1.

    While a file waits for its message, ``used_ms`` says when room was made for it.
    """
    life_ms = row.expires_ms - row.used_ms
    left_ms = row.expires_ms - now_ms
    return min(left_ms / life_ms, 1.0) if life_ms > 0 else 0.0
