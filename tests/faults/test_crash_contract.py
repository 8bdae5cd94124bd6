"""SIGKILL of sender, receiver and relay at random points.

Every message that was promised arrives exactly once, in order; nothing acknowledged is lost; and no
key meets two plaintexts: every ciphertext that ever left a device is decrypted as far as its sender
data, and no two different ones name the same epoch, leaf and generation.
"""

import random  # noqa: TID251
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from e2ecore.mls.group import Group
from e2ecore.mls.message import decode_message
from e2ecore.mls.private_message import PrivateMessage
from e2ecore.storage import conversations, mls_rows
from e2ecore.storage.database import Database
from e2ecore.storage.tx import Tx
from e2ecore.testing.devices import PASSPHRASE
from e2ecore_protocol.frames.delivery import Envelope, EnvelopeKind
from tests.support.processes import DeviceProcess, ForkedRelay, RelayProcess
from tests.support.recording import submitted

pytestmark = [pytest.mark.slow, pytest.mark.clause("GB42012-8.1.1c")]

KILLS = 200
RENEWALS = (60, 120, 180)
"""After so many kills a new epoch begins; the keys of all these epochs are kept to the end."""
SEED = 20261122
LAST = "the last one"
ALARMS = {
    "ContactChainInvalid",
    "ConversationHealing",
    "EnvelopeQuarantined",
    "EventsDropped",
    "IntentFailed",
    "MessageFailed",
    "MessagesExpired",
    "MessagesMissing",
}
PATIENCE_S = 120


def test_two_hundred_kills_lose_nothing_and_double_nothing(tmp_path: Path) -> None:
    with ForkedRelay(tmp_path / "relay") as relay:
        alice = DeviceProcess(tmp_path / "alice.db", relay).start()
        bob = DeviceProcess(tmp_path / "bob.db", relay).start()
        alice.ask("register", handle="alice")
        bob.ask("register", handle="bob")
        conversation = str(alice.ask("direct", handle="bob")["result"])
        kill_at_random(relay, alice, bob, conversation)
        written = stop_writing(alice, conversation)
        got = everything(bob, conversation)
        alice.stop()
        bob.stop()
    assert written == [*map(str, range(len(written) - 1)), LAST], "gaps at the sender"
    promised = {int(str(line["number"])) for line in alice.events if line["kind"] == "sent"}
    assert promised <= set(range(len(written) - 1)), "a message that was promised is gone"
    assert len(promised) > KILLS
    assert got == written, "not exactly once and in order"
    assert alarms(alice, bob) == []
    assert_no_key_was_used_twice((alice, bob), bytes.fromhex(conversation))


def kill_at_random(
    relay: RelayProcess, alice: DeviceProcess, bob: DeviceProcess, conversation: str
) -> None:
    dice = random.Random(SEED)
    victims: tuple[DeviceProcess | RelayProcess, ...] = (alice, bob, relay)
    alice.tell(do="flood", conversation=conversation)
    for number in range(KILLS):
        time.sleep(dice.uniform(0.0, 0.25))
        victim = dice.choices(victims, [2, 2, 1])[0]
        victim.kill()
        victim.start()
        if victim is alice:
            alice.tell(do="flood", conversation=conversation)
        elif victim is relay:
            for device in (alice, bob):
                device.ask("reconnect")
        if number in RENEWALS:
            alice.ask("renew", conversation=conversation)


def stop_writing(alice: DeviceProcess, conversation: str) -> list[object]:
    """End the flood by one more kill, add a last message, and return what is stored."""
    alice.kill()
    alice.start()
    alice.ask("send", conversation=conversation, text=LAST)
    written = alice.ask("texts", conversation=conversation)["result"]
    assert isinstance(written, list)
    return written


def everything(bob: DeviceProcess, conversation: str) -> list[object]:
    """Wait for the last message, and return what is stored."""
    deadline = time.monotonic() + PATIENCE_S
    while (newest := bob.ask("newest", conversation=conversation)["result"]) != LAST:
        assert time.monotonic() < deadline, f"{newest} is the last that came; {alarms(bob)}"
        time.sleep(0.1)
    got = bob.ask("texts", conversation=conversation)["result"]
    assert isinstance(got, list)
    return got


def alarms(*devices: DeviceProcess) -> list[object]:
    lines = [line for device in devices for line in device.events]
    return [line["text"] for line in lines if line.get("event") in ALARMS]


def assert_no_key_was_used_twice(devices: tuple[DeviceProcess, ...], conversation: bytes) -> None:
    """Look into every application message that ever left a device, as far as its sender data."""
    envelopes = [one for device in devices for one in submitted(device.sent_frames())]
    messages = [one for one in envelopes if one.kind == EnvelopeKind.APPLICATION]
    contents: dict[tuple[bytes, int], bytes] = {}
    keys: dict[Key, bytes] = {}
    for envelope, key in zip(messages, keys_of(devices[0], conversation, messages), strict=True):
        place = envelope.envelope_id, envelope.epoch
        assert contents.setdefault(place, envelope.payload) == envelope.payload, place
        assert keys.setdefault(key, envelope.payload) == envelope.payload, key
    assert {(key.epoch, key.leaf) for key in keys} == {
        (epoch, leaf) for epoch in range(1, len(RENEWALS) + 2) for leaf in range(2)
    }, "not everything was looked at"


class Key(NamedTuple):
    """Names one key and nonce of a conversation."""

    epoch: int
    leaf: int
    generation: int


def keys_of(device: DeviceProcess, conversation: bytes, envelopes: Sequence[Envelope]) -> list[Key]:
    """Return which key each message was encrypted with, by a member's own database."""

    def work(tx: Tx) -> list[Key]:
        row = conversations.by_uid(tx, conversation)
        assert row is not None
        group = Group.load(mls_rows.MlsRows(tx, row.cid))
        return [key_of(group, one.payload) for one in envelopes]

    database = Database.open(device.database, PASSPHRASE)
    try:
        return database.readers.read(work)
    finally:
        database.close()


def key_of(group: Group, payload: bytes) -> Key:
    message = decode_message(payload)
    assert isinstance(message, PrivateMessage)
    leaf, generation, _guard = group._state.message_keys(message.epoch).open_sender(message)
    return Key(message.epoch, leaf, generation)
