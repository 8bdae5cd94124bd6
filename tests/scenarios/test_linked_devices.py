"""A phone, a laptop and a contact: real processes at a real relay, as people use them."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli_demo.__main__ import app
from cli_demo.exits import Exit
from e2ecore import Purpose, shipped_notice
from tests.support.processes import DeviceProcess, RelayProcess

pytestmark = [pytest.mark.slow, pytest.mark.clause("GB42012-8.1.1d")]
ROOT = Path(__file__).parents[2]
PATIENCE = 40
"""How often it is looked for what others said; once or twice, unless a test fails."""
PASSPHRASE = "correct horse battery"
MOST = 1_100
"""Messages that are looked at."""
Line = Mapping[str, object]
SHARED = ("top", "archived", "muted_until_ms", "unread", "draft")


class Machine:
    """Somebody's device: its database, and ``e2e``."""

    def __init__(self, name: str, folder: Path, relay: RelayProcess) -> None:
        secret = folder / f"{name}.passphrase"
        secret.write_text(PASSPHRASE + "\n")
        self.relay = ["--relay", relay.url, "--relay-ca", relay.ca]
        self.environment = {
            "E2E_DB": str(folder / f"{name}.db"),
            "E2E_PASSPHRASE_FILE": str(secret),
            "COLUMNS": "100",
        }

    def run(self, *words: str, code: int = 0) -> list[Line]:
        """Within this process: it spares a second of start-up each time."""
        done = CliRunner().invoke(app, [*words, "--json"], env=self.environment)
        assert done.exit_code == code, done.output
        self.said = done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    def begin(self, *words: str) -> "subprocess.Popen[str]":
        """As a process of its own."""
        return subprocess.Popen(
            [sys.executable, "-m", "cli_demo", *words, "--json"],
            cwd=ROOT,
            env={**os.environ, **self.environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def texts(self, who: str) -> list[object]:
        shown = self.run("history", who, "--limit", str(MOST))
        return [line["text"] for line in shown if line.get("text")]

    def hears(self, who: str, *texts: str, of: "Machine | None" = None) -> None:
        """Catch up until these are the texts that are there; another device may have to tell."""
        found: list[object] = []
        for _ in range(PATIENCE):
            if of is not None:
                of.run("tail", who, "--idle", "1")
            self.run("tail", who, "--idle", "1")
            found = self.texts(who)
            if found == list(texts):
                return
        raise AssertionError(found[-20:])


def line_of(process: "subprocess.Popen[str]") -> Line:
    """Return the next line that it prints."""
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise AssertionError(process.communicate()[1])
    said: Line = json.loads(line)
    return said


def tell(process: "subprocess.Popen[str]", word: str) -> None:
    assert process.stdin is not None
    process.stdin.write(word + "\n")
    process.stdin.flush()


def linked(phone: Machine, laptop: Machine, how: str = "link") -> tuple[str, str]:
    """Link or move as a person does. Return the code that was used, and the laptop's device id."""
    shows = phone.begin("device", how)
    code = str(line_of(shows)["code"])
    enters = laptop.begin("device", "join", code, *laptop.relay)
    request = line_of(shows)
    check = request["check"]
    assert request["moves"] == (how == "move")
    assert line_of(enters)["check"] == check
    tell(shows, "yes")
    device = str(line_of(shows)["device"])
    assert line_of(enters)["device"] == device
    assert (shows.wait(), enters.wait()) == (0, 0)
    for one in (shows, enters):
        one.communicate()
    return code, device


@pytest.fixture
def relay(tmp_path: Path) -> Iterator[RelayProcess]:
    with RelayProcess(tmp_path / "relay") as process:
        yield process


def test_a_person_links_a_laptop_talks_on_both_and_shuts_it_out(
    tmp_path: Path, relay: RelayProcess
) -> None:
    phone, laptop, bob = [Machine(name, tmp_path, relay) for name in ("phone", "laptop", "bob")]
    phone.run("register", "alice", *phone.relay)
    bob.run("register", "bob", *bob.relay)
    phone.run("send", "bob", "before the laptop")
    assert phone.run("device", "link", code=Exit.REFUSED) == []  # without consent
    agree_to_several(phone)

    code, device = linked(phone, laptop)
    late = Machine("late", tmp_path, relay)
    late.run("device", "join", code, *late.relay, code=Exit.REFUSED)  # it serves once

    phone.run("send", "bob", "from the phone")
    laptop.hears("bob", "from the phone")  # a device shows what it sent before it heard of others
    laptop.run("send", "bob", "from the laptop")
    bob.hears("alice", "before the laptop", "from the phone", "from the laptop")
    bob.run("send", "alice", "to both")
    said = ("from the phone", "from the laptop", "to both")
    phone.hears("bob", "before the laptop", *said)
    laptop.hears("bob", *said)
    assert device[:8] in phone.said, "it is said with every command until it was seen"

    assert phone.run("device", "confirm", device[:8], code=Exit.REFUSED) == []  # a day too early
    shown = {line["device"]: line for line in phone.run("device", "list")}
    assert (shown[device]["this"], shown[device]["counts"]) == (False, True)
    phone.run("contacts")
    assert device[:8] not in phone.said

    gone, receipt = phone.run("device", "remove", device[:8])
    assert (gone["device"], gone["waiting"]) == (device, 0)
    assert (receipt["type"], receipt["device"]) == ("erased", device)
    assert receipt["deleted_ms"]
    phone.run("send", "bob", "after the laptop")
    bob.hears("alice", "before the laptop", *said, "after the laptop")
    laptop.run("send", "bob", "still there?", code=Exit.REFUSED)
    assert "removed this device" in laptop.said
    assert not (tmp_path / "laptop.db").exists()


def test_a_person_without_consent_moves_to_a_laptop_and_loses_nothing_that_comes_after(
    tmp_path: Path, relay: RelayProcess
) -> None:
    phone, laptop, bob = [Machine(name, tmp_path, relay) for name in ("phone", "laptop", "bob")]
    phone.run("register", "alice", *phone.relay)
    bob.run("register", "bob", *bob.relay)
    phone.run("send", "bob", "before")
    bob.hears("alice", "before")
    bob.run("send", "alice", "not fetched yet")

    _, device = linked(phone, laptop, "move")
    bob.run("send", "alice", "while nobody knew")  # his device has heard of no move
    laptop.hears("bob", "while nobody knew")
    laptop.run("send", "bob", "from the laptop")
    bob.hears("alice", "before", "not fetched yet", "while nobody knew", "from the laptop")

    assert phone.texts("bob") == ["before", "not fetched yet"]
    assert device[:8] in phone.said
    phone.run("send", "bob", "too late", code=Exit.REFUSED)
    phone.run("device", "link", code=Exit.REFUSED)
    exported = tmp_path / "history.zip"
    phone.run("export", str(exported))
    laptop.run("import", str(exported))


def test_what_is_done_on_one_device_shows_on_the_other(tmp_path: Path, relay: RelayProcess) -> None:
    phone, laptop, bob = [Machine(name, tmp_path, relay) for name in ("phone", "laptop", "bob")]
    phone.run("register", "alice", *phone.relay)
    bob.run("register", "bob", *bob.relay)
    agree_to_several(phone)
    linked(phone, laptop)
    bob.run("send", "alice", "one")
    bob.run("send", "alice", "two")
    laptop.hears("bob", "one", "two")
    phone.hears("bob", "one", "two")

    phone.run("mute", "bob", "1h")
    phone.run("top", "bob", "on")
    phone.run("draft", "write", "bob", "begun on the phone")
    laptop.run("archive", "bob", "on")
    laptop.run("history", "bob", "--mark-read")
    here = agreed(phone, laptop, lambda line: line["archived"] and line["draft"])
    assert (here["top"], here["unread"], here["draft"]) == (True, 0, "begun on the phone")
    assert here["muted_until_ms"] is not None

    line = next(line for line in phone.run("history", "bob") if line.get("text") == "one")
    phone.run("delete", "bob", str(line["id"]))
    bob.run("send", "alice", "three")
    phone.hears("bob", "two", "three")
    laptop.hears("bob", "two", "three")
    assert bob.texts("alice") == ["one", "two", "three"], "others keep what they have"
    agreed(phone, laptop, lambda line: line["unread"] == 1)


def test_a_thousand_messages_wait_for_a_laptop_that_is_off_and_withdrawing_shuts_it_out(
    tmp_path: Path, relay: RelayProcess
) -> None:
    phone, laptop = [Machine(name, tmp_path, relay) for name in ("phone", "laptop")]
    bob = DeviceProcess(tmp_path / "bob.db", relay).start()
    phone.run("register", "alice", *phone.relay)
    bob.ask("register", handle="bob")
    chat = str(bob.ask("direct", handle="alice")["result"])
    agree_to_several(phone)
    _, device = linked(phone, laptop)

    bob.ask("count", conversation=chat, limit=1_000)
    numbers = [str(number) for number in range(1_000)]
    phone.hears("bob", *numbers)
    gone = [line for line in phone.run("history", "bob", "-n", "10") if line.get("text") == "995"]
    phone.run("delete", "bob", str(gone[0]["id"]))
    numbers.remove("995")
    assert phone.texts("bob") == numbers
    laptop.hears("bob", *numbers, of=phone)
    laptop.run("send", "bob", "all there")
    phone.hears("bob", *numbers, "all there")

    took, receipt = phone.run("consent", "withdraw", "multi_device_sync")
    assert (took["type"], took["consents"]) == ("withdrawn", 1)
    assert (receipt["type"], receipt["device"]) == ("erased", device)
    assert receipt["signature"]
    shown = {line["device"]: line for line in phone.run("device", "list")}
    assert (shown[device]["removed_for"], shown[device]["waiting"]) == ("consent_withdrawn", [])
    phone.run("send", "bob", "from the phone alone")
    laptop.run("send", "bob", "still there?", code=Exit.REFUSED)
    assert "removed this device" in laptop.said
    assert not (tmp_path / "laptop.db").exists()
    while bob.ask("newest", conversation=chat)["result"] != "from the phone alone":
        bob.ask("reconnect")
    bob.stop()
    assert any(line.get("event") == "KeyChanged" for line in bob.events)
    assert phone.run("device", "link", code=Exit.REFUSED) == []


def agree_to_several(phone: Machine) -> None:
    mark = shipped_notice(Purpose.MULTI_DEVICE_SYNC, "en").hash.hex()[:16]
    phone.run("consent", "grant", "multi_device_sync", "--agree", mark, "--language", "en")


def agreed(one: Machine, other: Machine, check: Callable[[Line], object]) -> Line:
    """Let two devices of a person meet until both show the same of a conversation, as it should."""
    found: list[Line] = []
    for _ in range(PATIENCE):
        found = [machine.run("list")[0] for machine in (one, other)]
        if check(found[0]) and all(found[0][name] == found[1][name] for name in SHARED):
            return found[0]
        for machine in (one, other):
            machine.run("tail", "bob", "--idle", "1")
    raise AssertionError(found)
