"""``e2e consent``: who is asked sees the text, who agreed can prove it, changes are said."""

import io
import json
import socket
from pathlib import Path
from typing import Protocol

import anyio
import pytest
from typer.testing import CliRunner

import e2ecore
from cli_demo.__main__ import app
from cli_demo.exits import CliError, Exit
from cli_demo.options import Access
from cli_demo.verbs.consents import decide
from e2ecore.consent import notices
from e2ecore.testing import devices
from e2ecore.testing.devices import PASSPHRASE
from tests.support.engines import agree

pytestmark = pytest.mark.clause("GB42012-8.1.1d")
SYNC = e2ecore.Purpose.MULTI_DEVICE_SYNC


class Run(Protocol):
    """Runs a command, which ends with this code, and returns what it says."""

    def __call__(self, *words: str, code: int = Exit.OK) -> str: ...


class Terminal(io.StringIO):
    """Somebody at the keys."""

    def isatty(self) -> bool:
        """It is one."""
        return True


@pytest.fixture
def run(tmp_path: Path) -> Run:
    async def make() -> None:
        async with devices(tmp_path, "alice") as (_relay, (alice,)):
            await agree(alice, SYNC)
            await alice.consents.settled()

    anyio.run(make, backend="trio")
    (tmp_path / "passphrase").write_text(PASSPHRASE)
    environment = {
        "E2E_DB": str(tmp_path / "alice.db"),
        "E2E_PASSPHRASE_FILE": str(tmp_path / "passphrase"),
        "COLUMNS": "100",
    }

    def call(*words: str, code: int = Exit.OK) -> str:
        done = CliRunner().invoke(app, words, env=environment)
        assert done.exit_code == code, done.output
        return done.output

    return call


@pytest.mark.parametrize(
    ("language", "no", "yes"), [("en", "yes please", "Yes"), ("zh-CN", "不", "是")]
)
def test_whoever_is_asked_sees_the_whole_text_and_only_yes_is_yes(
    language: str,
    no: str,
    yes: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    notice = e2ecore.shipped_notice(SYNC, language)
    for answer in (no, ""):
        monkeypatch.setattr("sys.stdin", Terminal(f"{answer}\n"))
        with pytest.raises(CliError) as refused:
            decide(notice, None, Access(Path("none.db")))
        assert refused.value.code is Exit.FAILURE
    assert capsys.readouterr().out.count(notice.text) == 2
    monkeypatch.setattr("sys.stdin", Terminal(f"{yes}\n"))
    decide(notice, None, Access(Path("none.db")))


def test_a_script_names_the_very_text_that_it_agrees_to(run: Run) -> None:
    mark = run("consent", "show", SYNC, "--language", "en").split()[-1]
    other = run("consent", "show", SYNC, "--language", "zh-CN").split()[-1]
    assert mark != other
    for options in ([], ["--agree", other], ["--agree", mark[:-1]]):
        run("consent", "grant", SYNC, "--language", "en", *options, code=Exit.USAGE)


def test_it_is_said_whose_notice_has_changed_since(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "has changed" not in run("consent", "list", "--language", "en")
    assert not json.loads(run("consent", "list", "--json"))["notice_changed"]
    monkeypatch.setattr(notices, "NOTICE_VERSION", 2)
    shown = run("consent", "list", "--language", "en")
    assert shown.count("e2e consent show multi_device_sync") == 1
    assert "告知书已有变更" in run("consent", "list", "--language", "zh-CN")
    assert json.loads(run("consent", "list", "--json"))["notice_changed"]


def test_what_was_agreed_to_is_verified_without_account_and_network(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(*_: object, **__: object) -> None:
        raise OSError("there is no network")

    file = tmp_path / "consents.json"
    run("consent", "export", str(file))
    monkeypatch.setattr(socket.socket, "connect", none)
    words = ["consent", "verify", str(file)]
    done = CliRunner().invoke(app, [*words, "--language", "en"], env={})
    assert done.exit_code == Exit.OK, done.output
    assert "multi_device_sync     on" in done.stdout
    (line,) = CliRunner().invoke(app, [*words, "--json"], env={}).stdout.splitlines()
    assert (json.loads(line)["proven"], json.loads(line)["state"]) == (True, "granted")
    file.write_text(file.read_text().replace('"notice": "', '"notice": "We sell it. '))
    forged = CliRunner().invoke(app, words, env={})
    assert forged.exit_code != Exit.OK
    assert "Another notice" in forged.output
