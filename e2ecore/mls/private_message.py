"""Encrypted messages: the product's hot path.

All that is constant within an epoch is encoded once, in ``MessageKeys``. Sealing and opening take
no time that depends on the size of the group. Opening changes nothing: the caller verifies the
signature and then consumes the key (``Opened.step``).

Spec: RFC 9420 §6.3 (Encoding and Decoding a Private Message)
"""

from collections.abc import Callable
from dataclasses import dataclass
from struct import Struct
from typing import Final, NamedTuple

from e2ecore.crypto.rng import Rng
from e2ecore.crypto.suites import CipherSuite
from e2ecore.mls.codec import Reader, opaque, u8, u16, u64
from e2ecore.mls.errors import MalformedMessageError
from e2ecore.mls.framing import Body, ContentType, WireFormat, read_auth, read_body
from e2ecore.mls.key_schedule import SenderDataSecret
from e2ecore.mls.labels import expander
from e2ecore.mls.nodes import MLS10
from e2ecore.mls.secret_tree import APPLICATION, HANDSHAKE, SecretTree, Step

PaddingPolicy = Callable[[int], int]
"""Takes the size of an unpadded content in bytes, returns how many zero bytes to append."""

PADDING_BLOCK: Final = 64
"""Sizes are multiples of this many bytes: a short text looks like any other short text."""

_SENDER_DATA: Final = Struct(">II4s")
_MESSAGE_HEAD: Final = u16(MLS10) + u16(WireFormat.PRIVATE_MESSAGE)
_MEMBER: Final = b"\x01"


def no_padding(_size: int, /) -> int:
    """Append nothing: the ciphertext shows the content's exact size."""
    return 0


def bucketed(size: int, /) -> int:
    """Pad to a multiple of 64 bytes, and large contents to steps of at most 12 percent."""
    step = max(PADDING_BLOCK, 1 << max(0, (size - 1).bit_length() - 4))
    return -size % step


