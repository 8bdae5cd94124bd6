"""History for another device of the same person: only by consent, whole, once, and resumable."""

import io
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest

import e2ecore
from e2ecore import Engine, TransferState
from e2ecore.engine.taking_along import giving, taking
from e2ecore.storage import export_lines
from e2ecore.testing import devices
from e2ecore.testing.devices import PASSPHRASE, open_device
from e2ecore.testing.memory_relay import MemoryRelay
from tests.support.engines import PATIENCE_S, agree, pair, said, same
from tests.support.linked import comes_true, link, move, run, seated, settled

pytestmark = [pytest.mark.anyio, pytest.mark.clause("GB42012-8.1.1d")]
LINES = [f"line {number}" for number in range(9)]


async def prepare(
    folder: Path,
    texts: Sequence[str] = LINES,
    *,
    consents: bool = True,
    confirms: bool = True,
    more: bool = False,
) -> MemoryRelay:
    """Alice and Bob talk, then Alice links her laptop; all of them are closed again."""
    async with devices(folder, "alice", "bob") as (relay, (phone, bob)):
        chat, seen = await pair(phone, bob)
        for number, text in enumerate(texts):
            await (await (chat if number % 2 else seen).send(text)).accepted()
        await comes_true(lambda: has(phone, seen, texts))
        if more:
            await _add_more(chat, texts[-1])
        await agree(phone, e2ecore.Purpose.MULTI_DEVICE_SYNC)
        if consents:
            await agree(phone, e2ecore.Purpose.HISTORY_TRANSFER)
        async with await open_device(folder / "laptop.db", relay.dial) as laptop:
            await link(phone, laptop)
            await laptop.caught_up()
            await settled(phone)
            await seated(phone, 2)
            await seated(laptop, 2)
            await comes_true(lambda: has_one(laptop))
            if confirms:
                await phone.devices.confirm(device(laptop), PASSPHRASE, override=True)
                await comes_true(lambda: holds_the_key(laptop))
    return relay


async def holds_the_key(engine: Engine) -> bool:
    """Was a device confirmed, and does it know?"""
    return await run(engine, lambda job: job.own.holds_identity)


async def has_one(engine: Engine) -> bool:
    """Does a device know the conversation?"""
    return len(await engine.conversations.list()) == 1


async def _add_more(chat: e2ecore.Conversation, text: str) -> None:
    """Say something of a message, and send a file."""
    last = next(one for one in await said(chat) if one.text == text)
    await chat.react(last, "🎉")
    await chat.send("wrold")
    await chat.edit((await said(chat))[-1], "world")
    upload = await chat.send_file(io.BytesIO(b"bytes" * 100), name="notes.txt")
    await upload.sent()


@asynccontextmanager
async def opened(
    folder: Path, relay: MemoryRelay, *names: str
) -> AsyncIterator[tuple[Engine, e2ecore.Conversation]]:
    """Open one device; return it and the conversation with Bob."""
    (name,) = names
    async with await open_device(folder / f"{name}.db", relay.dial) as engine:
        (chat,) = await engine.conversations.list()
        yield engine, chat


async def has(engine: Engine, like: e2ecore.Conversation, texts: Sequence[str]) -> bool:
    """Are these the texts of a conversation?"""
    return sorted(await words(await same(engine, like))) == sorted(texts)


async def words(chat: e2ecore.Conversation) -> list[str]:
    """Return the texts of a conversation in order."""
    return [one.text for one in await said(chat)]


def device(engine: Engine) -> e2ecore.DeviceId:
    """Return the id of a device."""
    assert engine.account is not None
    return engine.account.device_id


def small_parts(patch: pytest.MonkeyPatch, size: int) -> None:
    """Have parts of so many messages, so that a short history has several."""
    lines = export_lines._LINES.replace("LIMIT 1000", f"LIMIT {size}")
    patch.setattr(giving, "PART_MESSAGES", 1)
    patch.setattr(export_lines, "_LINES", lines)
    patch.setattr(export_lines, "MAX_PAGE", size)


