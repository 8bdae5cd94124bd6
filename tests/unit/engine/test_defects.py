"""Defects of the engine: contained where they happen, told by an event and in the log."""

import logging
from pathlib import Path

import anyio
import pytest

import e2ecore
from e2ecore.engine.membership import committing, isolating
from e2ecore.engine.running.job import Job
from e2ecore.engine.running.mirror import Mirror
from e2ecore.testing import devices, open_device, two_devices
from tests.support.engines import PATIENCE_S, group_of, pair, same, texts, until

pytestmark = pytest.mark.anyio


def explode(*_args: object, **_kwargs: object) -> None:
    raise KeyError("a text that must not get into any log")


async def test_a_defect_while_planning_a_change_fails_that_change_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with devices(tmp_path, "alice", "bob", "carol") as (_, (alice, bob, carol)):
        at_alice, at_bob = alice.events(), bob.events()
        group, _ = await group_of((alice, bob))
        with monkeypatch.context() as patch, caplog.at_level(logging.ERROR, "e2ecore"):
            patch.setattr(committing, "plan", explode)
            change = await group.rename("never")
            with anyio.fail_after(PATIENCE_S), pytest.raises(e2ecore.EngineDefectError):
                await change.applied()
        met = await until(at_alice, e2ecore.DefectMet)
        assert (met.doing, met.error) == ("carrying out a change", "KeyError")
        failed = await until(at_alice, e2ecore.IntentFailed)
        assert failed.change_id == change.change_id
        assert "KeyError at test_defects.py" in caplog.text
        assert "text that must not" not in caplog.text
        await (await group.add(await alice.contacts.find("carol"))).applied()
        await (await group.send("still here")).accepted()
        assert await texts(at_bob, 1) == ["still here"]
        await same(carol, group)


async def test_a_defect_after_the_relay_took_a_commit_is_healed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with two_devices(tmp_path) as (_, alice, bob):
        at_alice, at_bob = alice.events(), bob.events()
        chat, _ = await pair(alice, bob)
        with monkeypatch.context() as patch:
            patch.setattr(committing, "apply_commit", explode)
            with anyio.fail_after(PATIENCE_S), pytest.raises(e2ecore.EngineDefectError):
                await (await chat.renew_keys()).applied()
        await until(at_alice, e2ecore.ConversationHealed)
        await (await chat.send("back again")).accepted()
        assert await texts(at_bob, 1) == ["back again"]


async def test_a_change_is_dropped_even_if_its_conversation_cannot_be_touched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with two_devices(tmp_path) as (_, alice, bob):
        chat, _ = await pair(alice, bob)
        with monkeypatch.context() as patch:
            patch.setattr(committing, "plan", explode)
            patch.setattr(isolating, "fail", explode)
            with anyio.fail_after(PATIENCE_S), pytest.raises(e2ecore.EngineDefectError):
                await (await chat.renew_keys()).applied()
        await (await chat.renew_keys()).applied()


async def test_a_conversation_that_cannot_be_loaded_stops_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with devices(tmp_path, "alice", "bob", "carol") as (_, (alice, bob, carol)):
        at_alice = alice.events()
        broken, _ = await pair(alice, bob)
        other, _ = await pair(alice, carol)
        cid = broken._row.cid
        whole = Job.mirror

        def mirror(job: Job, wanted: int) -> Mirror:
            if wanted == cid:
                explode()
            return whole(job, wanted)

        with monkeypatch.context() as patch:
            patch.setattr(Job, "mirror", mirror)
            alice._core.intents_due.add(cid)
            alice._core.intents_signal.set()
            met = await until(at_alice, e2ecore.DefectMet)
            assert met.error == "KeyError"
            await (await other.renew_keys()).applied()
        await (await broken.renew_keys()).applied()


async def test_a_defect_in_a_chore_begins_it_anew_and_messages_flow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with two_devices(tmp_path) as (_, alice, bob):
        at_alice, at_bob = alice.events(), bob.events()
        chat, other = await pair(alice, bob)
        with monkeypatch.context() as patch:
            patch.setattr("e2ecore.engine.running.chores.make_key_packages", explode)
            alice._core.supply_signal.set()
            assert (await until(at_alice, e2ecore.DefectMet)).error == "KeyError"
        await (await chat.send("after it")).accepted()
        assert await texts(at_bob, 1) == ["after it"]
        await (await other.send("and back")).accepted()
        assert await texts(at_alice, 1) == ["and back"]


async def test_an_account_is_opened_offline_and_its_history_read(tmp_path: Path) -> None:
    async with two_devices(tmp_path) as (_, alice, bob):
        chat, _ = await pair(alice, bob)
        await (await chat.send("for later")).accepted()
    with anyio.fail_after(PATIENCE_S):
        async with await open_device(tmp_path / "alice.db", None) as alice:
            again = await alice.conversations.get(chat.conversation_id)
            assert [one.text for one in await again.messages()] == ["for later"]
            await anyio.sleep(0.01)
            with pytest.raises(e2ecore.NoRelayError):
                await alice.contacts.find("somebody")
