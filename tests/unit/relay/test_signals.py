"""Signals at the relay: to who is there, at once or not at all, and nothing of them is kept."""

import os
from pathlib import Path

import anyio
import pytest

from e2ecore_protocol.frames import (
    Accepted,
    Conversations,
    Deliver,
    Frame,
    ListConversations,
    Signal,
    Signalled,
)
from e2ecore_protocol.limits import SIGNAL_BYTES
from e2ecore_relay.server.relay import Relay
from tests.support.blob_client import until_true
from tests.support.engines import PATIENCE_S
from tests.support.raw_client import Person, RawClient, online
from tests.support.relay import relay_at, relay_values, where

pytestmark = pytest.mark.anyio
FAST = {"burst": 1_000_000, "per_second": 1_000_000}


def signal(conversation: bytes) -> Signal:
    return Signal(conversation, os.urandom(SIGNAL_BYTES))


async def frames_until_answered(client: RawClient) -> list[Frame]:
    """What a client was sent until now: what comes before the answer to a question."""
    question, found = ListConversations(client.request()), list[Frame]()
    await client.send(question)
    with anyio.fail_after(PATIENCE_S):
        while not isinstance(found[-1] if found else None, Conversations):
            found.append(await client.next())
    return found[:-1]


async def signals_until_answered(client: RawClient) -> list[Frame]:
    return [one for one in await frames_until_answered(client) if isinstance(one, Signalled)]


def dropped(relay: Relay) -> dict[str, int]:
    return dict(relay.hub.metrics.signals_dropped)


async def test_a_signal_reaches_the_others_who_are_there_and_not_its_sender(relay: Relay) -> None:
    bob, carol, dave = Person(), Person(), Person()
    async with online(*where(relay)) as a, online(*where(relay), bob) as b:
        async with online(*where(relay), carol):
            pass  # registered, and gone
        async with online(*where(relay), dave) as stranger:
            group = await a.group(bob, carol)
            one = signal(group)
            await a.send(one)
            got = await b.expect(Signalled)
            assert (got.conversation, got.payload) == (one.conversation, one.payload)
            assert await signals_until_answered(a) == []
            assert await signals_until_answered(stranger) == []
        async with online(*where(relay), carol, register=False) as late:
            assert await signals_until_answered(late) == []
        assert relay.hub.metrics.signals_forwarded == 1


async def test_who_is_no_member_signals_to_nobody(relay: Relay) -> None:
    bob, eve = Person(), Person()
    async with (
        online(*where(relay)) as a,
        online(*where(relay), bob) as b,
        online(*where(relay), eve) as e,
    ):
        group = await a.group(bob, eve)
        await e.wait_for(1)
        await e.send(signal(group))
        await a.expect(Signalled)
        await b.expect(Signalled)
        await a.commit(group, 1, removed=[eve.address])
        await e.send(signal(group), signal(os.urandom(16)))
        await frames_until_answered(e)
        await a.send(signal(group))
        await b.expect(Signalled)
        assert await signals_until_answered(a) == []
        assert await signals_until_answered(e) == []
        await until_true(lambda: dropped(relay) == {"route": 2})


async def test_more_than_the_rate_is_dropped_and_says_nothing(tmp_path: Path) -> None:
    bob, slow = Person(), {"burst": 3, "per_second": 0.001}
    async with (
        relay_at(tmp_path, signals_per_conversation=slow) as relay,
        online(*where(relay)) as a,
        online(*where(relay), bob) as b,
    ):
        one, other = await a.group(bob), await a.group(bob)
        await a.send(*[signal(one) for _ in range(50)])
        await a.send(signal(other))
        assert await frames_until_answered(a) == []
        got = await signals_until_answered(b)
        assert [item.conversation for item in got if isinstance(item, Signalled)] == [
            one, one, one, other
        ]  # fmt: skip
        assert dropped(relay) == {"rate": 47}