async def reach(engine: Engine, *states: TransferState) -> e2ecore.HistoryTransfer:
    """Wait until the transfers of a device are in these states; return the last one."""

    async def check() -> bool:
        found = await engine.devices.history_transfers()
        return [one.state for one in found] == list(states)

    await comes_true(check)
    return (await engine.devices.history_transfers())[-1]


async def nothing_left(relay: MemoryRelay) -> None:
    """Wait until the relay has deleted every blob."""

    async def check() -> bool:
        return not relay.blobs.live

    await comes_true(check)


async def test_a_linked_device_gets_what_was_said_before_in_order_and_once(tmp_path: Path) -> None:
    relay = await prepare(tmp_path)
    async with (
        opened(tmp_path, relay, "alice") as (phone, chat),
        opened(tmp_path, relay, "laptop") as (laptop, there),
    ):
        assert await words(there) == []
        events = laptop.events()
        await (await chat.send("after")).accepted()
        await comes_true(lambda: has(laptop, chat, ["after"]))
        begun = await phone.devices.give_history(device(laptop))
        assert (begun.total, begun.is_given) == (len(await chat.messages(limit=1000)), True)
        taken = await reach(laptop, TransferState.TAKEN)
        assert (taken.device_id, taken.is_given) == (device(phone), False)
        here, copy = await said(chat), await said(there)
        assert sorted(one.text for one in copy) == sorted([*LINES, "after"])
        for mine, other in zip(here, copy, strict=True):
            assert (mine.message_id, mine.sender, mine.sent_ms, mine.mine) == (
                *(other.message_id, other.sender, other.sent_ms, other.mine),
            )
        given = await reach(phone, TransferState.GIVEN)
        assert given.messages == given.total
        assert (await same(laptop, chat)).unread == 0
        found = await laptop.search("line 4")
        assert [one.message.text for one in found.hits] == ["line 4"]
        await phone.devices.give_history(device(laptop))
        again = await reach(laptop, TransferState.TAKEN, TransferState.TAKEN)
        assert again.messages == 0
        assert await words(there) == await words(chat)
        await nothing_left(relay)
        arrived = [one async for one in _waiting(events)]
        assert sum(one.messages for one in arrived) >= len(LINES)


async def _waiting(events: e2ecore.EventReader) -> AsyncIterator[e2ecore.HistoryArrived]:
    with anyio.move_on_after(0.2):
        async for event in events:
            if isinstance(event, e2ecore.HistoryArrived):
                yield event


@pytest.mark.clause("GB42012-7.3")
async def test_nothing_is_given_without_the_person_s_consent(tmp_path: Path) -> None:
    relay = await prepare(tmp_path, consents=False)
    async with opened(tmp_path, relay, "alice") as (phone, _):
        laptop = next(one.device_id for one in await phone.devices.list() if not one.is_this)
        with pytest.raises(e2ecore.ConsentRequiredError):
            await phone.devices.give_history(laptop)
        assert await phone.devices.history_transfers() == ()
        await agree(phone, e2ecore.Purpose.HISTORY_TRANSFER)
        for other in (device(phone), e2ecore.DeviceId(bytes(16))):
            with pytest.raises(e2ecore.UnknownOwnDeviceError):
                await phone.devices.give_history(other)
        with pytest.raises(e2ecore.UnknownConversationError):
            await phone.devices.give_history(laptop, conversations=[bytes(16)])
        assert not relay.blobs.live


async def test_a_device_in_quarantine_gets_nothing(tmp_path: Path) -> None:
    relay = await prepare(tmp_path, confirms=False)
    async with opened(tmp_path, relay, "alice") as (phone, _):
        laptop = next(one.device_id for one in await phone.devices.list() if not one.is_this)
        with pytest.raises(e2ecore.DeviceNotConfirmedError):
            await phone.devices.give_history(laptop)
        assert not relay.blobs.live


