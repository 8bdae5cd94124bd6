"""Frames of guardians. What the relay holds of them it tells to the two accounts alone.

Spec: protocol/spec/85-guardians.md
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar, NamedTuple, TypeAlias

from e2ecore_protocol.family_limits import (
    MAX_GUARDIAN_APPROVALS,
    MAX_GUARDIAN_DOCUMENT_BYTES,
    MAX_WARDS,
)
from e2ecore_protocol.frames.frame import Frame
from e2ecore_protocol.shape import Check, blob, integer, listing, maybe, record, request
from e2ecore_protocol.shape import time_ms as a_time

_DOCUMENT = blob(MAX_GUARDIAN_DOCUMENT_BYTES, 1)
_ENDINGS = 2


class MarkedBy(IntEnum):
    """Whose word it is that an account is a child's."""

    PERSON = 1
    OPERATOR = 2


class MinorMark(NamedTuple):
    """An account is that of somebody under 14."""

    until_ms: int
    by: int
    """A MarkedBy."""


class ApprovalState(NamedTuple):
    """An approval that the relay holds, and the document by which it was taken back, if it was."""

    approval: bytes
    retraction: bytes | None


class WardState(NamedTuple):
    """What a guardian is told of one account that they look after."""

    link: bytes
    until_ms: int
    endings: tuple[bytes, ...]


_ending_list = listing(_DOCUMENT, _ENDINGS)


@dataclass(frozen=True, slots=True)
class MarkMinor(Frame):
    """Client: whoever uses this account is under 14 until a date. Answered by Ok.

    A mark that is there already can get later by this, never earlier.
    """

    TYPE: ClassVar[int] = 32
    SHAPE: ClassVar[tuple[Check[object], ...]] = (request, a_time)
    request: int
    until_ms: int


@dataclass(frozen=True, slots=True)
class SubmitGuardian(Frame):
    """Client: a document of guardian and ward. Answered by Ok, and so is the same one again."""

    TYPE: ClassVar[int] = 33
    SHAPE: ClassVar[tuple[Check[object], ...]] = (request, _DOCUMENT)
    request: int
    document: bytes


@dataclass(frozen=True, slots=True)
class FetchGuardianship(Frame):
    """Client: what do you hold of us as ward, and as guardian? Answered by Guardianship."""

    TYPE: ClassVar[int] = 34
    SHAPE: ClassVar[tuple[Check[object], ...]] = (request,)
    request: int


GuardianAsk: TypeAlias = MarkMinor | SubmitGuardian | FetchGuardianship
"""What a client asks of this family."""


@dataclass(frozen=True, slots=True)
class Guardianship(Frame):
    """Relay: the mark of the asking account, its guardian, and whose guardian it is."""

    TYPE: ClassVar[int] = 96
    SHAPE: ClassVar[tuple[Check[object], ...]] = (
        request,
        maybe(record(MinorMark._make, a_time, integer(MarkedBy.OPERATOR, MarkedBy.PERSON))),
        maybe(_DOCUMENT),
        listing(record(ApprovalState._make, _DOCUMENT, maybe(_DOCUMENT)), MAX_GUARDIAN_APPROVALS),
        _ending_list,
        listing(record(WardState._make, _DOCUMENT, a_time, _ending_list), MAX_WARDS),
    )
    request: int
    mark: MinorMark | None
    link: bytes | None
    approvals: tuple[ApprovalState, ...]
    endings: tuple[bytes, ...]
    wards: tuple[WardState, ...]
