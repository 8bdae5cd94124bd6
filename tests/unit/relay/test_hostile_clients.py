"""Clients that break rules, over real TLS sockets: they are sent away, nobody else notices."""

import os
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import anyio
import anyio.lowlevel
import pytest

from e2ecore_channel import ChannelClosedError, ChannelError, CloseCode, client_context, connect
from e2ecore_protocol.codec import pack
from e2ecore_protocol.errors import ErrorCode
from e2ecore_protocol.frames import (
    Accepted,
    Ack,
    AcknowledgedLog,
    CaughtUp,
    Committed,
    Conversations,
    Deliver,
    Envelope,
    EnvelopeKind,
    Failed,
    Frame,
    GoAway,
    ListConversations,
    Refused,
    Register,
    Submit,
)
from e2ecore_protocol.limits import (
    MAX_BATCH_ENVELOPES,
    MAX_UNACKED_ENVELOPES,
    MAX_UNAUTHENTICATED_FRAME_BYTES,
)
from e2ecore_relay.server.relay import Relay
from tests.support.raw_client import Person, RawClient, new_envelope_id, online, stranger
from tests.support.relay import relay_at, where

pytestmark = pytest.mark.anyio

HALF_OPEN = 10_000


async def _sent_away(client: RawClient) -> ErrorCode | None:
    """Return the reason the relay gave; None if it just closed."""
    try:
        while True:
            frame = await client.next()
            if isinstance(frame, GoAway):
                return frame.code
    except ChannelError:
        return None


async def _still_works(alice: RawClient, bob: RawClient, chat: bytes) -> None:
    before = len(bob.delivered)
    (result,) = await alice.submit(chat, b"still here")
    assert isinstance(result, Accepted)
    await bob.wait_for(before + 1)


@pytest.mark.parametrize(
    "message",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"\xc1", id="not MessagePack"),
        pytest.param(os.urandom(1000), id="noise"),
        pytest.param(b"\x91\x63", id="unknown type"),
        pytest.param(pack((64,)), id="a frame of relays"),
        pytest.param(b"\x92\xcc\x13\x01", id="not canonical"),
        pytest.param(pack((19, 1, 2)), id="too many fields"),
        pytest.param(pack((16, 1, ())), id="empty batch"),
        pytest.param(pack((18, (((b"", 0),)))), id="acknowledges number 0"),
    ],
)
async def test_a_malformed_frame_ends_the_connection_with_a_reason(
    relay: Relay, message: bytes
) -> None:
    bob = Person()
    async with online(*where(relay)) as alice, online(*where(relay), bob) as b:
        chat = await alice.direct(bob)
        async with online(*where(relay)) as eve:
            await eve.channel.send([message])
            assert await _sent_away(eve) is ErrorCode.MALFORMED
        await _still_works(alice, b, chat)


def _submit(_: Person) -> Frame:
    envelope = Envelope(bytes(16), new_envelope_id(), EnvelopeKind.APPLICATION, 0, 60, b"x")
    return Submit(1, (envelope,))


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(_submit, id="submit"),
        pytest.param(lambda _: ListConversations(1), id="list"),
        pytest.param(lambda _: Ack((AcknowledgedLog(b"", 1),)), id="acknowledge"),
    ],
)
async def test_only_registration_is_heard_before_authentication(
    relay: Relay, make: Callable[[Person], Frame]
) -> None:
    async with stranger(*where(relay)) as eve:
        await eve.send(make(eve.person))
        assert await _sent_away(eve) is ErrorCode.UNAUTHENTICATED


async def test_nobody_authenticates_twice_or_registers_afterwards(relay: Relay) -> None:
    async with online(*where(relay)) as eve:
        await eve.send(eve.proof())
        assert await _sent_away(eve) is ErrorCode.MALFORMED
    async with online(*where(relay)) as eve:
        entries = tuple([entry.encode() for entry in eve.person.entries])
        await eve.send(Register(1, entries, None))
        assert await _sent_away(eve) is ErrorCode.MALFORMED