async def test_one_device_cannot_signal_in_many_conversations_at_once(tmp_path: Path) -> None:
    bob, slow = Person(), {"burst": 5, "per_second": 0.001}
    async with (
        relay_at(tmp_path, signals_per_device=slow) as relay,
        online(*where(relay)) as a,
        online(*where(relay), bob) as b,
    ):
        groups = [await a.group(bob) for _ in range(8)]
        await a.send(*[signal(one) for one in groups])
        await frames_until_answered(a)
        assert len(await signals_until_answered(b)) == 5
        assert dropped(relay) == {"rate": 3}


async def test_in_a_large_route_nothing_is_forwarded(
    relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    bob = Person()
    monkeypatch.setattr("e2ecore_relay.server.signals.MAX_SIGNAL_READERS", 2)
    async with online(*where(relay)) as a, online(*where(relay), bob) as b:
        async with online(*where(relay), carol := Person()):
            small, large = await a.group(bob), await a.group(bob, carol)
        await a.send(signal(large), signal(small))
        assert (await b.expect(Signalled)).conversation == small
        assert dropped(relay) == {"route": 1}


@pytest.mark.clause("GB42012-8.1.1a")
async def test_nothing_of_a_signal_is_in_the_relays_database(tmp_path: Path) -> None:
    bob = Person()
    async with (
        relay_at(tmp_path) as relay,
        online(*where(relay)) as a,
        online(*where(relay), bob) as b,
    ):
        group = await a.group(bob)
        await frames_until_answered(b)
        commits = relay.hub.store.statistics.commits
        sent = [signal(group) for _ in range(5)]
        for one in sent:
            await a.send(one)
            await b.expect(Signalled)
        assert relay.hub.store.statistics.commits - commits <= 1  # acknowledgements of before
    kept = b"".join(relay_values(tmp_path / "relay"))
    assert not any(one.payload in kept for one in sent)


async def test_after_a_restart_the_route_is_found_again(tmp_path: Path) -> None:
    alice, bob = Person(), Person()
    async with (
        relay_at(tmp_path) as relay,
        online(*where(relay), alice) as a,
        online(*where(relay), bob),
    ):
        group = await a.group(bob)
    async with (
        relay_at(tmp_path) as relay,
        online(*where(relay), alice, register=False) as a,
        online(*where(relay), bob, register=False) as b,
    ):
        await a.send(signal(group))
        assert (await b.expect(Signalled)).conversation == group


async def test_a_reader_who_does_not_read_gets_messages_later_and_signals_never(
    tmp_path: Path,
) -> None:
    bob, carol = Person(), Person()
    fast = {"signals_per_device": FAST, "signals_per_conversation": FAST}
    async with (
        relay_at(tmp_path, **fast) as relay,
        online(*where(relay)) as a,
        online(*where(relay), bob) as b,
        online(*where(relay), carol) as c,
    ):
        group = await a.group(bob, carol)
        await b.wait_for(1)
        session = relay.hub.sessions()[2]
        with anyio.fail_after(PATIENCE_S):
            while not dropped(relay).get("slow"):  # carol does not read: her socket fills up
                await a.send(*[signal(group) for _ in range(500)])
                got = await signals_until_answered(b)
                assert got
        pending = session.out._channel.pending_bytes  # type: ignore[attr-defined]
        assert pending < 64 * 1024
        assert isinstance((await a.submit(group, b"hello"))[0], Accepted)
        assert (await b.wait_for(2))[-1].payload == b"hello"
        assert (await c.wait_for(2))[-1].payload == b"hello"


async def test_a_flood_of_signals_delays_no_message_of_others(relay: Relay) -> None:
    bob, eve = Person(), Person()
    async with (
        online(*where(relay)) as a,
        online(*where(relay), bob) as b,
        online(*where(relay), eve) as e,
    ):
        group = await a.group(bob, eve)
        await b.wait_for(1)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_flood, e, group)
            for number in range(20):
                await a.submit(group, bytes((number,)))
            while len(b.delivered) < 21:
                await b.expect(Deliver)
            tasks.cancel_scope.cancel()
        assert dropped(relay)["rate"] > relay.hub.metrics.signals_forwarded


async def _flood(client: RawClient, conversation: bytes) -> None:
    while True:
        await client.send(*[signal(conversation) for _ in range(200)])
        await anyio.lowlevel.checkpoint()
