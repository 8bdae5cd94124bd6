"""An export has everything that belongs to a person; an import brings back what can be shown."""

import io
import json
import zipfile
from collections.abc import Awaitable, Callable
from pathlib import Path

import anyio
import pytest

import e2ecore
from e2ecore import AttachmentState, Conversation, ConversationKind, Engine, verify_consents
from e2ecore.engine.taking_along import export_pages, importing
from e2ecore.testing import devices
from tests.support.engines import PATIENCE_S, agree, pair, until
from tests.support.files import DATA, scene

pytestmark = pytest.mark.anyio


async def wait_for(holds: Callable[[], Awaitable[bool]]) -> None:
    """Wait until something holds that no event tells of."""
    with anyio.fail_after(PATIENCE_S):
        while not await holds():  # noqa: ASYNC110 (no event tells of it)
            await anyio.sleep(0.01)


async def only_import(engine: Engine) -> Conversation:
    every = await engine.conversations.list()
    (found,) = [one for one in every if one.kind is ConversationKind.IMPORTED]
    return found


def lines_of(path: Path) -> list[dict[str, object]]:
    """All lines of the only conversation."""
    with zipfile.ZipFile(path) as archive:
        (name,) = [one for one in archive.namelist() if one.startswith("conversations/")]
        return [json.loads(line) for line in archive.read(name).splitlines()]


async def with_files(folder: Path) -> Path:
    """An export of Bob's: a file that he has, the same once more, one that he never fetched."""
    async with scene(folder) as at:
        for name in ("one.bin", "again.bin", "far.bin"):
            _, seen = await at.send(DATA if name != "far.bin" else b"far", name)
            if name != "far.bin":
                await seen.attachment.download()
        await at.other.send("no file")
        report = await at.bob.my_data.export(folder / "bob.zip")
        assert (report.messages, report.files, report.files_missing) == (4, 2, 1)
    return folder / "bob.zip"


@pytest.mark.clause("NPS-5.2.2.3a-m")
async def test_files_go_along_if_they_are_here_and_are_named_if_not(tmp_path: Path) -> None:
    path = await with_files(tmp_path)
    with zipfile.ZipFile(path) as archive:
        kept = [one for one in archive.infolist() if one.filename.startswith("attachments/")]
        assert [one.file_size for one in kept] == [len(DATA)]
        assert archive.read(kept[0]) == DATA
    named = [one for one in lines_of(path) if "file" in one]
    assert [one["name"] for one in named] == ["one.bin", "again.bin", "far.bin"]
    assert not {"blob_id", "file_key", "key"} & {field for one in named for field in one}
    async with devices(tmp_path, "carol") as (_, (carol,)):
        report = await carol.my_data.import_file(path)
        assert (report.messages, report.files, report.files_missing) == (4, 2, 1)
        chat = await only_import(carol)
        files = [one.attachment for one in await chat.messages() if one.attachments]
        assert [one.name for one in files] == ["one.bin", "again.bin", "far.bin"]
        assert [one.state for one in files] == [
            AttachmentState.STORED, AttachmentState.STORED, AttachmentState.EXPIRED,
        ]  # fmt: skip
        assert await files[0].read() == await files[1].read() == DATA
        assert await carol.files.size() == 2 * len(DATA)
        again = await carol.my_data.import_file(path)
        assert (again.messages, again.known, again.files) == (0, 4, 0)
        taken = await carol.my_data.export(tmp_path / "carol.zip")
        assert (taken.files, taken.files_missing) == (2, 1)
        await chat.delete_messages(await chat.messages())
        assert await carol.files.size() == 0


async def test_files_stay_away_where_there_is_no_room_for_them(tmp_path: Path) -> None:
    path = await with_files(tmp_path)
    async with devices(tmp_path, "carol") as (_, (carol,)):
        await carol.files.set_limit(len(DATA) + 10)
        report = await carol.my_data.import_file(path)
        assert (report.messages, report.files, report.files_missing) == (4, 1, 2)


async def test_an_import_of_files_that_was_cut_off_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = await with_files(tmp_path)
    monkeypatch.setattr(importing, "BATCH", 2)
    async with devices(tmp_path, "carol") as (_, (carol,)):
        with anyio.CancelScope() as scope:
            await carol.my_data.import_file(path, on_progress=lambda _: scope.cancel())
        chat = await only_import(carol)
        before = len(await chat.messages())
        assert before < 4
        report = await carol.my_data.import_file(path)
        assert (report.messages, report.known) == (4 - before, before)
        stored = [one for one in await chat.messages() if one.attachments]
        assert [one.attachment.is_stored for one in stored] == [True, True, False]
        folder = carol._core.desk.cache.folder

        async def is_tidy() -> bool:
            return not any(one.name.startswith("copy-") for one in folder.iterdir())

        await wait_for(is_tidy)


