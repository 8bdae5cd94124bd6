"""What is common to all messages of a group: their content, and how it is signed.

Spec: RFC 9420 §6 (Message Framing)
"""

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

from e2ecore.mls.codec import Reader, opaque, u8, u16, u32, u64
from e2ecore.mls.errors import MalformedMessageError
from e2ecore.mls.nodes import MLS10
from e2ecore.mls.proposals import Commit, Proposal, encode_proposal, read_proposal


class WireFormat(IntEnum):
    """What an MLSMessage holds. Spec: RFC 9420 §17.2 (MLS Wire Formats)."""

    PUBLIC_MESSAGE = 1
    PRIVATE_MESSAGE = 2
    WELCOME = 3
    GROUP_INFO = 4
    KEY_PACKAGE = 5


class ContentType(IntEnum):
    """What a message of a group carries."""

    APPLICATION = 1
    PROPOSAL = 2
    COMMIT = 3


class SenderType(IntEnum):
    """Who sent a message."""

    MEMBER = 1
    EXTERNAL = 2
    NEW_MEMBER_PROPOSAL = 3
    NEW_MEMBER_COMMIT = 4


_INDEXED: Final = (SenderType.MEMBER, SenderType.EXTERNAL)


@dataclass(frozen=True, slots=True)
class Sender:
    """Who sent a message.

    Attributes:
        index: Leaf index of a member, or place in the ``external_senders`` extension; else 0.
    """

    type: SenderType
    index: int = 0

    def encode(self) -> bytes:
        """Return the Sender."""
        if self.type in _INDEXED:
            return u8(self.type) + u32(self.index)
        return u8(self.type)

    @classmethod
    def read(cls, reader: Reader) -> "Sender":
        """Read a Sender."""
        number = reader.u8()
        if not SenderType.MEMBER <= number <= SenderType.NEW_MEMBER_COMMIT:
            raise MalformedMessageError("unknown type of sender")
        kind = SenderType(number)
        return cls(kind, reader.u32() if kind in _INDEXED else 0)


Body = bytes | Proposal | Commit
"""Application data, or a handshake message."""


def read_body(reader: Reader, content_type: int) -> Body:
    """Read what the content type says."""
    match content_type:
        case ContentType.APPLICATION:
            return reader.opaque()
        case ContentType.PROPOSAL:
            return read_proposal(reader)
        case ContentType.COMMIT:
            return Commit.read(reader)
        case _:
            raise MalformedMessageError("unknown type of content")


def encode_body(body: Body) -> bytes:
    """Return the content as it stands in a message."""
    match body:
        case bytes():
            return opaque(body)
        case Commit():
            return body.encode()
        case _:
            return encode_proposal(body)


def body_type(body: Body) -> ContentType:
    """Return the content type of a body."""
    match body:
        case bytes():
            return ContentType.APPLICATION
        case Commit():
            return ContentType.COMMIT
        case _:
            return ContentType.PROPOSAL


@dataclass(frozen=True, slots=True)
class FramedContent:
    """A message's content with everything that is signed beside it.

    Attributes:
        encoded: ``body`` as bytes, as sent.
    """

    group_id: bytes
    epoch: int
    sender: Sender
    authenticated_data: bytes
    body: Body
    encoded: bytes
    _whole: bytes | None = field(default=None, init=False, repr=False, compare=False)

    @property
    def content_type(self) -> ContentType:
        """What the message carries."""
        return body_type(self.body)

    def encode(self) -> bytes:
        """Return the FramedContent. It is remembered: what is signed is hashed next."""
        whole = self._whole
        if whole is None:
            whole = b"".join(
                (
                    opaque(self.group_id),
                    u64(self.epoch),
                    self.sender.encode(),
                    opaque(self.authenticated_data),
                    u8(self.content_type),
                    self.encoded,
                )
            )
            object.__setattr__(self, "_whole", whole)
        return whole

    @classmethod
    def read(cls, reader: Reader) -> "FramedContent":
        """Read a FramedContent."""
        group_id, epoch, sender = reader.opaque(), reader.u64(), Sender.read(reader)
        authenticated_data, content_type = reader.opaque(), reader.u8()
        start = reader.position
        body = read_body(reader, content_type)
        return cls(group_id, epoch, sender, authenticated_data, body, reader.since(start))


@dataclass(frozen=True, slots=True)
class AuthenticatedContent:
    """A message's content with its signature and, for a commit, its confirmation tag."""

    wire_format: WireFormat
    content: FramedContent
    signature: bytes
    confirmation_tag: bytes | None

    def confirmed(self, tag: bytes) -> "AuthenticatedContent":
        """Return the commit with its confirmation tag."""
        return AuthenticatedContent(self.wire_format, self.content, self.signature, tag)

    def encode_auth(self) -> bytes:
        """Return the FramedContentAuthData."""
        if self.confirmation_tag is None:
            return opaque(self.signature)
        return opaque(self.signature) + opaque(self.confirmation_tag)

    def encode(self) -> bytes:
        """Return the AuthenticatedContent; proposals are named by its hash."""
        return u16(self.wire_format) + self.content.encode() + self.encode_auth()

    def confirmed_input(self) -> bytes:
        """Return the ConfirmedTranscriptHashInput. Spec: RFC 9420 §8.2 (Transcript Hashes)."""
        return u16(self.wire_format) + self.content.encode() + opaque(self.signature)

    @classmethod
    def read(cls, reader: Reader) -> "AuthenticatedContent":
        """Read an AuthenticatedContent."""
        number = reader.u16()
        if number not in {WireFormat.PUBLIC_MESSAGE, WireFormat.PRIVATE_MESSAGE}:
            raise MalformedMessageError("only group messages have authenticated content")
        content = FramedContent.read(reader)
        return cls(WireFormat(number), content, *read_auth(reader, content.content_type))


def read_auth(reader: Reader, content_type: int) -> tuple[bytes, bytes | None]:
    """Read signature and, for a commit, confirmation tag."""
    signature = reader.opaque()
    return signature, reader.opaque() if content_type == ContentType.COMMIT else None


def signed_part(wire_format: WireFormat, content: FramedContent, context: bytes) -> bytes:
    """Return the FramedContentTBS. Spec: RFC 9420 §6.1 (Content Authentication).

    ``context`` is the encoded GroupContext of the message's epoch.
    """
    head = u16(MLS10) + u16(wire_format) + content.encode()
    if content.sender.type in {SenderType.MEMBER, SenderType.NEW_MEMBER_COMMIT}:
        return head + context
    return head
