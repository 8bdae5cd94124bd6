"""A blob's way to the relay and back: HTTP/1.1 over TLS, with h11 on the stream of the channel.

Each call has a connection of its own and takes nothing for granted: what comes is counted, refusals
are read up to a bound, redirects are not followed, and silence ends it. An upload waits for the
relay's word before it sends the first byte, and then for the network before each next block.

Spec: protocol/spec/40-blobs.md, "The bytes: HTTP"
"""

import json
import re
import ssl
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Final

import anyio
import h11

from e2ecore.errors import E2EError
from e2ecore.transport.blobs import BlobTicket, UploadState
from e2ecore.transport.errors import (
    BlobRefusedError,
    ConnectionLostError,
    RelayCertificateError,
    RelayProtocolError,
    RelayUnreachableError,
)
from e2ecore_channel import CertificateError, ChannelError, ConnectError
from e2ecore_channel.connecting import open_stream
from e2ecore_channel.stream import Stream
from e2ecore_protocol import blob_http
from e2ecore_protocol.blob_http import BlobProblem

SILENCE_S: Final = 60.0
"""A relay that neither sends nor takes a byte for so long is gone."""
LEAST_BYTES: Final = 16 << 10
"""A relay that brings less of a body in that time of waiting might as well be silent."""
CONTINUE_S: Final = 5.0
"""How long to wait for the relay's word before the body is sent all the same (RFC 9110)."""
_MAX_REFUSAL_BYTES: Final = 4_096
_OK, _NO_CONTENT, _PARTIAL = 200, 204, 206
_REFUSALS: Final = 400
"""From this status on; below it are redirects, and answers to something else."""
_RANGE: Final = re.compile(r"bytes (\d{1,19})-(\d{1,19})/\d{1,19}", re.ASCII)
_KNOWN: Final = frozenset(map(str, BlobProblem))


