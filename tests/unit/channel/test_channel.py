"""Two ends of an open channel on real sockets, with and without TLS, on trio and on asyncio."""

import os
import socket
from contextlib import suppress

import anyio
import anyio.lowlevel
import pytest

from e2ecore_channel import Channel, ChannelClosedError, FramingError, SilenceWatch, keep_alive
from e2ecore_channel.stream import Stream
from e2ecore_protocol.limits import KIB
from tests.support.certificates import Certificates
from tests.support.channels import connected, echo, receive

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["plain", "TLS"])
def security(request: pytest.FixtureRequest, certificates: Certificates) -> Certificates | None:
    return certificates if request.param == "TLS" else None


async def test_messages_come_back_whole_and_in_order(security: Certificates | None) -> None:
    messages = [b"", b"a", os.urandom(126), os.urandom(70_000), *[b"x"] * 300]
    async with connected(echo, security) as channel:
        await channel.send(messages)
        assert await receive(channel, len(messages)) == messages


async def test_a_large_message_passes_both_ways(security: Certificates | None) -> None:
    message = os.urandom(4 << 20)
    async with connected(echo, security) as channel, anyio.create_task_group() as tasks:
        tasks.start_soon(channel.send, [message])
        assert await receive(channel, 1) == [message]


async def test_many_messages_of_one_write_come_as_one_batch(security: Certificates | None) -> None:
    batches: list[int] = []

    async def count(channel: Channel) -> None:
        with suppress(ChannelClosedError):
            while True:
                messages = await channel.receive()
                batches.append(len(messages))
                await channel.send(messages)

    async with connected(count, security) as channel:
        await channel.send([b"m" * 30] * 100)
        await receive(channel, 100)
    assert batches == [100]


async def test_a_goodbye_carries_code_and_reason(security: Certificates | None) -> None:
    async def leave(channel: Channel) -> None:
        await channel.send([b"first this"])
        await channel.aclose(4001, "connected elsewhere")
        assert channel.is_closed

    async with connected(leave, security) as channel:
        assert await channel.receive() == [b"first this"]
        for _ in range(2):
            with pytest.raises(ChannelClosedError) as caught:
                await channel.receive()
            assert (caught.value.code, caught.value.reason) == (4001, "connected elsewhere")
        with pytest.raises(ChannelClosedError):
            await channel.send([b"too late"])


async def test_a_broken_connection_is_closed_with_1006(security: Certificates | None) -> None:
    async def vanish(channel: Channel) -> None:
        channel.abort()

    async with connected(vanish, security) as channel:
        with pytest.raises(ChannelClosedError) as caught:
            await channel.receive()
        assert caught.value.code == 1006


async def test_after_closing_nothing_can_be_sent_or_received(security: Certificates | None) -> None:
    async with connected(echo, security) as channel:
        await channel.aclose()
        await channel.aclose()
        assert channel.is_closed
        assert channel.peer_address == ""
        with pytest.raises(ChannelClosedError):
            await channel.receive()
        for send in (lambda: channel.queue([b"x"]), channel.ping):
            with pytest.raises(ChannelClosedError):
                send()


async def test_closing_wakes_up_who_waits(security: Certificates | None) -> None:
    async with connected(echo, security) as channel, anyio.create_task_group() as tasks:

        async def wait() -> None:
            with pytest.raises(ChannelClosedError):
                await channel.receive()

        tasks.start_soon(wait)
        await anyio.wait_all_tasks_blocked()
        channel.abort()


async def test_a_cancelled_receive_loses_nothing(security: Certificates | None) -> None:
    async with connected(echo, security) as channel:
        with anyio.move_on_after(0.01):
            await channel.receive()
        await channel.send([b"a", b"b"])
        assert await receive(channel, 2) == [b"a", b"b"]


async def test_a_slow_reader_never_holds_up_who_queues(security: Certificates | None) -> None:
    ready = anyio.Event()

    async def slow(channel: Channel) -> None:
        await ready.wait()
        await receive(channel, 200)
        await channel.send([b"all here"])

    async with connected(slow, security) as channel:
        message = os.urandom(65_536)
        pending = [channel.queue([message]) for _ in range(200)]
        assert pending[0] == 0
        assert pending[-1] > 1 << 20
        assert channel.pending_bytes == pending[-1]
        async with anyio.create_task_group() as tasks:
            for _ in range(3):
                tasks.start_soon(channel.drain)
            await anyio.wait_all_tasks_blocked()
            assert channel.is_draining
            ready.set()
        assert channel.pending_bytes == 0
        assert not channel.is_draining
        assert await channel.receive() == [b"all here"]