async def test_a_device_that_the_account_has_moved_to_needs_no_confirmation(tmp_path: Path) -> None:
    """It took the account's key over; whoever was linked and confirmed since gives it a history."""
    async with devices(tmp_path, "alice", "bob") as (relay, (phone, bob)):
        await pair(phone, bob)
        async with (
            await open_device(tmp_path / "laptop.db", relay.dial) as laptop,
            await open_device(tmp_path / "tablet.db", relay.dial) as tablet,
        ):
            await move(phone, laptop)
            for purpose in (e2ecore.Purpose.MULTI_DEVICE_SYNC, e2ecore.Purpose.HISTORY_TRANSFER):
                await agree(laptop, purpose)
            await link(laptop, tablet)
            await seated(laptop, 2)
            await seated(tablet, 2)
            with pytest.raises(e2ecore.DeviceNotConfirmedError):
                await laptop.devices.give_history(device(tablet))
            await laptop.devices.confirm(device(tablet), PASSPHRASE, override=True)
            await comes_true(lambda: holds_the_key(tablet))
            given = await tablet.devices.give_history(device(laptop))
            assert given.device_id == device(laptop)


async def test_a_modified_device_is_refused_by_the_relay_and_not_heard_by_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(giving, "_check_allowed", lambda *_job, **_device: None)
    relay = await prepare(tmp_path, consents=False)
    async with (
        opened(tmp_path, relay, "alice") as (phone, _),
        opened(tmp_path, relay, "laptop") as (laptop, there),
    ):
        await phone.devices.give_history(device(laptop))
        await reach(phone, TransferState.ENDED)
        assert not relay.blobs.live
        monkeypatch.setattr(relay.blobs, "agreed_ms", lambda _account, _purpose: None)
        await phone.devices.give_history(device(laptop))
        await reach(phone, TransferState.ENDED, TransferState.GIVEN)
        await nothing_left(relay)
        assert await laptop.devices.history_transfers() == ()
        assert await words(there) == []


async def test_messages_that_disappear_stay_and_are_listed(tmp_path: Path) -> None:
    relay = await prepare(tmp_path, ["stays"])
    async with opened(tmp_path, relay, "alice") as (phone, chat):
        await (await chat.send_rich("goes", lifetime_s=3_600)).accepted()
        async with opened(tmp_path, relay, "laptop") as (laptop, there):
            await laptop.caught_up()
            await comes_true(lambda: has(laptop, chat, ["goes"]))
            await phone.devices.give_history(device(laptop))
            await reach(laptop, TransferState.TAKEN)
            given = await reach(phone, TransferState.GIVEN)
            assert dict(given.withheld) == {chat.conversation_id: 1}
            assert await words(there) == ["stays", "goes"]


async def test_only_the_span_and_the_conversations_that_were_asked_for_are_given(
    tmp_path: Path,
) -> None:
    relay = await prepare(tmp_path, ["old", "new"])
    async with opened(tmp_path, relay, "alice") as (phone, chat):
        await phone.caught_up()
        group = await phone.conversations.create_group("team", [await phone.contacts.find("bob")])
        await (await group.send("elsewhere")).accepted()
        since_ms = next(one.sent_ms for one in await said(chat) if one.text == "new")
        wanted = [one for one in await chat.messages() if one.sent_ms >= since_ms]
        async with await open_device(tmp_path / "laptop.db", relay.dial) as laptop:
            begun = await phone.devices.give_history(
                device(laptop), since_ms=since_ms, conversations=[chat.conversation_id]
            )
            assert begun.total == len(wanted)
            await reach(laptop, TransferState.TAKEN)
            texts = await words(await same(laptop, chat))
            assert texts == [one.text for one in await said(chat) if one.sent_ms >= since_ms]


async def test_it_goes_on_after_both_sides_were_stopped_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    relay = await prepare(tmp_path, [f"line {number}" for number in range(20)])
    small_parts(monkeypatch, 3)
    monkeypatch.setattr(taking, "BATCH", 2)
    async with opened(tmp_path, relay, "alice") as (phone, chat):
        order = await words(chat)
        laptop = next(one.device_id for one in await phone.devices.list() if not one.is_this)
        await phone.devices.give_history(laptop)
    for wait_s in (0.0, 0.05, 0.1, 0.2):
        async with opened(tmp_path, relay, "alice"), opened(tmp_path, relay, "laptop"):
            await anyio.sleep(wait_s)
    async with (
        opened(tmp_path, relay, "alice"),
        opened(tmp_path, relay, "laptop") as (engine, there),
    ):
        await reach(engine, TransferState.TAKEN)
        assert await words(there) == order
        await nothing_left(relay)


