"""Signed messages that are not encrypted.

Senders outside of a group have no other way. Members choose it for handshakes where the relay is to
see who changes what; application data never travels in it.

Spec: RFC 9420 §6.2 (Encoding and Decoding a Public Message)
"""

from dataclasses import dataclass

from e2ecore.crypto.hkdf import hmac
from e2ecore.crypto.suites import CipherSuite
from e2ecore.mls.codec import Reader, opaque
from e2ecore.mls.framing import (
    AuthenticatedContent,
    FramedContent,
    SenderType,
    WireFormat,
    read_auth,
    signed_part,
)
from e2ecore.mls.key_schedule import MembershipKey


@dataclass(frozen=True, slots=True)
class PublicMessage:
    """A message in clear. ``membership_tag`` is None for senders outside of the group."""

    authenticated: AuthenticatedContent
    membership_tag: bytes | None

    def encode(self) -> bytes:
        """Return the PublicMessage, without the MLSMessage's head."""
        tag = b"" if self.membership_tag is None else opaque(self.membership_tag)
        return self.authenticated.content.encode() + self.authenticated.encode_auth() + tag

    @classmethod
    def read(cls, reader: Reader) -> "PublicMessage":
        """Read a PublicMessage."""
        content = FramedContent.read(reader)
        signature, confirmation = read_auth(reader, content.content_type)
        authenticated = AuthenticatedContent(
            WireFormat.PUBLIC_MESSAGE, content, signature, confirmation
        )
        member = content.sender.type == SenderType.MEMBER
        return cls(authenticated, reader.opaque() if member else None)


def membership_tag(
    suite: CipherSuite, key: MembershipKey, authenticated: AuthenticatedContent, context: bytes
) -> bytes:
    """Compute the MAC that only members can make.

    ``context`` is the encoded GroupContext of the message's epoch.
    """
    signed = signed_part(WireFormat.PUBLIC_MESSAGE, authenticated.content, context)
    return hmac(key.raw, signed + authenticated.encode_auth(), suite.hash)