async def test_albums_larger_than_a_page_are_exported_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export_pages, "FILES_PER_PAGE", 3)
    async with scene(tmp_path) as at:
        for _ in range(3):
            album = [e2ecore.OutgoingFile(io.BytesIO(b"x"), f"{n}.txt") for n in range(2)]
            with anyio.fail_after(PATIENCE_S):
                await (await at.chat.send_files(album)).sent()
        await at.chat.send("end")
        report = await at.alice.my_data.export(tmp_path / "a.zip")
        assert (report.messages, report.files, report.files_missing) == (4, 6, 0)
    sorts = ["file" if "file" in one else "id" for one in lines_of(tmp_path / "a.zip")[1:]]
    assert sorts == ["id", "file", "file"] * 3 + ["id"]


async def polled(folder: Path) -> Path:
    """An export of Bob's: a closed poll on which both voted, pinned; a draft; a consent."""
    async with devices(folder, "alice", "bob") as (_, (alice, bob)):
        at_bob = bob.events()
        chat, other = await pair(alice, bob)
        await chat.ask("Where to?", ["home", "up"])
        received = await until(at_bob, e2ecore.MessageReceived)
        own = (await chat.messages())[-1]
        await chat.vote(own, [1])
        await other.vote(received.message, [0])
        await other.pin_message(received.message)
        await until(at_bob, e2ecore.PollVoted)
        await chat.vote(own, [0])
        await until(at_bob, e2ecore.PollVoted)

        async def both_voted() -> bool:
            return len((await chat.poll(own)).ballots) == 2

        async def all_opened() -> bool:
            return (await other.poll(received.message)).votes == (2, 0)

        await wait_for(both_voted)
        await chat.close_poll(own)
        await wait_for(all_opened)
        await other.set_draft("not yet", reply_to=received.message)
        await agree(bob, e2ecore.Purpose.READ_RECEIPTS)
        await bob.my_data.export(folder / "bob.zip")
    return folder / "bob.zip"


async def test_polls_pins_drafts_and_consents_go_along(tmp_path: Path) -> None:
    path = await polled(tmp_path)
    heading, *lines = lines_of(path)
    draft = heading["draft"]
    assert isinstance(draft, dict)
    assert draft["text"] == "not yet"
    sorts = [next(iter(one)) for one in lines]
    assert sorted(sorts) == sorted(["id", "pin", "vote", "vote", "opened", "opened", "close"])
    assert "salt" not in json.dumps(lines)
    with zipfile.ZipFile(path) as archive:
        proven = verify_consents(archive.read("consents.json"), now_ms=2_000_000_000_000)
    assert proven is not None
    async with devices(tmp_path, "carol") as (_, (carol,)):
        await carol.my_data.import_file(path, me="bob")
        chat = await only_import(carol)
        (poll,) = await chat.messages()
        result = await chat.poll(poll)
        assert (result.votes, result.own_choices) == ((2, 0), (0,))
        assert result.closed_by == poll.sender
        assert carol.account is not None
        assert carol.account.account_id in [one.account_id for one in result.ballots]
        assert [one.message_id for one in await chat.pinned_messages()] == [poll.message_id]
        with pytest.raises((e2ecore.PollClosedError, e2ecore.ConversationReadOnlyError)):
            await chat.vote(poll, [1])
        await carol.my_data.export(tmp_path / "carol.zip")
    again = [next(iter(one)) for one in lines_of(tmp_path / "carol.zip")[1:]]
    assert sorted(again) == sorted(sorts)


async def belongings_of(chat: Conversation) -> tuple[object, ...]:
    draft = chat.draft
    return (
        None if draft is None else (draft.text, draft.reply_to is not None),
        chat.pinned, chat.archived, chat.muted_until_ms, await chat.retention(), chat.lifetime_s,
        await chat.keeps_earlier_texts(),
    )  # fmt: skip


async def arranged(alice: Engine, bob: Engine) -> Conversation:
    """Bob's conversation with Alice, with everything that a person can arrange."""
    at_bob = bob.events()
    chat, other = await pair(alice, bob)
    await (await chat.set_lifetime(86_400)).applied()
    await chat.send("hello")
    received = await until(at_bob, e2ecore.MessageReceived)
    await other.set_draft("not yet", reply_to=received.message)
    await other.set_pinned(on=True)
    await other.set_archived(on=True)
    await other.mute(10**15)
    await other.set_retention(10**9)
    await other.keep_earlier_texts(on=False)
    return other


