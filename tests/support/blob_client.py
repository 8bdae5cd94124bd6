"""A bare client of the relay's port for bytes: every header, every misuse."""

import json
import os
import socket
from collections.abc import AsyncIterable, AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from types import MappingProxyType

import anyio
import anyio.to_thread
import h11

from e2ecore.transport.blobs import BlobTicket, UploadState
from e2ecore.transport.errors import BlobRefusedError
from e2ecore_channel import client_context
from e2ecore_channel.stream import Stream
from e2ecore_protocol import blob_http
from e2ecore_protocol.frames import (
    AcknowledgeBlob,
    BlobCreated,
    BlobGranted,
    CreateBlob,
    Failed,
    FetchBlob,
    Ok,
    acknowledgement_message,
)
from e2ecore_relay.domain.exchange import Turn
from e2ecore_relay.server.relay import Relay
from tests.support.engines import PATIENCE_S
from tests.support.raw_client import RawClient

WEEK_S = 7 * 86_400


@dataclass
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes = b""
    interim: list[int] = field(default_factory=list)

    @property
    def code(self) -> str:
        """The code of a refusal."""
        return str(json.loads(self.body)["code"])

    @property
    def offset(self) -> int:
        """How far the upload has come."""
        return int(self.headers[blob_http.UPLOAD_OFFSET])


