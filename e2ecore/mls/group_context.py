"""What all members of an epoch agree on. Spec: RFC 9420 §8.1 (Group Context)."""

from dataclasses import dataclass

from e2ecore.mls.codec import Reader, opaque, u16, u64
from e2ecore.mls.errors import UnsupportedError
from e2ecore.mls.extensions import Extensions, encode_extensions, read_extensions
from e2ecore.mls.nodes import MLS10


@dataclass(frozen=True, slots=True)
class GroupContext:
    """Summary of a group's state in one epoch."""

    cipher_suite: int
    group_id: bytes
    epoch: int
    tree_hash: bytes
    confirmed_transcript_hash: bytes
    extensions: Extensions

    def encode(self) -> bytes:
        """Return the GroupContext."""
        return b"".join(
            (
                u16(MLS10),
                u16(self.cipher_suite),
                opaque(self.group_id),
                u64(self.epoch),
                opaque(self.tree_hash),
                opaque(self.confirmed_transcript_hash),
                encode_extensions(self.extensions),
            )
        )

    def confirmed(self, transcript_hash: bytes) -> "GroupContext":
        """Return the same with another confirmed transcript hash."""
        return GroupContext(
            self.cipher_suite,
            self.group_id,
            self.epoch,
            self.tree_hash,
            transcript_hash,
            self.extensions,
        )

    @classmethod
    def read(cls, reader: Reader) -> "GroupContext":
        """Read a GroupContext.

        Raises:
            UnsupportedError: Of another version of MLS.
        """
        if reader.u16() != MLS10:
            raise UnsupportedError("the group uses another version of MLS")
        return cls(
            reader.u16(),
            reader.opaque(),
            reader.u64(),
            reader.opaque(),
            reader.opaque(),
            read_extensions(reader),
        )
