"""Whatever an app or its user gets wrong has its own clear error, and nothing is lost."""

from pathlib import Path

import anyio
import pytest

import e2ecore
from e2ecore import ConnectionState, MessageState
from e2ecore.engine.engine import system_clock_ms
from e2ecore.testing import MemoryRelay, VirtualClock, devices, open_device, two_devices
from tests.support.engines import PATIENCE_S, pair, texts, until

pytestmark = pytest.mark.anyio
MIB = 1 << 20


async def test_texts_that_cannot_be_sent_are_refused_and_the_largest_one_arrives(
    tmp_path: Path,
) -> None:
    async with two_devices(tmp_path) as (_, alice, bob):
        at_bob = bob.events()
        chat, _ = await pair(alice, bob)
        for text, error in (
            ("", e2ecore.EmptyTextError),
            ("x" * (MIB + 1), e2ecore.TextTooLongError),
            ("é" * (MIB // 2 + 1), e2ecore.TextTooLongError),
            ("half of a pair: \ud800", e2ecore.BadTextError),
            (b"\xff\xfe".decode("utf-8", "surrogateescape"), e2ecore.BadTextError),
        ):
            with pytest.raises(error):
                await chat.send(text)
        assert await chat.messages() == []
        await (await chat.send("é" * (MIB // 2))).accepted()
        assert await texts(at_bob, 1) == ["é" * (MIB // 2)]


async def test_one_bad_text_among_many_sends_none(tmp_path: Path) -> None:
    async with two_devices(tmp_path) as (_, alice, bob):
        chat, _ = await pair(alice, bob)
        with pytest.raises(e2ecore.EmptyTextError):
            await chat.send_many(["good", ""])
        assert await chat.messages() == []


async def test_handles_are_checked_before_and_by_the_relay(tmp_path: Path) -> None:
    relay = MemoryRelay(clock_ms=system_clock_ms)
    async with (
        await open_device(tmp_path / "a.db", relay.dial) as alice,
        await open_device(tmp_path / "b.db", relay.dial) as bob,
    ):
        for handle in ("Al", "1alice", "alice!", "x" * 33, ""):
            with pytest.raises(e2ecore.BadHandleError):
                await alice.register(handle)
        await alice.register("alice")
        with pytest.raises(e2ecore.AlreadyRegisteredError):
            await alice.register("alice2")
        with pytest.raises(e2ecore.HandleTakenError):
            await bob.register("alice")
        await bob.register("bob")
        await bob.caught_up()
        with pytest.raises(e2ecore.UnknownHandleError):
            await bob.contacts.find("nobody")
        with pytest.raises(e2ecore.BadHandleError):
            await bob.contacts.find("No Body")
        with pytest.raises(e2ecore.UnknownAccountError):
            await bob.contacts.get(e2ecore.AccountId(bytes(20)))
        with pytest.raises(e2ecore.OwnAccountError):
            await bob.conversations.direct(await bob.contacts.find("bob"))


async def test_without_an_account_or_a_relay_the_calls_say_so(tmp_path: Path) -> None:
    async with await open_device(tmp_path / "a.db", None) as alice:
        assert alice.account is None
        assert alice.connection is ConnectionState.OFFLINE
        with pytest.raises(e2ecore.NoRelayError):
            await alice.register("alice")
        with pytest.raises(e2ecore.NotRegisteredError):
            await alice.conversations.create_group("title", [])
        with pytest.raises(e2ecore.UnknownConversationError):
            await alice.conversations.get(e2ecore.GroupId(bytes(16)))


async def test_an_unreachable_relay_is_a_passing_trouble(tmp_path: Path) -> None:
    async with two_devices(tmp_path) as (relay, alice, bob):
        at_alice, at_bob = alice.events(), bob.events()
        chat, _ = await pair(alice, bob)
        relay.faults.offline = True
        relay.disconnect()
        while True:
            changed = await until(at_alice, e2ecore.ConnectionChanged)
            if isinstance(changed.error, e2ecore.RelayUnreachableError):
                break
        assert changed.state is ConnectionState.WAITING
        assert (await alice.contacts.find("bob")).handle == "bob"
        with pytest.raises(e2ecore.RelayUnreachableError):
            await alice.contacts.find("carol")
        await chat.send("later")
        relay.faults.offline = False
        await alice.reconnect()
        await bob.reconnect()
        assert await texts(at_bob, 1) == ["later"]


async def test_nobody_answers_when_registering(tmp_path: Path) -> None:
    relay = MemoryRelay(clock_ms=system_clock_ms)
    relay.faults.offline = True
    async with await open_device(tmp_path / "a.db", relay.dial) as alice:
        with pytest.raises(e2ecore.RelayUnreachableError):
            await alice.register("alice")
        relay.faults.offline = False
        account = await alice.register("alice")
        assert account.handle == "alice"


async def test_a_clock_that_is_a_year_off_is_named_and_nothing_is_lost(tmp_path: Path) -> None:
    relay = MemoryRelay(clock_ms=system_clock_ms)
    clock = VirtualClock(system_clock_ms())
    async with await open_device(tmp_path / "a.db", relay.dial, clock_ms=clock) as alice:
        clock.advance(days=365)
        with pytest.raises(e2ecore.ClockSkewError):
            await alice.register("alice")
        clock.advance(days=-365)
        await alice.register("alice")
        await alice.caught_up()
        at_alice = alice.events()
        clock.advance(days=-365)
        relay.disconnect()
        while True:
            changed = await until(at_alice, e2ecore.ConnectionChanged)
            if isinstance(changed.error, e2ecore.ClockSkewError):
                break
        clock.advance(days=365)
        with anyio.fail_after(PATIENCE_S):
            while alice.connection is not ConnectionState.ONLINE:
                await alice.reconnect()
                await anyio.sleep(0.05)


async def test_titles_are_checked(tmp_path: Path) -> None:
    async with devices(tmp_path, "alice") as (_, (alice,)):
        with pytest.raises(e2ecore.TitleTooLongError):
            await alice.conversations.create_group("x" * 129, [])
        group = await alice.conversations.create_group("x" * 128, [])
        await group.ready()
        with pytest.raises(e2ecore.TitleTooLongError):
            await group.rename("x" * 129)
        with pytest.raises(e2ecore.BadTextError):
            await group.rename("\udc80")


async def test_after_closing_every_call_says_so(tmp_path: Path) -> None:
    relay = MemoryRelay(clock_ms=system_clock_ms)
    async with await open_device(tmp_path / "a.db", relay.dial) as alice:
        await alice.register("alice")
        notes = await alice.conversations.create_group("notes", [])
        await notes.ready()
        reader = alice.events()
        relay.faults.offline = True
        relay.disconnect()
        waiting = await notes.send("still there")
    with pytest.raises(e2ecore.EngineClosedError):
        await waiting.accepted()
    with pytest.raises(e2ecore.EngineClosedError):
        await notes.send("too late")
    with pytest.raises(e2ecore.EngineClosedError):
        await alice.caught_up()
    with pytest.raises(e2ecore.EngineClosedError):
        await alice.contacts.find("alice")
    async for _ in reader:
        pass
    relay.faults.offline = False
    async with await open_device(tmp_path / "a.db", relay.dial) as alice:
        (notes,) = await alice.conversations.list()
        with anyio.fail_after(PATIENCE_S):
            while (await notes.messages())[0].state is not MessageState.ACCEPTED:  # noqa: ASYNC110
                await anyio.sleep(0.01)


@pytest.mark.parametrize("suite", [0, 4, 5, 6, 7, 0xF002])
async def test_suites_that_are_not_for_conversations_are_refused(
    tmp_path: Path, suite: int
) -> None:
    file = tmp_path / "a.db"
    with pytest.raises(e2ecore.UnsupportedSuiteError):
        await e2ecore.open(file, passphrase="a long one", suite=suite)
    assert not file.exists()
