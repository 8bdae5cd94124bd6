"""Taking one's data along and bringing it in again."""

import json
import stat
import zipfile
from pathlib import Path

import pytest

import e2ecore
from e2ecore import Conversation, ConversationKind, Engine, ExportDamagedError, Message
from e2ecore.engine.taking_along import exporting, importing
from e2ecore.engine.taking_along.exporting import TransferProgress
from e2ecore.storage import export_lines, search_index
from e2ecore.testing import devices, two_devices
from e2ecore.testing.devices import PASSPHRASE
from tests.support.engines import history, pair, texts, until

pytestmark = pytest.mark.anyio

BODIES = ("明天在北京见", 'quote " and \\ and \n new line', "\u2028 \x00 \x7f 👋", "x" * 5_000)


async def imported(engine: Engine) -> list[Conversation]:
    return [
        one for one in await engine.conversations.list() if one.kind is ConversationKind.IMPORTED
    ]


async def newest(chat: Conversation) -> Message:
    return (await chat.messages(limit=1))[-1]


async def exported(folder: Path) -> Path:
    """An export of Bob's: two messages of each side."""
    async with two_devices(folder) as (_, alice, bob):
        at_alice, at_bob = alice.events(), bob.events()
        chat, other = await pair(alice, bob)
        await chat.send_many(BODIES[:2])
        await texts(at_bob, 2)
        await other.send_many(BODIES[2:])
        await texts(at_alice, 2)
        report = await bob.my_data.export(folder / "bob.zip")
        assert (report.conversations, report.messages) == (1, 4)
        again = await bob.my_data.import_file(folder / "bob.zip")
        assert (again.messages, again.known, again.conversations) == (0, 4, ())
        assert await imported(bob) == []
        await other.delete_messages([(await other.messages())[0]])
        back = await bob.my_data.import_file(folder / "bob.zip")
        assert (back.messages, back.known) == (1, 3)
        (found,) = await imported(bob)
        assert await history(found) == [BODIES[0]]
        assert [one.display_name for one in await found.members()] == ["alice"]
    return folder / "bob.zip"


