"""``e2e export``, ``e2e import``, ``e2e mydata`` on a database of its own."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli_demo.__main__ import app
from e2ecore import blocking
from e2ecore.engine.engine import system_clock_ms
from e2ecore.testing import MemoryRelay
from tests.support.exports import consents_file, row, write

PASSPHRASE = "a long one"


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    relay = MemoryRelay(clock_ms=system_clock_ms)
    with blocking.open(tmp_path / "a.db", passphrase=PASSPHRASE, relay=relay.dial) as alice:
        alice.register("alice")
        alice.send(alice.create_group("notes", []), "明天在北京见")
    (tmp_path / "passphrase").write_text(PASSPHRASE)
    return {
        "E2E_DB": str(tmp_path / "a.db"),
        "E2E_PASSPHRASE_FILE": str(tmp_path / "passphrase"),
        "COLUMNS": "100",
    }


def test_messages_are_taken_along_brought_in_and_shown(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    def run(*words: str) -> str:
        done = CliRunner().invoke(app, words, env=environment)
        assert done.exit_code == 0, done.output
        return done.stdout

    export = str(tmp_path / "mine.zip")
    assert "not encrypted" in run("export", export)
    assert CliRunner().invoke(app, ["export", export], env=environment).exit_code == 1
    assert json.loads(run("import", "--json", export))["known"] == 1
    chat = tmp_path / "WhatsApp Chat with Bob.txt"
    chat.write_text("31/12/2023, 23:59 - Bob: hi\n31/12/2023, 23:59 - Me: ho\n")
    assert "2 new messages" in run("import", "--me", "Me", str(chat))
    foreign = str(write(tmp_path / "old.zip", row(1), consents=consents_file()))
    assert run("consent", "imported") == ""
    assert "1 consent to look at, not in force: e2e consent imported" in run("import", foreign)
    shown = run("consent", "imported", "--language", "en")
    assert "Nothing here counts on this device" in shown
    assert "presence" in shown
    (found,) = run("consent", "imported", "--json").splitlines()
    assert json.loads(found)["type"] == "imported_consent"
    assert run("consent", "list", "--json") == ""
    assert json.loads(run("mydata", "--json"))["handle"] == "a•••"
    assert "messages.body" in run("mydata", "--inventory")
    assert json.loads(run("mydata", "--json", "--reveal"))["handle"] == "alice"
    assert run("name") == "\n"
    assert run("name", "Alice 爱丽丝") == ""
    assert "Alice 爱丽丝" in run("mydata", "--reveal")
    assert "A•••" in run("mydata")
    assert json.loads(run("name", "", "--json"))["display_name"] in {None, ""}
    assert json.loads(run("mydata", "--inventory", "--json").splitlines()[-1])["type"] == "stored"
