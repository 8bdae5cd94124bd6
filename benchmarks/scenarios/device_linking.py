"""A second device: how soon it is there, and what it costs to bring it into many conversations."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Final, cast

from benchmarks.model import OURS, Context, Measure, Result, Scale, Scenario, at_most
from benchmarks.systems.relay import RelayProcess

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from benchmarks.model import Sample

BARE: Final = "bare commits"
FILE: Final = "export and import"


def _worked(home: Path, worker: str, *arguments: str) -> Sample:
    """Have a worker do its work at a fresh relay, each in a process of its own."""
    relay = RelayProcess(home / "relay")
    try:
        done = subprocess.run(
            [
                *(sys.executable, "-m", f"benchmarks.workers.{worker}", *arguments),
                *(str(home), relay.url, str(relay.authority)),
            ],
            check=True,
            stdout=subprocess.PIPE,
        )
    finally:
        relay.stop()
    return cast("dict[str, float]", json.loads(done.stdout))


def _runner(action: str) -> Callable[[Context, int], Result]:
    def run(context: Context, size: int) -> Result:
        result = Result()
        for number in range(context.runs):
            home = context.directory(f"{action}-{number}")
            sample = _worked(home, "linking", action, str(size))
            result.add(OURS, sample)
            if "bare_s" in sample:
                result.add(BARE, {"seats_s": sample["bare_s"]})
            context.say(f"run {number + 1}/{context.runs}: {sample}")
        return result

    return run


LINKING: Final = Scenario(
    name="linking",
    title="Linking a device",
    about=(
        "A phone has one conversation and shows a code; a laptop without an account takes it, both "
        "compare at once, and the phone confirms with its passphrase. The clock runs from "
        "entering the code until the laptop has got the first message that the phone sends once "
        "the laptop is in the conversation. The relay is a process of its own, over TLS; both "
        "devices and the contact share another one."
    ),
    sizes={Scale.QUICK: 1, Scale.SHORT: 1, Scale.LONG: 1},
    size_unit="conversations",
    measures=(
        Measure("first_s", "first_s", "s", "from the code to the first message"),
        Measure("linked_s", "linked_s", "s", "of it, until the account is on the laptop"),
        Measure("passphrase_s", "passphrase_s", "s", "of it, checking the passphrase (Argon2id)"),
    ),
    run=_runner("linking"),
)

DEVICE_SEATS: Final = Scenario(
    name="device_seats",
    title="A new device comes into many conversations",
    about=(
        "A phone makes groups with one other member and renames all of them, which is one bare "
        "commit for each, through store and relay. Then it links a laptop, which goes offline at "
        "once, as the other member is; the clock runs from the confirmation until the relay has "
        "taken the commit of each conversation that adds it: the same commits, and for each a key "
        "package claimed, checked and invited with. Reference: the renaming, in the same run."
    ),
    sizes={Scale.QUICK: 20, Scale.SHORT: 500, Scale.LONG: 500},
    size_unit="conversations",
    measures=(
        Measure("seats_s", "seats_s", "s", "all conversations have the device", BARE, at_most(1.3)),
    ),
    run=_runner("seats"),
)


def _run_giving(context: Context, size: int) -> Result:
    result = Result()
    for number in range(context.runs):
        sample = _worked(context.directory(f"giving-{number}"), "giving", str(size))
        result.add(OURS, {"give_s": sample["give_s"]})
        result.add(FILE, {"give_s": sample["file_s"]})
        context.say(f"run {number + 1}/{context.runs}: {sample}")
    return result


HISTORY_TRANSFER: Final = Scenario(
    name="history_transfer",
    title="A history for another device",
    about=(
        "A phone gives all of its history to a laptop that was linked: read, sealed, uploaded in "
        "parts to a relay that is a process of its own, over TLS, fetched, checked, stored durably "
        "and searchable. The clock runs from the call to the last message; both devices share a "
        "process, so what one does the other waits for. Reference: the same history "
        "exported to a file and imported from it, one after the other, in the same run."
    ),
    sizes={Scale.QUICK: 2_000, Scale.SHORT: 100_000, Scale.LONG: 100_000},
    size_unit="messages",
    measures=(
        Measure("give_s", "give_s", "s", "until all messages are there", FILE, at_most(2.0)),
    ),
    run=_run_giving,
)
