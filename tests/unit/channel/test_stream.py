"""What the operating system and TLS can do to a stream in mid-life."""

import errno
import socket
import ssl
from contextlib import closing

import anyio
import pytest

from e2ecore_channel import (
    Channel,
    ChannelClosedError,
    TlsError,
    accepting,
    client_context,
    connecting,
    serve,
    server_context,
)
from e2ecore_channel.pump import TlsPump
from e2ecore_channel.stream import Stream
from tests.support.certificates import Certificates

pytestmark = pytest.mark.anyio


def reset(victim: socket.socket) -> None:
    """Make the other side see a reset connection."""
    victim.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
    victim.close()


def tcp_pair() -> tuple[socket.socket, socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        one = socket.create_connection(listener.getsockname())
        other, _ = listener.accept()
    return one, other


async def test_a_reset_connection_is_closed_when_reading_and_when_writing() -> None:
    ours, theirs = tcp_pair()
    stream = Stream(ours)
    reset(theirs)
    with pytest.raises(ChannelClosedError, match="reset"):
        await stream.read()
    with pytest.raises(ChannelClosedError):
        stream.put(b"x")
    stream.end()
    stream.close()


async def test_a_read_that_woke_up_for_nothing_waits_again() -> None:
    ours, theirs = socket.socketpair()

    class Sleepy(socket.socket):
        woken = False

        def recv(self, *args: int) -> bytes:
            if not self.woken:
                self.woken = True
                raise BlockingIOError
            return super().recv(*args)

    with theirs, closing(Stream(Sleepy(fileno=ours.detach()))) as stream:
        theirs.send(b"x")
        assert await stream.read() == b"x"


async def test_ending_with_bytes_pending_keeps_the_connection_open() -> None:
    ours, theirs = socket.socketpair()
    with theirs, closing(Stream(ours)) as stream:
        stream.put(bytes(1 << 22))
        stream.end()
        assert stream.pending_bytes
        theirs.recv(1)
        stream.put(b"x")


async def test_a_reply_to_a_goodbye_is_sent_once() -> None:
    ours, theirs = socket.socketpair()
    goodbye = b"\x88\x82" + bytes(4) + (1000).to_bytes(2)
    with theirs:
        channel = Channel(Stream(ours), is_client=False, max_message_bytes=10)
        channel._goodbye(1001, "")
        theirs.send(goodbye)
        with pytest.raises(ChannelClosedError):
            await channel.receive()
        assert theirs.recv(100) == b"\x88\x02" + (1001).to_bytes(2)
        await channel.aclose()


def pumps(certificates: Certificates) -> tuple[TlsPump, TlsPump]:
    """Two sides that trust each other."""
    server = TlsPump(
        server_context(certificates.server_file, certificates.server_file),
        server_side=True,
        server_name=None,
    )
    client = TlsPump(
        client_context(certificates.ca_file), server_side=False, server_name="localhost"
    )
    client.shake_hands(b"")
    server.shake_hands(client.take())
    assert client.shake_hands(server.take())
    assert server.shake_hands(client.take())
    return client, server


@pytest.mark.clause("NPS-5.2.1.4")
def test_tampered_records_are_refused(certificates: Certificates) -> None:
    client, server = pumps(certificates)
    sealed = bytearray(client.seal(b"secret"))
    sealed[-1] ^= 1
    with pytest.raises(ChannelClosedError, match="tls"):
        server.open(bytes(sealed))


def test_records_are_opened_when_they_are_whole(certificates: Certificates) -> None:
    client, server = pumps(certificates)
    sealed = client.seal(bytes(40_000)) + client.seal(b"x")
    opened = [server.open(sealed[at : at + 1000]) for at in range(0, len(sealed), 1000)]
    assert opened[0] == b""
    assert b"".join(opened) == bytes(40_000) + b"x"
    assert server.take() == b""


def test_the_end_of_tls_is_no_data(certificates: Certificates) -> None:
    client, server = pumps(certificates)
    assert server.open(client.end()) == b""
    with pytest.raises(ChannelClosedError):
        client.seal(b"more")


def test_a_client_of_an_old_version_is_refused(certificates: Certificates) -> None:
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname = False
    old.verify_mode = ssl.CERT_NONE
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    client = TlsPump(old, server_side=False, server_name="localhost")
    client.shake_hands(b"")
    server = TlsPump(
        server_context(certificates.server_file, certificates.server_file),
        server_side=True,
        server_name=None,
    )
    with pytest.raises(TlsError):
        server.shake_hands(client.take())
    assert server.take()  # the alert that says why


class Exhausted(socket.socket):
    """A listening socket of a process that has no file descriptors left, at first."""

    errors: list[int]

    def accept(self) -> tuple[socket.socket, object]:
        if self.errors:
            raise OSError(self.errors.pop(), "no")
        return super().accept()


async def test_a_server_without_file_descriptors_waits_and_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(accepting, "_NO_FILES_PAUSE_S", 0.001)
    with socket.create_server(("127.0.0.1", 0)) as opened:
        listener = Exhausted(fileno=opened.detach())
    listener.settimeout(0)
    listener.errors = [errno.EMFILE, errno.ECONNABORTED]
    handled = anyio.Event()

    async def handle(connected: socket.socket) -> None:
        connected.close()
        handled.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(serve, listener, handle)
        with socket.create_connection(listener.getsockname()):
            await handled.wait()
        tasks.cancel_scope.cancel()


async def test_a_failed_accept_leaves_no_socket_open(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_listen(*_: object) -> None:
        raise OSError(errno.EADDRINUSE, "in use")

    monkeypatch.setattr(socket.socket, "listen", no_listen)
    with pytest.raises(OSError, match="in use"):
        accepting.listen("127.0.0.1", 0)


async def test_an_address_that_does_not_answer_is_left_behind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connecting, "NEXT_ADDRESS_S", 0.01)
    with (
        socket.create_server(("127.0.0.1", 0)) as good,
        socket.create_server(("127.0.0.1", 0), backlog=0) as full,
    ):
        fillers = [socket.socket() for _ in range(3)]
        for filler in fillers:
            filler.settimeout(0)
            filler.connect_ex(full.getsockname())

        async def two_addresses(*_: object) -> list[tuple[int, tuple[str, int]]]:
            return [
                (int(socket.AF_INET), full.getsockname()),
                (int(socket.AF_INET), good.getsockname()),
            ]

        monkeypatch.setattr(connecting, "_resolve", two_addresses)
        with anyio.fail_after(60):
            found = await connecting._open_socket("relay.example", 443)
        assert found.getpeername() == good.getsockname()
        for one in (*fillers, found):
            one.close()


async def test_addresses_alternate_between_families(monkeypatch: pytest.MonkeyPatch) -> None:
    v6, v4 = int(socket.AF_INET6), int(socket.AF_INET)

    async def found(*_: object, **__: object) -> list[tuple[int, int, int, str, tuple[str, int]]]:
        return [
            (family, 1, 6, "", (name, 443)) for family, name in ((v6, "a"), (v6, "b"), (v4, "c"))
        ]

    monkeypatch.setattr(anyio, "getaddrinfo", found)
    addresses = await connecting._resolve("relay.example", 443)
    assert [address[0] for _, address in addresses] == ["a", "c", "b"]
