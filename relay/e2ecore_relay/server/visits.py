"""Connections that meet at a rendezvous: a device that waits, and one that has no account yet."""

import math
from typing import TYPE_CHECKING, Final

import anyio
import anyio.lowlevel

from e2ecore_protocol.errors import ErrorCode
from e2ecore_protocol.frames import (
    CloseRendezvous,
    JoinRendezvous,
    Ok,
    OpenRendezvous,
    PassRendezvous,
    RendezvousClosed,
    RendezvousMessage,
    RendezvousOpened,
    decode_client_frame,
)
from e2ecore_protocol.limits import MAX_UNAUTHENTICATED_FRAME_BYTES
from e2ecore_relay.domain.errors import RefusedError
from e2ecore_relay.domain.sessions import UnexpectedFrameError
from e2ecore_relay.server.limits import network

if TYPE_CHECKING:
    from e2ecore_relay.server.hub import Hub
    from e2ecore_relay.server.session import Session

RendezvousRequest = OpenRendezvous | PassRendezvous | CloseRendezvous
"""What a device may say of its rendezvous."""
_SWEEP_S: Final = 30
"""How often it is looked for rendezvous whose time is over and where nobody says anything."""


class Visit:
    """A connection's part in a rendezvous."""

    def __init__(self, session: "Session") -> None:
        """Nothing is open yet."""
        self._session = session
        self._scope = anyio.CancelScope()

    def hand(self, payload: bytes, /) -> None:
        """See Party."""
        self._session.say(RendezvousMessage(payload))

    def part(self) -> None:
        """See Party."""
        self._session.say(RendezvousClosed())
        self._scope.cancel()

    def take(self, frame: RendezvousRequest) -> None:
        """Act on a frame of a device.

        Raises:
            RefusedError: It may not open another one now.
        """
        hub, now_ms = self._session.hub, self._session.hub.clock_ms()
        match frame:
            case OpenRendezvous(request):
                wait_ms = hub.limits.rendezvous.take(self._session.stored.account, 1, now_ms)
                if wait_ms:
                    raise RefusedError(ErrorCode.RATE_LIMITED, retry_after_ms=wait_ms)
                opened = hub.lounge.open(self, now_ms, hub.rng)
                self._session.say(RendezvousOpened(request, opened.number, opened.ends_ms))
            case PassRendezvous(payload):
                hub.lounge.hand_over(self, payload, now_ms)
            case CloseRendezvous():
                hub.lounge.leave(self)
                self._scope.cancel()

    def join(self, frame: JoinRendezvous) -> None:
        """Come to whoever waits under a number.

        Raises:
            RefusedError: Nobody does, or this address has tried too often.
        """
        hub, now_ms = self._session.hub, self._session.hub.clock_ms()
        wait_ms = hub.limits.visits.take(network(self._session.address), 1, now_ms)
        if wait_ms:
            raise RefusedError(ErrorCode.RATE_LIMITED, retry_after_ms=wait_ms)
        met = hub.lounge.join(frame.number, self, now_ms)
        self._scope.deadline = anyio.current_time() + math.ceil((met.ends_ms - now_ms) / 1000)
        self._session.say(Ok(frame.request))

    async def run(self) -> None:
        """Pass on what the one without an account says, until the rendezvous is over.

        Raises:
            UnexpectedFrameError: It said something else.
            MalformedError: It sent something that is no frame.
            ChannelError: The connection ended.
        """
        with self._scope:
            while True:
                for message in await self._session.channel.receive():
                    frame = decode_client_frame(message, MAX_UNAUTHENTICATED_FRAME_BYTES)
                    if not isinstance(frame, PassRendezvous | CloseRendezvous):
                        raise UnexpectedFrameError(f"{type(frame).__name__} at a rendezvous")
                    self.take(frame)
                await anyio.lowlevel.checkpoint()

    def end(self) -> None:
        """The connection is over."""
        self._session.hub.lounge.leave(self)


async def keep_lounge(hub: "Hub") -> None:
    """End rendezvous in time, for the life of the relay."""
    while True:
        await anyio.sleep(_SWEEP_S)
        hub.lounge.expire(hub.clock_ms())