async def test_send_waits_for_a_slow_reader(security: Certificates | None) -> None:
    async def deaf(_: Channel) -> None:
        await anyio.sleep_forever()

    async with connected(deaf, security) as channel:
        with anyio.move_on_after(0.05) as scope:
            for _ in range(1000):
                await channel.send([bytes(65_536)])
        assert scope.cancelled_caught
        channel.abort()


async def test_a_drain_ends_when_the_reader_goes(security: Certificates | None) -> None:
    go = anyio.Event()

    async def leave(channel: Channel) -> None:
        await go.wait()
        channel.abort()

    async with connected(leave, security) as channel, anyio.create_task_group() as tasks:
        while not channel.queue([bytes(1 << 20)]):
            pass

        async def drain() -> None:
            with pytest.raises(ChannelClosedError):
                await channel.drain()

        tasks.start_soon(drain)
        await anyio.wait_all_tasks_blocked()
        go.set()


async def test_a_message_beyond_the_limit_ends_the_connection(
    security: Certificates | None,
) -> None:
    refused: list[int] = []

    async def strict(channel: Channel) -> None:
        try:
            await channel.receive()
        except FramingError as error:
            refused.append(error.code)

    async with connected(strict, security, limit=1000) as channel:
        await channel.send([bytes(1001)])
        with pytest.raises(ChannelClosedError) as caught:
            await channel.receive()
        assert caught.value.code == 1009
    assert refused == [1009]


async def test_the_limit_can_be_raised_while_open(security: Certificates | None) -> None:
    async def trusting(channel: Channel) -> None:
        await channel.receive()
        channel.max_message_bytes *= 10
        await channel.send([str(channel.max_message_bytes).encode()])
        await echo(channel)

    async with connected(trusting, security, limit=1000) as channel:
        await channel.send([b"who I am"])
        assert await channel.receive() == [b"10000"]
        await channel.send([bytes(5000)])
        assert await receive(channel, 1) == [bytes(5000)]


async def test_pings_are_answered_and_count_as_life(security: Certificates | None) -> None:
    async with connected(echo, security) as channel, anyio.create_task_group() as tasks:
        tasks.start_soon(channel.receive)
        before = channel.reads
        channel.ping()
        with anyio.fail_after(60):
            while channel.reads == before:  # noqa: ASYNC110 - no event tells of a pong
                await anyio.sleep(0.001)
        await channel.send([b"end"])


async def test_a_flood_of_pings_is_bounded() -> None:
    ours, theirs = socket.socketpair()
    channel = Channel(Stream(ours), is_client=False, max_message_bytes=1000)
    theirs.settimeout(0)
    flood = memoryview((b"\x89\xfd" + bytes(4 + 125)) * 10_000)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(channel.receive)
        with theirs:
            for _ in range(50):
                with suppress(BlockingIOError):
                    flood = flood[theirs.send(flood) :]
                await anyio.lowlevel.checkpoint()
            assert 64 * KIB < channel.pending_bytes < 256 * KIB
            tasks.cancel_scope.cancel()
    channel.abort()


async def test_silence_ends_a_watched_connection() -> None:
    watch = SilenceWatch(timeout_s=0.06)

    async def mute(channel: Channel) -> None:
        watch.add(channel)
        with suppress(ChannelClosedError):
            await channel.receive()
        watch.discard(channel)

    async with anyio.create_task_group() as tasks, connected(mute, None) as channel:
        tasks.start_soon(watch.run)
        with pytest.raises(ChannelClosedError):
            await channel.receive()
        tasks.cancel_scope.cancel()


async def test_a_watched_connection_lives_as_long_as_it_talks() -> None:
    watch = SilenceWatch(timeout_s=2)

    async def listen_to(channel: Channel) -> None:
        watch.add(channel)
        await echo(channel)

    async with anyio.create_task_group() as tasks, connected(listen_to, None) as channel:
        tasks.start_soon(watch.run)
        for _ in range(25):
            await channel.send([b"still here"])
            await channel.receive()
            await anyio.sleep(0.1)
        tasks.cancel_scope.cancel()


async def test_the_client_pings_and_gives_up_on_a_dead_server() -> None:
    async def frozen(_: Channel) -> None:
        await anyio.sleep_forever()

    async with connected(frozen, None) as channel:
        await keep_alive(channel, interval_s=0.01, timeout_s=0.05)
        assert channel.is_closed


async def test_keeping_alive_ends_with_the_connection() -> None:
    async def leave(channel: Channel) -> None:
        await channel.receive()
        await channel.aclose()

    async with connected(leave, None) as channel:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(keep_alive, channel)
            await channel.send([b"x"])
            with pytest.raises(ChannelClosedError):
                await channel.receive()
            tasks.cancel_scope.cancel()
        await keep_alive(channel, interval_s=0.01)


async def test_the_other_side_has_an_address(security: Certificates | None) -> None:
    async with connected(echo, security) as channel:
        assert channel.peer_address == "127.0.0.1"