class BlobConnection:
    """One connection; requests go one after the other."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self._http = h11.Connection(h11.CLIENT)

    async def send(self, *events: h11.Event) -> None:
        """Send pieces of a request."""
        for event in events:
            self.stream.put(self._http.send(event) or b"")
        await self.stream.drain()

    async def answer(self) -> Answer:
        """Read a whole answer."""
        interim: list[int] = []
        found = Answer(0, {}, interim=interim)
        while True:
            event = self._http.next_event()
            if event is h11.NEED_DATA:
                self._http.receive_data(await self.stream.read())
            elif isinstance(event, h11.InformationalResponse):
                interim.append(event.status_code)
            elif isinstance(event, h11.Response):
                names = {name.decode(): value.decode() for name, value in event.headers}
                found = Answer(event.status_code, names, interim=interim)
            elif isinstance(event, h11.Data):
                found.body += event.data
            else:
                if self._http.our_state is h11.DONE and self._http.their_state is h11.DONE:
                    self._http.start_next_cycle()
                return found

    async def ask(
        self,
        method: str,
        blob_id: bytes,
        token: bytes | None,
        *parts: bytes,
        **headers: str,
    ) -> Answer:
        """Make one request; a header is named with ``_`` for ``-``."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        if token is not None:
            given.setdefault("authorization", blob_http.authorization(token))
        given.setdefault("content-length", str(sum(map(len, parts))))
        if "transfer-encoding" in given:
            del given["content-length"]
        head = [("host", "localhost"), *given.items()]
        path = blob_http.path_of(blob_id)
        await self.send(
            h11.Request(method=method, target=path, headers=head),
            *[h11.Data(data=part) for part in parts],
            h11.EndOfMessage(),
        )
        return await self.answer()

    async def offset(self, blob_id: bytes, token: bytes) -> Answer:
        """Ask how far an upload is."""
        return await self.ask("HEAD", blob_id, token)

    async def upload(
        self,
        blob_id: bytes,
        token: bytes,
        data: bytes,
        offset: int = 0,
        *,
        complete: bool = True,
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> Answer:
        """Send bytes."""
        flag = blob_http.TRUE if complete else blob_http.FALSE
        given = {
            "content_type": blob_http.PARTIAL_UPLOAD,
            "upload_offset": str(offset),
            "upload_complete": flag,
            **headers,
        }
        return await self.ask("PATCH", blob_id, token, data, **given)

    async def download(self, blob_id: bytes, token: bytes, **headers: str) -> Answer:
        """Fetch bytes."""
        return await self.ask("GET", blob_id, token, **headers)


@asynccontextmanager
async def blob_connection_to(port: int, ca: str) -> AsyncIterator[BlobConnection]:
    """Connect to a port for bytes, with TLS."""
    stream = Stream(await anyio.to_thread.run_sync(socket.create_connection, ("127.0.0.1", port)))
    try:
        await stream.start_tls(client_context(ca), server_side=False, server_name="localhost")
        yield BlobConnection(stream)
    finally:
        stream.close()


@asynccontextmanager
async def blob_connection(relay: Relay) -> AsyncIterator[BlobConnection]:
    """Connect to the port for bytes of a relay in this process."""
    ca = str(relay.certificates.ca_file)
    async with blob_connection_to(relay.hub.office.keeper.port, ca) as connection:
        yield connection


async def create(
    client: RawClient, conversation: bytes, size: int, *, ttl_s: int = WEEK_S, blob: bytes = b""
) -> tuple[bytes, BlobCreated]:
    """Make room. Return the blob id and the answer."""
    blob_id = blob or os.urandom(16)
    answer = await client.ask(
        CreateBlob(client.request(), blob_id, conversation, size, ttl_s), BlobCreated
    )
    assert isinstance(answer, BlobCreated), answer
    return blob_id, answer


async def send_blob(
    relay: Relay, client: RawClient, conversation: bytes, data: bytes, *, ttl_s: int = WEEK_S
) -> tuple[bytes, BlobCreated]:
    """Make room, and upload in one go."""
    blob_id, made = await create(client, conversation, len(data), ttl_s=ttl_s)
    async with blob_connection(relay) as connection:
        answer = await connection.upload(blob_id, made.upload_token, data)
        assert answer.status == 204, answer
    return blob_id, made


async def fetch(client: RawClient, blob_id: bytes) -> BlobGranted:
    """Ask for the share and a token."""
    answer = await client.ask(FetchBlob(client.request(), blob_id), BlobGranted)
    assert isinstance(answer, BlobGranted), answer
    return answer


async def acknowledge(client: RawClient, blob_id: bytes) -> Ok | Failed:
    """Say that the device has the blob."""
    person = client.person
    message = acknowledgement_message(client.challenge.server_name, blob_id, *person.address)
    signature = person.device.sign(message)
    return await client.ask(AcknowledgeBlob(client.request(), blob_id, signature), Ok)


async def upload_head(
    connection: BlobConnection, blob_id: bytes, token: bytes, size: int, first: bytes
) -> None:
    """Begin an upload, send some of it, and leave it hanging."""
    head = [
        ("host", "localhost"),
        ("authorization", blob_http.authorization(token)),
        ("content-type", blob_http.PARTIAL_UPLOAD),
        ("upload-offset", "0"),
        ("upload-complete", "?1"),
        ("content-length", str(size)),
    ]
    target = blob_http.path_of(blob_id)
    await connection.send(
        h11.Request(method="PATCH", target=target, headers=head), h11.Data(data=first)
    )


async def until_true(condition: Callable[[], bool]) -> None:
    """Wait for something that the relay does by itself."""
    with anyio.fail_after(PATIENCE_S):
        while not condition():  # noqa: ASYNC110  nobody sets an event for it
            await anyio.sleep(0.01)


class HttpBlobs:
    """The way of bytes to a real relay, as the port ``BlobChannel`` has it."""

    def __init__(self, relay: Relay) -> None:
        self._relay = relay

    async def upload_state(self, ticket: BlobTicket, /) -> UploadState:
        async with blob_connection(self._relay) as connection:
            return _state(await connection.offset(ticket.blob_id, ticket.token))

    async def upload(
        self, ticket: BlobTicket, offset: int, data: AsyncIterable[bytes], *, completes: bool
    ) -> UploadState:
        whole = b"".join([part async for part in data])
        async with blob_connection(self._relay) as connection:
            answer = await connection.upload(
                ticket.blob_id, ticket.token, whole, offset, complete=completes
            )
            return _state(answer)

    @asynccontextmanager
    async def download(
        self, ticket: BlobTicket, start: int = 0, stop: int | None = None
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        wanted = f"bytes={start}-{'' if stop is None else stop - 1}"
        async with blob_connection(self._relay) as connection:
            answer = await connection.download(ticket.blob_id, ticket.token, range=wanted)
        _check(answer)

        async def blocks() -> AsyncIterator[bytes]:
            yield answer.body

        yield blocks()


def _check(answer: Answer) -> None:
    if answer.status >= 400:
        offset = answer.headers.get(blob_http.UPLOAD_OFFSET)
        code = answer.code if answer.body else ""
        raise BlobRefusedError(code, answer.status, int(offset) if offset else None)


def _state(answer: Answer) -> UploadState:
    _check(answer)
    return UploadState(answer.offset, answer.headers[blob_http.UPLOAD_COMPLETE] == blob_http.TRUE)


def end_now(turn: Turn, blob_ids: list[bytes]) -> None:
    """Have the time of some blobs be over."""
    for blob in turn.ledger.blobs.find(blob_ids).values():
        turn.ledger.blobs._connection.execute(  # type: ignore[attr-defined]
            "UPDATE blobs SET due_ms = 1 WHERE blob = ?", (blob.blob,)
        )
