"""Polls with sealed votes: who may close one, which close counts, and what was chosen.

A vote is a commitment: the hash of a random salt and the choices (``vote_commitment``). The close
names the commitments that count, so it fixes them before anybody has opened one. What a vote
contains is then shown by whoever made it. So the result depends on the close that counts and on the
votes that were opened, and not on the order in which anything came.

Spec: protocol/spec/50-content.md, [CNT-70] to [CNT-76]
"""

from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from typing import Final, NamedTuple

from e2ecore.errors import PeerError
from e2ecore_protocol.codec import pack, unpack
from e2ecore_protocol.content.conversation import Role
from e2ecore_protocol.content.polls import Counted
from e2ecore_protocol.limits import ACCOUNT_ID_BYTES, HASH_BYTES, KIB, MAX_MEMBERS
from e2ecore_protocol.shape import exactly, listing, record

MAX_REVEALS: Final = 4
"""Opened votes kept of one account and poll: one counts, and of others it cannot be said which as
long as no close has come."""
_MAX_COUNTED_BYTES: Final = 64 * KIB
"""A thousand accounts and commitments have 56 KiB."""
_counted: Final = listing(
    record(Counted._make, exactly(ACCOUNT_ID_BYTES), exactly(HASH_BYTES)), MAX_MEMBERS
)


class PolledKindError(PeerError):
    """Somebody voted on something that is no poll. It was refused."""


class CloseNotAllowedError(PeerError):
    """Somebody closed a poll who neither asked nor is admin or owner. It was refused."""


class BadChoiceRevealedError(PeerError):
    """Somebody opened a vote for options that the poll does not have, or too many. It was refused.

    It counts as not opened.
    """


class TooManyRevealsError(PeerError):
    """Somebody opened one vote after the other on the same poll. Further ones were refused."""


class BallotState(Enum):
    """What is known of the vote of one account."""

    SEALED = "sealed"
    """The poll is open: that they voted is known, and nothing else."""
    OPENED = "opened"
    """It counts, and was opened."""
    UNOPENED = "unopened"
    """It counts, and was not opened yet: its device was not online since, or does not want to."""
    LEFT_OUT = "left out"
    """It came too late, or whoever closed the poll did not count it."""


class Ballot(NamedTuple):
    """The vote of one account."""

    account_id: bytes
    state: BallotState
    choices: tuple[int, ...] = ()
    """Numbers of options; only of an opened one."""


class Revealed(NamedTuple):
    """A vote that was opened; its hash was computed from what was said."""

    account_id: bytes
    commitment: bytes
    choices: tuple[int, ...]


def check_close(*, by: bytes, author: bytes, role: Role) -> None:
    """Refuse a close by somebody who may not close.

    Raises:
        CloseNotAllowedError: It is.
    """
    if by != author and role is Role.MEMBER:
        raise CloseNotAllowedError


def replaces(known_seq: int | None, seq: int) -> bool:
    """Answer whether a close counts instead of the one that is known.

    Args:
        known_seq: The relay's number of that one; None: none is known.
        seq: The relay's number of this one.
    """
    return known_seq is None or seq < known_seq


def check_choices(choices: Sequence[int], options: int, max_choices: int) -> None:
    """Refuse a vote for options that do not exist, or for too many.

    Raises:
        BadChoiceRevealedError: It is.
    """
    if len(choices) > max_choices or any(not 0 <= one < options for one in choices):
        raise BadChoiceRevealedError


def opened(counted: Mapping[bytes, bytes], revealed: Iterable[Revealed]) -> dict[bytes, Revealed]:
    """Return the opened votes that count, by account."""
    return {
        one.account_id: one for one in revealed if counted.get(one.account_id) == one.commitment
    }


def ballots(
    voters: Iterable[bytes], counted: Mapping[bytes, bytes] | None, revealed: Iterable[Revealed]
) -> tuple[Ballot, ...]:
    """Return what is known of every vote, by account.

    Args:
        voters: Who has voted, as far as that came.
        counted: The votes that count, by account; None: the poll is open.
        revealed: What was opened, whether or not it counts.
    """
    if counted is None:
        return tuple([Ballot(one, BallotState.SEALED) for one in sorted(voters)])
    valid = opened(counted, revealed)
    found = []
    for one in sorted({*voters, *counted}):
        if one in valid:
            found.append(Ballot(one, BallotState.OPENED, valid[one].choices))
        else:
            state = BallotState.UNOPENED if one in counted else BallotState.LEFT_OUT
            found.append(Ballot(one, state))
    return tuple(found)


def tally(options: int, found: Iterable[Ballot]) -> tuple[int, ...]:
    """Return how often each option was chosen."""
    votes = [0] * options
    for one in found:
        for choice in one.choices:
            votes[choice] += 1
    return tuple(votes)


def to_mask(choices: Iterable[int]) -> int:
    """Return choices as the number that is stored: bit 0 is the first option."""
    return sum(1 << one for one in set(choices))


def from_mask(mask: int) -> tuple[int, ...]:
    """Return the choices of a stored number."""
    return tuple(one for one in range(mask.bit_length()) if mask >> one & 1)


def encode_counted(counted: Sequence[Counted]) -> bytes:
    """Return what is stored of the votes that count."""
    return pack(tuple(counted))


def decode_counted(data: bytes) -> dict[bytes, bytes]:
    """Return the votes that count, by account.

    Raises:
        MalformedError: Something else was stored.
    """
    return dict(_counted(unpack(data, _MAX_COUNTED_BYTES)))
