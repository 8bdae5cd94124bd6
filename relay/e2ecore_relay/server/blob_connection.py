"""HTTP/1.1 on one connection: h11 for the protocol, the channel's stream for TLS and sockets.

Bodies pass in blocks and are never gathered. Every wait has an end: who stands still is cut off.
"""

import json
from collections.abc import Sequence
from contextlib import suppress
from http import HTTPStatus
from typing import Final, NamedTuple, cast

import anyio
import h11

from e2ecore_channel import ChannelError
from e2ecore_channel.stream import Stream
from e2ecore_protocol.blob_http import PROBLEM_TYPE, BlobProblem

_MAX_HEAD_BYTES: Final = 16 << 10
"""Longest head of a request. Ours have about 300 bytes."""

Headers = Sequence[tuple[str, str]]


class ProblemError(Exception):
    """The request is refused."""

    def __init__(self, problem: BlobProblem, *headers: tuple[str, str]) -> None:
        """Name the problem, and headers that go with it."""
        super().__init__(problem.value)
        self.problem = problem
        self.headers = headers


class BrokenError(Exception):
    """The connection ended or stood still in the middle of something."""


class Request(NamedTuple):
    """The head of a request. Names of headers are in lower case; of several alike the last counts.

    Attributes:
        method: As it was sent.
        path: Without a query, which nothing here has.
        headers: By name.
        length: Announced bytes of the body; None if it is chunked.
    """

    method: str
    path: str
    headers: dict[str, str]
    length: int | None


class HttpConnection:
    """The server's side of one connection."""

    def __init__(self, stream: Stream, *, patience_s: float) -> None:
        """Own a stream whose TLS is up.

        Args:
            stream: The connection.
            patience_s: How long nothing may move.
        """
        self._stream = stream
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=_MAX_HEAD_BYTES)
        self._patience_s = patience_s
        self.status = 0

    async def request(self, timeout_s: float) -> Request | None:
        """Wait for a request. Return None if there will be none.

        Raises:
            ProblemError: It is not HTTP as it should be.
        """
        if self.goes_on:
            self._http.start_next_cycle()
        if self._http.states != {h11.CLIENT: h11.IDLE, h11.SERVER: h11.IDLE}:
            return None
        self.status = 0
        try:
            with anyio.fail_after(timeout_s):
                event = await self._event()
        except (TimeoutError, ChannelError):
            return None
        except h11.RemoteProtocolError as error:
            raise ProblemError(_problem(error)) from error
        if not isinstance(event, h11.Request):
            return None
        request = _request(event)
        if request.length == 0:
            self._http.next_event()  # the end of a body that there is not
        return request

    async def piece(self) -> bytes:
        """Return the next piece of the body as it comes; empty at its end.

        Raises:
            BrokenError: It broke off, stood still, or is no body.
        """
        await self._go_on()
        try:
            with anyio.fail_after(self._patience_s):
                event = await self._event()
        except (TimeoutError, ChannelError, h11.RemoteProtocolError) as error:
            raise BrokenError("the body broke off") from error
        return bytes(event.data) if isinstance(event, h11.Data) else b""

    async def _go_on(self) -> None:
        """Let a client that waits for permission send its body."""
        if self._http.they_are_waiting_for_100_continue:
            go_on = h11.InformationalResponse(status_code=HTTPStatus.CONTINUE, headers=[])
            await self._write(self._http.send(go_on) or b"")

    async def begin(self, status: int, headers: Headers) -> None:
        """Send the head of the answer. ``send`` and ``end`` follow."""
        self.status = status
        await self._write(
            self._http.send(h11.Response(status_code=status, headers=[*headers])) or b""
        )

    async def send(self, block: memoryview) -> None:
        """Send a piece of the body; wait until the kernel has it.

        Raises:
            BrokenError: The client is gone, or does not read.
        """
        for part in (
            self._http.send_with_data_passthrough(h11.Data(data=cast("bytes", block))) or ()
        ):
            await self._write(part)

    async def end(self) -> None:
        """The answer is whole."""
        await self._write(self._http.send(h11.EndOfMessage()) or b"")

    async def answer(self, status: int, headers: Headers = (), body: bytes = b"") -> None:
        """Send a whole answer that is short. An unread body ends the connection behind it."""
        await self.begin(status, [*headers, ("content-length", str(len(body)))])
        if body:
            await self.send(memoryview(body))
        await self.end()

    async def refuse(self, error: ProblemError, *, is_head: bool) -> None:
        """Say no. The connection goes on if the client has nothing left to send."""
        problem = error.problem
        body = {"status": problem.status, "title": problem.meaning, "code": problem.value}
        headers = [*error.headers, ("content-type", PROBLEM_TYPE), ("cache-control", "no-store")]
        if problem.status == HTTPStatus.UNAUTHORIZED:
            headers.append(("www-authenticate", "Bearer"))
        if problem is BlobProblem.BUSY:
            headers.append(("retry-after", "5"))
        if self._http.their_state is not h11.DONE:
            headers.append(("connection", "close"))
        encoded = json.dumps(body).encode() + b"\n"
        await self.begin(problem.status, [*headers, ("content-length", str(len(encoded)))])
        if not is_head:
            await self.send(memoryview(encoded))
        await self.end()

    @property
    def goes_on(self) -> bool:
        """May another request follow?"""
        return self._http.our_state is h11.DONE and self._http.their_state is h11.DONE

    async def linger(self) -> None:
        """Read what a refused client still sends, so that it gets to read the refusal.

        A socket that is closed with unread bytes is reset, and the answer with it. Cancel to end.
        """
        if self._http.our_state is not h11.MUST_CLOSE:
            return
        with suppress(ChannelError):
            self._stream.end()
            while True:
                await self._stream.read()

    @property
    def can_answer(self) -> bool:
        """May an answer begin now?"""
        return self._http.our_state in {h11.SEND_RESPONSE, h11.IDLE}

    async def _event(self) -> object:
        while True:
            event = self._http.next_event()
            if event is not h11.NEED_DATA:
                return event
            self._http.receive_data(await self._stream.read())

    async def _write(self, data: bytes | memoryview) -> None:
        try:
            with anyio.fail_after(self._patience_s):
                self._stream.put(data)
                await self._stream.drain()
        except (TimeoutError, ChannelError) as error:
            raise BrokenError("the client does not read") from error

    def close(self, *, politely: bool) -> None:
        """Close; say so where TLS has a word for it."""
        if politely:
            with suppress(ChannelError):
                self._stream.end()
        self._stream.close()


def _request(event: h11.Request) -> Request:
    headers = {name.decode("ascii"): value.decode("latin-1") for name, value in event.headers}
    chunked = "transfer-encoding" in headers
    length = None if chunked else int(headers.get("content-length", "0"))
    path = event.target.decode("latin-1").partition("?")[0]
    return Request(event.method.decode("ascii"), path, headers, length)


def _problem(error: h11.RemoteProtocolError) -> BlobProblem:
    if error.error_status_hint == HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE:
        return BlobProblem.HEADERS_TOO_LARGE
    return BlobProblem.BAD_REQUEST
