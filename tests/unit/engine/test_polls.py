"""Polls: asked, voted on in sealed votes, closed, opened by whoever voted."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import anyio
import pytest

import e2ecore
from e2ecore import BallotState, Conversation, Engine, Message, MessageKind, PollResult
from e2ecore.engine.talk.polling import close_due
from e2ecore.storage import polls
from e2ecore.storage.tx import Tx
from e2ecore.testing import MemoryRelay, devices
from e2ecore.testing.devices import open_device
from tests.support.engines import PATIENCE_S, group_of, until

pytestmark = pytest.mark.anyio


class Place(NamedTuple):
    """Somebody, and the group as they see it."""

    engine: Engine
    chat: Conversation

    @property
    def who(self) -> bytes:
        assert self.engine.account is not None
        return self.engine.account.account_id

    async def newest(self) -> Message:
        return (await self.chat.messages(limit=1))[-1]

    async def result(self) -> PollResult:
        return await self.chat.poll(await self.newest())

    async def opened(self, count: int) -> PollResult:
        """Wait until so many votes were opened here; return how the poll stands."""
        with anyio.fail_after(PATIENCE_S):
            while True:
                found = await self.result()
                if sum(one.state is BallotState.OPENED for one in found.ballots) == count:
                    return found
                await anyio.sleep(0.02)

    async def closed(self) -> PollResult:
        """Wait until the poll is closed here; return how it stands."""
        with anyio.fail_after(PATIENCE_S):
            while True:
                found = await self.result()
                if found.closed_by is not None:
                    return found
                await anyio.sleep(0.02)


@asynccontextmanager
async def people(folder: Path) -> AsyncIterator[tuple[MemoryRelay, list[Place]]]:
    """Alice, who owns the group, Bob and Carol."""
    async with devices(folder, "alice", "bob", "carol") as (relay, engines):
        chats = await group_of(engines)
        yield relay, [Place(*one) for one in zip(engines, chats, strict=True)]


async def ask(
    at: Place, *others: Place, max_choices: int = 1, closes_ms: int | None = None
) -> None:
    """Ask something, and wait until the others have it."""
    readers = [one.engine.events() for one in others]
    await at.chat.ask(
        "Where to?", ["home", "去海边", "up"], max_choices=max_choices, closes_ms=closes_ms
    )
    for reader in readers:
        await until(reader, e2ecore.MessageReceived)


async def vote(at: Place, *choices: int, seen_by: tuple[Place, ...] = ()) -> None:
    """Vote, and wait until others have the sealed vote."""
    readers = [one.engine.events() for one in seen_by]
    sent = await at.chat.vote(await at.newest(), choices)
    await sent.accepted()
    for reader in readers:
        assert (await until(reader, e2ecore.PollVoted)).account_id == at.who


def rows_about_polls(engine: Engine) -> int:
    """Return how many rows there are about any poll, besides the messages."""

    def work(tx: Tx) -> int:
        counts = [f"SELECT count(*) FROM {one}" for one in polls.TABLES]  # noqa: S608
        return sum(tx.value(int, sql) or 0 for sql in counts)

    return engine._core.read(work)


async def test_a_poll_is_asked_voted_on_closed_and_everybody_counts_alike(tmp_path: Path) -> None:
    async with people(tmp_path) as (_, (alice, bob, carol)):
        await ask(bob, alice, carol)
        shown = await carol.newest()
        assert shown.kind is MessageKind.POLL
        assert shown.poll == e2ecore.Poll("Where to?", ("home", "去海边", "up"), 1, None)
        assert shown.text == "Where to?\nhome\n去海边\nup"
        (hit,) = (await carol.engine.search("海边")).hits
        assert hit.message.poll == shown.poll
        await vote(carol, 1, seen_by=(alice, bob))
        await vote(alice, 0, seen_by=(bob, carol))
        await vote(alice, 1, seen_by=(bob, carol))
        for one in (alice, bob, carol):
            found = await one.result()
            assert found.closed_by is None
            assert found.votes == (0, 0, 0)
            sealed = {(ballot.account_id, ballot.state, ballot.choices) for ballot in found.ballots}
            assert sealed == {(place.who, BallotState.SEALED, ()) for place in (alice, carol)}
        assert (await alice.result()).own_choices == (1,)
        assert (await bob.result()).own_choices is None
        at_carol = carol.engine.events()
        await (await bob.chat.close_poll(await bob.newest())).accepted()
        closed = await until(at_carol, e2ecore.PollClosed)
        assert (closed.by, closed.message_id) == (bob.who, shown.message_id)
        assert (await until(at_carol, e2ecore.VoteOpened)).account_id == alice.who
        results = [await one.opened(2) for one in (alice, bob, carol)]
        assert [one.votes for one in results] == [(0, 2, 0)] * 3
        assert {one.closed_by for one in results} == {bob.who}
        assert results[0].ballots == results[1].ballots == results[2].ballots


async def test_who_was_offline_at_the_close_opens_their_vote_later(tmp_path: Path) -> None:
    async with devices(tmp_path, "alice", "bob") as (relay, engines):
        async with await open_device(tmp_path / "carol.db", relay.dial) as absent:
            await absent.register("carol")
            await absent.caught_up()
            chats = await group_of([*engines, absent])
            alice, bob, carol = map(Place, [*engines, absent], chats)
            await ask(alice, bob, carol, max_choices=2)
            await vote(carol, 0, 2, seen_by=(alice, bob))
            await vote(bob, 2, seen_by=(alice,))
        await alice.chat.close_poll(await alice.newest())
        found = await alice.opened(1)
        assert (found.votes, len(found.ballots)) == ((0, 0, 1), 2)
        states = {bytes(one.account_id): one.state for one in found.ballots}
        assert states[carol.who] is BallotState.UNOPENED
        async with await open_device(tmp_path / "carol.db", relay.dial):
            for at in (alice, bob):
                assert (await at.opened(2)).votes == (1, 0, 2)


async def test_only_who_asked_and_who_runs_the_group_may_close(tmp_path: Path) -> None:
    async with people(tmp_path) as (_, (alice, bob, carol)):
        await ask(bob, alice, carol)
        with pytest.raises(e2ecore.NotAllowedError):
            await carol.chat.close_poll(await carol.newest())
        at_bob = bob.engine.events()
        await alice.chat.close_poll(await alice.newest())
        assert (await until(at_bob, e2ecore.PollClosed)).by == alice.who
        for wrong in (bob.chat.close_poll, alice.chat.close_poll):
            with pytest.raises(e2ecore.PollClosedError):
                await wrong(await bob.newest())
        with pytest.raises(e2ecore.PollClosedError):
            await bob.chat.vote(await bob.newest(), [0])


async def test_a_poll_ends_by_itself_when_its_time_is_over(tmp_path: Path) -> None:
    async with people(tmp_path) as (_, (alice, bob, carol)):
        later_ms = bob.engine._core.clock_ms() + 3_600_000
        await ask(bob, alice, carol, closes_ms=later_ms)
        await vote(carol, 2, seen_by=(bob,))
        await bob.engine._core.jobs.run(close_due)
        assert (await bob.result()).closed_by is None
        alice.engine._core.state.clock_ms = lambda: later_ms
        with pytest.raises(e2ecore.PollClosedError):
            await alice.chat.vote(await alice.newest(), [0])
        bob.engine._core.state.clock_ms = lambda: later_ms
        await bob.engine._core.jobs.run(close_due)
        assert (await carol.opened(1)).votes == (0, 0, 1)
        await alice.closed()
        for at in (alice, bob):
            assert at.engine._core.read(lambda tx: polls.deadlines(tx, 10**15, 9)) == []


async def test_admins_close_what_nobody_has_closed_in_time_and_members_do_not(
    tmp_path: Path,
) -> None:
    async with people(tmp_path) as (_, (alice, bob, carol)):
        later_ms = bob.engine._core.clock_ms() + 3_600_000
        await ask(bob, alice, carol, closes_ms=later_ms)
        waiting = [
            [
                one.closes_ms
                for one in at.engine._core.read(lambda tx: polls.deadlines(tx, 10**15, 9))
            ]
            for at in (alice, bob, carol)
        ]
        assert waiting == [[later_ms + 60_000], [later_ms], []]
        alice.engine._core.state.clock_ms = lambda: later_ms + 60_000
        await alice.engine._core.jobs.run(close_due)
        assert (await bob.closed()).closed_by == alice.who


async def test_a_poll_that_looks_like_none_is_refused(tmp_path: Path) -> None:
    wrong: list[tuple[str, list[str], int]] = [
        ("", ["a", "b"], 1), ("?" * 301, ["a", "b"], 1), ("?", ["a"], 1), ("?", ["a", "a"], 1),
        ("?", [str(one) for one in range(13)], 1), ("?", ["a", ""], 1), ("?", ["a", "b" * 101], 1),
        ("?", ["a", "b"], 0), ("?", ["a", "b"], 3), ("\ud800", ["a", "b"], 1),
    ]  # fmt: skip
    async with devices(tmp_path, "alice") as (_, (alice,)):
        chat = await alice.conversations.create_group("notes", [])
        for question, options, max_choices in wrong:
            with pytest.raises(e2ecore.BadPollError):
                await chat.ask(question, options, max_choices=max_choices)
        assert await chat.messages() == []


async def test_votes_and_closes_of_what_they_do_not_fit_are_refused(tmp_path: Path) -> None:
    async with devices(tmp_path, "alice") as (_, (alice,)):
        chat = await alice.conversations.create_group("notes", [])
        text = await chat.send("no poll")
        poll = await chat.ask("?", ["a", "b", "c"], max_choices=2)
        for wrong in ([3], [-1], [0, 1, 2], [1, 1]):
            with pytest.raises(e2ecore.BadChoiceError):
                await chat.vote(poll.order, wrong)
        for verb in (lambda order: chat.vote(order, [0]), chat.close_poll, chat.poll):
            with pytest.raises(e2ecore.NotAPollError):
                await verb(text.order)
            with pytest.raises(e2ecore.MessageGoneError):
                await verb(poll.order + 1)
        with pytest.raises(e2ecore.NotATextError):
            await chat.edit(poll.order, "other words")


async def test_a_poll_that_is_taken_back_takes_its_votes_along(tmp_path: Path) -> None:
    async with people(tmp_path) as (_, (alice, bob, carol)):
        await ask(alice, bob, carol)
        await vote(bob, 1, seen_by=(alice, carol))
        at_bob = bob.engine.events()
        await alice.chat.recall(await alice.newest())
        await until(at_bob, e2ecore.MessageRecalled)
        order = (await bob.newest()).order
        with pytest.raises(e2ecore.MessageGoneError):
            await bob.chat.poll(order)
        assert rows_about_polls(alice.engine) == rows_about_polls(bob.engine) == 0
