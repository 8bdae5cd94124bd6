"""Locking an engine, changing what unlocks it, noticing damage."""

from pathlib import Path

import anyio
import pytest

import e2ecore
from e2ecore.engine.running.job import Job
from e2ecore.storage import settings
from e2ecore.storage.database import is_present
from e2ecore.testing.devices import PASSPHRASE, devices, open_device
from tests.support.engines import pair, texts, until
from tests.support.keyrings import MemoryKeyring

pytestmark = pytest.mark.anyio
NEW = "a quite different passphrase"


async def test_a_locked_engine_answers_nothing_until_it_is_unlocked(tmp_path: Path) -> None:
    async with devices(tmp_path, "alice", "bob") as (_, (alice, bob)):
        chat, view = await pair(alice, bob)
        reader = bob.events()
        await bob.lock()
        with pytest.raises(e2ecore.EngineLockedError):
            await bob.conversations.list()
        with pytest.raises(e2ecore.EngineLockedError):
            await view.messages()
        with pytest.raises(e2ecore.EngineLockedError):
            await bob.lock()
        async for _ in reader:
            pass  # it ends
        with pytest.raises(e2ecore.WrongPassphraseError):
            await bob.unlock("wrong")
        await chat.send("while you were away")
        await bob.unlock(PASSPHRASE)
        assert bob.account is not None
        assert await texts(bob.events(), 1) == ["while you were away"]
        (again,) = await bob.conversations.list()
        await (await again.send("back")).accepted()


async def test_what_is_locked_can_be_opened_elsewhere_and_then_not_here(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    async with await open_device(path, None) as here:
        await here.lock()
        async with await open_device(path, None):
            with pytest.raises(e2ecore.DatabaseInUseError):
                await here.unlock(PASSPHRASE)
        await here.unlock(PASSPHRASE)
        assert await here.conversations.list() == []


async def test_an_engine_that_is_locked_closes(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    async with await open_device(path, None) as engine:
        await engine.lock()
    async with await open_device(path, None) as engine:
        await engine.unlock(PASSPHRASE)  # not locked: the key is verified
        with pytest.raises(e2ecore.WrongPassphraseError):
            await engine.unlock("wrong")


async def test_the_ways_to_unlock_are_listed_added_and_removed(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    async with await open_device(path, None) as engine:
        code = await engine.keys.add_recovery_code(PASSPHRASE)
        await engine.keys.add_host_key(PASSPHRASE, e2ecore.HostKey(bytes(32)))
        slot = await engine.keys.add_keyring(PASSPHRASE, e2ecore.OsKeyring(MemoryKeyring()))
        kinds = [one.kind for one in await engine.keys.list()]
        assert kinds == ["passphrase", "recovery", "host", "keyring"]
        await engine.keys.remove(PASSPHRASE, slot.slot_id)
        with pytest.raises(e2ecore.WeakPassphraseError):
            await engine.keys.change_passphrase(PASSPHRASE, "password")
        await engine.keys.change_passphrase(e2ecore.RecoveryCode(code), NEW)
        with pytest.raises(e2ecore.WrongPassphraseError):
            await engine.keys.verify(PASSPHRASE)
    for key in (e2ecore.RecoveryCode(code), e2ecore.HostKey(bytes(32)), e2ecore.Passphrase(NEW)):
        await (await e2ecore.open(path, unlock=key, create=False)).__aexit__(None, None, None)


async def test_a_new_database_needs_one_key_that_is_hard_to_guess(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with pytest.raises(e2ecore.OneKeyError):
        await e2ecore.open(path)
    with pytest.raises(e2ecore.OneKeyError):
        await e2ecore.open(path, passphrase=NEW, unlock=e2ecore.HostKey(bytes(32)))
    with pytest.raises(e2ecore.WeakPassphraseError):
        await e2ecore.open(path, passphrase="password")
    with pytest.raises(e2ecore.LastSlotError):
        await e2ecore.open(path, unlock=e2ecore.OsKeyring(MemoryKeyring()))
    assert not is_present(path)


async def test_after_a_rekey_only_what_was_kept_opens(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    async with await open_device(path, None) as engine:
        old = await engine.keys.add_recovery_code(PASSPHRASE)
        with pytest.raises(e2ecore.DatabaseInUseError):
            await e2ecore.rekey(path, passphrase=PASSPHRASE, keep=[NEW])
        await engine.lock()
        code = e2ecore.new_recovery_code()
        with pytest.raises(e2ecore.WeakPassphraseError):
            await e2ecore.rekey(path, passphrase=PASSPHRASE, keep=["password"])
        await e2ecore.rekey(path, passphrase=PASSPHRASE, keep=[NEW, e2ecore.RecoveryCode(code)])
        for wrong in (PASSPHRASE, e2ecore.RecoveryCode(old)):
            with pytest.raises(e2ecore.WrongKeyError):
                await engine.unlock(wrong)
        await engine.unlock(e2ecore.RecoveryCode(code))
        assert [one.kind for one in await engine.keys.list()] == ["passphrase", "recovery"]


def fill(job: Job) -> None:
    for number in range(40):
        settings.put(job.tx, f"{number:03}", bytes(20_000))


async def test_damage_is_told_and_repaired(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    async with await open_device(path, None) as engine:
        await engine._core.jobs.run(fill)
        assert await e2ecore_repair_is_refused(path)
    content = bytearray(path.read_bytes())
    content[-30 * 4096 + 1000] ^= 1
    path.write_bytes(content)
    async with await open_device(path, None) as engine:
        reader = engine.events()
        with pytest.raises(e2ecore.CorruptDatabaseError, match=r"e2ecore\.repair"):
            engine._core.read(lambda tx: tx.rows(tuple, "SELECT value FROM settings"))
        with anyio.fail_after(60):
            told = await until(reader, e2ecore.DatabaseDamaged)
        assert told.pages == 1
        await engine.lock()
        report = await e2ecore.repair(path, passphrase=PASSPHRASE)
        assert report is not None
        assert report.set_aside.exists()
        await engine.unlock(PASSPHRASE)
    assert await e2ecore.repair(path, passphrase=PASSPHRASE) is None


async def e2ecore_repair_is_refused(path: Path) -> bool:
    try:
        await e2ecore.repair(path, passphrase=PASSPHRASE)
    except e2ecore.DatabaseInUseError:
        return True
    return False