async def test_what_is_arranged_comes_along_once_and_is_left_alone_then(tmp_path: Path) -> None:
    path = tmp_path / "bob.zip"
    async with devices(tmp_path, "alice", "bob", "carol") as (_, (alice, bob, carol)):
        other = await arranged(alice, bob)
        before = await belongings_of(other)
        assert before == (("not yet", True), True, True, 10**15, 10**9, 86_400, False)
        await bob.my_data.export(path)
        await bob.my_data.import_file(path)
        assert len(await bob.conversations.list()) == 1
        await carol.my_data.import_file(path, me="bob")
        chat = await only_import(carol)
        assert await belongings_of(chat) == before
        assert chat.draft is not None
        assert chat.draft.reply_to == (await chat.messages())[-1].order
        await carol.my_data.export(tmp_path / "carol.zip")
        await chat.set_draft("")
        await chat.set_pinned(on=False)
        await chat.unmute()
        await chat.set_retention(None)
        changed = await belongings_of(chat)
        await carol.my_data.import_file(path, me="bob")
        await chat.refresh()
        assert await belongings_of(chat) == changed
    mine, theirs = lines_of(path)[0], lines_of(tmp_path / "carol.zip")[0]
    names = ("draft", "pinned_ms", "archived", "muted_until_ms", "keep_ms", "lifetime_s")
    assert [mine[one] for one in names] == [theirs[one] for one in names]


async def test_a_draft_comes_along_without_a_message_to_it(tmp_path: Path) -> None:
    async with devices(tmp_path, "alice", "bob", "carol") as (_, (alice, bob, carol)):
        chat, _ = await pair(alice, bob)
        await chat.set_draft("never sent")
        await alice.my_data.export(tmp_path / "a.zip")
        for _ in range(2):
            report = await carol.my_data.import_file(tmp_path / "a.zip")
            assert report.messages == 0
        found = await only_import(carol)
        assert found.draft is not None
        assert found.draft.text == "never sent"


async def test_blocks_and_names_come_back_from_ones_own_export_and_from_nobody_elses(
    tmp_path: Path,
) -> None:
    path = tmp_path / "bob.zip"
    async with devices(tmp_path, "alice", "bob", "carol") as (_, (alice, bob, carol)):
        await pair(alice, bob)
        troll = await bob.contacts.find("alice")
        await troll.block()
        await troll.set_name("the troll")
        await bob.my_data.export(path)
        await troll.unblock()
        await troll.set_name("")
        chats = await bob.conversations.list()
        await bob.my_data.export(tmp_path / "part.zip", conversations=chats)
        assert (await bob.my_data.import_file(path)).blocked == 1
        assert (await bob.my_data.import_file(path)).blocked == 0
        again = await bob.contacts.find("alice")
        assert again.blocked_ms is not None
        assert again.name == "the troll"
        await again.set_name("Alice")
        await bob.my_data.import_file(path)
        assert (await bob.contacts.find("alice")).name == "Alice", "what is here already counts"
        await carol.contacts.find("alice")
        assert (await carol.my_data.import_file(path)).blocked == 0
        known = await carol.contacts.find("alice")
        assert (known.blocked_ms, known.name) == (None, None)
    with zipfile.ZipFile(tmp_path / "part.zip") as archive:
        people = archive.read("people.jsonl")
    assert b"blocked_ms" not in people
    assert b"called" not in people


async def test_consents_come_along_to_be_looked_at_and_are_never_in_force(tmp_path: Path) -> None:
    path = tmp_path / "bob.zip"
    async with devices(tmp_path, "bob", "carol") as (_, (bob, carol)):
        await agree(bob, e2ecore.Purpose.READ_RECEIPTS)
        await bob.consents.settled()
        await bob.my_data.export(path)
        assert (await bob.my_data.import_file(path)).consents == 0
        assert await bob.consents.imported() == ()
        assert (await carol.my_data.import_file(path)).consents == 1
        assert (await carol.my_data.import_file(path)).consents == 0
        (audit,) = await carol.consents.imported()
        assert bob.account is not None
        assert audit.account_id == bob.account.account_id
        assert [one.purpose for one in audit.consents] == [e2ecore.Purpose.READ_RECEIPTS]
        assert await carol.consents.list() == ()
        assert await carol.consents.in_force(e2ecore.Purpose.READ_RECEIPTS) is None
        with pytest.raises(e2ecore.ConsentRequiredError):
            await carol.consents.require(e2ecore.Purpose.READ_RECEIPTS)
        await bob.consents.withdraw(e2ecore.Purpose.READ_RECEIPTS)
        await bob.consents.settled()
        await bob.my_data.export(tmp_path / "later.zip")
        assert (await carol.my_data.import_file(tmp_path / "later.zip")).consents == 1
        assert (await carol.my_data.import_file(path)).consents == 0
        (audit,) = await carol.consents.imported()
        assert audit.consents[0].withdrawn_ms is not None
        assert await carol.consents.forget_imported() == 1
        assert await carol.consents.imported() == ()