async def test_strangers_may_send_small_frames_only(relay: Relay) -> None:
    async with stranger(*where(relay)) as eve:
        await eve.channel.send([bytes(MAX_UNAUTHENTICATED_FRAME_BYTES + 1)])
        with pytest.raises(ChannelClosedError) as closed:
            await eve.next()
        assert closed.value.code == CloseCode.TOO_BIG


async def test_a_batch_above_the_limit_is_malformed(relay: Relay) -> None:
    async with online(*where(relay)) as eve:
        envelope = Envelope(bytes(16), new_envelope_id(), EnvelopeKind.APPLICATION, 0, 60, b"x")
        await eve.send(Submit(1, (envelope,) * (MAX_BATCH_ENVELOPES + 1)))
        assert await _sent_away(eve) is ErrorCode.MALFORMED


async def test_a_commit_cannot_travel_in_a_submit(relay: Relay) -> None:
    bob = Person()
    async with online(*where(relay)) as alice, online(*where(relay), bob):
        chat = await alice.direct(bob)
        request = pack((16, 1, ((chat, new_envelope_id(), 3, 1, 60, b"x"),)))
        await alice.channel.send([request])
        assert await _sent_away(alice) is ErrorCode.MALFORMED


async def test_a_sender_above_its_rate_is_told_when_to_come_back(tmp_path: Path) -> None:
    bob = Person()
    limit = {"burst": 10, "per_second": 1}
    async with (
        relay_at(tmp_path, envelopes_per_device=limit) as relay,
        online(*where(relay)) as alice,
        online(*where(relay), bob),
    ):
        chat = await alice.direct(bob)
        results = [(await alice.submit(chat, b"x"))[0] for _ in range(12)]
        refused = [one for one in results if isinstance(one, Refused)]
        assert [one.code for one in refused] == [ErrorCode.RATE_LIMITED] * 2
        assert all(0 < one.retry_after_ms <= 2_000 for one in refused)


async def test_who_commits_without_end_leaves_room_for_others(tmp_path: Path) -> None:
    bob = Person()
    limit = {"burst": 3, "per_second": 0.1}
    async with (
        relay_at(tmp_path, commits_per_conversation=limit) as relay,
        online(*where(relay)) as alice,
        online(*where(relay), bob) as b,
    ):
        group = await alice.group(bob)
        answers = [await alice.commit(group, number) for number in range(1, 4)]
        assert [type(one) for one in answers] == [Committed, Committed, Failed]
        assert isinstance(answers[-1], Failed)
        assert answers[-1].code is ErrorCode.RATE_LIMITED
        assert answers[-1].retry_after_ms > 1_000
        assert isinstance(await b.commit(group, 3), Committed)


async def test_a_reader_that_does_not_acknowledge_gets_one_window_and_is_not_cut_off(
    relay: Relay,
) -> None:
    bob = Person()
    async with online(*where(relay)) as alice, online(*where(relay), bob) as b:
        b.auto_ack = False
        chat = await alice.direct(bob)
        for _ in range(10):
            await alice.submit(chat, *[b"x"] * 100)
        await b.wait_for(MAX_UNACKED_ENVELOPES)
        answer = await b.ask(ListConversations(1), Conversations)
        assert isinstance(answer, Conversations)
        assert len(b.delivered) == MAX_UNACKED_ENVELOPES
        b.auto_ack = True
        await b.acknowledge(b.delivered)
        await b.wait_for(1_001)
        assert [one.seq for one in b.delivered[1:]] == list(range(2, 1_002))


@pytest.mark.slow
async def test_a_reader_that_reads_nothing_holds_up_nobody(relay: Relay) -> None:
    bob, carol = Person(), Person()
    async with (
        online(*where(relay)) as alice,
        online(*where(relay), bob),  # never reads from here on
        online(*where(relay), carol) as c,
    ):
        group = await alice.group(bob, carol)
        before = _resident_bytes()
        for _ in range(40):
            await alice.submit(group, *[bytes(100_000)] * 8)
            await c.wait_for(len(c.delivered) + 1)
        await c.wait_for(321)
        assert _resident_bytes() - before < 150 << 20


