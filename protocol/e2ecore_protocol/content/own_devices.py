"""What devices of one account say to each other, in a conversation that they have for themselves.

Ops are told as they are made. Which of them another device lacks is found out by comparison: one
asks about ranges of all ops, ordered by time and hash, the other answers.

Spec: protocol/spec/75-own-devices.md
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar, Final, TypeAlias

from e2ecore_protocol.codec import unpack
from e2ecore_protocol.content.kind import CONTENT_VERSION, Content
from e2ecore_protocol.errors import MalformedError
from e2ecore_protocol.limits import (
    DEVICE_ID_BYTES,
    HASH_BYTES,
    MAX_COMPARISON_BYTES,
    MAX_ENVELOPE_BYTES,
    MAX_OP_BYTES,
    MAX_OPS_PER_CONTENT,
    MAX_OPS_WANTED,
)
from e2ecore_protocol.shape import Check, blob, exactly, integer, listing

SESSION_BYTES: Final = 16
"""Names one comparison; random."""

_device: Final = exactly(DEVICE_ID_BYTES)
_session: Final = exactly(SESSION_BYTES)
_frame: Final = blob(MAX_COMPARISON_BYTES, 1)
_HEAD: Final = 2
_kind = integer(0xFFFF, 1)


@dataclass(frozen=True, slots=True)
class OpsTold(Content):
    """Ops, each as it is encoded: new ones, or ones that another device lacks."""

    KIND: ClassVar[int] = 1001
    SHAPE: ClassVar[tuple[Check[object], ...]] = (
        listing(blob(MAX_OP_BYTES, 1), MAX_OPS_PER_CONTENT, 1),
    )
    ops: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class OpsCompared(Content):
    """A question to one device: does it have the same? ``frame`` is read by ``comparison``."""

    KIND: ClassVar[int] = 1002
    SHAPE: ClassVar[tuple[Check[object], ...]] = (_device, _session, _frame)
    device_id: bytes
    session: bytes
    frame: bytes


@dataclass(frozen=True, slots=True)
class OpsAnswered(Content):
    """The answer, to the device that asked. ``frame`` is read by ``comparison``."""

    KIND: ClassVar[int] = 1003
    SHAPE: ClassVar[tuple[Check[object], ...]] = (_device, _session, _frame)
    device_id: bytes
    session: bytes
    frame: bytes


@dataclass(frozen=True, slots=True)
class OpsWanted(Content):
    """Please tell these ops, named by their hashes; said to one device."""

    KIND: ClassVar[int] = 1004
    SHAPE: ClassVar[tuple[Check[object], ...]] = (
        _device,
        listing(exactly(HASH_BYTES), MAX_OPS_WANTED, 1),
    )
    device_id: bytes
    hashes: tuple[bytes, ...]


OwnContent: TypeAlias = OpsTold | OpsCompared | OpsAnswered | OpsWanted
"""What own devices say to each other."""

OWN_KINDS: Final[Mapping[int, type[OwnContent]]] = MappingProxyType(
    {kind.KIND: kind for kind in (OpsTold, OpsCompared, OpsAnswered, OpsWanted)}
)
"""Kind number to what it is decoded to."""


def decode_own_content(data: bytes) -> OwnContent | None:
    """Parse what one own device says to the others; None for a kind that is not known here.

    Raises:
        MalformedError: Not canonical, not content, or a known kind with wrong fields.
    """
    wire = unpack(data, MAX_ENVELOPE_BYTES)
    if len(wire) < _HEAD or type(wire[0]) is not int or wire[0] != CONTENT_VERSION:
        raise MalformedError(f"not content of version {CONTENT_VERSION}")
    known = OWN_KINDS.get(_kind(wire[1]))
    return known.from_fields(wire[_HEAD:]) if known else None
