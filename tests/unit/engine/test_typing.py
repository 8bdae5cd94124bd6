"""Typing signals: told only by agreement, over before long, stored by nobody."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest

import e2ecore
from e2ecore import (
    Conversation,
    Engine,
    Purpose,
    TypingChanged,
)
from e2ecore.engine.arrival import signalling
from e2ecore.storage.tx import Tx
from e2ecore.testing import MemoryRelay, VirtualClock, devices
from e2ecore_protocol.frames.signals import Signalled
from e2ecore_protocol.limits import (
    MAX_SIGNAL_READERS,
    SIGNAL_BYTES,
    TYPING_REPEAT_MS,
    TYPING_SHOWN_MS,
)
from tests.support.engines import PATIENCE_S, agree, group_of, pair, texts, until

pytestmark = pytest.mark.anyio
START_MS = 1_790_000_000_000


class Scene:
    """Bob types to Alice, and has agreed that she may see it."""

    def __init__(self, relay: MemoryRelay, alice: Engine, bob: Engine, clock: VirtualClock) -> None:
        self.relay, self.alice, self.bob, self.clock = relay, alice, bob, clock
        self.at_alice, self.at_bob = alice.events(), bob.events()
        self.chat: Conversation
        self.other: Conversation
        self.payloads: list[bytes] = []
        relay.faults.signals.append(self._note)

    def _note(self, _device: bytes, signals: list[Signalled]) -> list[Signalled]:
        self.payloads += [one.payload for one in signals]
        return signals

    async def shown(self) -> tuple[bytes, bool]:
        """The next thing that Alice gets to know: who, and whether they type."""
        event = await until(self.at_alice, TypingChanged)
        assert event.conversation_id == self.chat.conversation_id
        return event.account_id, event.is_typing

    def seen(self) -> list[bytes]:
        """Who is typing now, as Alice sees it."""
        return list(self.chat.typists)


@asynccontextmanager
async def scene(folder: Path, *, agreed: bool = True) -> AsyncIterator[Scene]:
    clock = VirtualClock(START_MS)
    async with devices(folder, "alice", "bob", clock_ms=clock) as (relay, (alice, bob)):
        at = Scene(relay, alice, bob, clock)
        at.chat, at.other = await pair(alice, bob)
        if agreed:
            await agree(bob, Purpose.TYPING)
            await bob.consents.settled()
        yield at


def account(engine: Engine) -> bytes:
    assert engine.account is not None
    return engine.account.account_id


@pytest.mark.clause("GB42012-7.3")
async def test_nothing_is_told_without_a_consent(tmp_path: Path) -> None:
    async with scene(tmp_path, agreed=False) as at:
        assert not await at.other.typing()
        await agree(at.bob, Purpose.PRESENCE)  # that is another matter
        assert not await at.other.typing()
        assert at.payloads == []
        await agree(at.bob, Purpose.TYPING)
        assert await at.other.typing()
        assert await at.shown() == (account(at.bob), True)
        assert not await at.chat.typing()  # Alice has not agreed, and may see Bob all the same


@pytest.mark.clause("GB42012-13.3a-d")
async def test_after_a_withdrawal_nothing_more_is_told(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        assert await at.other.typing()
        at.relay.faults.offline = True
        await at.bob.consents.withdraw(Purpose.TYPING)
        at.clock.advance(ms=TYPING_REPEAT_MS)
        assert not await at.other.typing()
        assert not await at.other.typing(on=False)
        assert len(at.payloads) == 1
        assert await at.shown() == (account(at.bob), True)
        at.clock.advance(ms=TYPING_SHOWN_MS)
        assert await at.shown() == (account(at.bob), False)


async def test_it_ends_by_itself(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        await at.other.typing()
        assert await at.shown() == (account(at.bob), True)
        assert at.seen() == [account(at.bob)]
        at.clock.advance(ms=TYPING_SHOWN_MS - 1)
        assert at.seen() == [account(at.bob)]
        at.clock.advance(ms=1)
        assert at.seen() == []
        assert await at.shown() == (account(at.bob), False)
        await at.other.typing()
        assert await at.shown() == (account(at.bob), True)


async def test_whoever_types_on_is_told_of_every_three_seconds_and_shown_all_the_time(
    tmp_path: Path,
) -> None:
    async with scene(tmp_path) as at:
        for _ in range(100):  # a letter every tenth of a second
            assert await at.other.typing()
            at.clock.advance(ms=100)
        assert len(at.payloads) == 4
        assert {len(one) for one in at.payloads} == {SIGNAL_BYTES}
        assert await at.shown() == (account(at.bob), True)
        await at.other.typing(on=False)
        assert await at.shown() == (account(at.bob), False)


async def test_stopping_is_told_once_and_only_if_typing_was(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        assert await at.other.typing(on=False)
        assert at.payloads == []
        await at.other.typing()
        await at.other.typing(on=False)
        await at.other.typing(on=False)
        assert len(at.payloads) == 2
        assert await at.shown() == (account(at.bob), True)
        assert await at.shown() == (account(at.bob), False)
        for _ in range(10):  # changing one's mind all the time is not told all the time
            await at.other.typing()
            await at.other.typing(on=False)
        assert len(at.payloads) == 2


async def test_a_message_says_that_its_writer_does_not_type_any_more(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        await at.other.typing()
        assert await at.shown() == (account(at.bob), True)
        await at.other.send("said")
        assert await at.shown() == (account(at.bob), False)
        assert len(at.payloads) == 1
        await at.other.typing()  # at once: the pause ended with the message
        assert await at.shown() == (account(at.bob), True)
        assert len(at.payloads) == 2


async def test_somebody_else_who_says_something_stops_nobody_from_typing(tmp_path: Path) -> None:
    clock = VirtualClock(START_MS)
    everybody = devices(tmp_path, "alice", "bob", "carol", clock_ms=clock)
    async with everybody as (_, (alice, bob, carol)):
        at_alice = alice.events()
        group, at_bobs, at_carols = await group_of((alice, bob, carol))
        for one in (bob, carol):
            await agree(one, Purpose.TYPING)
        await at_bobs.typing()
        await until(at_alice, TypingChanged)
        await at_carols.typing()
        await until(at_alice, TypingChanged)
        assert list(group.typists) == [account(bob), account(carol)]
        await at_carols.send("hello")
        event = await until(at_alice, TypingChanged)
        assert (event.account_id, event.is_typing) == (account(carol), False)
        assert list(group.typists) == [account(bob)]
        await (await group.remove(await alice.contacts.find("bob"))).applied()
        event = await until(at_alice, TypingChanged)
        assert (event.account_id, event.is_typing) == (account(bob), False)
        with anyio.fail_after(PATIENCE_S):
            while at_bobs.state is e2ecore.ConversationState.ACTIVE:
                await anyio.sleep(0.01)
                await at_bobs.refresh()
        clock.advance(ms=TYPING_REPEAT_MS)
        assert not await at_bobs.typing()


def database_state(tx: Tx) -> tuple[int | None, list[object]]:
    rows: list[object] = tx.rows(tuple, "SELECT * FROM mls_rows ORDER BY 1, 2, 3")
    return tx.value(int, "PRAGMA data_version"), rows


@pytest.mark.clause("GB42012-8.1.1a")
async def test_no_database_changes_and_no_ratchet_moves(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        await (await at.other.send("before")).accepted()
        assert await texts(at.at_alice, 1) == ["before"]
        await at.bob._core.jobs.run(lambda _: None)
        for engine in (at.alice, at.bob):
            await engine.caught_up()
        await anyio.sleep(0.5)  # receipts
        before = [one._core.read(database_state) for one in (at.alice, at.bob)]
        kept = at.relay.stored_bytes()
        for _ in range(5):
            await at.other.typing()
            assert await at.shown() == (account(at.bob), True)
            await at.other.typing(on=False)
            assert await at.shown() == (account(at.bob), False)
            at.clock.advance(ms=TYPING_REPEAT_MS)
        assert [one._core.read(database_state) for one in (at.alice, at.bob)] == before
        assert at.relay.stored_bytes() == kept
        assert not any(one in kept for one in at.payloads)


async def test_keys_are_let_go_of_when_nobody_signals(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        await at.other.typing()
        assert await at.shown() == (account(at.bob), True)
        at.clock.advance(ms=60_000)
        with anyio.fail_after(PATIENCE_S):
            while any(one._core.signals._epochs for one in (at.alice, at.bob)):  # noqa: ASYNC110
                await anyio.sleep(0.05)
        assert at.alice._core.signals._typists.is_idle


async def connected_again(at: Scene) -> None:
    """Break both connections, and wait for others."""
    before = [one._core.link for one in (at.alice, at.bob)]
    at.relay.disconnect()
    for engine, link in zip((at.alice, at.bob), before, strict=True):
        with anyio.fail_after(PATIENCE_S):
            while engine._core.link in {link, None}:
                await anyio.sleep(0.02)
                await engine.reconnect()
        await engine.caught_up()


async def test_who_was_offline_is_told_again(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        await at.other.typing()
        assert await at.shown() == (account(at.bob), True)
        at.clock.advance(ms=TYPING_REPEAT_MS)
        link, at.bob._core.link = at.bob._core.link, None
        assert not await at.other.typing()
        at.bob._core.link = link
        await connected_again(at)
        assert await at.other.typing()
        assert len(at.payloads) == 2


async def test_clocks_that_differ_by_minutes_do_no_harm(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        ahead = VirtualClock(START_MS + 10 * 60_000)
        at.bob._core.clock_ms = ahead
        await connected_again(at)
        assert at.bob._core.signals.ahead_ms == -10 * 60_000
        assert await at.other.typing()
        assert await at.shown() == (account(at.bob), True)


async def test_where_too_many_would_learn_of_it_nothing_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with scene(tmp_path) as at:
        monkeypatch.setattr(signalling, "MAX_SIGNAL_READERS", 1)
        assert not await at.other.typing()
        monkeypatch.setattr(signalling, "MAX_SIGNAL_READERS", MAX_SIGNAL_READERS)
        assert await at.other.typing()


async def test_a_closed_engine_says_so(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        await agree(at.alice, Purpose.TYPING)
        await at.chat.typing()
        await until(at.at_bob, TypingChanged)
        await at.bob.lock()
        with pytest.raises(e2ecore.EngineLockedError):
            await at.other.typing()
        assert at.other.typists == ()


async def test_nobody_learns_of_somebody_blocked_nor_they_of_us(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with scene(tmp_path) as at:
        await agree(at.alice, Purpose.TYPING)
        contact = await at.alice.contacts.find("bob")
        signals, taken = at.alice._core.signals, anyio.Event()
        take = signals.take

        def noted(uid: bytes, payload: bytes) -> None:
            take(uid, payload)
            taken.set()

        monkeypatch.setattr(signals, "take", noted)
        await contact.block()
        assert not await at.chat.typing()
        assert await at.other.typing()
        assert len(at.payloads) == 1
        with anyio.fail_after(PATIENCE_S):
            await taken.wait()  # else it may be taken when nobody is blocked any more
        assert not at.seen()
        await contact.unblock()
        at.clock.advance(ms=TYPING_REPEAT_MS)
        assert await at.chat.typing()
        event = await until(at.at_bob, TypingChanged)
        assert (event.account_id, event.is_typing) == (account(at.alice), True)
        assert not at.seen()
