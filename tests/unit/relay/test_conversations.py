"""Who gets what, over real sockets."""

import os
from pathlib import Path

import pytest

from e2ecore_protocol.errors import ErrorCode
from e2ecore_protocol.frames import (
    Accepted,
    Ack,
    AcknowledgedLog,
    CaughtUp,
    Committed,
    ConversationKind,
    Conversations,
    Deliver,
    EnvelopeKind,
    Failed,
    GoAway,
    LeaveConversation,
    ListConversations,
    Ok,
    Refused,
    RouteChange,
    direct_conversation_id,
)
from e2ecore_relay.server.relay import Relay
from tests.support.raw_client import Person, RawClient, new_envelope_id, online
from tests.support.relay import relay_at, where

pytestmark = pytest.mark.anyio


async def _payloads(client: RawClient, count: int) -> list[bytes]:
    return [one.payload for one in await client.wait_for(count)]


async def test_a_message_reaches_everybody_but_its_sender(relay: Relay) -> None:
    bob, carol = Person(), Person()
    async with (
        online(*where(relay)) as alice,
        online(*where(relay), bob) as b,
        online(*where(relay), carol) as c,
    ):
        group = await alice.group(bob, carol)
        assert await alice.submit(group, b"one", b"two") == tuple(
            [
                Accepted(seq, result.time_ms)
                for seq, result in zip((2, 3), await _times(b), strict=True)
            ]
        )
        for client in (b, c):
            assert await _payloads(client, 3) == [b"welcome", b"one", b"two"]
            assert [one.seq for one in client.delivered] == [1, 2, 3]
        assert (await b.submit(group, b"three"))[0][0] == 4
        await alice.wait_for(1)
        assert [one.payload for one in alice.delivered] == [b"three"]


async def _times(client: RawClient) -> list[Accepted]:
    await client.wait_for(3)
    return [Accepted(one.seq, one.time_ms) for one in client.delivered if one.log_id]


async def test_what_was_not_acknowledged_comes_again_and_then_the_device_is_caught_up(
    relay: Relay,
) -> None:
    bob = Person()
    async with online(*where(relay)) as alice:
        async with online(*where(relay), bob) as b:
            b.auto_ack = False
            chat = await alice.direct(bob)
            await alice.submit(chat, b"one", b"two", b"three")
            first = list(await b.wait_for(4))
            await b.acknowledge(first[:2])
            assert isinstance(await b.ask(ListConversations(9), Conversations), Conversations)
        async with online(*where(relay), bob) as b:
            await b.expect(CaughtUp)
            assert [one.payload for one in b.delivered] == [b"two", b"three"]


async def test_a_backlog_larger_than_the_window_is_paged_in_order(relay: Relay) -> None:
    bob = Person()
    async with online(*where(relay)) as alice, online(*where(relay), bob) as b:
        chat = await alice.direct(bob)
        await b.channel.aclose()
        for start in range(0, 2_000, 200):
            await alice.submit(chat, *[b"%d" % n for n in range(start, start + 200)])
        async with online(*where(relay), bob) as again:
            await again.expect(CaughtUp)
            texts = [one.payload for one in again.delivered if one.log_id]
            assert texts == [b"%d" % n for n in range(2_000)]


async def test_large_envelopes_pass_one_by_one(relay: Relay) -> None:
    bob = Person()
    async with online(*where(relay)) as alice, online(*where(relay), bob) as b:
        chat = await alice.direct(bob)
        large = os.urandom(1 << 20)
        for _ in range(3):
            assert isinstance((await alice.submit(chat, large))[0], Accepted)
        assert await _payloads(b, 4) == [b"welcome", large, large, large]


async def test_a_removed_member_reads_up_to_its_removal_and_nothing_more(relay: Relay) -> None:
    bob, carol = Person(), Person()
    async with (
        online(*where(relay)) as alice,
        online(*where(relay), bob) as b,
        online(*where(relay), carol) as c,
    ):
        group = await alice.group(bob, carol)
        await alice.submit(group, b"before")
        assert isinstance(await alice.commit(group, 1, removed=[bob.address]), Committed)
        await alice.submit(group, b"after", epoch=2)
        assert await _payloads(c, 4) == [b"welcome", b"before", b"commit", b"after"]
        assert await _payloads(b, 3) == [b"welcome", b"before", b"commit"]
        assert b.delivered[-1].extra == RouteChange((), (bob.address,), alice.person.address)
        assert await b.submit(group, b"still here?") == (Refused(ErrorCode.NOT_A_MEMBER, 0, None),)
        refused = await b.commit(group, 2, removed=[carol.address])
        assert isinstance(refused, Failed)
        assert refused.code is ErrorCode.NOT_A_MEMBER
    async with online(*where(relay), bob) as b:
        await b.expect(CaughtUp)
        assert b.delivered == []
        answer = await b.ask(ListConversations(1), Conversations)
        assert answer == Conversations(1, ())


