"""``e2e key`` and ``e2e repair``, as a user types them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli_demo.__main__ import app
from cli_demo.exits import Exit
from e2ecore.storage.database import Database
from e2ecore.storage.unlocking import RecoveryCode
from tests.support.databases import PASSPHRASE, create_database
from tests.unit.cli.test_passphrase import pipe

NEW = "a quite different passphrase"


@dataclass(frozen=True, slots=True)
class Desk:
    """A database and its passphrase in a file."""

    path: Path

    def run(self, *words: str, code: Exit = Exit.OK) -> str:
        secret = self.path.with_name("passphrase")
        secret.write_text(PASSPHRASE + "\n")
        done = CliRunner().invoke(
            app, words, env={"E2E_DB": str(self.path), "E2E_PASSPHRASE_FILE": str(secret)}
        )
        assert "Traceback" not in done.stderr
        assert done.exit_code == code, done.stderr
        return done.stdout or done.stderr

    def slots(self) -> list[Mapping[str, str]]:
        return [json.loads(line) for line in self.run("key", "list", "--json").splitlines()]

    def opens(self, key: str | RecoveryCode) -> None:
        Database.open(self.path, key).close()


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    path = tmp_path / "alice.db"
    create_database(path).close()
    return Desk(path)


def test_a_recovery_code_replaces_a_forgotten_passphrase(desk: Desk) -> None:
    code = desk.run("key", "recovery").splitlines()[0]
    assert [slot["kind"] for slot in desk.slots()] == ["passphrase", "recovery"]
    fds = (
        "--passphrase-fd",
        str(pipe(code.encode())),
        "--new-passphrase-fd",
        str(pipe(NEW.encode())),
    )
    desk.run("key", "passphrase", "--recovery-code", *fds)
    desk.opens(NEW)
    desk.run("key", "list", code=Exit.WRONG_PASSPHRASE)


def test_a_weak_new_passphrase_is_refused_with_advice(desk: Desk) -> None:
    said = desk.run(
        "key", "passphrase", "--new-passphrase-fd", str(pipe(b"password1")), code=Exit.USAGE
    )
    assert "easy to guess" in said
    assert "common" in said
    desk.opens(PASSPHRASE)


def test_the_last_slot_stays_and_others_go(desk: Desk) -> None:
    (only,) = desk.slots()
    assert "Something besides" in desk.run("key", "remove", only["slot"], code=Exit.USAGE)
    desk.run("key", "recovery")
    second = desk.slots()[1]
    desk.run("key", "remove", second["slot"])
    assert len(desk.slots()) == 1
    assert only["slot"] in desk.run("key", "list")


def test_renewed_keys_leave_no_other_way_in(desk: Desk) -> None:
    old = desk.run("key", "recovery").splitlines()[0]
    new = "--new-passphrase-fd", str(pipe(NEW.encode()))
    code = desk.run("key", "renew", "--recovery-code", *new).splitlines()[0]
    desk.opens(NEW)
    desk.opens(RecoveryCode(code))
    for gone in (PASSPHRASE, RecoveryCode(old)):
        with pytest.raises(Exception, match="Nothing is damaged"):
            desk.opens(gone)


def test_repair_says_what_it_found_and_what_it_saved(desk: Desk) -> None:
    assert desk.run("repair") == "Nothing is damaged.\n"
    assert json.loads(desk.run("repair", "--json")) == {"type": "repair", "damaged": False}
    database = Database.open(desk.path, PASSPHRASE)
    page = database.readers.read(
        lambda tx: tx.value(int, "SELECT rootpage FROM sqlite_schema WHERE name = 'messages'")
    )
    database.close()
    assert page is not None
    content = bytearray(desk.path.read_bytes())
    content[(page - 1) * 4096 + 1000] ^= 1
    desk.path.write_bytes(content)
    said = desk.run("repair")
    assert "Saved 0 messages." in said
    assert "alice.db.damaged-1" in said
    assert desk.run("repair") == "Nothing is damaged.\n"
