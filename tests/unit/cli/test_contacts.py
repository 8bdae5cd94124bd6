"""``e2e contact``: what the user calls people, and who is a contact."""

import json
from pathlib import Path

import anyio
import pytest
from typer.testing import CliRunner

from cli_demo.__main__ import app
from cli_demo.naming import shown_name
from e2ecore.testing import devices
from e2ecore.testing.devices import PASSPHRASE
from tests.support.engines import pair


async def talked(folder: Path) -> None:
    """Alice has written to Bob."""
    async with devices(folder, "alice", "bob") as (_, (alice, bob)):
        chat, _ = await pair(alice, bob)
        await (await chat.send("hello")).accepted()


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    anyio.run(talked, tmp_path)
    (tmp_path / "passphrase").write_text(PASSPHRASE)
    return {
        "E2E_DB": str(tmp_path / "alice.db"),
        "E2E_RELAY": "wss://127.0.0.1:1",
        "E2E_PASSPHRASE_FILE": str(tmp_path / "passphrase"),
        "COLUMNS": "100",
    }


def run(environment: dict[str, str], *words: str) -> str:
    done = CliRunner().invoke(app, words, env=environment)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_what_a_contact_is_called_is_shown_with_the_handle(environment: dict[str, str]) -> None:
    said = run(environment, "contact", "name", "bob", "罗伯特", "--language", "en")
    assert said.startswith("You call bob 罗伯特 now")
    assert run(environment, "contacts", "--language", "en").split() == [
        "bob", "unverified", "you", "say:", "罗伯特",
    ]  # fmt: skip
    assert "罗伯特" in run(environment, "contacts", "--language", "zh-CN")
    assert "罗伯特 (bob)" in run(environment, "list")
    (line,) = run(environment, "contacts", "--json").splitlines()
    assert json.loads(line)["called"] == "罗伯特"
    assert "hello" in run(environment, "history", "bob"), "commands take the handle"
    run(environment, "contact", "name", "bob", "")
    assert "罗伯特" not in run(environment, "list")


def test_who_is_forgotten_is_in_no_list_of_contacts(environment: dict[str, str]) -> None:
    assert "会话" in run(environment, "contact", "forget", "bob", "--language", "zh-CN")
    assert run(environment, "contacts") == ""
    assert "bob" in run(environment, "list")


def test_nobody_passes_for_somebody_by_choosing_a_handle() -> None:
    assert shown_name("bob", "Mum") == "Mum (bob)"
    assert shown_name("mum", None) == "mum"
