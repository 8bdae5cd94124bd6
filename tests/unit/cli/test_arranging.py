"""What one does with conversations and messages for oneself, on a database without a relay."""

import json
from pathlib import Path
from typing import Protocol

import pytest
from typer.testing import CliRunner

from cli_demo.__main__ import app
from cli_demo.exits import Exit
from cli_demo.words import muted_words
from e2ecore import blocking
from e2ecore.engine.engine import system_clock_ms
from e2ecore.testing import MemoryRelay

PASSPHRASE = "a long one"


class Run(Protocol):
    """Runs a command, which ends with this code, and returns its lines."""

    def __call__(self, *words: str, code: int = Exit.OK) -> list[str]: ...


@pytest.fixture
def run(tmp_path: Path) -> Run:
    relay = MemoryRelay(clock_ms=system_clock_ms)
    with blocking.open(tmp_path / "a.db", passphrase=PASSPHRASE, relay=relay.dial) as alice:
        alice.register("alice")
        for title in ("notes", "trip"):
            chat = alice.create_group(title, [])
            for text in ("one", "two", "three"):
                alice.send(chat, text)
    (tmp_path / "passphrase").write_text(PASSPHRASE)
    environment = {
        "E2E_DB": str(tmp_path / "a.db"),
        "E2E_PASSPHRASE_FILE": str(tmp_path / "passphrase"),
        "COLUMNS": "100",
    }

    def call(*words: str, code: int = Exit.OK) -> list[str]:
        done = CliRunner().invoke(app, words, env=environment)
        assert done.exit_code == code, done.output
        return done.stdout.splitlines()

    return call


def test_a_draft_is_kept_shown_and_discarded(run: Run) -> None:
    assert run("draft", "show", "+trip") == []
    run("draft", "write", "+trip", "half", "a word", "--answer", "last")
    (shown,) = run("draft", "show", "+trip")
    assert shown.endswith(" half a word")
    (listed,) = run("draft", "list")
    assert "[trip] half a word" in listed
    line = json.loads(run("draft", "show", "+trip", "--json")[0])
    last = json.loads(run("history", "+trip", "--json")[-1])
    assert (line["type"], line["answers"]) == ("draft", last["id"])
    assert "(draft)" in run("list")[0]
    run("draft", "discard", "+trip")
    assert run("draft", "list") == []
    run("draft", "send", "+trip", "--timeout", "1", code=Exit.FAILURE)


def test_the_list_says_what_is_at_its_top_put_away_and_muted(run: Run) -> None:
    run("top", "+notes", "on")
    assert run("top", "+notes") == ["on"]
    assert run("list")[0].endswith("notes (top)")
    run("mute", "+notes", "on")
    assert run("mute", "+notes") == ["muted"]
    run("mute", "+notes", "8h")
    assert run("mute", "+notes")[0].startswith("muted until 20")
    line = json.loads(run("archive", "+notes", "on", "--json")[0])
    assert (line["type"], line["top"], line["archived"]) == ("arranged", True, True)
    assert json.loads(run("list", "--json")[-1])["archived"] is True
    for verb in ("top", "archive", "mute"):
        run(verb, "+notes", "off")
        assert run(verb, "+notes") == ["off"]
    run("mute", "+notes", "soon", code=Exit.USAGE)
    assert run("list", "--unread") == []


def test_a_time_that_has_passed_mutes_nothing() -> None:
    assert muted_words(5, 6) == muted_words(None, 6) == ""


def test_it_is_said_how_long_messages_are_kept(run: Run) -> None:
    assert run("keep", "+trip") == run("lifetime", "+trip") == ["off"]
    run("keep", "+trip", "30d")
    assert run("keep", "+trip") == ["30 d"]
    assert json.loads(run("keep", "+trip", "off", "--json")[0])["seconds"] is None
    run("keep", "+trip", "soon", code=Exit.USAGE)
    run("keep", "+trip", "0s", code=Exit.USAGE)
    assert run("keep-earlier") == ["on"]
    run("keep-earlier", "off")
    assert run("keep-earlier", "--in", "+trip") == ["off"]
    run("keep-earlier", "on", "--in", "+trip")
    line = json.loads(run("keep-earlier", "--in", "+trip", "--json")[0])
    assert (line["type"], line["on"]) == ("keep_earlier", True)
    run("keep-earlier", "usual", "--in", "+trip")
    assert run("keep-earlier", "--in", "+trip") == ["off"]
    run("keep-earlier", "usual", code=Exit.USAGE)


def test_the_history_is_read_from_a_day_on_or_backwards(run: Run) -> None:
    lines = run("history", "+trip", "--ids")
    texts = [one for one in lines if "alice: " in one]
    assert [one.rpartition(" ")[2] for one in texts] == ["one", "two", "three"]
    earlier = run("history", "+trip", "--before", texts[1][:8], "-n", "1")
    assert earlier[0].endswith("alice: one")
    today = texts[0].split()[1]
    assert len(run("history", "+trip", "--date", today, "-n", "2")) == 2
    assert run("history", "+trip", "--date", "2999-01-01") == []
    run("history", "+trip", "--date", "soon", code=Exit.USAGE)
    run("history", "+trip", "--date", today, "--before", "last", code=Exit.USAGE)


def test_a_search_is_narrowed_by_person_time_and_kind(run: Run) -> None:
    today = run("history", "+trip", "-n", "1")[0][:10]
    assert len(run("search", "two")) == 2
    assert len(run("search", "two", "--from", "alice", "--after", today, "--kind", "text")) == 2
    assert run("search", "two", "--before", today) == run("search", "two", "--kind", "poll") == []
    run("search", "two", "--from", "nobody", code=Exit.USAGE)


def test_nothing_is_pinned_at_first(run: Run) -> None:
    assert run("pins", "+trip") == []
