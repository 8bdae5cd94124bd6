"""Parts of a history on their way from one device of a person to another.

Spec: protocol/spec/76-history-transfer.md
"""

from dataclasses import dataclass
from typing import ClassVar, Final

from e2ecore_protocol.codec import pack, unpack
from e2ecore_protocol.content.attachments import AttachmentForm, FileItem, file_item
from e2ecore_protocol.declared import Declared
from e2ecore_protocol.errors import MalformedError
from e2ecore_protocol.limits import (
    DEVICE_ID_BYTES,
    MAX_OWN_BODY_BYTES,
    MIB,
)
from e2ecore_protocol.shape import Check, exactly, integer, one_of

TRANSFER_ID_BYTES: Final = 16
"""Random, chosen by the device that gives."""
MAX_HISTORY_PARTS: Final = 1 << 20
"""Parts of one transfer."""
MAX_HISTORY_PART_BYTES: Final = 256 * MIB
"""Largest part: the longest message with every character escaped, and all that it said before."""
_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class HistoryPart(Declared):
    """One part of a history is at the relay, for one device of the account.

    Parts are numbered from 0 on. ``is_last`` is 1 for the last one of a transfer. ``file`` is a
    plain file of at most MAX_HISTORY_PART_BYTES.
    """

    SHAPE: ClassVar[tuple[Check[object], ...]] = (
        exactly(TRANSFER_ID_BYTES),
        exactly(DEVICE_ID_BYTES),
        integer(MAX_HISTORY_PARTS - 1),
        one_of(0, 1),
        file_item,
    )
    transfer_id: bytes
    device_id: bytes
    number: int
    is_last: int
    file: FileItem

    def encode(self) -> bytes:
        """Return the canonical encoding, a body for ``Own``."""
        return pack((_VERSION, *self.to_fields()))


def decode_history_part(body: bytes) -> HistoryPart:
    """Parse what says that a part is at the relay.

    Raises:
        MalformedError: Not canonical, of another version, or with fields that cannot be.
    """
    wire = unpack(body, MAX_OWN_BODY_BYTES)
    if not wire or type(wire[0]) is not int or wire[0] != _VERSION:
        raise MalformedError(f"not a part of version {_VERSION}")
    found = HistoryPart.from_fields(wire[1:])
    said = found.file
    shown = said.width, said.height, said.duration_ms, said.waveform, said.preview
    if said.form != AttachmentForm.FILE or any(shown):
        raise MalformedError("a part of a history is a plain file")
    if not 0 < said.size <= MAX_HISTORY_PART_BYTES:
        raise MalformedError(f"a part has at most {MAX_HISTORY_PART_BYTES} bytes")
    return found
