"""What a member says to the others: the plaintext of an MLS application message.

An array [1, kind, field, ...]. A kind that a reader does not know is kept as it came, so that a
newer version can show it later; nobody is cut off by news.

Spec: protocol/spec/50-content.md
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Final, NamedTuple, TypeAlias, cast

from e2ecore_protocol.codec import Wire, pack, unpack
from e2ecore_protocol.content.attachments import (
    AttachmentAgain,
    AttachmentRequest,
    Attachments,
    ForwardedAttachments,
)
from e2ecore_protocol.content.cards import ContactCard
from e2ecore_protocol.content.guardians import (
    GuardianInvitation,
    GuardianRefusal,
    GuardianRequest,
)
from e2ecore_protocol.content.kind import CONTENT_VERSION, Content
from e2ecore_protocol.content.own import Own
from e2ecore_protocol.content.pins import Pin
from e2ecore_protocol.content.polls import Poll, PollClose, Vote, VoteReveal
from e2ecore_protocol.content.reactions import Reaction
from e2ecore_protocol.content.reading import ReadReceipt
from e2ecore_protocol.content.revisions import Edit, Recall
from e2ecore_protocol.content.rich_text import RichText
from e2ecore_protocol.errors import MalformedError
from e2ecore_protocol.limits import (
    ACCOUNT_ID_BYTES,
    DEVICE_ID_BYTES,
    MAX_DISPLAY_NAME_CHARS,
    MAX_ENVELOPE_BYTES,
    MAX_MEMBER_DEVICES,
    MAX_MISSING_COUNTERS,
    MAX_TEXT_BYTES,
    MESSAGE_ID_BYTES,
)
from e2ecore_protocol.shape import Check, exactly, integer, listing, record, text
from e2ecore_protocol.shape import time_ms as a_time

_MIN_FIELDS = 2
_kind = integer(0xFFFF, 1)
_counter = integer(min_value=1)


@dataclass(frozen=True, slots=True)
class Text(Content):
    """A message that people write.

    ``sent_ms`` is the sender's clock. The text has at least one character and at most
    MAX_TEXT_BYTES in UTF-8.
    """

    KIND: ClassVar[int] = 1
    SHAPE: ClassVar[tuple[Check[object], ...]] = (
        exactly(MESSAGE_ID_BYTES),
        a_time,
        text(MAX_TEXT_BYTES, 1, max_bytes=MAX_TEXT_BYTES),
    )
    message_id: bytes
    sent_ms: int
    text: str


class Stored(NamedTuple):
    """How far the messages of one sending device are stored.

    ``sender`` is account id and device id, 36 bytes. All counters up to and including
    ``upto_counter`` are stored, but for those in ``missing``, ascending.
    """

    sender: bytes
    upto_counter: int
    missing: tuple[int, ...] = ()


def _stored(value: Wire) -> Stored:
    stored = _stored_fields(value)
    previous = 0
    for counter in stored.missing:
        if not previous < counter <= stored.upto_counter:
            raise MalformedError("missing counters ascend, up to the last one")
        previous = counter
    return stored


_stored_fields = record(
    Stored._make,
    exactly(ACCOUNT_ID_BYTES + DEVICE_ID_BYTES),
    _counter,
    listing(_counter, MAX_MISSING_COUNTERS),
)


@dataclass(frozen=True, slots=True)
class Receipt(Content):
    """What the sender of this has stored. Cumulative: one says as much as all before it.

    One for nothing keeps the counter of a message that was erased before it left.
    """

    KIND: ClassVar[int] = 2
    SHAPE: ClassVar[tuple[Check[object], ...]] = (listing(_stored, MAX_MEMBER_DEVICES),)
    stored: tuple[Stored, ...]


@dataclass(frozen=True, slots=True)
class Profile(Content):
    """How the sender wants to be called. An empty name takes the earlier one back."""

    KIND: ClassVar[int] = 3
    SHAPE: ClassVar[tuple[Check[object], ...]] = (text(MAX_DISPLAY_NAME_CHARS),)
    display_name: str


@dataclass(frozen=True, slots=True)
class UnknownContent:
    """Content of a kind that this version does not know, as it came."""

    kind: int
    raw: bytes

    def encode(self) -> bytes:
        """Return the bytes as they came."""
        return self.raw


KnownContent: TypeAlias = (
    Text | Receipt | Profile | RichText | Reaction | Edit | Recall | ReadReceipt | ContactCard | Pin
    | Attachments | AttachmentRequest | AttachmentAgain | Poll | Vote | PollClose | VoteReveal
    | Own | ForwardedAttachments | GuardianInvitation | GuardianRequest | GuardianRefusal
)  # fmt: skip
"""Content of the kinds that this version knows."""

AnyContent: TypeAlias = KnownContent | UnknownContent
"""What ``decode_content`` returns."""

_TYPES: Final[tuple[type[KnownContent], ...]] = (
    Text, Receipt, Profile, RichText, Reaction, Edit, Recall, ReadReceipt, ContactCard, Pin,
    Attachments, AttachmentRequest, AttachmentAgain, Poll, Vote, PollClose, VoteReveal,
    Own, ForwardedAttachments,
    GuardianInvitation, GuardianRequest, GuardianRefusal,
)  # fmt: skip

KINDS: Final[Mapping[int, type[KnownContent]]] = {kind.KIND: kind for kind in _TYPES}
"""Kind number to what it is decoded to."""


def decode_content(data: bytes) -> AnyContent:
    """Parse the plaintext of one MLS application message.

    Raises:
        MalformedError: Not canonical, not content, or a known kind with wrong fields.
    """
    wire = unpack(data, MAX_ENVELOPE_BYTES)
    if len(wire) < _MIN_FIELDS or type(wire[0]) is not int or wire[0] != CONTENT_VERSION:
        raise MalformedError(f"not content of version {CONTENT_VERSION}")
    kind = _kind(wire[1])
    known = KINDS.get(kind)
    return known.from_fields(wire[_MIN_FIELDS:]) if known else UnknownContent(kind, data)


def _second(values: list[object]) -> int:
    return cast("int", values[1])


def encode_counter(counter: int) -> bytes:
    """Return the authenticated data of an application message.

    Args:
        counter: The sending device's messages in this conversation, from 1 on, never used twice.
    """
    return pack((CONTENT_VERSION, counter))


def decode_counter(data: bytes) -> int:
    """Return the counter in the authenticated data of an application message.

    Raises:
        MalformedError: Not such authenticated data.
    """
    return _counter_of(unpack(data, _MAX_COUNTER_BYTES))


_MAX_COUNTER_BYTES: Final = 11
"""Array head, version, 64-bit integer with its head."""

_counter_of = record(_second, integer(CONTENT_VERSION, CONTENT_VERSION), _counter)
