"""SIGKILL of who asks, who votes and the relay: promised polls, votes and closes count, once."""

import random  # noqa: TID251 - chooses moments and victims, not keys
import time
from pathlib import Path

import pytest

from tests.support.processes import DeviceProcess, ForkedRelay, RelayProcess

pytestmark = [pytest.mark.slow, pytest.mark.clause("GB42012-8.1.1c")]

KILLS = 12
PATIENCE_S = 120

Polls = list[tuple[str, bool, list[tuple[str, str, list[int]]]]]


def test_killed_again_and_again_polls_end_with_the_same_result_for_all(tmp_path: Path) -> None:
    with ForkedRelay(tmp_path / "relay") as relay:
        alice = DeviceProcess(tmp_path / "alice.db", relay).start()
        bob = DeviceProcess(tmp_path / "bob.db", relay).start()
        alice.ask("register", handle="alice")
        bob.ask("register", handle="bob")
        conversation = str(alice.ask("direct", handle="bob")["result"])
        assert bob.ask("direct", handle="alice")["result"] == conversation
        kill_at_random(relay, alice, bob, conversation)
        found = settled(alice, bob, conversation)
        promised = {what: said(alice, what) for what in ("asked", "voted", "closed")}
        alice.stop()
        bob.stop()
    numbers = [int(question) for question, _, _ in found]
    assert numbers == list(range(len(numbers))), "a poll is missing or there twice"
    assert promised["asked"] <= set(numbers)
    assert promised["closed"]
    assert any(len(ballots) == 2 for _, _, ballots in found), "bob never voted"
    for question, is_closed, ballots in found:
        number = int(question)
        assert is_closed or number not in promised["closed"]
        if number in promised["voted"] and is_closed:
            assert [number % 3] in [choices for _, _, choices in ballots], "a vote is lost"


def kill_at_random(
    relay: RelayProcess, alice: DeviceProcess, bob: DeviceProcess, conversation: str
) -> None:
    dice = random.Random(4)
    verbs = {alice: "hold_polls", bob: "vote_on_polls"}
    for device, verb in verbs.items():
        device.tell(do=verb, conversation=conversation)
    for _ in range(KILLS):
        time.sleep(dice.uniform(0.0, 0.4))
        victim = dice.choices((alice, bob, None), [2, 2, 1])[0]
        if victim is None:
            relay.kill()
            relay.start()
            for device in verbs:
                device.ask("reconnect")
        else:
            victim.kill()
            victim.start()
            victim.tell(do=verbs[victim], conversation=conversation)


def settled(alice: DeviceProcess, bob: DeviceProcess, conversation: str) -> Polls:
    """End the asking and the voting by one more kill, and wait until both know the same."""
    for device in (alice, bob):
        device.kill()
        device.start()
    deadline = time.monotonic() + PATIENCE_S
    while True:
        one, other = polls(alice, conversation), polls(bob, conversation)
        states = {state for _, _, ballots in one for _, state, _ in ballots}
        if one == other and "UNOPENED" not in states:
            return one
        assert time.monotonic() < deadline, (one, other)
        time.sleep(0.2)


def polls(device: DeviceProcess, conversation: str) -> Polls:
    found = device.ask("polls", conversation=conversation)["result"]
    assert isinstance(found, list)
    return found


def said(device: DeviceProcess, what: str) -> set[int]:
    return {int(str(line[what])) for line in device.events if what in line}
