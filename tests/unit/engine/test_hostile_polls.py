"""Polls with members who cheat: look early, vote late, close without right, lie about votes."""

from functools import partial
from pathlib import Path

import pytest

import e2ecore
from e2ecore import BallotState
from e2ecore.messaging.polls import (
    MAX_REVEALS,
    BadChoiceRevealedError,
    CloseNotAllowedError,
    PolledKindError,
    TooManyRevealsError,
)
from e2ecore.storage import polls
from e2ecore.storage.messages import message_row_id
from e2ecore_protocol.content import (
    Booth,
    Counted,
    PollClose,
    Vote,
    VoteReveal,
    vote_commitment,
)
from tests.support.engines import until
from tests.unit.engine.test_hostile_remarks import say
from tests.unit.engine.test_polls import Place, ask, people, vote

pytestmark = pytest.mark.anyio
SALT = b"s" * 32


async def sealed(at: Place, *choices: int) -> bytes:
    """A commitment of somebody's own, made with a salt that everybody here knows."""
    poll = await at.newest()
    booth = Booth(at.chat.conversation_id, poll.message_id, poll.sender, at.who)
    return vote_commitment(booth, choices, SALT)


async def test_before_the_close_others_hold_a_seal_and_nothing_that_opens_it(
    tmp_path: Path,
) -> None:
    async with people(tmp_path) as (_, (alice, bob, carol)):
        await ask(alice, bob, carol)
        await vote(bob, 2, seen_by=(alice, carol))
        poll = await bob.newest()
        message = message_row_id(bob.chat.local_number, poll.order)
        (row,) = bob.engine._core.read(lambda tx: polls.votes(tx, message))
        own = bob.engine._core.read(lambda tx: polls.own_vote(tx, message, row.commitment))
        assert own is not None
        booth = Booth(bob.chat.conversation_id, poll.message_id, alice.who, bob.who)
        assert vote_commitment(booth, [2], own.salt) == row.commitment
        for other in (alice, carol):
            key = message_row_id(other.chat.local_number, (await other.newest()).order)
            (seen,) = other.engine._core.read(partial(polls.votes, message=key))
            assert seen.commitment == row.commitment
            find = partial(polls.own_vote, message=key, commitment=row.commitment)
            assert other.engine._core.read(find) is None
            assert other.engine._core.read(partial(polls.reveals, message=key)) == []
            assert (await other.result()).own_choices is None


async def test_a_close_without_the_right_to_it_has_no_effect(tmp_path: Path) -> None:
    async with people(tmp_path) as (_, (alice, bob, carol)):
        await ask(bob, alice, carol)
        await vote(alice, 1, seen_by=(bob, carol))
        poll = await carol.newest()
        at_alice = alice.engine.events()
        await say(carol.engine, carol.chat, PollClose(poll.message_id, bob.who, 1, ()))
        aside = await until(at_alice, e2ecore.EnvelopeQuarantined)
        assert aside.error == CloseNotAllowedError.__name__
        for at in (alice, bob):
            assert (await at.result()).closed_by is None
        await bob.chat.close_poll(await bob.newest())
        assert (await carol.opened(1)).votes == (0, 1, 0)


async def test_late_double_and_forged_votes_do_not_count(tmp_path: Path) -> None:
    async with people(tmp_path) as (_, (alice, bob, carol)):
        await ask(alice, bob, carol)
        await vote(bob, 0, seen_by=(alice, carol))
        poll = await carol.newest()
        uid, author = poll.message_id, alice.who
        first, late = await sealed(carol, 1), await sealed(carol, 2)
        at_alice = alice.engine.events()
        await say(carol.engine, carol.chat, Vote(uid, author, 1, first))
        await until(at_alice, e2ecore.PollVoted)
        await (await alice.chat.close_poll(await alice.newest())).accepted()
        await bob.opened(1)
        reveal = VoteReveal(uid, author, (1,), SALT)
        await say(
            carol.engine, carol.chat,
            Vote(uid, author, 10**15, late), VoteReveal(uid, author, (2,), SALT),
            VoteReveal(uid, author, (1,), b"t" * 32), reveal, reveal,
        )  # fmt: skip
        for at in (alice, bob):
            found = await at.opened(2)
            assert found.votes == (1, 1, 0)
            assert found == await alice.result() or found.own_choices == (0,)


