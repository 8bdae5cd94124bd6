"""``e2e search`` on a database of its own."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

import e2ecore
from cli_demo.__main__ import app
from e2ecore import blocking
from e2ecore.engine.engine import system_clock_ms
from e2ecore.testing import MemoryRelay

PASSPHRASE = "a long one"


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    relay = MemoryRelay(clock_ms=system_clock_ms)
    with blocking.open(tmp_path / "a.db", passphrase=PASSPHRASE, relay=relay.dial) as alice:
        alice.register("alice")
        notes = alice.create_group("notes", [])
        for text in ("明天在北京见", "Beijing (tomorrow)", "nothing"):
            alice.send(notes, text)
    (tmp_path / "passphrase").write_text(PASSPHRASE)
    return {
        "E2E_DB": str(tmp_path / "a.db"),
        "E2E_PASSPHRASE_FILE": str(tmp_path / "passphrase"),
        "COLUMNS": "100",
    }


def test_hits_are_printed_with_time_conversation_and_author(environment: dict[str, str]) -> None:
    done = CliRunner().invoke(app, ["search", "北京"], env=environment)
    assert done.exit_code == 0
    (line,) = done.stdout.splitlines()
    assert line.endswith("[notes] alice: 明天在北京见")


def test_hits_are_json_lines_and_nothing_typed_is_an_operator(environment: dict[str, str]) -> None:
    words = ["search", "--json", "--in", "+notes", "(tomorrow)", "beijing"]
    done = CliRunner().invoke(app, words, env=environment)
    assert [json.loads(line)["text"] for line in done.stdout.splitlines()] == ["Beijing (tomorrow)"]
    assert CliRunner().invoke(app, ["search", "NOT"], env=environment).stdout == (
        CliRunner().invoke(app, ["search", "not"], env=environment).stdout
    )
    assert CliRunner().invoke(app, ["search", "x" * 300], env=environment).exit_code != 0
    assert issubclass(e2ecore.SearchTextError, e2ecore.UsageError)
