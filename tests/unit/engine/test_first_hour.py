"""What an app developer meets in the first hour: calls right after opening, retries, own names."""

from collections.abc import Callable
from pathlib import Path

import anyio
import pytest

import e2ecore
from e2ecore import Engine, MessageState
from e2ecore.engine.engine import system_clock_ms
from e2ecore.testing import MemoryRelay, open_device, two_devices
from e2ecore.testing.memory_channel import MemoryChannel
from e2ecore_protocol.errors import ErrorCode
from e2ecore_protocol.frames.conversations import Committed
from e2ecore_protocol.frames.frame import Frame
from e2ecore_protocol.frames.session import Failed
from tests.support.engines import PATIENCE_S, pair, until

pytestmark = pytest.mark.anyio


@pytest.fixture
async def registered(tmp_path: Path) -> tuple[MemoryRelay, Path]:
    """Alice and bob are registered, and closed again."""
    async with two_devices(tmp_path) as (relay, _, _):
        pass
    return relay, tmp_path


async def test_somebody_is_found_right_after_opening(
    registered: tuple[MemoryRelay, Path],
) -> None:
    relay, folder = registered
    async with await open_device(folder / "alice.db", relay.dial) as alice:
        bob = await alice.contacts.find("bob")
        await bob.refresh()
        assert (await alice.contacts.get(bob.account_id)).handle == "bob"


async def test_without_a_relay_the_reason_is_said_at_once(
    registered: tuple[MemoryRelay, Path],
) -> None:
    relay, folder = registered
    relay.faults.offline = True
    async with await open_device(folder / "alice.db", relay.dial) as alice:
        with anyio.fail_after(PATIENCE_S / 2), pytest.raises(e2ecore.RelayUnreachableError):
            await alice.contacts.find("bob")
        relay.faults.offline = False
        assert (await alice.contacts.find("bob")).handle == "bob"


async def test_a_call_that_waits_for_the_connection_ends_when_the_engine_is_closed(
    registered: tuple[MemoryRelay, Path],
) -> None:
    _, folder = registered

    async def dial() -> MemoryChannel:
        await anyio.sleep_forever()
        raise AssertionError

    ended: list[type[BaseException]] = []

    async def find(engine: Engine) -> None:
        with pytest.raises(e2ecore.EngineClosedError) as error:
            await engine.contacts.find("bob")
        ended.append(type(error.value))

    with anyio.fail_after(PATIENCE_S):
        async with (
            anyio.create_task_group() as tasks,
            await open_device(folder / "alice.db", dial) as alice,
        ):
            tasks.start_soon(find, alice)
            await anyio.wait_all_tasks_blocked()
    assert ended == [e2ecore.EngineClosedError]


async def test_looking_somebody_up_before_registering_says_what_to_do(tmp_path: Path) -> None:
    relay = MemoryRelay(clock_ms=system_clock_ms)
    async with await open_device(tmp_path / "a.db", relay.dial) as alice:
        with pytest.raises(e2ecore.NotRegisteredError):
            await alice.contacts.find("bob")


async def test_everybody_sees_their_own_handle_among_the_members(tmp_path: Path) -> None:
    async with two_devices(tmp_path) as (_, alice, bob):
        chat, other = await pair(alice, bob)
        for view in (chat, other):
            assert {one.handle for one in await view.members()} == {"alice", "bob"}


async def test_who_waits_for_a_message_learns_that_its_conversation_could_not_be_made(
    tmp_path: Path,
) -> None:
    async with two_devices(tmp_path) as (relay, alice, _):

        def refuse(_device: bytes, answer: Frame) -> Frame:
            if isinstance(answer, Committed):
                return Failed(answer.request, ErrorCode.TOO_MANY_DEVICES, "", 0, None)
            return answer

        relay.faults.answers.append(refuse)
        at_alice = alice.events()
        chat = await alice.conversations.direct(await alice.contacts.find("bob"))
        sent = await chat.send("never")
        with anyio.fail_after(PATIENCE_S), pytest.raises(e2ecore.MessageRefusedError):
            await sent.accepted()
        assert isinstance((await until(at_alice, e2ecore.IntentFailed)).error, e2ecore.E2EError)
        await chat.refresh()
        assert chat.state is e2ecore.ConversationState.FAILED
        assert [one.state for one in await chat.messages()] == [MessageState.FAILED]


def cut(relay: MemoryRelay, reached: anyio.Event, *, after: bool) -> Callable[[], None]:
    """Have the process end around the registration: before the relay hears of it, or after."""

    def answer(_device: bytes, frame: Frame) -> Frame | None:
        if type(frame).__name__ != "Registered":
            return frame
        reached.set()
        return None

    if after:
        relay.faults.answers.append(answer)
    else:
        relay.faults.offline = True
    return relay.faults.clear


@pytest.mark.parametrize("after", [False, True], ids=["never reached", "answer lost"])
async def test_registering_again_with_another_handle_after_a_crash(
    tmp_path: Path, *, after: bool
) -> None:
    relay = MemoryRelay(clock_ms=system_clock_ms)
    reached = anyio.Event()
    honest = cut(relay, reached, after=after)

    async def register(engine: e2ecore.Engine) -> None:
        with pytest.raises(e2ecore.RelayUnreachableError):
            await engine.register("first")
        reached.set()

    async with await open_device(tmp_path / "a.db", relay.dial) as alice:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(register, alice)
            with anyio.fail_after(PATIENCE_S):
                await reached.wait()
            tasks.cancel_scope.cancel()
        made = await alice._core.jobs.run(lambda job: job.own.account_id)
    honest()
    async with await open_device(tmp_path / "a.db", relay.dial) as alice:
        assert alice.account is None
        account = await alice.register("second")
        assert account.account_id == made
        assert account.handle == ("first" if after else "second")
        await alice.caught_up()
    async with await open_device(tmp_path / "b.db", relay.dial) as bob:
        await bob.register("bob")
        found = await bob.contacts.find(account.handle or "")
        assert found.account_id == account.account_id
        other = "second" if after else "first"
        with pytest.raises(e2ecore.UnknownHandleError):
            await bob.contacts.find(other)
