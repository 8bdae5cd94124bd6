"""Bursts in the chat window: complete, in order, cheap, whatever is open, and to the end."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.style import Style
from textual.worker import WorkerFailed

from cli_demo.chat.safety import Safety
from cli_demo.views import ConversationView
from e2ecore.testing import devices
from tests.support.chat_window import Chat, arrived, talk, talking, window_on

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


@pytest.fixture
def anyio_backend() -> str:
    """Textual runs on asyncio only."""
    return "asyncio"


async def test_a_burst_arrives_complete_and_in_order(tmp_path: Path) -> None:
    async with talking(tmp_path) as (desk, conversation):
        texts = [f"burst {number}" for number in range(500)]
        for start in range(0, 500, 50):
            await conversation.send_many(texts[start : start + 50])
        await desk.until(lambda: desk.texts[-1:] == texts[-1:], "the end of the burst")
        assert desk.texts == texts
        await desk.shows("burst 499")


async def test_a_message_costs_the_same_with_a_long_history(tmp_path: Path) -> None:
    """What is read and drawn anew for one message does not grow with what is loaded."""
    async with talking(tmp_path) as (desk, conversation):
        await conversation.send_many([f"before {number}" for number in range(300)])
        await desk.until(lambda: desk.texts[-1:] == ["before 299"], "the history")
        drawn: list[str] = []
        desk.history._style = count_styles(desk, drawn)  # type: ignore[method-assign] # counted
        await conversation.send("one more")
        await desk.until(lambda: desk.texts[-1:] == ["one more"], "the new one")
        await desk.until(lambda: "author" in drawn, "that it is drawn")
        assert drawn.count("author") == 1


def count_styles(desk: Chat, drawn: list[str]) -> Callable[[str], Style]:
    style = desk.history._style

    def counted(name: str, /) -> Style:
        drawn.append(name)
        return style(name)

    return counted


@pytest.mark.parametrize("key", ["f1", "ctrl+o", "ctrl+t", "ctrl+n"])
async def test_what_comes_while_a_screen_is_on_top_is_shown_afterwards(
    tmp_path: Path, key: str
) -> None:
    async with talking(tmp_path) as (desk, conversation):
        await desk.press(key)
        await desk.until(lambda: desk.app.screen is not desk.window, key)
        texts = [f"meanwhile {number}" for number in range(40)]
        await conversation.send_many(texts)
        await desk.until(lambda: desk.texts == texts, "the messages")
        await desk.pilot.resize_terminal(60, 20)
        await desk.press("escape")
        await desk.shows("meanwhile 39")
        assert desk.app.screen is desk.window
        assert desk.window.has_class("narrow")


async def test_the_safety_screen_stays_open_while_messages_come(tmp_path: Path) -> None:
    async with talking(tmp_path) as (desk, conversation):
        await desk.press("ctrl+t")
        await desk.shows("Safety number with bob")
        await conversation.send("meanwhile")
        await desk.until(lambda: desk.texts == ["meanwhile"], "the message")
        assert isinstance(desk.app.screen, Safety)


async def test_what_comes_behind_another_screen_is_unread_until_it_is_seen(tmp_path: Path) -> None:
    async with devices(tmp_path, "alice", "bob") as (_, (alice, bob)):
        conversation = await talk(bob, "alice")
        await arrived(alice, conversation)
        async with window_on(alice, bob) as desk:
            await desk.press("f1")
            await desk.shows("new line")
            await conversation.send("unseen")
            await desk.until(lambda: desk.texts == ["unseen"], "the message")
            (seen,) = await alice.conversations.list()
            assert seen.unread == 1
            await desk.press("escape")
            await desk.shows("unseen")
            await desk.until(lambda: unread(desk) == [0], "that it is read")
            await seen.refresh()
            assert seen.unread == 0


def unread(desk: Chat) -> list[int]:
    return [one.unread for one in desk.window._rows.values()]


@pytest.mark.parametrize("ending", ["the user quits", "the app is torn down"])
async def test_a_window_that_closes_in_a_burst_ends_quietly(tmp_path: Path, ending: str) -> None:
    async with talking(tmp_path) as (desk, conversation):
        fetch = desk.window.desk.conversation
        held = asyncio.Event()

        async def slowly(uid: str) -> ConversationView:
            """Answer only when the window is on its way out."""
            held.set()
            while desk.window.query("*"):  # noqa: ASYNC110 (a screen says nothing of its end)
                await asyncio.sleep(0)
            return await fetch(uid)

        desk.window.desk.conversation = slowly  # type: ignore[method-assign] # the slow disk
        await conversation.send_many([f"burst {number}" for number in range(50)])
        await held.wait()
        if ending == "the user quits":
            await desk.press("ctrl+q")


async def test_a_real_error_in_a_worker_is_not_hidden(tmp_path: Path) -> None:
    with pytest.raises(WorkerFailed, match="ZeroDivisionError"):
        await meet_a_fault(tmp_path)


async def meet_a_fault(folder: Path) -> None:
    async with talking(folder) as (desk, conversation):

        async def broken(uid: str) -> ConversationView:
            raise ZeroDivisionError(uid)

        desk.window.desk.conversation = broken  # type: ignore[method-assign] # the fault
        await conversation.send("one")
        await desk.until(lambda: desk.app._exception is not None, "the error")