async def test_a_part_that_the_relay_lost_is_told_and_can_be_given_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    relay = await prepare(tmp_path)
    small_parts(monkeypatch, 4)
    async with opened(tmp_path, relay, "alice") as (phone, chat):
        order = await words(chat)
        laptop = next(one.device_id for one in await phone.devices.list() if not one.is_this)
        await phone.devices.give_history(laptop)
        await reach(phone, TransferState.GIVEN)
        relay.blobs.live.pop(list(relay.blobs.live)[1])
        async with opened(tmp_path, relay, "laptop") as (engine, there):
            await reach(engine, TransferState.INCOMPLETE)
            assert 0 < len(await words(there)) < len(order)
            await phone.devices.give_history(laptop)
            await reach(engine, TransferState.INCOMPLETE, TransferState.TAKEN)
            assert sorted(await words(there)) == sorted(order)


async def test_what_belongs_to_messages_comes_along_and_files_can_be_asked_for(
    tmp_path: Path,
) -> None:
    relay = await prepare(tmp_path, ["one"], more=True)
    async with (
        opened(tmp_path, relay, "alice") as (phone, chat),
        opened(tmp_path, relay, "laptop") as (engine, there),
    ):
        await phone.devices.give_history(device(engine))
        await reach(engine, TransferState.TAKEN)
        first, second, files = await said(there)
        assert [one.signs for one in first.reactions] == [("🎉",)]
        assert (second.text, second.edited_ms is None) == ("world", False)
        assert (files.attachment.name, files.attachment.is_stored) == ("notes.txt", False)
        events = phone.events()
        await files.attachment.ask_again()
        with anyio.fail_after(PATIENCE_S):
            async for event in events:
                if isinstance(event, e2ecore.AttachmentAsked):
                    assert event.conversation_id == chat.conversation_id
                    return


async def test_a_third_device_fetches_nothing_and_keeps_nothing_waiting(tmp_path: Path) -> None:
    relay = await prepare(tmp_path)
    async with (
        opened(tmp_path, relay, "alice") as (phone, chat),
        await open_device(tmp_path / "tablet.db", relay.dial) as tablet,
    ):
        await link(phone, tablet)
        await settled(phone)
        await seated(phone, 3)
        async with opened(tmp_path, relay, "laptop") as (laptop, there):
            await seated(laptop, 3)
            await phone.devices.give_history(device(laptop))
            await reach(laptop, TransferState.TAKEN)
            await nothing_left(relay)
            assert await words(there) == await words(chat)
            assert await tablet.devices.history_transfers() == ()
            assert await words(await same(tablet, there)) == []


async def test_what_was_erased_on_either_device_does_not_come_back(tmp_path: Path) -> None:
    relay = await prepare(tmp_path)
    async with opened(tmp_path, relay, "alice") as (phone, chat):
        laptop = next(one.device_id for one in await phone.devices.list() if not one.is_this)
        first, second, *rest = await said(chat)
        await phone.devices.give_history(laptop)
        await reach(phone, TransferState.GIVEN)
        await chat.delete_messages([first])  # behind the parts, which have it
        async with opened(tmp_path, relay, "laptop") as (engine, there):
            await reach(engine, TransferState.TAKEN)
            left = [one.text for one in (second, *rest)]
            await comes_true(lambda: has(engine, there, left))
            await there.delete_messages([(await said(there))[0]])
            await comes_true(lambda: has(phone, there, left[1:]))
            await phone.devices.give_history(laptop)
            await reach(engine, TransferState.TAKEN, TransferState.TAKEN)
            await comes_true(lambda: has(engine, there, left[1:]))
            assert await words(there) == left[1:]
