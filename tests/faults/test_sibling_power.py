"""What is done on one device and what the others are told of it: both or neither."""

import shutil
from functools import partial
from pathlib import Path

import anyio
import pytest

import e2ecore
from e2ecore import Conversation, Engine
from e2ecore.engine.own_talk.oplog import slot
from e2ecore.engine.running.job import Job
from e2ecore.testing import devices, open_device
from e2ecore_protocol.content.op_bodies import ClearedUpTo, Draft, Erased, Mute, ReadUpTo
from tests.faults.test_engine_power import power_may_fail
from tests.support.engines import PATIENCE_S, agree, history, pair, said, same
from tests.support.linked import comes_true, link, run, seated, settled
from tests.support.power import Power

pytestmark = [pytest.mark.anyio, pytest.mark.slow]
MOST, STEP = 400, 9
"""Statements after which the power fails, at most, and how many of these are passed over."""


@pytest.fixture
def anyio_backend() -> str:
    """The database does not care which loop waits for it."""
    return "trio"


async def stage(folder: Path) -> Path:
    """Make a phone that was linked to a laptop and has got three messages; return its database."""
    async with devices(folder, "alice", "bob") as (relay, (phone, bob)):
        chat, at_bobs = await pair(phone, bob)
        await agree(phone, e2ecore.Purpose.MULTI_DEVICE_SYNC)
        async with await open_device(folder / "laptop.db", relay.dial) as laptop:
            await link(phone, laptop)
            await same(laptop, chat)
            await settled(phone)
            await seated(laptop, 2)
        await at_bobs.send_many(["one", "two", "three"])

        async def here() -> bool:
            return len(await history(chat)) == 3

        await comes_true(here)
    return folder / "alice.db"


async def only(engine: Engine) -> Conversation:
    (conversation,) = await engine.conversations.list()
    return conversation


async def everything(chat: Conversation) -> None:
    """Do what other devices are told of, one after the other."""
    await chat.mute(1_900_000_000_000)
    await chat.set_draft("begun")
    await chat.mark_read()
    await chat.delete_messages([(await said(chat))[1]])
    await chat.clear()


def told(job: Job, uid: bytes) -> tuple[bool, ...]:
    """Return what of it the other devices are told."""
    kinds = (Mute, ReadUpTo, Erased, ClearedUpTo)
    return tuple(bool(slot(job, one.KIND, uid)) for one in kinds)


def told_draft(job: Job, uid: bytes) -> bool:
    bodies = [op.body() for op in slot(job, Draft.KIND, uid)]
    return any(isinstance(one, Draft) and one.text for one in bodies)


async def test_a_deed_and_its_op_are_both_there_or_neither(tmp_path: Path) -> None:
    made = await stage(tmp_path)
    files = [made.with_name(made.name + end) for end in ("", ".keys")]
    last: tuple[bool, ...] = ()
    for survives in range(0, MOST, STEP):
        power = Power(survives, last_runs=survives % 2 == 1)
        folder = tmp_path / f"cut{survives}"
        folder.mkdir()
        for one in files:
            shutil.copy(one, folder)
        await _cut(folder / made.name, power)
        async with await open_device(folder / made.name, None) as phone:
            chat = await only(phone)
            texts, uid = await history(chat), chat.conversation_id
            last = await run(phone, partial(told, uid=uid))
            assert last == (
                chat.muted_until_ms is not None,
                chat.unread == 0,
                "two" not in texts,
                not texts,
            ), power
            assert await run(phone, partial(told_draft, uid=uid)) == (chat.draft is not None), power
        shutil.rmtree(folder)
    assert all(last), "the last one was not cut"


async def _cut(path: Path, power: Power) -> None:
    with power_may_fail(), anyio.move_on_after(PATIENCE_S):
        async with await open_device(path, None, connect=power.connect) as phone:
            chat = await only(phone)
            power.arm()
            await everything(chat)
