"""What an author has taken back is in no page of any database, wherever the power fails."""

import shutil
from pathlib import Path

import anyio
import pytest

import e2ecore
from e2ecore import Engine, MessageKind
from e2ecore.testing import two_devices
from e2ecore.testing.devices import PASSPHRASE
from tests.faults.test_engine_power import cut_device, everybody, make_stage, only
from tests.support.engines import PATIENCE_S, pair, said, until
from tests.support.pages import plain_pages
from tests.support.power import Power, every_cut

pytestmark = [pytest.mark.anyio, pytest.mark.slow]
FIRST, SECOND = "canary-of-the-first-words", "canary-of-the-second-words"


@pytest.fixture
def anyio_backend() -> str:
    """The database does not care which loop waits for it."""
    return "trio"


async def test_a_recalled_message_is_in_no_page(tmp_path: Path) -> None:
    async with two_devices(tmp_path) as (_, alice, bob):
        at_bob = bob.events()
        chat, other = await pair(alice, bob)
        sent = await chat.send(FIRST)
        await until(at_bob, e2ecore.MessageReceived)
        for engine in (alice, bob):
            await indexed(engine)
        await chat.edit(sent.order, SECOND)
        await until(at_bob, e2ecore.MessageEdited)
        assert found(tmp_path / "bob.db") == {FIRST, SECOND}
        recalled = await chat.recall(sent.order)
        assert found(tmp_path / "alice.db") == set()
        await recalled.accepted()
        await until(at_bob, e2ecore.MessageRecalled)
        assert (await other.messages())[-1].kind is MessageKind.RECALLED
    for name in ("alice", "bob"):
        assert found(tmp_path / f"{name}.db") == set()


async def indexed(engine: Engine) -> None:
    """Wait until everything is in the search index."""
    with anyio.fail_after(PATIENCE_S):
        while (status := await engine.search_status()).indexed < status.newest:  # noqa: ASYNC110
            await anyio.sleep(0.05)


def found(path: Path) -> set[str]:
    """Which words are in a database, its log or its index."""
    files = plain_pages(path, PASSPHRASE)
    return {words for words in (FIRST, SECOND) if words.encode() in files}


async def test_remarks_are_all_or_nothing_wherever_the_power_fails(tmp_path: Path) -> None:
    """Bob takes a reaction, an edit and a recall; afterwards all is as if it had not failed."""
    stage = await make_stage(tmp_path, "alice", "bob")
    async with everybody(stage.origin, stage.relay, "alice") as (alice,):
        chat = await only(alice)
        (first,) = await said(chat)
        second = await chat.send("second")
        last = [
            await chat.react(first, "x"),
            await chat.edit(first, "edited"),
            await chat.recall(second.order),
        ]
        for one in (second, *last):
            await one.accepted()
    for power in every_cut():
        folder, relay = stage.again()

        async def work(engine: Engine, power: Power = power) -> None:
            power.arm()
            await engine.caught_up()

        await cut_device(folder / "bob.db", relay, power, work)
        async with everybody(folder, relay, "bob") as (bob,):
            shown = await said(await only(bob))
            assert [(one.text, one.kind) for one in shown] == [
                ("edited", MessageKind.TEXT),
                ("", MessageKind.RECALLED),
            ], power
            assert [[it.signs for it in one.reactions] for one in shown] == [[("x",)], []]
            assert await (await only(bob)).earlier_texts(shown[0]) == ["before"]
        shutil.rmtree(folder)
