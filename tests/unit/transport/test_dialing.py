"""Dialing: every way to fail has its own error, and frames pass when it works."""

import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import anyio
import pytest

from e2ecore.errors import E2EError, PeerError, TransientError, UsageError
from e2ecore.transport.dialing import RelayChannel, dial
from e2ecore.transport.errors import (
    BadRelayAddressError,
    ClockSkewError,
    ConnectionLostError,
    NotARelayError,
    RelayCertificateError,
    RelayProtocolError,
    RelayRefusedError,
    RelayUnreachableError,
    VersionError,
)
from e2ecore.transport.login import Credentials, Frames, authenticate, greet, register
from e2ecore_channel import Channel, ChannelError, accept, server_context
from e2ecore_protocol.errors import ErrorCode
from e2ecore_protocol.frames import (
    Authenticate,
    Challenge,
    GoAway,
    Ready,
    Register,
    Registered,
    ServerFrame,
    authentication_message,
    decode_client_frame,
)
from tests.support.certificates import Certificates, make_certificates
from tests.support.channels import RawHandler, echo, serving

pytestmark = pytest.mark.anyio

NOW_MS = 1_760_000_000_000
CHALLENGE = Challenge(1, 1, "relay.test", b"n" * 32, NOW_MS)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("tls"))


def over_tls(
    certificates: Certificates, handle: Callable[[Channel], Awaitable[None]]
) -> RawHandler:
    """A server for one kind of conversation."""
    context = server_context(certificates.server_file, certificates.server_file)

    async def serve_one(raw: socket.socket) -> None:
        with suppress(ChannelError):
            channel = await accept(raw, context)
            try:
                await handle(channel)
            finally:
                await channel.aclose()

    return serve_one


async def test_frames_pass_both_ways(certificates: Certificates) -> None:
    async with serving(over_tls(certificates, echo)) as port:
        channel = await dial(f"wss://localhost:{port}", ca_file=certificates.ca_file)
        await channel.send([b"one", b"two"])
        assert await channel.receive() == [b"one", b"two"]
        with anyio.move_on_after(0.01):
            await channel.keep_alive()
        await channel.aclose()
        await channel.aclose()
        with pytest.raises(ConnectionLostError):
            await channel.send([b"three"])
        with pytest.raises(ConnectionLostError):
            await channel.receive()


async def test_a_relay_without_tls_is_taken_on_this_machine_when_allowed() -> None:
    async def plain(raw: socket.socket) -> None:
        with suppress(ChannelError):
            channel = await accept(raw, None)
            await echo(channel)
            await channel.aclose()

    async with serving(plain) as port:
        with pytest.raises(BadRelayAddressError):
            await dial(f"ws://localhost:{port}")
        channel = await dial(f"ws://localhost:{port}", allow_plain_loopback=True)
        await channel.send([b"x"])
        assert await channel.receive() == [b"x"]
        await channel.aclose()


async def test_every_failure_has_its_name(certificates: Certificates, tmp_path: Path) -> None:
    async def browse(raw: socket.socket) -> None:
        with raw:
            raw.send(b"HTTP/1.1 200 OK\r\n\r\n")

    async def fails(url: str, ca_file: Path = certificates.ca_file) -> E2EError:
        with pytest.raises(E2EError) as caught:
            await dial(url, ca_file=ca_file)
        return caught.value

    other = make_certificates(tmp_path)
    async with serving(browse) as web, serving(over_tls(certificates, echo)) as tls:
        assert isinstance(await fails(f"wss://localhost:{web}"), NotARelayError)
        stranger = await fails(f"wss://localhost:{tls}", other.ca_file)
    assert isinstance(stranger, RelayCertificateError)
    assert isinstance(await fails(f"wss://localhost:{tls}"), RelayUnreachableError)
    assert isinstance(await fails("wss://no-such-host.invalid"), RelayUnreachableError)
    assert isinstance(await fails("relay.example"), BadRelayAddressError)
    assert isinstance(await fails("wss://x", tmp_path / "missing.pem"), BadRelayAddressError)