async def test_a_client_that_never_acknowledges_is_disconnected_in_the_end(tmp_path: Path) -> None:
    bob = Person()
    async with (
        relay_at(tmp_path, unacknowledged_timeout_s=0.2) as relay,
        online(*where(relay)) as alice,
        online(*where(relay), bob) as b,
    ):
        b.auto_ack = False
        chat = await alice.direct(bob)
        await alice.submit(chat, b"x")
        await b.expect(Deliver)
        assert await _sent_away(b) is ErrorCode.TIMED_OUT
        async with online(*where(relay), bob) as again:
            await again.expect(CaughtUp)
            assert [one.payload for one in again.delivered] == [b"welcome", b"x"]


async def test_who_does_not_authenticate_in_time_is_disconnected(tmp_path: Path) -> None:
    async with (
        relay_at(tmp_path, authentication_timeout_s=0.1) as relay,
        stranger(*where(relay)) as eve,
    ):
        assert await _sent_away(eve) is ErrorCode.TIMED_OUT


async def test_who_does_not_finish_the_handshake_is_disconnected(tmp_path: Path) -> None:
    async with relay_at(tmp_path, handshake_timeout_s=0.1) as relay:
        host, port = _address(relay)
        stream = await anyio.connect_tcp(host, port)
        with anyio.fail_after(60), pytest.raises(anyio.EndOfStream):
            await stream.receive()
        await stream.aclose()


async def test_http_requests_and_plain_websockets_get_no_further(relay: Relay) -> None:
    host, port = _address(relay)
    for request in (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", os.urandom(200)):
        stream = await anyio.connect_tcp(host, port)
        await stream.send(request)
        with anyio.fail_after(60):
            await _drained(stream)


async def test_a_client_that_trusts_another_authority_does_not_connect(
    relay: Relay, tmp_path: Path
) -> None:
    async with relay_at(tmp_path / "other") as other:
        with pytest.raises(ChannelError):
            await connect(relay.url, client_context(where(other)[1]))


async def test_too_many_strangers_crowd_each_other_out_not_those_who_are_known(
    tmp_path: Path,
) -> None:
    bob = Person()
    async with (
        relay_at(tmp_path, max_unauthenticated=5) as relay,
        online(*where(relay)) as alice,
        online(*where(relay), bob) as b,
    ):
        chat = await alice.direct(bob)
        async with stranger(*where(relay)) as oldest:
            others = [await connect(relay.url, client_context(where(relay)[1])) for _ in range(5)]
            assert await _sent_away(oldest) is ErrorCode.RATE_LIMITED
            await _still_works(alice, b, chat)
            async with online(*where(relay)) as newcomer:
                assert isinstance(
                    await newcomer.ask(ListConversations(1), Conversations), Conversations
                )
            for other in others:
                await other.aclose()


@pytest.mark.slow
async def test_ten_thousand_half_open_connections_hurt_nobody(tmp_path: Path) -> None:
    bob = Person()
    async with (
        relay_at(tmp_path) as relay,
        online(*where(relay)) as alice,
        online(*where(relay), bob) as b,
    ):
        chat = await alice.direct(bob)
        host, port = _address(relay)
        before = _resident_bytes()
        sockets: list[socket.socket] = []
        try:
            for count in range(HALF_OPEN):
                half = socket.socket()
                half.setblocking(False)  # noqa: FBT003
                half.connect_ex((host, port))
                sockets.append(half)
                if count % 100 == 0:
                    await anyio.lowlevel.checkpoint()
                if count % 1_000 == 0:
                    await _still_works(alice, b, chat)
            await _still_works(alice, b, chat)
            async with online(*where(relay)) as newcomer:
                assert isinstance(
                    await newcomer.ask(ListConversations(1), Conversations), Conversations
                )
            assert _resident_bytes() - before < 100 << 20
            assert relay.connections <= relay.hub.config.max_unauthenticated + 32  # being closed
        finally:
            for half in sockets:
                half.close()


async def _drained(stream: anyio.abc.SocketStream) -> None:
    """Read until the other side ends the connection."""
    async with stream:
        with suppress(anyio.BrokenResourceError):
            async for _ in stream:
                pass


def _resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def _address(relay: Relay) -> tuple[str, int]:
    target = urlsplit(relay.url)
    assert target.hostname
    assert target.port
    return target.hostname, target.port