async def test_a_vote_that_was_copied_cannot_be_opened(tmp_path: Path) -> None:
    async with people(tmp_path) as (_, (alice, bob, carol)):
        await ask(alice, bob, carol)
        await vote(bob, 2, seen_by=(alice, carol))
        poll = await carol.newest()
        message = message_row_id(carol.chat.local_number, poll.order)
        (copied,) = carol.engine._core.read(lambda tx: polls.votes(tx, message))
        at_alice = alice.engine.events()
        await say(carol.engine, carol.chat, Vote(poll.message_id, alice.who, 1, copied.commitment))
        await until(at_alice, e2ecore.PollVoted)
        await alice.chat.close_poll(await alice.newest())
        await carol.opened(1)
        own = bob.engine._core.read(lambda tx: polls.reveals(tx, message))
        assert len(own) == 1
        await say(carol.engine, carol.chat, VoteReveal(poll.message_id, alice.who, (2,), SALT))
        await carol.chat.send("done")
        await until(at_alice, e2ecore.MessageReceived)
        found = await alice.chat.poll(poll.order)
        states = {bytes(one.account_id): one.state for one in found.ballots}
        assert states == {bob.who: BallotState.OPENED, carol.who: BallotState.UNOPENED}
        assert found.votes == (0, 0, 1)


async def test_who_closes_cannot_put_a_vote_into_somebodys_mouth(tmp_path: Path) -> None:
    async with people(tmp_path) as (_, (alice, bob, carol)):
        await ask(alice, bob, carol)
        await vote(bob, 1, seen_by=(alice, carol))
        poll = await alice.newest()
        booth = Booth(alice.chat.conversation_id, poll.message_id, alice.who, carol.who)
        forged = vote_commitment(booth, [0], SALT)
        at_bob = bob.engine.events()
        close = PollClose(poll.message_id, alice.who, 1, (Counted(carol.who, forged),))
        await say(
            alice.engine, alice.chat, close, VoteReveal(poll.message_id, alice.who, (0,), SALT)
        )
        await until(at_bob, e2ecore.PollClosed)
        await alice.chat.send("done")
        await until(at_bob, e2ecore.MessageReceived)
        found = await bob.chat.poll(poll.order)
        assert found.votes == (0, 0, 0)
        states = {bytes(one.account_id): one.state for one in found.ballots}
        assert states == {carol.who: BallotState.UNOPENED, bob.who: BallotState.LEFT_OUT}


async def test_votes_on_no_poll_and_for_no_option_are_set_aside(tmp_path: Path) -> None:
    async with people(tmp_path) as (_, (alice, bob, carol)):
        at_bob = bob.engine.events()
        sent = await alice.chat.send("no poll")
        await until(at_bob, e2ecore.MessageReceived)
        await say(alice.engine, alice.chat, Vote(sent.message_id, alice.who, 1, bytes(32)))
        aside = await until(at_bob, e2ecore.EnvelopeQuarantined)
        assert aside.error == PolledKindError.__name__
        await ask(alice, bob, carol)
        uid = (await alice.newest()).message_id
        for wrong in ((3,), (0, 1)):
            await say(alice.engine, alice.chat, VoteReveal(uid, alice.who, wrong, SALT))
            aside = await until(at_bob, e2ecore.EnvelopeQuarantined)
            assert aside.error == BadChoiceRevealedError.__name__
        many = [
            VoteReveal(uid, alice.who, (0,), bytes([one]) * 32) for one in range(MAX_REVEALS + 1)
        ]
        await say(alice.engine, alice.chat, *many)
        aside = await until(at_bob, e2ecore.EnvelopeQuarantined)
        assert aside.error == TooManyRevealsError.__name__
        nothing = VoteReveal(b"n" * 16, alice.who, (0,), SALT)
        await say(alice.engine, alice.chat, nothing, Vote(b"n" * 16, alice.who, 1, bytes(32)))
        await alice.chat.send("done")
        assert (await until(at_bob, e2ecore.MessageReceived)).message.text == "done"
