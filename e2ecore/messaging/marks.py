"""What is stored with a text besides its words: extras, and when it was last edited.

A plain text has none, and nothing is stored for it.
"""

from typing import Final, NamedTuple

from e2ecore.messaging.stamps import Stamp
from e2ecore_protocol.codec import pack, unpack
from e2ecore_protocol.content.rich_text import NO_EXTRAS, Extras, extras
from e2ecore_protocol.limits import DEVICE_ID_BYTES, KIB
from e2ecore_protocol.shape import exactly, integer, maybe, record

_MAX_BYTES: Final = 16 * KIB
"""A hundred mentions have 4 KiB."""


class Marks(NamedTuple):
    """What a text has besides its words."""

    extras: Extras = NO_EXTRAS
    edited: Stamp | None = None
    """What counts of its edits; None: it says what it said at first."""


PLAIN: Final = Marks()
_marks: Final = record(
    Marks._make, extras, maybe(record(Stamp._make, integer(), exactly(DEVICE_ID_BYTES)))
)


def encode_marks(marks: Marks) -> bytes:
    """Return what is stored; nothing for a plain text."""
    return b"" if marks == PLAIN else pack(marks)


def decode_marks(data: bytes) -> Marks:
    """Return what was stored.

    Raises:
        MalformedError: That was something else.
    """
    return _marks(unpack(data, _MAX_BYTES)) if data else PLAIN
