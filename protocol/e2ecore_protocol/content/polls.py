"""Polls with sealed votes: nobody sees what was chosen before the poll is closed.

A vote is a commitment; the salt that opens it stays with the voter until a close is known.
Spec: protocol/spec/50-content.md
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final, NamedTuple

from e2ecore_protocol.codec import pack
from e2ecore_protocol.content.kind import CheckedContent, Content
from e2ecore_protocol.errors import MalformedError
from e2ecore_protocol.limits import (
    ACCOUNT_ID_BYTES,
    HASH_BYTES,
    MAX_MEMBERS,
    MAX_POLL_OPTION_CHARS,
    MAX_POLL_OPTIONS,
    MAX_POLL_QUESTION_CHARS,
    MESSAGE_ID_BYTES,
    MIN_POLL_OPTIONS,
    VOTE_SALT_BYTES,
)
from e2ecore_protocol.shape import Check, exactly, integer, listing, maybe, record, text
from e2ecore_protocol.shape import time_ms as a_time

_VOTE_LABEL: Final = b"e2ecore vote v1"


@dataclass(frozen=True, slots=True)
class Poll(CheckedContent):
    """A question with options. At most ``max_choices`` of them may be chosen.

    ``sent_ms`` and ``closes_ms`` are by the sender's clock; ``closes_ms`` None: until it is closed.
    """

    KIND: ClassVar[int] = 14
    SHAPE: ClassVar[tuple[Check[object], ...]] = (
        exactly(MESSAGE_ID_BYTES),
        a_time,
        text(MAX_POLL_QUESTION_CHARS, 1),
        listing(text(MAX_POLL_OPTION_CHARS, 1), MAX_POLL_OPTIONS, MIN_POLL_OPTIONS),
        integer(MAX_POLL_OPTIONS, 1),
        maybe(a_time),
    )
    message_id: bytes
    sent_ms: int
    question: str
    options: tuple[str, ...]
    max_choices: int = 1
    closes_ms: int | None = None

    def check(self) -> None:
        """Refuse an option twice, and more choices than options.

        Raises:
            MalformedError: It is one of these.
        """
        if len(set(self.options)) != len(self.options):
            raise MalformedError("an option twice")
        if self.max_choices > len(self.options):
            raise MalformedError("more choices than options")


@dataclass(frozen=True, slots=True)
class Vote(Content):
    """What the sending account has chosen, sealed. Replaces what it chose before.

    ``message_id`` and ``author`` name the poll. ``changed_ms`` is the sender's clock, raised so
    that it is later than in every vote before.
    """

    KIND: ClassVar[int] = 15
    SHAPE: ClassVar[tuple[Check[object], ...]] = (
        exactly(MESSAGE_ID_BYTES),
        exactly(ACCOUNT_ID_BYTES),
        a_time,
        exactly(HASH_BYTES),
    )
    message_id: bytes
    author: bytes
    changed_ms: int
    commitment: bytes


class Counted(NamedTuple):
    """The vote of an account that counts."""

    account_id: bytes
    commitment: bytes


@dataclass(frozen=True, slots=True)
class PollClose(CheckedContent):
    """The end of a poll: these votes count, as they are, and may be opened."""

    KIND: ClassVar[int] = 16
    SHAPE: ClassVar[tuple[Check[object], ...]] = (
        exactly(MESSAGE_ID_BYTES),
        exactly(ACCOUNT_ID_BYTES),
        a_time,
        listing(record(Counted._make, exactly(ACCOUNT_ID_BYTES), exactly(HASH_BYTES)), MAX_MEMBERS),
    )
    message_id: bytes
    author: bytes
    changed_ms: int
    counted: tuple[Counted, ...]

    def check(self) -> None:
        """Refuse accounts that are not in order, or twice.

        Raises:
            MalformedError: They are.
        """
        accounts = [one.account_id for one in self.counted]
        if accounts != sorted(set(accounts)):
            raise MalformedError("votes are sorted by account, each account once")


@dataclass(frozen=True, slots=True)
class VoteReveal(CheckedContent):
    """What the sending account has chosen, and the salt that shows that it chose just that."""

    KIND: ClassVar[int] = 17
    SHAPE: ClassVar[tuple[Check[object], ...]] = (
        exactly(MESSAGE_ID_BYTES),
        exactly(ACCOUNT_ID_BYTES),
        listing(integer(MAX_POLL_OPTIONS - 1), MAX_POLL_OPTIONS),
        exactly(VOTE_SALT_BYTES),
    )
    message_id: bytes
    author: bytes
    choices: tuple[int, ...]
    salt: bytes

    def check(self) -> None:
        """Refuse choices that are not in order, or twice: they are a set.

        Raises:
            MalformedError: They are.
        """
        if list(self.choices) != sorted(set(self.choices)):
            raise MalformedError("choices ascend")


class Booth(NamedTuple):
    """Where a vote is cast: what a commitment is bound to besides the choices."""

    conversation_id: bytes
    message_id: bytes
    author: bytes
    voter: bytes


def vote_commitment(booth: Booth, choices: Sequence[int], salt: bytes) -> bytes:
    """Return what seals a vote: a hash over a random salt and the choices.

    Args:
        booth: Conversation, poll and voter. They keep a vote from being copied.
        choices: Numbers of options, ascending; none: nobody is chosen.
        salt: 32 random bytes that are used once.
    """
    return hashlib.sha256(_VOTE_LABEL + pack((*booth, tuple(choices), salt))).digest()