async def test_a_member_that_returns_never_sees_what_was_said_without_it(relay: Relay) -> None:
    bob = Person()
    async with online(*where(relay)) as alice:
        async with online(*where(relay), bob):
            group = await alice.group(bob)
        await alice.submit(group, b"for bob")
        await alice.commit(group, 1, removed=[bob.address])
        await alice.submit(group, b"not for bob", epoch=2)
        await alice.commit(group, 2, added=[bob.address])
        await alice.submit(group, b"for bob again", epoch=3)
        async with online(*where(relay), bob) as b:
            await b.expect(CaughtUp)
            texts = [one.payload for one in b.delivered if one.log_id]
            assert texts == [b"for bob", b"commit", b"for bob again"]


async def test_only_one_commit_wins_an_epoch(relay: Relay) -> None:
    bob = Person()
    async with online(*where(relay)) as alice, online(*where(relay), bob) as b:
        group = await alice.group(bob)
        assert isinstance(await alice.commit(group, 1), Committed)
        lost = await b.commit(group, 1)
        assert isinstance(lost, Failed)
        assert (lost.code, lost.data) == (ErrorCode.STALE_EPOCH, 2)
        early = await b.commit(group, 7)
        assert isinstance(early, Failed)
        assert (early.code, early.data) == (ErrorCode.FUTURE_EPOCH, 2)


async def test_a_repeat_gets_the_first_answer_also_after_a_restart(tmp_path: Path) -> None:
    bob, alice = Person(), Person()
    ids = [new_envelope_id(), new_envelope_id()]
    async with (
        relay_at(tmp_path) as relay,
        online(*where(relay), bob),
        online(*where(relay), alice) as a,
    ):
        chat = await a.direct(bob)
        first = await a.submit(chat, b"one", b"two", ids=ids)
        assert await a.submit(chat, b"one", b"two", ids=ids) == first
        done = await a.commit(chat, 1, envelope_id=ids[0])
        assert isinstance(done, Committed)
        assert done.seq == first[0][0]
    async with relay_at(tmp_path) as relay, online(*where(relay), alice) as a:
        assert await a.submit(chat, b"one", b"two", ids=ids) == first


async def test_envelopes_of_old_and_future_epochs_are_refused_with_the_current_one(
    relay: Relay,
) -> None:
    bob = Person()
    async with online(*where(relay)) as alice, online(*where(relay), bob):
        group = await alice.group(bob)
        for epoch in range(1, 5):
            await alice.commit(group, epoch)
        assert isinstance((await alice.submit(group, b"x", epoch=3))[0], Accepted)
        stale = Refused(ErrorCode.STALE_EPOCH, 0, 5)
        assert await alice.submit(group, b"x", epoch=2) == (stale,)
        assert await alice.submit(group, b"x", epoch=4, kind=EnvelopeKind.PROPOSAL) == (stale,)
        readd = await alice.submit(group, b"x", epoch=1, kind=EnvelopeKind.READD_REQUEST)
        assert isinstance(readd[0], Accepted)
        future = Refused(ErrorCode.FUTURE_EPOCH, 0, 5)
        assert await alice.submit(group, b"x", epoch=6) == (future,)


async def test_two_people_get_one_direct_conversation(relay: Relay) -> None:
    alice, bob, eve = Person(), Person(), Person()
    async with (
        online(*where(relay), alice) as a,
        online(*where(relay), bob) as b,
        online(*where(relay), eve) as e,
    ):
        name = await a.direct(bob)
        second = await b.commit(name, 0, create=ConversationKind.DIRECT, added=[alice.address])
        assert isinstance(second, Failed)
        assert second.code is ErrorCode.CONVERSATION_EXISTS
        other = direct_conversation_id(alice.account_id, bob.account_id, 1)
        stolen = await e.commit(other, 0, create=ConversationKind.DIRECT, added=[bob.address])
        assert isinstance(stolen, Failed)
        assert stolen.code is ErrorCode.MALFORMED
        squatted = await e.commit(other, 0, create=ConversationKind.GROUP, added=[bob.address])
        assert isinstance(squatted, Failed)
        assert squatted.code is ErrorCode.MALFORMED
        third = await a.commit(name, 1, added=[eve.address])
        assert isinstance(third, Failed)
        assert third.code is ErrorCode.MALFORMED


