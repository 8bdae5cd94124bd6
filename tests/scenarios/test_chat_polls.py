"""Polls in the chat window: asked, voted on, closed, by keys and behind a slash."""

from pathlib import Path

import anyio
import pytest

import e2ecore
from cli_demo.text import now_ms
from cli_demo.views import ASCII
from tests.support.chat_window import talking
from tests.support.engines import PATIENCE_S

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


@pytest.fixture
def anyio_backend() -> str:
    """Textual runs on asyncio only."""
    return "asyncio"


async def poll_at(conversation: e2ecore.Conversation) -> e2ecore.Message:
    """Wait until the other side has a poll as its newest message."""
    found: list[e2ecore.Message] = []
    with anyio.fail_after(PATIENCE_S):
        while not found or found[0].poll is None:
            await anyio.sleep(0.02)
            found = await conversation.messages(limit=1)
    return found[0]


async def test_a_poll_is_asked_voted_on_and_closed_in_the_window(tmp_path: Path) -> None:
    async with talking(tmp_path, symbols=ASCII) as (desk, bobs):
        await desk.write("/poll Where to? | home | to the sea | up")
        await desk.shows(" 2   to the sea")
        await desk.shows("no votes")
        await desk.write("/vote 2")
        await desk.shows(" 2 * to the sea")
        await bobs.vote(await poll_at(bobs), [1])
        await desk.shows("2 votes (alice and bob), sealed")
        await desk.write("/vote")
        await desk.shows("take back your vote")
        await desk.press("1")
        await desk.shows(" 1 * home")
        await desk.press("up", "x")
        await desk.shows("The votes that came count")
        await desk.press("y")
        await desk.shows("closed by alice, 2 votes")
        await desk.until(lambda: desk.screen.count("# 1") == 2, "both bars")
        await desk.press("escape")
        await desk.write("/vote 1")
        await desk.shows("The poll is closed")


async def test_a_poll_of_somebody_else_is_voted_on_with_several_choices(tmp_path: Path) -> None:
    async with talking(tmp_path) as (desk, bobs):
        await desk.write("/close")
        await desk.shows("There is no poll here")
        await bobs.ask("Which days?", ["Friday", "Saturday", "Sunday"], max_choices=2)
        await desk.shows("to 2 choices")
        await desk.press("up", "v")
        await desk.shows("[ ]  1  Friday")
        await desk.press("2", "3", "enter")
        await desk.shows(" 3 ✓ Sunday")
        poll = await poll_at(bobs)
        voted: tuple[e2ecore.PollBallot, ...] = ()
        with anyio.fail_after(PATIENCE_S):
            while not voted:
                await anyio.sleep(0.02)
                voted = (await bobs.poll(poll)).ballots
        await bobs.close_poll(poll)
        await desk.shows("closed by bob, 1 vote")
        await desk.shows("█ 1")
        assert (await bobs.poll(poll)).votes == (0, 1, 1)


async def test_a_poll_is_begun_in_a_dialog(tmp_path: Path) -> None:
    async with talking(tmp_path) as (desk, bobs):
        await desk.write("/poll When?")
        await desk.shows("Choices, one per line")
        await desk.type("now\nlater")
        await desk.press("tab", "enter")
        await desk.shows("no votes")
        poll = (await poll_at(bobs)).poll
        assert poll is not None
        assert (poll.question, poll.options) == ("When?", ("now", "later"))
        await desk.shows("you: (poll) When?")


async def test_a_poll_gets_an_end_in_the_dialog_once_it_is_understood(tmp_path: Path) -> None:
    async with talking(tmp_path) as (desk, bobs):
        await desk.write("/poll When?")
        await desk.shows("When does it close?")
        await desk.type("now\nlater")
        await desk.press("tab", "tab")
        await desk.type("soon")
        await desk.shows("Write the end as one of")
        await desk.press("enter", *["backspace"] * 4)
        await desk.shows("Votes are sealed")
        await desk.type("2020-01-01 9:00")
        await desk.shows("2020-01-01 09:00 is over")
        await desk.press("enter", *["backspace"] * 15)
        await desk.type("2h")
        await desk.shows("It closes ")
        before_ms = now_ms()
        await desk.press("enter")
        await desk.shows("no votes yet, sealed until 20")
        poll = (await poll_at(bobs)).poll
        assert poll is not None
        assert poll.closes_ms is not None
        assert 0 <= poll.closes_ms - before_ms - 7_200_000 <= 1000 * PATIENCE_S


async def test_cards_and_polls_are_answered_and_sent_on(tmp_path: Path) -> None:
    async with talking(tmp_path) as (desk, bobs):
        await bobs.ask("When?", ["now", "later"])
        await desk.shows("no votes")
        await desk.press("up", "r")
        await desk.shows("bob (Esc stops): When?")
        await desk.write("Let us vote")
        await desk.shows("↪ bob: (poll) When?")
        await desk.press("up", "up")
        await desk.press("f", "enter")
        await desk.until(lambda: len(desk.messages) == 3, "the new poll")
        assert [one.poll is not None for one in desk.messages] == [True, False, True]
