"""Polls wherever the power fails; and what is left of one that was erased: nothing."""

import shutil
from pathlib import Path

import anyio
import pytest

import e2ecore
from e2ecore import BallotState, Engine
from e2ecore.engine.arrival.receipts import write_receipts
from e2ecore.testing import two_devices
from e2ecore.testing.devices import PASSPHRASE
from e2ecore_protocol.frames.delivery import Submitted
from tests.faults.test_engine_power import cut_device, everybody, make_stage, only
from tests.support.engines import PATIENCE_S, pair, until
from tests.support.pages import plain_pages
from tests.support.power import Power, every_cut

pytestmark = [pytest.mark.anyio, pytest.mark.slow]
QUESTION, OPTION = "canary-of-the-question", "canary-of-the-option"


@pytest.fixture
def anyio_backend() -> str:
    """The database does not care which loop waits for it."""
    return "trio"


async def test_an_erased_poll_and_its_votes_are_in_no_page(tmp_path: Path) -> None:
    async with two_devices(tmp_path) as (_, alice, bob):
        at_alice, at_bob = alice.events(), bob.events()
        chat, other = await pair(alice, bob)
        asked = await chat.ask(QUESTION, [OPTION, "no"])
        poll = (await until(at_bob, e2ecore.MessageReceived)).message
        await other.vote(poll, [0])
        await until(at_alice, e2ecore.PollVoted)
        await chat.close_poll(asked.order)
        await until(at_alice, e2ecore.VoteOpened)
        seals = [
            engine._core.read(lambda tx: tx.rows(bytes_of, "SELECT commitment FROM poll_votes"))
            for engine in (alice, bob)
        ]
        assert seals[0] == seals[1] != []
        salts = bob._core.read(lambda tx: tx.rows(bytes_of, "SELECT salt FROM own_votes"))
        canaries = [QUESTION.encode(), OPTION.encode(), *seals[0], *salts]
        assert all(one in plain_pages(tmp_path / "bob.db", PASSPHRASE) for one in canaries)
        await other.delete_messages([poll])
        await (await chat.recall(asked.order)).accepted()
    for name in ("alice", "bob"):
        pages = plain_pages(tmp_path / f"{name}.db", PASSPHRASE)
        assert not any(one in pages for one in canaries), name


async def test_of_an_erased_poll_no_opened_vote_waits_to_leave(tmp_path: Path) -> None:
    async with two_devices(tmp_path) as (relay, alice, bob):
        at_alice, at_bob = alice.events(), bob.events()
        chat, other = await pair(alice, bob)
        await chat.ask(QUESTION, [OPTION, "no"])
        poll = (await until(at_bob, e2ecore.MessageReceived)).message
        await (await other.vote(poll, [0])).accepted()
        await until(at_alice, e2ecore.PollVoted)  # she closes over the votes that she has
        (salt,) = bob._core.read(lambda tx: tx.rows(bytes_of, "SELECT salt FROM own_votes"))
        relay.faults.answers.append(lambda _, one: None if isinstance(one, Submitted) else one)
        await chat.close_poll(poll.order)
        await until(at_bob, e2ecore.PollClosed)
        await bob._core.jobs.run(lambda job: write_receipts(job, [other.local_number]))
        waiting = b"".join(
            bob._core.read(lambda tx: tx.rows(bytes_of, "SELECT content FROM outbox"))
        )
        assert salt in waiting
        await other.delete_messages([poll])
    assert salt not in plain_pages(tmp_path / "bob.db", PASSPHRASE)


def bytes_of(row: tuple[object, ...]) -> bytes:
    (value,) = row
    assert isinstance(value, bytes)
    return value


async def test_a_close_is_answered_once_wherever_the_power_fails(tmp_path: Path) -> None:
    """Bob has voted and hears of the close; afterwards his vote is open for all, come what may."""
    stage = await make_stage(tmp_path, "alice", "bob")
    async with everybody(stage.origin, stage.relay, "alice", "bob") as (alice, bob):
        at_alice, at_bob = alice.events(), bob.events()
        await (await only(alice)).ask("?", ["a", "b"])
        poll = (await until(at_bob, e2ecore.MessageReceived)).message
        await (await (await only(bob)).vote(poll, [1])).accepted()
        await until(at_alice, e2ecore.PollVoted)
    async with everybody(stage.origin, stage.relay, "alice") as (alice,):
        chat = await only(alice)
        await (await chat.close_poll((await chat.messages())[-1])).accepted()
    for power in every_cut():
        folder, relay = stage.again()

        async def work(engine: Engine, power: Power = power) -> None:
            cid = (await only(engine)).local_number
            power.arm()
            await engine.caught_up()
            await engine._core.jobs.run(lambda job: write_receipts(job, [cid]))

        await cut_device(folder / "bob.db", relay, power, work)
        async with everybody(folder, relay, "alice", "bob") as both:
            for engine in both:
                found = await shown(engine)
                assert found.votes == (0, 1), power
                assert [one.state for one in found.ballots] == [BallotState.OPENED], power
        shutil.rmtree(folder)


async def shown(engine: Engine) -> e2ecore.PollResult:
    """Wait until the vote is open; return how the poll stands."""
    changes = engine.changes()
    with anyio.fail_after(PATIENCE_S):
        while True:
            chat = await only(engine)
            found = await chat.poll((await chat.messages())[-1])
            if any(found.votes):
                return found
            await anext(changes)
