"""How far somebody has seen an account chain, to be compared with what somebody else has seen.

Spec: protocol/spec/80-chain-and-consent.md, [CHN-33]
"""

import hashlib
from dataclasses import dataclass
from typing import ClassVar, Final, Self

from e2ecore_protocol.codec import pack, unpack
from e2ecore_protocol.declared import Declared
from e2ecore_protocol.errors import MalformedError
from e2ecore_protocol.limits import ACCOUNT_ID_BYTES, HASH_BYTES, MAX_CHAIN_ENTRIES
from e2ecore_protocol.shape import Check, exactly, integer

CHECKPOINT_VERSION: Final = 1
MAX_CHECKPOINT_BYTES: Final = 80
"""An encoded one has at most 68 bytes."""
_LABEL: Final = b"e2ecore checkpoint v1"
_CHECK_BYTES: Final = 4


@dataclass(frozen=True, slots=True)
class Checkpoint(Declared):
    """The newest entry that somebody knows of an account chain."""

    SHAPE: ClassVar[tuple[Check[object], ...]] = (
        integer(CHECKPOINT_VERSION, CHECKPOINT_VERSION),
        exactly(ACCOUNT_ID_BYTES),
        integer(MAX_CHAIN_ENTRIES - 1),
        exactly(HASH_BYTES),
        exactly(_CHECK_BYTES),
    )
    version: int
    account_id: bytes
    seq: int
    hash: bytes
    check: bytes
    """Finds the slips of people who type it; proves nothing."""

    @classmethod
    def of(cls, account_id: bytes, seq: int, head: bytes) -> Self:
        """Return the checkpoint of an entry."""
        check = _check(account_id, seq, head)
        return cls(CHECKPOINT_VERSION, account_id, seq, head, check)

    def encode(self) -> bytes:
        """Return the canonical encoding: what a QR code holds, or people type in hexadecimal."""
        return pack(self.to_fields())

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Parse what ``encode`` gave.

        Raises:
            MalformedError: It is something else, or somebody has mistyped it.
        """
        found = cls.from_fields(unpack(data, MAX_CHECKPOINT_BYTES))
        if found.check != _check(found.account_id, found.seq, found.hash):
            raise MalformedError("a checkpoint with a slip in it")
        return found


def _check(account_id: bytes, seq: int, head: bytes) -> bytes:
    named = pack((CHECKPOINT_VERSION, account_id, seq, head))
    return hashlib.sha256(_LABEL + named).digest()[:_CHECK_BYTES]
