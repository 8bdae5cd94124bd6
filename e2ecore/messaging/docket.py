"""The docket: which commits are in force, where members do not agree by themselves.

The relay orders commits and cannot read them, so its log may hold some that nobody, or not
everybody, can follow. Each device judges each commit. A judgement that rests on what the sender
signed and on what all members know is everybody's (*refused*): the commit is skipped. Where a
device cannot tell whether the fault is its own (*open*), it says so in the log, by a signed request
that names the commit. Once more than half of the devices of the epoch before it, its sender not
counted, have named a commit or one before it, it is void for all, with every commit behind it up to
there.
The log has one order, so all who follow it come to the same end.

Pure: the engine stores what is returned.

Spec: protocol/spec/30-ordering.md
"""

import hashlib
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Final

KEPT: Final = 16
"""Commits that are remembered for each conversation.

A commit with so many others behind it is not looked at again by those who follow it.
"""


class Judgement(IntEnum):
    """What this device makes of a commit. The numbers are stored: never change one."""

    IN_FORCE = 1
    """It was merged."""
    REFUSED = 2
    """Every honest member refuses it for the same reason."""
    OPEN = 3
    """It cannot be opened here; others may be able to."""
    VOTED_DOWN = 4
    """It cannot be opened by most: void for all."""


class Outcome(IntEnum):
    """What a request that names a commit leads to."""

    COUNTED = 1
    """It counts, and does not decide."""
    FOREIGN = 2
    """It names no commit that this device has seen like that."""
    LATE = 3
    """It was decided before. Who asks will see that in the log."""
    GO_ON = 4
    """Decided now: the commit is void, and this device is where the others go on."""
    FALL_BACK = 5
    """Decided now: the commit is void, and this device has followed it, or one behind it."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One commit of the log, as this device saw it.

    Attributes:
        number: The log's epoch that it ended.
        digest: SHA-256 of its payload, as it came.
        epoch: The MLS epoch in which this device was.
        judgement: Of this device, or of most.
        sender: Device id of who sent it, by the relay's word.
        joined: Device ids that became members by it. Only if it is in force.
        left: Device ids that were members until it. Only if it is in force.
        strangers: Devices (account id and device id) that came into the route by it without
            becoming members.
        cut: Devices that left the route by it without ceasing to be members.
        against: Device ids that cannot open it and have not been added again since.
    """

    number: int
    digest: bytes
    epoch: int
    judgement: Judgement
    sender: bytes
    joined: frozenset[bytes] = frozenset()
    left: frozenset[bytes] = frozenset()
    strangers: frozenset[bytes] = frozenset()
    cut: frozenset[bytes] = frozenset()
    against: frozenset[bytes] = frozenset()


Docket = tuple[Trial, ...]
"""Trials by ascending number, the newest last."""


def digest_of(payload: bytes) -> bytes:
    """Return what names a commit together with its number."""
    return hashlib.sha256(payload).digest()


def open_trial(docket: Docket) -> Trial | None:
    """Return the first commit that this device could not open; None if it follows the log."""
    return next((one for one in docket if one.judgement is Judgement.OPEN), None)


def record(docket: Docket, trial: Trial, readded: Iterable[bytes]) -> Docket:
    """Note a commit.

    Args:
        docket: What was noted before.
        trial: The commit.
        readded: Device ids that the relay has put into the route with it: whoever was added again
            has no reason any more to be against an earlier commit, and says so again if it has.
    """
    gone = frozenset(readded)
    kept = [one for one in docket if one.number < trial.number]
    if gone:
        kept = [replace(one, against=one.against - gone) for one in kept]
    return _bounded((*kept, trial))


def electorate(docket: Docket, members: AbstractSet[bytes], number: int) -> frozenset[bytes]:
    """Return the devices of the MLS epoch before a commit.

    Args:
        docket: Every commit since, the one in question included.
        members: The devices that are members now, as this device sees it.
        number: The log's epoch that the commit ended.
    """
    found = set(members)
    for one in reversed(docket):
        if one.number < number:
            break
        if one.judgement is Judgement.IN_FORCE:
            found -= one.joined
            found |= one.left
    return frozenset(found)


def vote(
    docket: Docket, members: AbstractSet[bytes], voter: bytes, number: int, digest: bytes
) -> tuple[Docket, Outcome]:
    """Count a request whose signature was checked.

    Args:
        docket: What was noted before.
        members: The devices that are members now, as this device sees it.
        voter: The device id of who asks.
        number: The log's epoch that the commit ended, as the request says.
        digest: Of the commit, as the request says.
    """
    trial = next((one for one in docket if (one.number, one.digest) == (number, digest)), None)
    if trial is None:
        return docket, Outcome.FOREIGN
    if trial.judgement is Judgement.VOTED_DOWN:
        return docket, Outcome.LATE
    judges = electorate(docket, members, number)
    if voter not in judges:
        return docket, Outcome.FOREIGN
    counted = tuple(
        replace(one, against=one.against | {voter}) if one.number == number else one
        for one in docket
    )
    void = _first_refused(counted, members, number)
    return (counted, Outcome.COUNTED) if void is None else _decided(counted, void)


def _first_refused(docket: Docket, members: AbstractSet[bytes], number: int) -> int | None:
    """Return the first commit, from this one on, that most cannot follow.

    Who cannot open a commit cannot open those behind it, either.
    """
    against: frozenset[bytes] = frozenset()
    for one in docket:
        if one.judgement is Judgement.VOTED_DOWN:
            continue
        against |= one.against
        if one.number >= number:
            judges = electorate(docket, members, one.number)
            if is_majority(against, judges, one.sender):
                return one.number
    return None


def is_majority(against: AbstractSet[bytes], judges: AbstractSet[bytes], sender: bytes) -> bool:
    """Answer whether more than half of the judges, the sender not counted, are against."""
    others = judges - {sender}
    return 2 * len(against & others) > len(others)


def _decided(docket: Docket, number: int) -> tuple[Docket, Outcome]:
    """Make a commit void, with all behind it."""
    void = tuple(
        one
        if one.number < number
        else replace(one, judgement=Judgement.VOTED_DOWN, joined=frozenset(), left=frozenset())
        for one in docket
    )
    if any(one.judgement is Judgement.IN_FORCE for one in docket if one.number >= number):
        return void, Outcome.FALL_BACK
    return void, Outcome.COUNTED if open_trial(void) else Outcome.GO_ON


def _bounded(docket: Docket) -> Docket:
    """Forget the oldest, but never the first one that could not be opened."""
    if len(docket) <= KEPT:
        return docket
    first_open = open_trial(docket)
    kept = docket[-KEPT:]
    if first_open is None or first_open in kept:
        return kept
    return (first_open, *kept[1:])
