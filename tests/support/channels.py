"""Servers on the channel, for tests of whoever talks over one."""

import socket
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress

import anyio

from e2ecore_channel import (
    Channel,
    ChannelClosedError,
    accept,
    client_context,
    connect,
    listen,
    serve,
    server_context,
)
from tests.support.certificates import Certificates

Handler = Callable[[Channel], Awaitable[None]]


RawHandler = Callable[[socket.socket], Coroutine[None, None, None]]


async def echo(channel: Channel) -> None:
    """Send everything back."""
    with suppress(ChannelClosedError):
        while True:
            await channel.send(await channel.receive())


@asynccontextmanager
async def serving(handle: RawHandler) -> AsyncGenerator[int]:
    """Listen on a free port of this machine."""
    (listener,) = listen("127.0.0.1", 0)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(serve, listener, handle)
        yield listener.getsockname()[1]
        tasks.cancel_scope.cancel()


@asynccontextmanager
async def connected(
    handle: Handler, certificates: Certificates | None, *, limit: int = 1 << 24
) -> AsyncGenerator[Channel]:
    """A client whose server runs ``handle``."""
    context = None
    if certificates is not None:
        context = server_context(certificates.server_file, certificates.server_file)

    async def serve_one(raw: socket.socket) -> None:
        channel = await accept(raw, context, max_message_bytes=limit)
        try:
            await handle(channel)
        finally:
            await channel.aclose()

    async with serving(serve_one) as port:
        client = await connect(
            f"{'wss' if certificates else 'ws'}://localhost:{port}",
            client_context(certificates.ca_file) if certificates else None,
            allow_plain_loopback=True,
        )
        try:
            yield client
        finally:
            await client.aclose()


async def receive(channel: Channel, count: int) -> list[bytes]:
    """Receive at least so many messages."""
    messages: list[bytes] = []
    while len(messages) < count:
        messages += await channel.receive()
    return messages
