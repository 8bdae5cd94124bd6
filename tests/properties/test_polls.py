"""Polls: whatever the order in which votes, closes and opened votes come, all count alike."""

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from e2ecore.crypto.rng import system_rng
from e2ecore.crypto.suites import DEFAULT_SUITE
from e2ecore.engine.arrival.ballots import BallotContent, apply_ballot
from e2ecore.engine.arrival.closing import revealed
from e2ecore.engine.running.effects import Effects
from e2ecore.engine.running.job import Job
from e2ecore.engine.running.mirror import Mirror
from e2ecore.engine.running.state import State
from e2ecore.engine.talk.speaker import Speaker
from e2ecore.messaging.polls import Ballot, BallotState, ballots, decode_counted, tally
from e2ecore.storage import account, messages, polls
from e2ecore.storage.account import AccountRow, AccountState
from e2ecore.storage.database import Database
from e2ecore.storage.tx import Tx
from e2ecore_protocol.content import (
    Booth,
    ConversationInfo,
    Counted,
    InfoKind,
    Poll,
    PollClose,
    Role,
    RoleOf,
    Vote,
    VoteReveal,
    vote_commitment,
)
from tests.support.databases import create_database, message, new_conversation, numbered

PEOPLE = tuple(numbered(one, 20) for one in range(1, 6))
AUTHOR, ADMIN, OBSERVER = PEOPLE[0], PEOPLE[1], numbered(9, 20)
OPTIONS = 4


class Said(NamedTuple):
    """What somebody says, and the relay's number of it."""

    who: bytes
    seq: int
    content: BallotContent


class Undo(Exception):  # noqa: N818 - not an error: ends a trial without a trace
    pass


@pytest.fixture(scope="module")
def database() -> Iterator[Database]:
    with tempfile.TemporaryDirectory() as folder:
        database = create_database(Path(folder) / "observer.db")
        yield database
        database.close()


CHOICES = st.sets(st.integers(0, OPTIONS - 1)).map(lambda found: tuple(sorted(found)))


@st.composite
def stories(draw: st.DrawFn) -> tuple[list[Said], list[Said]]:
    """The same things in two orders: up to three votes of each, two closes, votes opened, lies."""
    said: list[Said] = []
    commitments: dict[bytes, list[bytes]] = {}
    uid = numbered(0)
    for who in PEOPLE:
        for number, choices in enumerate(draw(st.lists(CHOICES, max_size=3))):
            salt = bytes([number]) * 32
            booth = Booth(numbered(1), uid, AUTHOR, who)
            sealed = vote_commitment(booth, choices, salt)
            commitments.setdefault(who, [bytes(32)]).append(sealed)
            said.append(Said(who, 1, Vote(uid, AUTHOR, number, sealed)))
            if draw(st.booleans()):
                true_salt = salt if draw(st.booleans()) else bytes(32)
                said.append(Said(who, 1, VoteReveal(uid, AUTHOR, choices, true_salt)))
    for seq, who in enumerate(draw(st.lists(st.sampled_from([AUTHOR, ADMIN]), max_size=2)), 10):
        chosen = {one: draw(st.sampled_from(known)) for one, known in commitments.items()}
        left = [Counted(one, chosen[one]) for one in sorted(chosen) if draw(st.booleans())]
        said.append(Said(who, seq, PollClose(uid, AUTHOR, seq, tuple(left))))
    return said, draw(st.permutations(said))


def play(database: Database, said: Sequence[Said]) -> tuple[Ballot, ...]:
    """Have an observer take all of it in this order; return what is known of each vote."""
    found: list[tuple[Ballot, ...]] = []

    def work(tx: Tx) -> None:
        row = new_conversation(tx)
        row = row._replace(
            info=ConversationInfo(InfoKind.GROUP, "", (RoleOf(ADMIN, Role.ADMIN),)).encode()
        )
        keys = numbered(1, 32), numbered(2, 32)
        account.create(
            tx, AccountRow(OBSERVER, numbered(8), *keys, "o", "", "", AccountState.REGISTERED, 1)
        )
        poll = Poll(numbered(0), 1, "?", tuple("abcd"), OPTIONS)
        asked = message(row.cid, 0)._replace(
            uid=numbered(0), account_id=AUTHOR, kind=polls.POLL, ext=poll.encode()
        )
        messages.insert(tx, [asked])
        job = Job(tx, Effects(), State(DEFAULT_SUITE, lambda: 1, system_rng))
        mirror = Mirror(row)
        for counter, one in enumerate(said):
            by = Speaker(one.who, one.who[:16], counter, seq=one.seq)
            apply_ballot(job, mirror, asked, by, one.content)
        voters = [one.account_id for one in polls.votes(tx, asked.id)]
        close = polls.close(tx, asked.id)
        counted = None if close is None else decode_counted(close.counted)
        found.append(ballots(voters, counted, revealed(tx, asked.id)))
        raise Undo

    with pytest.raises(Undo):
        database.writer.call(work)
    return found[0]


@given(story=stories())
def test_all_orders_of_arrival_give_one_result(
    database: Database, story: tuple[list[Said], list[Said]]
) -> None:
    straight, shuffled = (play(database, said) for said in story)
    assert straight == shuffled
    is_closed = any(isinstance(one.content, PollClose) for one in story[0])
    states = {one.state for one in straight}
    assert (BallotState.SEALED in states) == (bool(straight) and not is_closed)
    if not is_closed:
        assert tally(OPTIONS, straight) == (0,) * OPTIONS


@given(choices=CHOICES, other=CHOICES, salt=st.binary(min_size=32, max_size=32))
def test_a_seal_fits_one_voter_one_poll_and_one_choice(
    choices: tuple[int, ...], other: tuple[int, ...], salt: bytes
) -> None:
    booth = Booth(numbered(1), numbered(2), AUTHOR, ADMIN)
    sealed = vote_commitment(booth, choices, salt)
    assert (vote_commitment(booth, other, salt) == sealed) == (choices == other)
    for changed in (
        booth._replace(conversation_id=numbered(3)),
        booth._replace(message_id=numbered(3)),
        booth._replace(author=ADMIN),
        booth._replace(voter=AUTHOR),
    ):
        assert vote_commitment(changed, choices, salt) != sealed
    assert vote_commitment(booth, choices, bytes(31) + b"?") != sealed