async def test_strangers_and_unknown_conversations_are_refused(relay: Relay) -> None:
    bob = Person()
    async with (
        online(*where(relay)) as alice,
        online(*where(relay), bob),
        online(*where(relay)) as eve,
    ):
        chat = await alice.direct(bob)
        assert await eve.submit(chat, b"x") == (Refused(ErrorCode.NOT_A_MEMBER, 0, None),)
        unknown = Refused(ErrorCode.UNKNOWN_CONVERSATION, 0, None)
        assert await eve.submit(os.urandom(16), b"x") == (unknown,)
        left = await eve.ask(LeaveConversation(5, chat), Ok)
        assert isinstance(left, Failed)
        assert left.code is ErrorCode.NOT_A_MEMBER


async def test_nobody_can_acknowledge_for_another(relay: Relay) -> None:
    bob, eve = Person(), Person()
    async with online(*where(relay)) as alice, online(*where(relay), eve) as e:
        async with online(*where(relay), bob) as b:
            b.auto_ack = False
            chat = await alice.direct(bob)
            await alice.submit(chat, b"for bob")
            await b.wait_for(2)
            await e.send(Ack((AcknowledgedLog(chat, 2), AcknowledgedLog(b"", 1))))
            await e.ask(ListConversations(1), Conversations)
        async with online(*where(relay), bob) as b:
            await b.expect(CaughtUp)
            assert [one.payload for one in b.delivered] == [b"welcome", b"for bob"]


async def test_leaving_drops_the_route_at_once(relay: Relay) -> None:
    bob = Person()
    async with online(*where(relay)) as alice, online(*where(relay), bob) as b:
        group = await alice.group(bob)
        assert await b.ask(LeaveConversation(3, group), Ok) == Ok(3)
        await alice.submit(group, b"gone")
        assert await b.submit(group, b"x") == (Refused(ErrorCode.NOT_A_MEMBER, 0, None),)
        assert [one.payload for one in b.delivered if one.log_id] == []


async def test_a_newer_connection_of_a_device_replaces_the_older(relay: Relay) -> None:
    bob = Person()
    async with online(*where(relay), bob) as first, online(*where(relay), bob) as second:
        while not isinstance(frame := await first.next(), GoAway):
            assert not isinstance(frame, Deliver)
        assert frame.code is ErrorCode.CONNECTED_ELSEWHERE
        assert isinstance(await second.ask(ListConversations(1), Conversations), Conversations)


@pytest.mark.slow
async def test_a_stopping_relay_says_when_to_come_back(tmp_path: Path) -> None:
    async with relay_at(tmp_path, reconnect_spread_s=1.0) as relay:
        client = online(*where(relay))
        alice = await client.__aenter__()
    await alice.expect(CaughtUp)
    frame = await alice.next()
    assert isinstance(frame, GoAway)
    assert frame.code is ErrorCode.SHUTTING_DOWN
    assert 0 <= frame.retry_after_ms <= 1_000
    await client.__aexit__(None, None, None)


async def test_a_request_to_be_added_again_comes_from_outside_and_to_its_sender_too(
    relay: Relay,
) -> None:
    """In groups only: whoever knows two people can compute where they talk."""
    bob, carol = Person(), Person()
    async with (
        online(*where(relay)) as alice,
        online(*where(relay), bob) as b,
        online(*where(relay), carol) as c,
    ):
        group = await alice.group(bob, carol)
        await alice.commit(group, 1, removed=[bob.address])
        (taken,) = await b.submit(group, b"let me in", epoch=2, kind=EnvelopeKind.READD_REQUEST)
        assert isinstance(taken, Accepted)
        long = b"x" * 513
        (refused,) = await b.submit(group, long, epoch=2, kind=EnvelopeKind.READD_REQUEST)
        assert refused == Refused(ErrorCode.NOT_A_MEMBER, 0, None)
        await c.submit(group, b"me too", epoch=2, kind=EnvelopeKind.READD_REQUEST)
        assert await _payloads(c, 4) == [b"welcome", b"commit", b"let me in", b"me too"]
        chat = await alice.direct(carol)
        (refused,) = await b.submit(chat, b"let me in", epoch=1, kind=EnvelopeKind.READD_REQUEST)
        assert refused == Refused(ErrorCode.NOT_A_MEMBER, 0, None)


async def test_an_added_device_that_is_in_the_route_already_stays_in_it(relay: Relay) -> None:
    bob = Person()
    async with online(*where(relay)) as alice, online(*where(relay), bob) as b:
        group = await alice.group(bob)
        assert isinstance(await alice.commit(group, 1, added=[bob.address]), Committed)
        assert await _payloads(b, 3) == [b"welcome", b"commit", b"welcome"]