class MessageKeys:
    """What it takes to seal and open the messages of one epoch.

    Attributes:
        context: The encoded GroupContext.
        head: Encoded group id and epoch, as they stand in each message.
        tree: The secret tree.
    """

    __slots__ = (
        "_expand_key",
        "_expand_nonce",
        "_sender_data_secret",
        "context",
        "epoch",
        "head",
        "signed_head",
        "suite",
        "tree",
    )

    def __init__(
        self,
        suite: CipherSuite,
        *,
        group_id: bytes,
        epoch: int,
        context: bytes,
        sender_data: SenderDataSecret,
        tree: SecretTree,
    ) -> None:
        self.suite = suite
        self.epoch = epoch
        self.context = context
        self.head = opaque(group_id) + u64(epoch)
        self.signed_head = _MESSAGE_HEAD + self.head + _MEMBER
        self.tree = tree
        self._sender_data_secret = sender_data.raw
        self._expand_key = expander(suite, "key", suite.nk)
        self._expand_nonce = expander(suite, "nonce", suite.nn)

    def signed_part(
        self, leaf: int, content_type: int, authenticated_data: bytes, encoded: bytes
    ) -> bytes:
        """Return the FramedContentTBS of a member's PrivateMessage.

        ``encoded`` is the content as it stands in the message.
        """
        return b"".join(
            (
                self.signed_head,
                leaf.to_bytes(4, "big"),
                opaque(authenticated_data),
                bytes((content_type,)),
                encoded,
                self.context,
            )
        )

    def sender_data_keys(self, ciphertext: bytes) -> tuple[bytes, bytes]:
        """Derive key and nonce for the sender data that goes with this ciphertext.

        Spec: RFC 9420 §6.3.2 (Sender Data Encryption)
        """
        secret, sample = self._sender_data_secret, ciphertext[: self.suite.nh]
        return self._expand_key(secret, sample), self._expand_nonce(secret, sample)

    def seal(
        self,
        content: bytes,
        *,
        leaf: int,
        content_type: ContentType,
        authenticated_data: bytes,
        padding: PaddingPolicy,
        rng: Rng,
    ) -> bytes:
        """Encrypt with our own next key, and consume it.

        ``content`` is the encoded content with its FramedContentAuthData.

        Returns:
            The MLSMessage. Store the changed ratchet row before it leaves the device.
        """
        suite, kind = self.suite, bytes((content_type,))
        ratchet = APPLICATION if content_type == ContentType.APPLICATION else HANDSHAKE
        step = self.tree.next_step(leaf, ratchet)
        guard = rng(4)
        head = self.head + kind
        with_data = head + opaque(authenticated_data)
        content += bytes(padding(len(content)))
        ciphertext = suite.aead.seal(step.key, _guarded(step.nonce, guard), content, with_data)
        key, nonce = self.sender_data_keys(ciphertext)
        sender_data = suite.aead.seal(
            key, nonce, _SENDER_DATA.pack(leaf, step.generation, guard), head
        )
        self.tree.consume(step)
        return _MESSAGE_HEAD + with_data + opaque(sender_data) + opaque(ciphertext)

    def open_sender(self, message: "PrivateMessage") -> tuple[int, int, bytes]:
        """Decrypt who sent a message.

        Returns:
            Leaf index, generation, reuse guard. Whether the leaf is occupied is for the caller.

        Raises:
            DecryptionError: Not of this epoch, or changed on its way.
        """
        key, nonce = self.sender_data_keys(message.ciphertext)
        plain = self.suite.aead.open(
            key, nonce, message.encrypted_sender_data, self.head + bytes((message.content_type,))
        )
        if len(plain) != _SENDER_DATA.size:
            raise MalformedMessageError("sender data has a wrong length")
        leaf, generation, guard = _SENDER_DATA.unpack(plain)
        return leaf, generation, guard

    def open(self, message: "PrivateMessage", leaf: int, generation: int, guard: bytes) -> "Opened":
        """Decrypt the content, changing nothing.

        Raises:
            DuplicateMessageError: This message has been received before.
            GenerationTooOldError: It comes too late; its key is gone.
            GenerationTooFarError: Its generation is beyond the window.
            DecryptionError: It was changed on its way.
            MalformedMessageError: A member encrypted something that is not a message.
        """
        content_type = message.content_type
        ratchet = APPLICATION if content_type == ContentType.APPLICATION else HANDSHAKE
        step = self.tree.step(leaf, ratchet, generation)
        with_data = self.head + bytes((content_type,)) + opaque(message.authenticated_data)
        plain = self.suite.aead.open(
            step.key, _guarded(step.nonce, guard), message.ciphertext, with_data
        )
        reader = Reader(plain)
        body = read_body(reader, content_type)
        encoded = reader.since(0)
        signature, tag = read_auth(reader, content_type)
        left = reader.left
        if reader.raw(left).count(0) != left:
            raise MalformedMessageError("padding is not zero")
        return Opened(message.authenticated_data, body, encoded, signature, tag, step)


def _guarded(nonce: bytes, guard: bytes) -> bytes:
    """Mix the reuse guard into the nonce. Spec: RFC 9420 §6.3.1 (Content Encryption)."""
    mixed = int.from_bytes(nonce[:4], "big") ^ int.from_bytes(guard, "big")
    return mixed.to_bytes(4, "big") + nonce[4:]


@dataclass(slots=True, repr=False)
class Opened:
    """A decrypted content whose signature has not been verified.

    Attributes:
        encoded: ``body`` as bytes, as sent.
        step: The key it was encrypted with; consume it once the message proved genuine.
    """

    authenticated_data: bytes
    body: Body
    encoded: bytes
    signature: bytes
    confirmation_tag: bytes | None
    step: Step


class PrivateMessage(NamedTuple):
    """An encrypted message as received."""

    group_id: bytes
    epoch: int
    content_type: int
    authenticated_data: bytes
    encrypted_sender_data: bytes
    ciphertext: bytes

    def encode(self) -> bytes:
        """Return the PrivateMessage, without the MLSMessage's head."""
        return b"".join(
            (
                opaque(self.group_id),
                u64(self.epoch),
                u8(self.content_type),
                opaque(self.authenticated_data),
                opaque(self.encrypted_sender_data),
                opaque(self.ciphertext),
            )
        )

    @classmethod
    def read(cls, reader: Reader) -> "PrivateMessage":
        """Read a PrivateMessage."""
        group_id, epoch, content_type = reader.opaque(), reader.u64(), reader.u8()
        if not ContentType.APPLICATION <= content_type <= ContentType.COMMIT:
            raise MalformedMessageError("unknown type of content")
        return cls(group_id, epoch, content_type, reader.opaque(), reader.opaque(), reader.opaque())
