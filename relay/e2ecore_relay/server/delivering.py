"""Deliver frames from items that are encoded already: one item, many readers, encoded once."""

from collections.abc import Iterator, Sequence
from typing import Final

from e2ecore_protocol.codec import pack
from e2ecore_protocol.frames import CaughtUp, Deliver
from e2ecore_protocol.limits import MAX_BATCH_BYTES, MAX_BATCH_ENVELOPES

_FIX_ARRAY: Final = 16
"""MessagePack arrays of fewer elements have a one-byte head."""

_FRAME_HEAD: Final = b"\x92" + pack(Deliver.TYPE)
_ARRAY_HEADS: Final = tuple(
    _FRAME_HEAD + (bytes((0x90 | n,)) if n < _FIX_ARRAY else b"\xdc" + n.to_bytes(2))
    for n in range(MAX_BATCH_ENVELOPES + 1)
)

CAUGHT_UP: Final = CaughtUp().encode()
"""The frame that says: from here on it is live."""


def deliver_frames(items: Sequence[bytes]) -> Iterator[bytes]:
    """Yield as few frames as the limits of a batch allow; none for no items.

    Args:
        items: Encoded delivery items, in order.
    """
    if len(items) <= MAX_BATCH_ENVELOPES and sum(map(len, items)) <= MAX_BATCH_BYTES:
        if items:
            yield _ARRAY_HEADS[len(items)] + b"".join(items)
        return
    batch: list[bytes] = []
    size = 0
    for item in items:
        if batch and (len(batch) == MAX_BATCH_ENVELOPES or size + len(item) > MAX_BATCH_BYTES):
            yield _ARRAY_HEADS[len(batch)] + b"".join(batch)
            batch, size = [], 0
        batch.append(item)
        size += len(item)
    yield _ARRAY_HEADS[len(batch)] + b"".join(batch)