async def test_a_relay_that_breaks_the_protocol_is_named(certificates: Certificates) -> None:
    async def babble(raw: socket.socket) -> None:
        context = server_context(certificates.server_file, certificates.server_file)
        with suppress(ChannelError):
            channel = await accept(raw, context)
            channel._stream.put(b"\x81\x01x")  # a text message
            with suppress(ChannelError):
                await channel.receive()
            await channel.aclose()

    async with serving(babble) as port:
        channel = await dial(f"wss://localhost:{port}", ca_file=certificates.ca_file)
        with pytest.raises(RelayProtocolError):
            await channel.receive()
        await channel.aclose()


def test_errors_say_whose_fault_it_is() -> None:
    assert issubclass(RelayUnreachableError, TransientError)
    assert issubclass(BadRelayAddressError, UsageError)
    assert issubclass(RelayProtocolError, PeerError)


# --- the first frames -----------------------------------------------------------------------------


def saying(*answers: ServerFrame) -> Callable[[Channel], Awaitable[None]]:
    """A relay that sends a frame, then one for each frame that comes."""

    async def talk(channel: Channel) -> None:
        for answer in answers:
            await channel.send([answer.encode()])
            await channel.receive()

    return talk


async def greeted(
    certificates: Certificates, answer: ServerFrame, *, now_ms: int = NOW_MS
) -> Challenge | E2EError:
    """What the first frame of a relay leads to."""
    async with serving(over_tls(certificates, saying(answer))) as port:
        channel = await dial(f"wss://localhost:{port}", ca_file=certificates.ca_file)
        try:
            return await greet(Frames(channel), now_ms)
        except E2EError as error:
            return error
        finally:
            await channel.aclose()


async def test_a_relay_introduces_itself(certificates: Certificates) -> None:
    assert await greeted(certificates, CHALLENGE) == CHALLENGE


async def test_a_clock_that_is_a_year_off_is_named(certificates: Certificates) -> None:
    later_ms = NOW_MS + 365 * 86_400_000
    assert isinstance(await greeted(certificates, CHALLENGE, now_ms=later_ms), ClockSkewError)


async def test_a_relay_of_another_version_is_named(certificates: Certificates) -> None:
    newer = Challenge(7, 9, "relay.test", b"n" * 32, NOW_MS)
    assert isinstance(await greeted(certificates, newer), VersionError)


async def test_a_relay_that_shuts_down_is_named(certificates: Certificates) -> None:
    error = await greeted(certificates, GoAway(ErrorCode.SHUTTING_DOWN, 5000))
    assert isinstance(error, RelayRefusedError)
    assert error.retry_after_ms == 5000
    assert error.can_retry


async def test_a_device_registers_and_authenticates(certificates: Certificates) -> None:
    seen: list[object] = []

    async def relay(channel: Channel) -> None:
        answers = [CHALLENGE, Registered(1, b"a" * 20), Ready(NOW_MS, 3)]
        for answer in answers:
            await channel.send([answer.encode()])
            seen.extend(decode_client_frame(data) for data in await channel.receive())

    who = Credentials(b"a" * 20, b"d" * 16, lambda message: (message * 2)[:64])
    async with serving(over_tls(certificates, relay)) as port:
        channel: RelayChannel = await dial(f"wss://localhost:{port}", ca_file=certificates.ca_file)
        frames = Frames(channel)
        challenge = await greet(frames, NOW_MS)
        assert await register(frames, (b"g", b"d"), "alice") == b"a" * 20
        assert await authenticate(frames, challenge, who) == Ready(NOW_MS, 3)
        await channel.aclose()
    message = authentication_message(1, "relay.test", b"n" * 32, b"a" * 20, b"d" * 16)
    assert seen == [
        Register(1, (b"g", b"d"), "alice"),
        Authenticate(1, b"a" * 20, b"d" * 16, (message * 2)[:64]),
    ]
