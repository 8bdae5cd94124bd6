"""People who use the command line from scripts, at a real relay."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from typer.testing import CliRunner

from cli_demo.__main__ import app
from cli_demo.exits import Exit
from tests.support.processes import RelayProcess

PASSPHRASE = "correct horse battery"
ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Result:
    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[Mapping[str, object]]:
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def line(self) -> Mapping[str, object]:
        (line,) = self.lines
        return line


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with a database and a passphrase in a file."""

    name: str
    folder: Path

    def environment(self, passphrase: str) -> dict[str, str]:
        secret = self.folder / f"{self.name}.passphrase"
        secret.write_text(passphrase + "\n")
        return {
            "E2E_DB": str(self.folder / f"{self.name}.db"),
            "E2E_PASSPHRASE_FILE": str(secret),
            "COLUMNS": "100",
        }

    def run(self, *words: str, passphrase: str = PASSPHRASE, stdin: str = "") -> Result:
        """Within this process: it spares a second of start-up each time."""
        done = CliRunner().invoke(app, words, env=self.environment(passphrase), input=stdin)
        assert "Traceback" not in done.stderr
        return Result(done.exit_code, done.stdout, done.stderr)

    def run_process(self, *words: str) -> Result:
        """As a user does."""
        done = subprocess.run(
            [sys.executable, "-m", "cli_demo", *words],
            cwd=ROOT,
            env={**os.environ, **self.environment(PASSPHRASE)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        return Result(done.returncode, done.stdout, done.stderr)


def registered(folder: Path, relay: RelayProcess) -> tuple[Person, Person]:
    """Register alice and bob."""
    both = Person("alice", folder), Person("bob", folder)
    for one in both:
        where = ["--relay", relay.url, "--relay-ca", relay.ca]
        done = one.run("register", one.name, *where, "--json")
        assert done.code == Exit.OK, done.err
        assert done.line["type"] == "account"
        assert done.line["handle"] == one.name
    return both