@pytest.mark.clause("NPS-5.2.2.3a-m")
async def test_an_export_is_imported_into_another_account_once_however_often(
    tmp_path: Path,
) -> None:
    path = await exported(tmp_path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not (tmp_path / "bob.zip.part").exists()
    async with devices(tmp_path, "carol") as (_, (carol,)):
        seen: list[TransferProgress] = []
        first = await carol.my_data.import_file(path, me="bob", on_progress=seen.append)
        assert (first.messages, first.known, first.skipped) == (4, 0, 0)
        assert seen[-1] == TransferProgress(4, 1.0)
        second = await carol.my_data.import_file(path, me="bob")
        assert (second.messages, second.known) == (0, 4)
        (chat,) = await imported(carol)
        assert await history(chat) == list(BODIES)
        assert [one.mine for one in await chat.messages()] == [False, False, True, True]
        names = {one.display_name: one.is_self for one in await chat.members()}
        assert names == {"alice": False, "bob": True}
        assert chat.unread == 0
        (hit,) = (await carol.search("北京")).hits
        assert hit.message.conversation_id == chat.conversation_id
        with pytest.raises(e2ecore.ConversationReadOnlyError):
            await chat.send("nothing leaves from here")
        with pytest.raises(e2ecore.ConversationReadOnlyError):
            await chat.leave()
        assert await chat.delete_messages(await chat.messages(limit=1)) == 1
        assert (await carol.my_data.export(tmp_path / "carol.zip")).messages == 3


async def remarked(folder: Path) -> Path:
    """An export of Bob's in which everything was said of messages that can be."""
    async with two_devices(folder) as (_, alice, bob):
        at_bob = bob.events()
        chat, other = await pair(alice, bob)
        await chat.send("frist")
        own = await newest(chat)
        await chat.edit(own, "first")
        await until(at_bob, e2ecore.MessageEdited)
        await other.react(await newest(other), "👍", "x")
        await other.send_rich("answer", reply_to=await newest(other), lifetime_s=3_600)
        await other.forward(await newest(other))
        await bob.my_data.export(folder / "bob.zip")
        await other.clear()
        back = await bob.my_data.import_file(folder / "bob.zip")
        assert (back.messages, back.known, back.skipped) == (3, 0, 0)
        assert bob.account is not None
        (found,) = await imported(bob)
        first, answer, forwarded = await found.messages()
        assert answer.reply is not None
        assert (answer.reply.text, answer.reply.is_intact) == ("first", True)
        assert answer.sender == bob.account.account_id
        assert first.sender == own.sender
        assert forwarded.forwards == 1
        assert await found.find_message(first.message_id) == first
    return folder / "bob.zip"


async def test_what_was_said_of_messages_goes_out_and_comes_back(tmp_path: Path) -> None:
    path = await remarked(tmp_path)
    async with devices(tmp_path, "carol") as (_, (carol,)):
        report = await carol.my_data.import_file(path, me="bob")
        assert (report.messages, report.skipped) == (3, 0)
        (chat,) = await imported(carol)
        first, answer, forwarded = await chat.messages()
        assert [(one.signs, one.account_id) for one in first.reactions] == [
            (("👍", "x"), answer.sender)
        ]
        assert await chat.earlier_texts(first) == ["frist"]
        assert first.edited_ms is not None
        assert answer.reply is not None
        assert (answer.reply.text, answer.reply.author) == ("first", first.sender)
        assert not answer.reply.is_intact, "the quote is bound to an account that is not known here"
        assert answer.lifetime_s == 3_600
        assert forwarded.forwards == 1
    async with devices(tmp_path, "dora") as (_, (dora,)):
        dora._core.clock_ms = lambda: answer.stored_ms + 3_600_000 + 60_000
        report = await dora.my_data.import_file(path)
        assert (report.messages, report.skipped) == (2, 1), "what has erased itself stays away"


async def test_imported_messages_are_named_behind_the_import(tmp_path: Path) -> None:
    path = await exported(tmp_path)
    async with devices(tmp_path, "carol") as (_, (carol,)):
        await carol.my_data.import_file(path)
        (chat,) = await imported(carol)
        first = (await chat.messages())[0]
        assert await chat.find_message(first.message_id) == first
        while await carol._core.jobs.run(lambda job: search_index.step(job.tx, 2)):
            pass
        count = carol._core.read(lambda tx: tx.value(int, "SELECT count(*) FROM message_names"))
        assert count == 4
        assert await chat.find_message(first.message_id) == first


async def test_an_export_can_be_of_some_conversations_and_never_replaces_a_file(
    tmp_path: Path,
) -> None:
    async with two_devices(tmp_path) as (_, alice, bob):
        chat, _ = await pair(alice, bob)
        await chat.send("in")
        other = await alice.conversations.create_group("out", [])
        await other.send("out")
        report = await alice.my_data.export(tmp_path / "some.zip", conversations=[chat])
        assert (report.conversations, report.messages) == (1, 1)
        with pytest.raises(e2ecore.ExportExistsError):
            await alice.my_data.export(tmp_path / "some.zip")
        with zipfile.ZipFile(tmp_path / "some.zip") as archive:
            manifest = json.loads(archive.read("manifest.json"))
        assert [one["records"] for one in manifest["files"]] == [2, 2]


async def test_a_changed_export_is_refused_before_anything_is_stored(tmp_path: Path) -> None:
    path = await exported(tmp_path)
    changed = tmp_path / "changed.zip"
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(changed, "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name).replace("北京".encode(), "南京".encode()))
    async with devices(tmp_path, "carol") as (_, (carol,)):
        with pytest.raises(ExportDamagedError):
            await carol.my_data.import_file(changed)
        assert await carol.conversations.list() == []


async def test_an_import_that_was_interrupted_is_completed_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "BATCH", 3)
    monkeypatch.setattr(exporting, "LINES_PER_TURN", 2)
    monkeypatch.setattr(export_lines, "PAGE_CHARS", 1)
    bodies = [str(number) for number in range(20)]
    async with two_devices(tmp_path) as (_, alice, bob):
        chat, other = await pair(alice, bob)
        await chat.send_many(bodies)
        await alice.my_data.export(tmp_path / "alice.zip")

        def stop(progress: TransferProgress) -> None:
            if progress.messages >= 9:
                raise InterruptedError

        with pytest.raises(e2ecore.DiskError):
            await bob.my_data.import_file(tmp_path / "alice.zip", on_progress=stop)
        report = await bob.my_data.import_file(tmp_path / "alice.zip")
        assert (report.messages, report.known) == (11, 9)
        (found,) = await imported(bob)
        assert await history(found) == bodies
        assert other.conversation_id != found.conversation_id


@pytest.mark.clause("GB42012-13.1")
@pytest.mark.clause("GB42012-9.1.1a")
async def test_personal_fields_show_to_who_can_open_the_database_and_can_be_corrected(
    tmp_path: Path,
) -> None:
    async with two_devices(tmp_path) as (_, alice, bob):
        await pair(alice, bob)
        await alice.set_display_name("Alcie")
        await alice.set_display_name("Alice")
        masked = await alice.my_data.profile()
        assert masked.is_masked
        assert (masked.handle, masked.display_name) == ("a•••", "A•••")
        with pytest.raises(e2ecore.WrongPassphraseError):
            await alice.my_data.profile("a guess")
        profile = await alice.my_data.profile(PASSPHRASE)
        assert alice.account is not None
        assert profile.account_id == alice.account.account_id.hex()
        assert (profile.handle, profile.display_name) == ("alice", "Alice")
        assert (profile.contacts, profile.conversations, profile.is_masked) == (1, 1, False)
        classes = {one.what: one.data_class.sensitivity for one in alice.my_data.inventory()}
        assert classes["messages.body"] == "sensitive"
        assert classes["account.identity_key"] == "secret"
