"""The first frames of a connection: who is there, are the clocks alike, and who are we.

No state is kept here. The caller owns the channel and closes it when one of these raises.
"""

from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from e2ecore.transport.errors import (
    ClockSkewError,
    RelayProtocolError,
    RelayRefusedError,
    RemovalShownError,
    VersionError,
)
from e2ecore_protocol.errors import MalformedError, NoCommonVersionError
from e2ecore_protocol.frames import decode_server_frame
from e2ecore_protocol.frames.accounts import Account, Register, Registered
from e2ecore_protocol.frames.frame import Frame
from e2ecore_protocol.frames.session import (
    Authenticate,
    Challenge,
    Failed,
    GoAway,
    Ready,
    authentication_message,
)
from e2ecore_protocol.limits import MAX_CHAIN_ENTRIES, MAX_CLOCK_DIFFERENCE_MS
from e2ecore_protocol.versions import choose_version

F = TypeVar("F", bound=Frame)
_REGISTER_REQUEST = 1


class FrameChannel(Protocol):
    """What carries frames: a WebSocket, or a pair of queues in tests."""

    async def receive(self) -> list[bytes]:
        """Return every frame that has arrived, at least one. Raises an E2EError at the end."""
        ...

    async def send(self, messages: list[bytes], /) -> None:
        """Send frames, in order."""
        ...

    def queue(self, messages: list[bytes], /) -> int:
        """Send frames without waiting; return how many bytes the network has not taken yet."""
        ...

    async def drain(self) -> None:
        """Wait until the network has taken everything."""
        ...

    async def keep_alive(self) -> None:
        """Notice a dead connection and make ``receive`` raise; runs until it is closed."""
        ...

    async def aclose(self) -> None:
        """Close. Safe to call twice."""
        ...


Dial = Callable[[], Awaitable[FrameChannel]]
"""Opens a new channel to the relay."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who authenticates, and how it signs."""

    account_id: bytes
    device_id: bytes
    sign: Callable[[bytes], bytes]


class Frames:
    """Frames of a channel one by one; what came along with the last one is kept."""

    def __init__(self, channel: FrameChannel) -> None:
        self.channel = channel
        self._waiting: deque[bytes] = deque()

    async def next(self, expected: type[F]) -> F:
        """Return the next frame, which must be of this type.

        Raises:
            RelayRefusedError: The relay said no instead.
            RelayProtocolError: It is something else.
        """
        frame = decode(await self.raw())
        if isinstance(frame, Failed):
            raise RelayRefusedError(frame.code, frame.detail, frame.retry_after_ms, frame.data)
        if isinstance(frame, GoAway):
            raise RelayRefusedError(frame.code, "", frame.retry_after_ms)
        if not isinstance(frame, expected):
            raise RelayProtocolError
        return frame

    async def raw(self) -> bytes:
        """Return the next frame, whatever it is, not decoded."""
        while not self._waiting:
            self._waiting.extend(await self.channel.receive())
        return self._waiting.popleft()

    def rest(self) -> list[bytes]:
        """Return what came along and was not asked for yet."""
        return list(self._waiting)


def decode(data: bytes) -> Frame:
    """Decode one frame of the relay.

    Raises:
        RelayProtocolError: It is none.
    """
    try:
        return decode_server_frame(data)
    except MalformedError as error:
        raise RelayProtocolError(str(error)) from error


async def greet(frames: Frames, now_ms: int) -> Challenge:
    """Take the relay's first frame.

    Raises:
        VersionError: No common version.
        ClockSkewError: Lifetimes would be judged wrongly.
    """
    challenge = await frames.next(Challenge)
    try:
        choose_version(challenge.min_version, challenge.max_version)
    except NoCommonVersionError as error:
        raise VersionError(str(error)) from error
    if abs(challenge.now_ms - now_ms) > MAX_CLOCK_DIFFERENCE_MS:
        raise ClockSkewError
    return challenge


async def register(frames: Frames, entries: tuple[bytes, ...], handle: str | None) -> bytes:
    """Make an account and return its id. The same entries again are answered as at first.

    Raises:
        RelayRefusedError: The handle is taken, or the relay takes nobody.
    """
    await frames.channel.send([Register(_REGISTER_REQUEST, entries, handle).encode()])
    return (await frames.next(Registered)).account_id


async def authenticate(frames: Frames, challenge: Challenge, who: Credentials) -> Ready:
    """Show who we are.

    Raises:
        RelayRefusedError: The relay does not know the device, or not any more.
        RemovalShownError: The same, and it shows what of the account's chain says so.
    """
    version = choose_version(challenge.min_version, challenge.max_version)
    message = authentication_message(
        version, challenge.server_name, challenge.nonce, who.account_id, who.device_id
    )
    answer = Authenticate(version, who.account_id, who.device_id, who.sign(message))
    await frames.channel.send([answer.encode()])
    entries: list[bytes] = []
    while True:
        try:
            said = await frames.next(Frame)
        except RelayRefusedError as refusal:
            if entries:
                raise RemovalShownError(refusal, tuple(entries)) from refusal
            raise
        if isinstance(said, Ready) and not entries:
            return said
        if not isinstance(said, Account) or len(entries) > MAX_CHAIN_ENTRIES:
            raise RelayProtocolError
        entries.extend(said.entries)
