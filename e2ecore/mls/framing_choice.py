"""How our own handshake messages travel: encrypted, or signed in clear.

Spec: RFC 9420 §6.2 (Encoding and Decoding a Public Message) and
RFC 9420 §6.3 (Encoding and Decoding a Private Message).
"""

from dataclasses import dataclass
from typing import Final

from e2ecore.mls.framing import WireFormat
from e2ecore.mls.private_message import PaddingPolicy, bucketed


@dataclass(frozen=True, slots=True)
class HandshakeFraming:
    """A choice for one proposal or commit.

    Attributes:
        public: Whoever carries it can read it, members only can have made it. For relays that
            enforce who may change what; else leave it.
        padding: Says how many zero bytes to append to what is encrypted.
    """

    public: bool = False
    padding: PaddingPolicy = bucketed

    @property
    def wire_format(self) -> WireFormat:
        """What it is sent as."""
        return WireFormat.PUBLIC_MESSAGE if self.public else WireFormat.PRIVATE_MESSAGE


PRIVATE: Final = HandshakeFraming()
"""Encrypted and padded: the default."""
PUBLIC: Final = HandshakeFraming(public=True)
"""In clear."""
