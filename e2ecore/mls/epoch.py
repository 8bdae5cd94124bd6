"""What a member knows about one epoch besides the tree, as it is stored in rows."""

from dataclasses import dataclass

from e2ecore.mls.codec import Reader, opaque, optional, u32, u64
from e2ecore.mls.errors import MalformedMessageError
from e2ecore.mls.key_schedule import (
    EpochAuthenticator,
    EpochSecrets,
    ExporterSecret,
    ExternalSecret,
    InitSecret,
    MembershipKey,
    SenderDataSecret,
)
from e2ecore.mls.proposals import ReInit
from e2ecore.mls.psk import Psk
from e2ecore.mls.tree_math import MAX_LEAVES


@dataclass(frozen=True, slots=True, repr=False)
class CurrentEpoch:
    """The current epoch's secrets and hashes.

    Attributes:
        epoch: Its number.
        leaves: Leaf count of the ratchet tree, blanks included.
        reinit: What follows this group, if a ReInit was committed: nothing is sent any more.
    """

    epoch: int
    leaves: int
    reinit: ReInit | None
    interim_hash: bytes
    confirmation_tag: bytes
    sender_data: SenderDataSecret
    exporter: ExporterSecret
    external: ExternalSecret
    membership: MembershipKey
    resumption: Psk
    authenticator: EpochAuthenticator
    init: InitSecret

    @classmethod
    def of(
        cls,
        secrets: EpochSecrets,
        *,
        epoch: int,
        leaves: int,
        interim_hash: bytes,
        confirmation_tag: bytes,
        reinit: ReInit | None = None,
    ) -> "CurrentEpoch":
        """Keep what is needed after the epoch has begun."""
        return cls(
            epoch,
            leaves,
            reinit,
            interim_hash,
            confirmation_tag,
            secrets.sender_data,
            secrets.exporter,
            secrets.external,
            secrets.membership,
            secrets.resumption,
            secrets.authenticator,
            secrets.init,
        )

    @property
    def suspended(self) -> bool:
        """True after a ReInit was committed."""
        return self.reinit is not None

    def encode(self) -> bytes:
        """Return the row."""
        fields = (
            self.interim_hash,
            self.confirmation_tag,
            self.sender_data.raw,
            self.exporter.raw,
            self.external.raw,
            self.membership.raw,
            self.resumption.raw,
            self.authenticator.raw,
            self.init.raw,
        )
        reinit = None if self.reinit is None else self.reinit.encode()
        head = u64(self.epoch) + u32(self.leaves) + optional(reinit)
        return head + b"".join(map(opaque, fields))

    @classmethod
    def read(cls, reader: Reader) -> "CurrentEpoch":
        """Read the row."""
        return cls(
            reader.u64(),
            _read_leaves(reader),
            reader.optional(ReInit.read),
            reader.opaque(),
            reader.opaque(),
            SenderDataSecret(reader.opaque()),
            ExporterSecret(reader.opaque()),
            ExternalSecret(reader.opaque()),
            MembershipKey(reader.opaque()),
            Psk(reader.opaque()),
            EpochAuthenticator(reader.opaque()),
            InitSecret(reader.opaque()),
        )


@dataclass(frozen=True, slots=True, repr=False)
class PastEpoch:
    """What is kept of an epoch to read late messages.

    Attributes:
        leaves: Leaf count of its ratchet tree.
        ended_ms: When its successor began here, in milliseconds since the Unix epoch.
    """

    leaves: int
    ended_ms: int
    sender_data: SenderDataSecret

    def encode(self) -> bytes:
        """Return the row."""
        return u32(self.leaves) + u64(self.ended_ms) + opaque(self.sender_data.raw)

    @classmethod
    def read(cls, reader: Reader) -> "PastEpoch":
        """Read the row."""
        return cls(_read_leaves(reader), reader.u64(), SenderDataSecret(reader.opaque()))


def _read_leaves(reader: Reader) -> int:
    """Read the leaf count of a tree, which bounds the walks through it."""
    leaves = reader.u32()
    if not 0 < leaves <= MAX_LEAVES or leaves & (leaves - 1):
        raise MalformedMessageError("no tree has so many leaves")
    return leaves