class HttpBlobs:
    """The port for bytes of one relay. See ``BlobChannel``."""

    def __init__(self, host: str, context: ssl.SSLContext | None) -> None:
        """Name the relay; nothing is connected yet.

        Args:
            host: As in the relay's address.
            context: Whom to trust; None without TLS, which is for tests on this machine.
        """
        self._host = host
        self._context = context

    async def upload_state(self, ticket: BlobTicket, /) -> UploadState:
        """See ``BlobChannel``."""
        async with self._exchange(ticket) as exchange:
            await exchange.ask("HEAD")
            return _upload_state(await exchange.response(_NO_CONTENT))

    async def upload(
        self, ticket: BlobTicket, offset: int, data: AsyncIterable[bytes], *, completes: bool
    ) -> UploadState:
        """See ``BlobChannel``."""
        async with self._exchange(ticket) as exchange:
            await exchange.ask(
                "PATCH",
                ("content-type", blob_http.PARTIAL_UPLOAD),
                (blob_http.UPLOAD_OFFSET, f"{offset}"),
                (blob_http.UPLOAD_COMPLETE, blob_http.TRUE if completes else blob_http.FALSE),
                ("transfer-encoding", "chunked"),
                ("expect", "100-continue"),
            )
            if await exchange.may_continue():
                await exchange.send_body(data)
            return _upload_state(await exchange.response(_NO_CONTENT))

    @asynccontextmanager
    async def download(
        self, ticket: BlobTicket, start: int = 0, stop: int | None = None
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """See ``BlobChannel``."""
        async with self._exchange(ticket) as exchange:
            last = "" if stop is None else f"{stop - 1}"
            await exchange.ask("GET", ("range", f"bytes={start}-{last}"))
            response = await exchange.response(_PARTIAL)
            if not _is_range(_header(response, "content-range"), start, stop):
                raise RelayProtocolError("another range than was asked for")
            async with aclosing(exchange.body(None if stop is None else stop - start)) as blocks:
                yield blocks

    @asynccontextmanager
    async def _exchange(self, ticket: BlobTicket) -> AsyncIterator["_Exchange"]:
        try:
            stream = await open_stream(self._host, ticket.port, self._context)
            try:
                yield _Exchange(stream, ticket, self._host)
            finally:
                stream.close()
        except CertificateError as error:
            raise RelayCertificateError(str(error)) from error
        except ConnectError as error:
            raise RelayUnreachableError(str(error)) from error
        except (ChannelError, TimeoutError) as error:
            raise ConnectionLostError(str(error)) from error
        except h11.ProtocolError as error:  # a local one: it answers before it may
            raise RelayProtocolError(str(error)) from error


class _Exchange:
    """One request and its answer."""

    def __init__(self, stream: Stream, ticket: BlobTicket, host: str) -> None:
        self._stream = stream
        self._ticket = ticket
        self._host = host
        self._http = h11.Connection(h11.CLIENT)
        self._response: h11.Response | None = None

    async def ask(self, method: str, *headers: tuple[str, str]) -> None:
        """Send the head of a request; all of it, where it has no body."""
        head = [
            ("host", f"{self._host}:{self._ticket.port}"),
            ("authorization", blob_http.authorization(self._ticket.token)),
            ("connection", "close"),
            *headers,
        ]
        target = blob_http.path_of(self._ticket.blob_id)
        await self._send(h11.Request(method=method, target=target, headers=head))
        if method != "PATCH":
            await self._send(h11.EndOfMessage())

    async def _send(self, event: h11.Event) -> None:
        self._stream.put(self._http.send(event) or b"")
        with anyio.fail_after(SILENCE_S):
            await self._stream.drain()

    async def may_continue(self) -> bool:
        """Wait for leave to send the body; false if the answer is there already."""
        with anyio.move_on_after(CONTINUE_S):
            event = await self._next()
            if isinstance(event, h11.Response):
                self._response = event
                return False
        return True

    async def send_body(self, data: AsyncIterable[bytes]) -> None:
        """Send the body. A relay that does not want the rest may answer in the middle."""
        try:
            async for block in data:
                await self._send(h11.Data(data=block))
            await self._send(h11.EndOfMessage())
        except ChannelError:
            if self._http.their_state is not h11.SEND_RESPONSE:
                raise  # else the answer may say why it hung up

    async def response(self, wanted: int) -> h11.Response:
        """Return the head of the answer. All of it must come in the time that silence has.

        Raises:
            BlobRefusedError: The relay says no.
            RelayProtocolError: It says something else than was asked for.
        """
        with anyio.fail_after(SILENCE_S):
            found = self._response or await self._head()
            if found.status_code == wanted:
                return found
            if found.status_code < _REFUSALS:
                raise RelayProtocolError(f"status {found.status_code}")
            raise await self._refusal(found)

    async def _head(self) -> h11.Response:
        while not isinstance(event := await self._next(), h11.Response):
            if not isinstance(event, h11.InformationalResponse):
                raise RelayProtocolError("no answer")
        return event

    async def _refusal(self, response: h11.Response) -> E2EError:
        body = bytearray()
        while isinstance(event := await self._next(), h11.Data):
            body += event.data
            if len(body) > _MAX_REFUSAL_BYTES:
                return RelayProtocolError("an endless refusal")
        offset = _number(_header(response, blob_http.UPLOAD_OFFSET))
        return BlobRefusedError(_code(bytes(body)), response.status_code, offset)

    async def body(self, size: int | None) -> AsyncGenerator[bytes, None]:
        """Yield the body of the answer, block by block, never more than was asked for."""
        left, waited, brought = size, 0.0, 0
        while True:
            since = anyio.current_time()
            event = await self._next()
            if not isinstance(event, h11.Data):
                return
            waited += anyio.current_time() - since
            brought += len(event.data)
            if waited > SILENCE_S and brought < LEAST_BYTES:
                raise ConnectionLostError("the relay brings next to nothing")
            if waited > SILENCE_S:
                waited, brought = 0.0, 0
            if left is not None:
                left -= len(event.data)
                if left < 0:
                    raise RelayProtocolError("more than was asked for")
            yield bytes(event.data)

    async def _next(self) -> h11.Event | None:
        """Return what comes next; None: the connection has nothing more to say."""
        while True:
            event = self._http.next_event()
            if event is h11.NEED_DATA:
                with anyio.fail_after(SILENCE_S):
                    self._http.receive_data(await self._stream.read())
            else:
                return event if isinstance(event, h11.Event) else None


def _header(response: h11.Response, name: str) -> str:
    wanted = name.encode()
    return next((value.decode("latin-1") for key, value in response.headers if key == wanted), "")


def _is_range(said: str, start: int, stop: int | None) -> bool:
    """Does a Content-Range name the bytes that were asked for?"""
    found = _RANGE.fullmatch(said)
    if found is None:
        return False
    return int(found[1]) == start and (stop is None or int(found[2]) == stop - 1)


def _number(text: str) -> int | None:
    return int(text) if text.isdecimal() and len(text) < 20 else None  # noqa: PLR2004 - 64 bits


def _upload_state(response: h11.Response) -> UploadState:
    offset = _number(_header(response, blob_http.UPLOAD_OFFSET))
    complete = _header(response, blob_http.UPLOAD_COMPLETE)
    if offset is None or complete not in {blob_http.TRUE, blob_http.FALSE}:
        raise RelayProtocolError("no offset")
    return UploadState(offset, complete == blob_http.TRUE)


def _code(body: bytes) -> str:
    """Return the code of a refusal; what is not known counts as the relay's failure."""
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return str(BlobProblem.INTERNAL)
    code = said.get("code") if isinstance(said, dict) else None
    return code if isinstance(code, str) and code in _KNOWN else str(BlobProblem.INTERNAL)
