"""A port for bytes that lies, stalls and babbles: each has a name and bounds in time and memory."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import aclosing, asynccontextmanager, suppress
from itertools import chain, count, repeat

import anyio
import pytest
from anyio.abc import SocketAttribute, SocketStream
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from e2ecore.transport import http_blobs
from e2ecore.transport.blobs import BlobTicket
from e2ecore.transport.errors import (
    BlobRefusedError,
    ConnectionLostError,
    RelayProtocolError,
    RelayUnreachableError,
)
from e2ecore.transport.http_blobs import HttpBlobs

pytestmark = pytest.mark.anyio
Script = Callable[[], Iterator[tuple[float, bytes]]]
"""Seconds to wait, and what to say then."""
WANTED = 100_000
BLOB_ID = b"b" * 16


class Served:
    """What a server has sent, and whether it was hung up on."""

    def __init__(self) -> None:
        self.bytes = 0
        self.connections = 0


def says(*parts: bytes) -> Script:
    return lambda: iter([(0, part) for part in parts])


def forever(head: bytes, part: bytes, pause_s: float = 0) -> Script:
    return lambda: chain([(0, head)], repeat((pause_s, part)))


def head(status: str, *headers: str) -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status}", *headers, "", ""]).encode()


def partial(content_range: str, *headers: str) -> bytes:
    return head("206 Partial Content", f"Content-Range: {content_range}", *headers)


RIGHT = f"bytes 0-{WANTED - 1}/{WANTED}"


@asynccontextmanager
async def server(script: Script) -> AsyncIterator[tuple[BlobTicket, Served]]:
    """Serve one script to whoever asks."""
    served = Served()

    async def serve(stream: SocketStream) -> None:
        served.connections += 1
        async with stream:
            with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError, anyio.EndOfStream):
                asked = b""
                while b"\r\n\r\n" not in asked:
                    asked += await stream.receive()
                for pause_s, part in script():
                    await anyio.sleep(pause_s)
                    await stream.send(part)
                    served.bytes += len(part)
                await stream.send_eof()
                while True:  # a socket that is closed with unread bytes is reset
                    await stream.receive()

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, serve)
        port = listener.extra(SocketAttribute.local_port)  # noqa: S610 - no database
        yield BlobTicket(BLOB_ID, bytes(32), port), served
        tasks.cancel_scope.cancel()


async def download(ticket: BlobTicket) -> int:
    """Fetch everything; return how many bytes came."""
    found = 0
    async with HttpBlobs("127.0.0.1", None).download(ticket, 0, WANTED) as blocks:
        async for block in blocks:
            found += len(block)
            assert found <= WANTED
    return found


async def state_of(ticket: BlobTicket) -> int:
    return (await HttpBlobs("127.0.0.1", None).upload_state(ticket)).offset


async def upload(ticket: BlobTicket) -> int:
    async def blocks() -> AsyncGenerator[bytes, None]:
        for _ in range(4):
            yield bytes(1 << 18)

    async with aclosing(blocks()) as data:
        state = await HttpBlobs("127.0.0.1", None).upload(ticket, 0, data, completes=True)
    return state.offset


CHUNKED = "Transfer-Encoding: chunked"
LENGTH = f"Content-Length: {WANTED}"
DOWNLOADS: dict[str, tuple[Script, type[Exception]]] = {
    "200 to a range": (says(head("200 OK", LENGTH), bytes(WANTED)), RelayProtocolError),
    "no Content-Range": (says(head("206 x", LENGTH), bytes(WANTED)), RelayProtocolError),
    "another start": (says(partial("bytes 1-9/10"), bytes(9)), RelayProtocolError),
    "another end": (says(partial("bytes 0-9/10"), bytes(10)), RelayProtocolError),
    "a unit of its own": (says(partial("lines 0-9/10")), RelayProtocolError),
    "an unknown size": (says(partial(f"bytes 0-{WANTED - 1}/*"), bytes(9)), RelayProtocolError),
    "numbers without end": (says(partial("bytes 0-" + "9" * 5000 + "/1")), RelayProtocolError),
    "an endless body": (
        forever(partial(RIGHT, CHUNKED), b"4000\r\n" + bytes(0x4000) + b"\r\n"),
        RelayProtocolError,
    ),
    "a longer body": (
        says(partial(RIGHT, f"Content-Length: {WANTED + 1}"), bytes(WANTED + 1)),
        RelayProtocolError,
    ),
    "a body cut off": (says(partial(RIGHT, LENGTH), bytes(WANTED - 1)), ConnectionLostError),
    "a chunk without end": (says(partial(RIGHT, CHUNKED), b"f" * 40_000), RelayProtocolError),
    "a redirect": (says(head("302 Found", "Location: http://127.0.0.1:1/")), RelayProtocolError),
    "switching protocols": (says(head("101 x", "Upgrade: echo")), RelayProtocolError),
    "endless headers": (forever(b"HTTP/1.1 206 x\r\n", b"X: " + b"x" * 997 + b"\r\n"),
                        RelayProtocolError),
    "no HTTP": (says(b"\x16\x03\x01\0\0"), RelayProtocolError),
    "nothing": (says(), ConnectionLostError),
    "an endless refusal": (
        forever(head("403 x", CHUNKED), b"400\r\n" + bytes(0x400) + b"\r\n"), RelayProtocolError
    ),
    "a refusal nested 4,000 deep": (
        says(head("403 x", "Content-Length: 4000"), b"[" * 4000), BlobRefusedError
    ),
    "a refusal of one huge number": (
        says(head("403 x", "Content-Length: 4000"), b"9" * 4000), BlobRefusedError
    ),
    "an expired token": (
        says(head("403 x", "Content-Length: 24"), b'{"code":"token_expired"}'), BlobRefusedError
    ),
}  # fmt: skip


@pytest.mark.parametrize("lie", DOWNLOADS)
async def test_what_a_server_should_not_say_to_a_download_has_a_name(lie: str) -> None:
    script, error = DOWNLOADS[lie]
    async with server(script) as (ticket, served):
        with pytest.raises(error):
            await download(ticket)
        assert served.connections == 1, "no redirect is followed, nothing is repeated"


def offset(value: str, complete: str = "?0") -> bytes:
    return head("204 x", f"Upload-Offset: {value}", f"Upload-Complete: {complete}")


@pytest.mark.parametrize(
    "said",
    [
        head("204 x"),
        head("200 OK", "Content-Length: 0"),
        offset("-1"),
        offset("1e3"),
        offset("9" * 20),
        offset("\u00b2"),
        offset("10", "yes"),
        offset("", "?1"),
    ],
)
async def test_an_offset_that_is_none_is_no_answer(said: bytes) -> None:
    async with server(says(said)) as (ticket, _):
        with pytest.raises(RelayProtocolError):
            await state_of(ticket)


async def test_a_server_that_answers_before_the_body_is_heard() -> None:
    refusal = b'{"code":"full"}'
    early = says(head("507 x", f"Content-Length: {len(refusal)}"), refusal)
    async with server(early) as (ticket, _):
        with pytest.raises(BlobRefusedError) as raised:
            await upload(ticket)
        assert raised.value.code == "full"


@pytest.mark.parametrize(
    "script",
    [
        forever(b"", b"HTTP/1.1 100 Continue\r\n\r\n", 0.01),
        forever(b"HTTP/1.1 206 Partial", b"x", 0.01),
        forever(head("403 x", CHUNKED), b"1\r\nx\r\n", 0.01),
        forever(partial(RIGHT, CHUNKED), b"1\r\nx\r\n", 0.01),
        forever(partial(RIGHT, LENGTH), b"", 0.01),
        forever(b"", b"", 0.01),
    ],
    ids=[
        "only interim",
        "a dripping head",
        "a dripping refusal",
        "a dripping body",
        "half",
        "mute",
    ],
)
async def test_who_drips_is_hung_up_on_like_who_is_silent(
    monkeypatch: pytest.MonkeyPatch, script: Script
) -> None:
    monkeypatch.setattr(http_blobs, "SILENCE_S", 0.3)
    async with server(script) as (ticket, served):
        with pytest.raises(ConnectionLostError):
            await download(ticket)
        assert served.bytes < WANTED


async def test_who_does_not_read_is_hung_up_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_blobs, "SILENCE_S", 0.3)
    monkeypatch.setattr(http_blobs, "CONTINUE_S", 0.1)

    async def blocks() -> AsyncGenerator[bytes, None]:
        for _ in count():
            yield bytes(1 << 20)

    async with server(forever(b"", b"", 0.01)) as (ticket, _), aclosing(blocks()) as data:
        with pytest.raises(ConnectionLostError):
            await HttpBlobs("127.0.0.1", None).upload(ticket, 0, data, completes=True)


async def test_a_port_where_nobody_listens_has_a_name() -> None:
    async with server(says()) as (ticket, _):
        pass
    with pytest.raises(RelayUnreachableError):
        await state_of(ticket)


STARTS = (b"", partial(RIGHT, LENGTH), partial(RIGHT, CHUNKED), head("403 x", LENGTH), b"HTTP/1.1 ")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.sampled_from(STARTS), st.binary(max_size=200))
async def test_whatever_a_server_says_is_an_error_of_ours(begin: bytes, rest: bytes) -> None:
    async with server(says(begin, rest)) as (ticket, _):
        with pytest.raises((RelayProtocolError, ConnectionLostError, BlobRefusedError)):
            await download(ticket)
