"""Polls as lines, as a command, and as screens that write and mark."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from rich.cells import cell_len
from textual.app import App
from typer.testing import CliRunner

from cli_demo import polls
from cli_demo.__main__ import app
from cli_demo.chat.ballot import Asked, AskPoll, Ballot, asked
from cli_demo.exits import CliError, Exit
from cli_demo.views import ASCII, UNICODE, OptionView, PollView, Symbols
from e2ecore import blocking
from e2ecore.engine.engine import system_clock_ms
from e2ecore.testing import MemoryRelay

PASSPHRASE = "a long one"
OPEN = PollView(
    "Where to?",
    (OptionView("home"), OptionView("去海边", own=True), OptionView("up")),
    1,
    voters=("bob", "carol"),
)
CLOSED = replace(
    OPEN,
    options=(OptionView("home", 1), OptionView("去海边", 4, own=True), OptionView("up")),
    closed_by="bob",
    voters=tuple("abcdef"),
    unopened=("f",),
    late=("g",),
)


def shown(poll: PollView, cells: int = 40, symbols: Symbols = UNICODE) -> list[str]:
    rows = polls.lines(poll, cells, symbols)
    return ["".join(part.text for part in row).rstrip() for row in rows]


def test_an_open_poll_shows_its_choices_the_own_vote_and_who_has_voted() -> None:
    assert shown(OPEN, 60) == [
        "1   home",
        "2 ✓ 去海边",
        "3   up",
        "2 votes (bob and carol), sealed until it is closed",
    ]
    assert shown(replace(OPEN, voters=()))[-1] == ("no votes yet, sealed until it is closed")
    assert shown(replace(OPEN, most=2, voters=tuple("abcde")), 90)[-1] == (
        "5 votes (a, b, c and 2 more), sealed until it is closed; up to 2 choices"
    )
    assert "sealed until 20" in shown(replace(OPEN, closes_ms=1_795_600_000_000), 90)[-1]


def test_a_closed_poll_shows_how_often_each_choice_was_made() -> None:
    assert shown(CLOSED, 60, ASCII) == [
        "1   home    #####                1",
        "2 * 去海边  #################### 4",
        "3   up                           0",
        "closed by bob, 6 votes; not opened yet: f; too late: g",
    ]
    nobody = replace(CLOSED, options=OPEN.options)
    assert "#" not in "".join(shown(nobody, symbols=ASCII))


@pytest.mark.parametrize("cells", [8, 16, 34, 80])
def test_no_line_is_wider_than_the_window(cells: int) -> None:
    long = replace(CLOSED, options=(*CLOSED.options, OptionView("很长" * 50, 999)))
    for poll in (long, replace(long, closed_by="")):
        rows = shown(poll, max(cells, 24))
        assert all(cell_len(row) <= max(cells, 24) for row in rows)


def test_choices_are_counted_from_one() -> None:
    assert polls.choices([2, 1, 2], 3) == [1, 0]
    for wrong in (0, 4, -1):
        with pytest.raises(CliError):
            polls.choices([wrong], 3)


def test_a_poll_is_written_in_one_line_or_several() -> None:
    both = Asked("Where to?", ("home", "去海边"))
    assert asked("Where to? | home |去海边") == both
    assert asked("Where to?\uff5chome\uff5c去海边\uff5c") == both
    assert asked("Where to?\nhome\n去海边") == both
    assert asked("Where to?") is None
    assert asked("| home") is None


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    relay = MemoryRelay(clock_ms=system_clock_ms)
    with blocking.open(tmp_path / "a.db", passphrase=PASSPHRASE, relay=relay.dial) as alice:
        alice.register("alice")
        notes = alice.create_group("notes", [])
        alice.ask(notes, "Where to?", ["home", "去海边"])
        (message,) = [one for one in alice.messages(notes) if one.poll is not None]
        alice.vote(notes, message, [1])
        alice.send(notes, "and now?")
    (tmp_path / "passphrase").write_text(PASSPHRASE)
    return {
        "E2E_DB": str(tmp_path / "a.db"),
        "E2E_PASSPHRASE_FILE": str(tmp_path / "passphrase"),
        "COLUMNS": "100",
    }


def test_how_a_poll_stands_is_printed(environment: dict[str, str]) -> None:
    def run(*words: str) -> str:
        done = CliRunner().invoke(app, words, env=environment)
        assert done.exit_code == 0, done.output
        return done.stdout

    plain = run("poll", "show", "+notes").splitlines()
    assert plain[0] == "Where to?"
    assert plain[2] == "2 ✓ 去海边"
    assert plain[-1] == "1 vote (alice), sealed until it is closed"
    line = json.loads(run("poll", "show", "+notes", "--json"))
    assert (line["type"], line["own"], line["closed_by"]) == ("poll", [2], None)
    assert [one["state"] for one in line["ballots"]] == ["sealed"]
    assert "(poll) Where to?" in run("history", "+notes")
    messages = [json.loads(one) for one in run("history", "+notes", "--json").splitlines()]
    (found,) = [one for one in messages if "poll" in one]
    assert (found["kind"], found["poll"]["options"]) == ("poll", ["home", "去海边"])


def test_what_is_no_poll_is_a_usage_error(environment: dict[str, str]) -> None:
    def code(*words: str) -> int:
        return CliRunner().invoke(app, words, env=environment).exit_code

    history = CliRunner().invoke(app, ["history", "+notes", "--json"], env=environment).stdout
    text = json.loads(history.splitlines()[-1])["id"]
    assert code("poll", "show", "+notes", text) == Exit.USAGE
    assert code("poll", "ask", "+notes", "Where to?", "home") == Exit.USAGE
    assert code("poll", "ask", "+notes", "Where to?", "home", "up", "--most", "3") == Exit.USAGE
    assert code("poll", "vote", "+notes", "last", "3", "--timeout", "1") == Exit.USAGE
    assert code("poll", "vote", "+notes", text, "1", "--timeout", "1") == Exit.USAGE


class Frame(App[None]):
    """A screen, and what it answered."""

    def __init__(self) -> None:
        super().__init__()
        self.answers: list[object] = []


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_several_choices_are_marked_by_keys() -> None:
    frame = Frame()
    async with frame.run_test() as pilot:
        await frame.push_screen(Ballot(replace(OPEN, most=2)), frame.answers.append)
        await pilot.press("1", "3", "enter")
        await frame.push_screen(Ballot(replace(OPEN, most=2)), frame.answers.append)
        await pilot.press("2", "down", "space", "9", "enter")
        await frame.push_screen(Ballot(OPEN), frame.answers.append)
        await pilot.press("escape")
    assert frame.answers == [(0, 1), (2,), None]


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_poll_is_written_in_a_dialog() -> None:
    frame = Frame()
    async with frame.run_test() as pilot:
        await frame.push_screen(AskPoll(), frame.answers.append)
        await pilot.press("tab", "tab", "enter", *"Why", "enter", *"a", "enter", *"b", "tab")
        await pilot.press("backspace", "2", "enter")
        await frame.push_screen(AskPoll("Why"), frame.answers.append)
        await pilot.click("#accept")
        await pilot.press("x", "escape")
        await frame.push_screen(AskPoll("Why"), frame.answers.append)
        await pilot.click("#cancel")
    assert frame.answers == [Asked("Why", ("a", "b"), 2), None, None]
