"""Which reactions of somebody to a message count.

Spec: protocol/spec/50-content.md, [CNT-31] and [CNT-32]
"""

from collections.abc import Iterable

from e2ecore.messaging.stamps import Stamp
from e2ecore_protocol.codec import pack, unpack
from e2ecore_protocol.limits import KIB, MAX_REACTION_BYTES, MAX_REACTIONS
from e2ecore_protocol.shape import listing, text

_signs = listing(text(MAX_REACTION_BYTES, 1, max_bytes=MAX_REACTION_BYTES), MAX_REACTIONS)


def counts(known: Stamp | None, stamp: Stamp) -> bool:
    """Answer whether a reaction replaces what is known of the same person and message."""
    return known is None or stamp > known


def encode_signs(signs: Iterable[str]) -> bytes:
    """Return what is stored."""
    return pack(tuple(signs))


def decode_signs(data: bytes) -> tuple[str, ...]:
    """Return what was stored.

    Raises:
        MalformedError: That was something else.
    """
    return _signs(unpack(data, KIB))
