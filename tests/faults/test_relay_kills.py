"""SIGKILL of a real relay in the middle of the load: what was accepted is there, once, in order."""

import os
from pathlib import Path

import anyio
import pytest

from e2ecore_channel import ChannelError
from e2ecore_protocol.errors import ErrorCode
from e2ecore_protocol.frames import (
    Accepted,
    CaughtUp,
    Deliver,
    Envelope,
    EnvelopeKind,
    Refused,
    Submit,
    Submitted,
)
from tests.support.processes import RelayProcess
from tests.support.raw_client import Person, RawClient, new_envelope_id, online

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

ROUNDS = 8
IN_FLIGHT = 16
BATCH = 5


@pytest.fixture
def anyio_backend() -> str:
    return "trio"


class Tally:
    """What one sender was told, and what its reader got."""

    def __init__(self) -> None:
        self.chat = b""
        self.accepted: dict[bytes, int] = {}
        self.unanswered: dict[int, tuple[Envelope, ...]] = {}
        self.received: dict[int, bytes] = {}


async def _send(client: RawClient, tally: Tally) -> None:
    """Keep submits in flight until the relay dies; first those that were never answered."""
    for request, envelopes in tally.unanswered.items():
        await client.send(Submit(request, envelopes))
    number = max(tally.unanswered, default=0)
    while True:
        while len(tally.unanswered) < IN_FLIGHT:
            number += 1
            envelopes = tuple([_envelope(tally.chat) for _ in range(BATCH)])
            tally.unanswered[number] = envelopes
            await client.send(Submit(number, envelopes))
        answer = await client.expect(Submitted)
        for envelope, result in zip(
            tally.unanswered.pop(answer.request), answer.results, strict=True
        ):
            if isinstance(result, Refused) and result.code is ErrorCode.RATE_LIMITED:
                await anyio.sleep(result.retry_after_ms / 1000)  # a fast machine: go on with others
                continue
            assert isinstance(result, Accepted)
            assert tally.accepted.setdefault(envelope.envelope_id, result.seq) == result.seq


def _envelope(chat: bytes) -> Envelope:
    return Envelope(chat, new_envelope_id(), EnvelopeKind.APPLICATION, 1, 86_400, os.urandom(200))


async def _receive(client: RawClient, tally: Tally) -> None:
    """Keep what comes; acknowledge every other batch."""
    client.auto_ack = False
    batches = 0
    while True:
        client.delivered.clear()
        await client.expect(Deliver)
        for one in client.delivered:
            if one.log_id:
                assert tally.received.setdefault(one.seq, one.envelope_id) == one.envelope_id
        batches += 1
        if batches % 2:
            await client.acknowledge(client.delivered)


async def _until_killed(relay: RelayProcess, sender: Person, reader: Person, tally: Tally) -> None:
    async def play(person: Person, part: str) -> None:
        try:
            async with online(relay.url, relay.ca, person) as client:
                await (_send if part == "send" else _receive)(client, tally)
        except (ChannelError, BaseExceptionGroup):
            return

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(play, sender, "send")
        tasks.start_soon(play, reader, "receive")
        await anyio.sleep(0.2 + os.urandom(1)[0] / 400)
        relay.kill()


async def test_no_accepted_envelope_is_lost_or_doubled_by_sigkill(tmp_path: Path) -> None:
    sender, reader, tally = Person(), Person(), Tally()
    with RelayProcess(tmp_path / "relay") as relay:
        async with (
            online(relay.url, relay.ca, reader),
            online(relay.url, relay.ca, sender) as client,
        ):
            tally.chat = await client.direct(reader)
        for _ in range(ROUNDS):
            await _until_killed(relay, sender, reader, tally)
            relay.start()
        async with online(relay.url, relay.ca, reader) as client:
            await client.expect(CaughtUp)
            for one in client.delivered:
                if one.log_id:
                    assert tally.received.setdefault(one.seq, one.envelope_id) == one.envelope_id
    assert len(tally.accepted) > ROUNDS * IN_FLIGHT
    by_id = {envelope_id: seq for seq, envelope_id in tally.received.items()}
    assert len(by_id) == len(tally.received), "an envelope has two numbers"
    assert {one: by_id.get(one) for one in tally.accepted} == tally.accepted
    assert sorted(tally.received) == list(range(2, max(tally.received) + 1)), "a number is missing"
