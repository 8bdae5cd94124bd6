"""Files in messages: what names them, opens them, and shows them before they are fetched.

Spec: protocol/spec/50-content.md
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar, Final, NamedTuple

from e2ecore_protocol.codec import Wire
from e2ecore_protocol.content.kind import CheckedContent, Content
from e2ecore_protocol.content.preview import check_preview
from e2ecore_protocol.errors import MalformedError
from e2ecore_protocol.limits import (
    ACCOUNT_ID_BYTES,
    BLOB_ID_BYTES,
    FILE_KEY_BYTES,
    HASH_BYTES,
    MAX_ATTACHMENT_BYTES,
    MAX_ATTACHMENTS,
    MAX_CAPTION_BYTES,
    MAX_FILE_NAME_BYTES,
    MAX_FORWARDS,
    MAX_MEDIA_SIDE,
    MAX_MEDIA_TYPE_CHARS,
    MAX_PREVIEW_BYTES,
    MAX_WAVEFORM_BYTES,
    MESSAGE_ID_BYTES,
)
from e2ecore_protocol.shape import Check, blob, exactly, integer, listing, record, text
from e2ecore_protocol.shape import time_ms as a_time

_MAX_FORM: Final = 15
_MEDIA_TYPE: Final = re.compile("[a-z0-9][a-z0-9!#$&^_.+-]*/[a-z0-9][a-z0-9!#$&^_.+-]*")
_HARMFUL: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f/\\\\\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e007f]"
)
"""Separators, control characters, and what turns the direction of writing or is not seen."""


class AttachmentForm(IntEnum):
    """What a file is to people. A form that is not known is shown like a file."""

    FILE = 0
    """Anything."""
    IMAGE = 1
    """A picture."""
    VIDEO = 2
    """Moving pictures."""
    AUDIO = 3
    """Sound."""
    VOICE = 4
    """Something said into this message."""


_STILL: Final = frozenset({AttachmentForm.FILE, AttachmentForm.IMAGE})
_UNSEEN: Final = frozenset({AttachmentForm.AUDIO, AttachmentForm.VOICE})


class FileItem(NamedTuple):
    """One file.

    ``file_key`` and the relay's share together open the blob; ``digest`` is the SHA-256 of the file
    and ``size`` its bytes. ``width`` and ``height`` are in pixels, 0 where they are unknown;
    ``duration_ms`` is 0 where there is none. ``waveform`` has one loudness from 0 to 255 for each
    equal part of what was said. ``preview`` is a small JPEG picture, or empty.
    """

    blob_id: bytes
    file_key: bytes
    size: int
    digest: bytes
    name: str
    media_type: str
    form: int = 0
    width: int = 0
    height: int = 0
    duration_ms: int = 0
    waveform: bytes = b""
    preview: bytes = b""

    def __repr__(self) -> str:
        return f"<FileItem, {self.size} bytes>"


def _name(value: Wire) -> str:
    found = _short_name(value)
    if not is_plain_name(found):
        raise MalformedError("a file name leads nowhere and shows all of itself")
    return found


def _media_type(value: Wire) -> str:
    found = _short_type(value)
    if not _MEDIA_TYPE.fullmatch(found):
        raise MalformedError("not a media type")
    return found


_short_name: Final = text(MAX_FILE_NAME_BYTES, 1, max_bytes=MAX_FILE_NAME_BYTES)
_short_type: Final = text(MAX_MEDIA_TYPE_CHARS, 3)
file_item: Final = record(
    FileItem._make,
    exactly(BLOB_ID_BYTES),
    exactly(FILE_KEY_BYTES),
    integer(MAX_ATTACHMENT_BYTES),
    exactly(HASH_BYTES),
    _name,
    _media_type,
    integer(_MAX_FORM),
    integer(MAX_MEDIA_SIDE),
    integer(MAX_MEDIA_SIDE),
    a_time,
    blob(MAX_WAVEFORM_BYTES),
    blob(MAX_PREVIEW_BYTES),
)
"""A check for one file."""


def is_plain_name(name: str) -> bool:
    """Is this a name without a path, without a way up, and without characters that deceive?"""
    return bool(name.strip()) and name not in {".", ".."} and not _HARMFUL.search(name)


@dataclass(frozen=True, slots=True)
class Attachments(CheckedContent):
    """A message with files: one, or an album. ``text`` is what is said of them, often nothing."""

    KIND: ClassVar[int] = 9
    SHAPE: ClassVar[tuple[Check[object], ...]] = (
        exactly(MESSAGE_ID_BYTES),
        a_time,
        text(MAX_CAPTION_BYTES, max_bytes=MAX_CAPTION_BYTES),
        listing(file_item, MAX_ATTACHMENTS, 1),
    )
    message_id: bytes
    sent_ms: int
    text: str
    files: tuple[FileItem, ...]

    def check(self) -> None:
        """Refuse files that are not what they say, and blobs or keys that are used twice.

        Raises:
            MalformedError: It is one of these.
        """
        for one in self.files:
            for fault in _faults(one):
                raise MalformedError(fault)
            check_preview(one.preview)
        for used in ({one.blob_id for one in self.files}, {one.file_key for one in self.files}):
            if len(used) < len(self.files):
                raise MalformedError("each file has a blob and a key of its own")


@dataclass(frozen=True, slots=True)
class ForwardedAttachments(Attachments):
    """Files that were sent on. ``forwards`` is how often, as their senders say; 1 at least."""

    KIND: ClassVar[int] = 19
    SHAPE: ClassVar[tuple[Check[object], ...]] = (*Attachments.SHAPE, integer(MAX_FORWARDS, 1))
    forwards: int


def _faults(one: FileItem) -> Iterator[str]:
    if (one.width == 0) is not (one.height == 0):
        yield "a picture has width and height, or neither"
    if one.form in _STILL and one.duration_ms:
        yield "what does not move has no duration"
    if one.form in _UNSEEN and one.width:
        yield "sound has no width"
    if one.waveform and one.form != AttachmentForm.VOICE:
        yield "only what was said has a waveform"


@dataclass(frozen=True, slots=True)
class AttachmentRequest(Content):
    """Whoever wrote a message is asked to upload one of its files again: the blob is gone."""

    KIND: ClassVar[int] = 10
    SHAPE: ClassVar[tuple[Check[object], ...]] = (
        exactly(MESSAGE_ID_BYTES),
        exactly(ACCOUNT_ID_BYTES),
        exactly(BLOB_ID_BYTES),
    )
    message_id: bytes
    author: bytes
    blob_id: bytes


@dataclass(frozen=True, slots=True)
class AttachmentAgain(CheckedContent):
    """A file of an own message lies in another blob, under another key. It is the same file."""

    KIND: ClassVar[int] = 11
    SHAPE: ClassVar[tuple[Check[object], ...]] = (
        exactly(MESSAGE_ID_BYTES),
        exactly(BLOB_ID_BYTES),
        exactly(BLOB_ID_BYTES),
        exactly(FILE_KEY_BYTES),
    )
    message_id: bytes
    before: bytes
    blob_id: bytes
    file_key: bytes

    def check(self) -> None:
        """Refuse the same blob again: a blob has one key.

        Raises:
            MalformedError: It is the same.
        """
        if self.before == self.blob_id:
            raise MalformedError("the same blob again")
