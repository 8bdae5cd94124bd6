"""Frames of accounts, handles and chains. The relay checks entries; so does everybody else."""

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from e2ecore_protocol.frames.frame import Frame
from e2ecore_protocol.limits import (
    ACCOUNT_ID_BYTES,
    HASH_BYTES,
    MAX_CHAIN_ENTRIES,
    MAX_ENTRIES_PER_FRAME,
    MAX_ENTRY_BYTES,
    MAX_HEADS_PER_FRAME,
)
from e2ecore_protocol.shape import (
    Check,
    blob,
    exactly,
    handle,
    integer,
    listing,
    maybe,
    record,
    request,
)

_ACCOUNT_ID = exactly(ACCOUNT_ID_BYTES)
_ENTRY = blob(MAX_ENTRY_BYTES, 1)
_SEQ = integer(MAX_CHAIN_ENTRIES - 1)


class ChainHead(NamedTuple):
    """The newest entry of one account chain."""

    account_id: bytes
    seq: int
    hash: bytes


@dataclass(frozen=True, slots=True)
class Register(Frame):
    """Client, before it authenticates: make an account. Answered by Registered.

    ``entries`` are the genesis entry and one device_added entry, encoded. The same two entries
    again are answered as at first, so a lost answer costs nothing.
    """

    TYPE: ClassVar[int] = 1
    SHAPE: ClassVar[tuple[Check[object], ...]] = (request, listing(_ENTRY, 2, 2), maybe(handle))
    request: int
    entries: tuple[bytes, ...]
    handle: str | None


@dataclass(frozen=True, slots=True)
class Registered(Frame):
    """Relay: the account exists. Now authenticate, on the same connection if you like."""

    TYPE: ClassVar[int] = 70
    SHAPE: ClassVar[tuple[Check[object], ...]] = (request, _ACCOUNT_ID)
    request: int
    account_id: bytes


@dataclass(frozen=True, slots=True)
class LookupHandle(Frame):
    """Client: whose handle is this? Answered by Account with the first page of its chain."""

    TYPE: ClassVar[int] = 3
    SHAPE: ClassVar[tuple[Check[object], ...]] = (request, handle)
    request: int
    handle: str


@dataclass(frozen=True, slots=True)
class FetchChain(Frame):
    """Client: give me an account's entries from ``from_seq`` on. Answered by Account."""

    TYPE: ClassVar[int] = 4
    SHAPE: ClassVar[tuple[Check[object], ...]] = (request, _ACCOUNT_ID, integer(MAX_CHAIN_ENTRIES))
    request: int
    account_id: bytes
    from_seq: int


@dataclass(frozen=True, slots=True)
class Account(Frame):
    """Relay: one page of an account chain, encoded entries in order.

    ``head_seq`` is the newest entry's seq; while the last entry of ``entries`` has a smaller one,
    ask for the next page. No entries means that ``from_seq`` is beyond the head.
    """

    TYPE: ClassVar[int] = 71
    SHAPE: ClassVar[tuple[Check[object], ...]] = (
        request,
        _ACCOUNT_ID,
        maybe(handle),
        listing(_ENTRY, MAX_ENTRIES_PER_FRAME),
        _SEQ,
    )
    request: int
    account_id: bytes
    handle: str | None
    entries: tuple[bytes, ...]
    head_seq: int


@dataclass(frozen=True, slots=True)
class FetchHeads(Frame):
    """Client: how far have these chains grown? Answered by ChainHeads."""

    TYPE: ClassVar[int] = 5
    SHAPE: ClassVar[tuple[Check[object], ...]] = (
        request,
        listing(_ACCOUNT_ID, MAX_HEADS_PER_FRAME, 1),
    )
    request: int
    accounts: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class ChainHeads(Frame):
    """Relay: the heads of the accounts it knows among those asked for, in the same order."""

    TYPE: ClassVar[int] = 72
    SHAPE: ClassVar[tuple[Check[object], ...]] = (
        request,
        listing(
            record(ChainHead._make, _ACCOUNT_ID, _SEQ, exactly(HASH_BYTES)), MAX_HEADS_PER_FRAME
        ),
    )
    request: int
    heads: tuple[ChainHead, ...]


@dataclass(frozen=True, slots=True)
class AppendChain(Frame):
    """Client: add entries to the own chain, all or none. Answered by Ok.

    Refused with chain_conflict and the head's seq when another device was faster. Entries that the
    chain already holds at their seq are answered with Ok.
    """

    TYPE: ClassVar[int] = 6
    SHAPE: ClassVar[tuple[Check[object], ...]] = (
        request,
        listing(_ENTRY, MAX_ENTRIES_PER_FRAME, 1),
    )
    request: int
    entries: tuple[bytes, ...]
