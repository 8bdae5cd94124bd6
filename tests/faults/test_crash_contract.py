"""SIGKILL of sender, receiver and relay at random points, 200 times.

Every accepted message arrives exactly once, in order, nothing acknowledged is lost, and no
generation of a sender's ratchet is used for two messages: the receiver would refuse the second,
and miss a number.
"""

import random  # noqa: TID251
import time
from pathlib import Path

import pytest

from tests.support.processes import DeviceProcess, RelayProcess

pytestmark = [pytest.mark.slow, pytest.mark.clause("GB42012-8.1.1c")]

KILLS = 200
SEED = 20261122
ALARMS = {"EnvelopeQuarantined", "MessagesMissing", "IntentFailed", "ContactChainInvalid"}


def sent_numbers(device: DeviceProcess) -> list[int]:
    return [int(str(line["number"])) for line in device.events if line["kind"] == "sent"]


def test_two_hundred_kills_lose_nothing_and_double_nothing(tmp_path: Path) -> None:
    dice = random.Random(SEED)
    with RelayProcess(tmp_path / "relay") as relay:
        alice = DeviceProcess(tmp_path / "alice.db", relay).start()
        bob = DeviceProcess(tmp_path / "bob.db", relay).start()
        for device, handle in ((alice, "alice"), (bob, "bob")):
            device.ask("register", handle=handle)
        conversation = str(alice.ask("direct", handle="bob")["result"])
        first = 0
        alice.tell(do="flood", conversation=conversation, first="0", end="1000000")
        for _ in range(KILLS):
            time.sleep(dice.uniform(0.01, 0.3))
            victim = dice.choice([alice, bob, relay])
            victim.kill()
            victim.start()
            if victim is alice:
                known = alice.ask("texts", conversation=conversation)["result"]
                assert isinstance(known, list)
                first = len(known)
                alice.tell(do="flood", conversation=conversation, first=str(first), end="1000000")
        alice.drain()
        alice.kill()
        alice.start()
        written = alice.ask("texts", conversation=conversation)["result"]
        assert isinstance(written, list)
        promised = set(sent_numbers(alice))
        assert [int(text) for text in written] == list(range(len(written)))
        assert promised <= {int(text) for text in written}
        alice.ask("send", conversation=conversation, text="the last one")
        bob.ask("caught_up")
        got = wait_for_last(bob, conversation)
        assert got == [*written, "the last one"]
        names = {str(line.get("event")) for device in (alice, bob) for line in device.events}
        assert names & ALARMS == set()
        alice.stop()
        bob.stop()


def wait_for_last(device: DeviceProcess, conversation: str) -> list[object]:
    deadline = time.monotonic() + 120
    while True:
        got = device.ask("texts", conversation=conversation)["result"]
        assert isinstance(got, list)
        if (got and got[-1] == "the last one") or time.monotonic() > deadline:
            return got
        time.sleep(0.2)
