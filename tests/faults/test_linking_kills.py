"""Either device is killed in the middle of linking, at each step: never half a device."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cli_demo.exits import Exit
from e2ecore import Purpose, shipped_notice
from tests.scenarios.test_linked_devices import PATIENCE, Line, Machine, line_of, linked, tell
from tests.support.processes import RelayProcess

if TYPE_CHECKING:
    import subprocess

GROUPS = 6
pytestmark = [pytest.mark.slow, pytest.mark.clause("GB42012-8.1.1d")]


@pytest.fixture
def relay(tmp_path: Path) -> Iterator[RelayProcess]:
    with RelayProcess(tmp_path / "relay") as process:
        yield process


@pytest.fixture
def phone(tmp_path: Path, relay: RelayProcess) -> Machine:
    machine = Machine("phone", tmp_path, relay)
    machine.run("register", "alice", *machine.relay)
    mark = shipped_notice(Purpose.MULTI_DEVICE_SYNC, "en").hash.hex()[:16]
    machine.run("consent", "grant", "multi_device_sync", "--agree", mark, "--language", "en")
    return machine


def ended(*processes: "subprocess.Popen[str]") -> None:
    for one in processes:
        one.kill()
        one.communicate()


def met(phone: Machine, laptop: Machine) -> "Sequence[subprocess.Popen[str]]":
    """Come as far as the check string on both screens."""
    shows = phone.begin("device", "link")
    enters = laptop.begin("device", "join", str(line_of(shows)["code"]), *laptop.relay)
    assert line_of(shows)["check"] == line_of(enters)["check"]
    return shows, enters


def in_use(machine: Machine) -> list[Line]:
    return [one for one in machine.run("device", "list") if one["removed_ms"] is None]


def test_whoever_is_killed_before_the_confirmation_nothing_is_linked(
    tmp_path: Path, relay: RelayProcess, phone: Machine
) -> None:
    laptop = Machine("laptop", tmp_path, relay)
    shows = phone.begin("device", "link")
    code = str(line_of(shows)["code"])
    ended(shows)  # the code is on the screen
    laptop.run("device", "join", code, *laptop.relay, code=Exit.REFUSED)

    shows, enters = met(phone, laptop)
    ended(enters)  # the new device, while the person compares
    tell(shows, "yes")
    assert shows.wait() == Exit.REFUSED
    ended(shows)

    shows, enters = met(phone, laptop)
    ended(shows)  # the existing one
    assert enters.wait() == Exit.REFUSED
    ended(enters)

    assert len(in_use(phone)) == 1


@pytest.mark.parametrize("victim", ["existing", "new"])
def test_whoever_is_killed_after_the_confirmation_the_device_is_linked_or_not(
    victim: str, tmp_path: Path, relay: RelayProcess, phone: Machine
) -> None:
    """Which of the two depends on the moment. The account chain tells, and both go by it."""
    laptop = Machine("laptop", tmp_path, relay)
    shows, enters = met(phone, laptop)
    tell(shows, "yes")
    ended(shows if victim == "existing" else enters)
    (enters if victim == "existing" else shows).communicate()
    phone.run("tail", "--idle", "1")  # the chain as the relay has it
    if len(in_use(phone)) == 1:
        linked(phone, laptop)
    elif victim == "new":
        again = phone.begin("device", "link")
        code = str(line_of(again)["code"])
        laptop.run("device", "join", code, *laptop.relay, code=Exit.FAILURE)
        ended(again)
        assert "account" in laptop.said, "it was linked, and finds that out instead"
    assert len(in_use(phone)) == len(in_use(laptop)) == 2


def test_a_phone_that_is_killed_while_it_seats_a_device_goes_on_where_it_was(
    tmp_path: Path, relay: RelayProcess, phone: Machine
) -> None:
    bob = Machine("bob", tmp_path, relay)
    bob.run("register", "bob", *bob.relay)
    for number in range(GROUPS):
        phone.run("group", "create", f"group {number}", "bob")
    laptop = Machine("laptop", tmp_path, relay)
    shows, enters = met(phone, laptop)
    tell(shows, "yes")
    assert line_of(enters)["device"]
    ended(shows)  # it is in the middle of adding the laptop everywhere
    enters.communicate()
    for _ in range(PATIENCE):
        phone.run("tail", "--idle", "1")
        laptop.run("tail", "--idle", "1")
        waiting = [one["waiting"] for one in phone.run("device", "list")]
        if waiting == [[], []] and len(laptop.run("list")) == GROUPS:
            break
    phone.run("send", "+group 0", "hello")
    laptop.hears("+group 0", "hello")
