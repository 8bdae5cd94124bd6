"""The ways in which a channel does not come about; each has its own error."""

import socket
from pathlib import Path

import anyio
import pytest

from e2ecore_channel import (
    BadAddressError,
    CertificateError,
    ChannelClosedError,
    ChannelError,
    ConnectError,
    HandshakeError,
    NameNotFoundError,
    TlsError,
    UnreachableError,
    accept,
    client_context,
    connect,
    listen,
    server_context,
)
from tests.support.certificates import Certificates, make_certificates
from tests.support.channels import RawHandler, serving

pytestmark = pytest.mark.anyio


# --- the ways in which no connection comes about ------------------------------------------------


async def hang_up(raw: socket.socket) -> None:
    raw.close()


async def hold(raw: socket.socket) -> None:
    with raw:
        await anyio.sleep_forever()


def answering(data: bytes) -> RawHandler:
    async def answer(raw: socket.socket) -> None:
        with raw:
            await anyio.wait_readable(raw)
            raw.recv(65_536)
            raw.send(data)

    return answer


@pytest.mark.parametrize(
    "url",
    ["http://x", "relay", "ws://relay.example", "wss://user:word@relay.example", "wss://[::1"],
)
async def test_an_unusable_address_is_named(url: str) -> None:
    with pytest.raises(BadAddressError):
        await connect(url, None if url.startswith("ws:") else client_context())


async def test_a_connection_without_tls_needs_permission() -> None:
    with pytest.raises(BadAddressError, match="allowed"):
        await connect("ws://127.0.0.1:1", None)
    with pytest.raises(BadAddressError, match="certificates"):
        await connect("wss://127.0.0.1:1", None)


async def test_an_unknown_name_is_named() -> None:
    with pytest.raises(NameNotFoundError):
        await connect("wss://no-such-host.invalid", client_context())


async def test_a_refused_connection_is_named() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(UnreachableError, match="refused"):
            await connect(f"wss://localhost:{unused.getsockname()[1]}", client_context())


async def test_no_answer_in_time_is_named() -> None:
    async with serving(hold) as port:
        with pytest.raises(UnreachableError, match="no answer"):
            await connect(f"wss://localhost:{port}", client_context(), timeout_s=0.05)


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (hang_up, "hung up|reset"),
        (answering(b"HTTP/1.1 404 Not Found\r\n\r\n"), "404"),
        (answering(b"SSH-2.0-OpenSSH_9.2\r\n\r\n"), "does not speak"),
        (answering(b"x" * 20_000), "too long"),
        (
            answering(b"HTTP/1.1 101 Yes\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"),
            "does not speak",
        ),
    ],
)
async def test_what_is_no_relay_is_named(answer: RawHandler, text: str) -> None:
    async with serving(answer) as port:
        with pytest.raises(HandshakeError, match=text):
            await connect(f"ws://localhost:{port}", None, allow_plain_loopback=True)


async def test_a_server_without_tls_is_named() -> None:
    async with serving(answering(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as port:
        with pytest.raises(TlsError):
            await connect(f"wss://localhost:{port}", client_context())


async def try_tls(server: Certificates, ca: Certificates) -> list[ChannelError]:
    """Connect to a server with one certificate, trusting another."""
    seen: list[ChannelError] = []
    refused = anyio.Event()
    context = server_context(server.server_file, server.server_file)

    async def refuse(raw: socket.socket) -> None:
        try:
            await accept(raw, context)
        except ChannelError as error:
            seen.append(error)
            refused.set()

    async with serving(refuse) as port:
        try:
            await connect(f"wss://localhost:{port}", client_context(ca.ca_file))
        except ConnectError as error:
            seen.insert(0, error)
        with anyio.move_on_after(60):
            await refused.wait()
    return seen


@pytest.mark.clause("NPS-5.2.1.4")
async def test_a_certificate_of_a_stranger_is_refused(
    certificates: Certificates, tmp_path: Path
) -> None:
    other = make_certificates(tmp_path)
    client, server = await try_tls(other, certificates)
    assert isinstance(client, CertificateError)
    assert isinstance(server, TlsError | ChannelClosedError)


@pytest.mark.clause("NPS-5.2.1.4")
async def test_a_certificate_for_another_name_is_refused(tmp_path: Path) -> None:
    other = make_certificates(tmp_path, "relay.example")
    client, _ = await try_tls(other, other)
    assert isinstance(client, CertificateError)
    assert "localhost" in str(client)


def test_a_file_without_certificates_is_named(tmp_path: Path) -> None:
    for name in ("missing.pem", "empty.pem"):
        with pytest.raises(BadAddressError, match=name):
            client_context(tmp_path / name)
        (tmp_path / "empty.pem").touch()


# --- the ways in which no client comes about ----------------------------------------------------


async def accepted(data: bytes, *, timeout_s: float = 5.0, end: bool = False) -> ChannelError:
    """What ``accept`` raises when a stranger sends these bytes."""
    ours, theirs = socket.socketpair()
    with theirs:
        theirs.sendall(data)
        if end:
            theirs.shutdown(socket.SHUT_WR)
        with pytest.raises(ChannelError) as caught:
            await accept(ours, None, timeout_s=timeout_s)
        assert ours.fileno() < 0
        return caught.value


UPGRADE = (
    b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", id="a browser"),
        pytest.param(UPGRADE + b"\r\n", id="no subprotocol"),
        pytest.param(UPGRADE + b"Sec-WebSocket-Protocol: chat\r\n\r\n", id="another subprotocol"),
        pytest.param(b"\x16\x03\x01\r\n\r\n", id="no HTTP"),
        pytest.param(b"GET / HTTP/1.1\r\n" + b"x: y\r\n" * 4000, id="endless head"),
    ],
)
async def test_what_is_no_client_is_turned_away(data: bytes) -> None:
    assert isinstance(await accepted(data), HandshakeError)


async def test_who_hangs_up_is_closed() -> None:
    assert isinstance(await accepted(b"GET / HT", end=True), ChannelClosedError)


async def test_who_says_nothing_is_closed_in_time() -> None:
    assert "no handshake" in str(await accepted(b"", timeout_s=0.02))


async def test_frames_right_behind_the_handshake_are_kept() -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        frame = b"\x82\x82" + bytes(4) + b"hi"
        theirs.sendall(UPGRADE + b"Sec-WebSocket-Protocol: e2ecore.v1\r\n\r\n" + frame)
        channel = await accept(ours, None)
        assert channel.peer_address == ""
        assert await channel.receive() == [b"hi"]
        channel.abort()


async def test_a_cancelled_accept_closes_the_socket(certificates: Certificates) -> None:
    context = server_context(certificates.server_file, certificates.server_file)
    ours, theirs = socket.socketpair()
    with theirs, anyio.move_on_after(0.01):
        await accept(ours, context)
    assert ours.fileno() < 0


async def test_a_port_in_use_is_an_error() -> None:
    (first,) = listen("127.0.0.1", 0)
    with first, pytest.raises(OSError, match="in use"):
        listen("127.0.0.1", first.getsockname()[1])


async def test_two_processes_can_share_a_port_when_told() -> None:
    (first,) = listen("127.0.0.1", 0, reuse_port=True)
    (second,) = listen("127.0.0.1", first.getsockname()[1], reuse_port=True)
    assert first.getsockname() == second.getsockname()
    first.close()
    second.close()


async def test_all_addresses_of_a_host_get_the_same_port() -> None:
    listeners = listen("", 0)
    assert len({listener.getsockname()[1] for listener in listeners}) == 1
    for listener in listeners:
        listener.close()
