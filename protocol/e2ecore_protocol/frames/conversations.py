"""Frames of conversations: commits, which change who reads, and what the relay knows of them."""

import hashlib
from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar, NamedTuple

from e2ecore_protocol.frames.frame import Frame
from e2ecore_protocol.limits import (
    ACCOUNT_ID_BYTES,
    CONVERSATION_ID_BYTES,
    DEVICE_ID_BYTES,
    ENVELOPE_ID_BYTES,
    MAX_COMMIT_BYTES,
    MAX_CONVERSATIONS,
    MAX_DIRECT_ATTEMPT,
    MAX_MEMBER_DEVICES,
    MAX_WELCOME_BYTES,
)
from e2ecore_protocol.shape import (
    Check,
    blob,
    exactly,
    listing,
    maybe,
    number,
    one_of,
    record,
    request,
)
from e2ecore_protocol.shape import time_ms as a_time

_DIRECT_LABEL = b"e2ecore direct v1"
_SELF_LABEL = b"e2ecore self v1"
_DERIVED_BIT = 0x80
"""The first bit of an id: set exactly where accounts determine the id, so no group can take it."""


class ConversationKind(IntEnum):
    """What the relay knows of a conversation's purpose."""

    DIRECT = 1
    """Between two accounts; at most one for each pair and attempt."""

    GROUP = 2
    """Among any number of accounts."""

    SELF = 4
    """Among the devices of one account; 3 is what clients call a history from a file."""


class DeviceAddress(NamedTuple):
    """Names one device of one account."""

    account_id: bytes
    device_id: bytes


class ConversationState(NamedTuple):
    """What the relay holds of one conversation, for one device."""

    conversation: bytes
    kind: int
    epoch: int
    head_seq: int
    cursor: int


conversation_id = exactly(CONVERSATION_ID_BYTES)
_KIND = one_of(*ConversationKind)
address = record(DeviceAddress._make, exactly(ACCOUNT_ID_BYTES), exactly(DEVICE_ID_BYTES))
address_list = listing(address, MAX_MEMBER_DEVICES)


@dataclass(frozen=True, slots=True)
class Commit(Frame):
    """Client: end the log's ``epoch``, begin its next. Answered by Committed.

    One relay transaction: compare-and-set of the epoch, the log entry, the new route, and the
    Welcome into the inbox of each added device. ``create_kind`` (a ConversationKind) makes the
    conversation; it is allowed only with epoch 0, and the sender becomes the route's first device.
    ``welcome`` is there exactly when ``added`` is not empty. A device in both lists gets a new leaf
    and stays in the route without a break.
    """

    TYPE: ClassVar[int] = 17
    SHAPE: ClassVar[tuple[Check[object], ...]] = (
        request,
        conversation_id,
        exactly(ENVELOPE_ID_BYTES),
        number,
        blob(MAX_COMMIT_BYTES, 1),
        maybe(_KIND),
        address_list,
        address_list,
        maybe(blob(MAX_WELCOME_BYTES, 1)),
    )
    request: int
    conversation: bytes
    envelope_id: bytes
    epoch: int
    payload: bytes
    create_kind: int | None
    added: tuple[DeviceAddress, ...]
    removed: tuple[DeviceAddress, ...]
    welcome: bytes | None


@dataclass(frozen=True, slots=True)
class Committed(Frame):
    """Relay: the commit has its place, durably; its epoch is over."""

    TYPE: ClassVar[int] = 81
    SHAPE: ClassVar[tuple[Check[object], ...]] = (request, number, a_time)
    request: int
    seq: int
    time_ms: int


@dataclass(frozen=True, slots=True)
class ListConversations(Frame):
    """Client: in which conversations is this device? Answered by Conversations."""

    TYPE: ClassVar[int] = 19
    SHAPE: ClassVar[tuple[Check[object], ...]] = (request,)
    request: int


@dataclass(frozen=True, slots=True)
class Conversations(Frame):
    """Relay: all conversations in whose route the device is, ordered by id."""

    TYPE: ClassVar[int] = 74
    SHAPE: ClassVar[tuple[Check[object], ...]] = (
        request,
        listing(
            record(ConversationState._make, conversation_id, _KIND, number, number, number),
            MAX_CONVERSATIONS,
        ),
    )
    request: int
    conversations: tuple[ConversationState, ...]


@dataclass(frozen=True, slots=True)
class LeaveConversation(Frame):
    """Client: drop this device's own route and cursor. Answered by Ok.

    The MLS group still holds its leaf until a member removes it.
    """

    TYPE: ClassVar[int] = 20
    SHAPE: ClassVar[tuple[Check[object], ...]] = (request, conversation_id)
    request: int
    conversation: bytes


def direct_conversation_id(one: bytes, other: bytes, attempt: int) -> bytes:
    """Return the id of the direct conversation of two accounts, the same for both.

    Args:
        one: One account id.
        other: The other account id.
        attempt: 0 at first, at most MAX_DIRECT_ATTEMPT; the next one when both start afresh.
    """
    pair = min(one, other) + max(one, other)
    digest = hashlib.sha256(_DIRECT_LABEL + pair + attempt.to_bytes(4)).digest()
    return bytes((digest[0] | _DERIVED_BIT,)) + digest[1:CONVERSATION_ID_BYTES]


def self_conversation_id(account_id: bytes, attempt: int) -> bytes:
    """Return the id of the conversation of an account's own devices, the same for all of them.

    Args:
        account_id: The account.
        attempt: 0 at first, at most MAX_DIRECT_ATTEMPT; the next one when it was lost.
    """
    digest = hashlib.sha256(_SELF_LABEL + account_id + attempt.to_bytes(4)).digest()
    return bytes((digest[0] | _DERIVED_BIT,)) + digest[1:CONVERSATION_ID_BYTES]


def is_self_conversation(conversation: bytes, account_id: bytes) -> bool:
    """Answer whether an id is one of those for the own devices of an account."""
    attempts = range(MAX_DIRECT_ATTEMPT + 1)
    return any(self_conversation_id(account_id, one) == conversation for one in attempts)


def group_conversation_id(random: bytes) -> bytes:
    """Return the id of a new group.

    Args:
        random: 16 random bytes, of which 127 bits count.
    """
    return bytes((random[0] & ~_DERIVED_BIT,)) + random[1:CONVERSATION_ID_BYTES]


def is_group_conversation(conversation: bytes) -> bool:
    """Answer whether an id is one for groups: its first bit says it."""
    return not conversation[0] & _DERIVED_BIT
