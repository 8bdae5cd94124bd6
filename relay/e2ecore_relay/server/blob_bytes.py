"""The bytes of blobs: what each request asks, and how it is carried out.

Only tokens and blob ids are known here. Reading and writing files happens in threads, a block at a
time; nothing is held but the block.
"""

import os
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar, TypeVarTuple

import anyio
import anyio.to_thread

from e2ecore_protocol import blob_http
from e2ecore_protocol.blob_http import BlobProblem
from e2ecore_relay.backends.folder import GrowingFile
from e2ecore_relay.domain import blobs
from e2ecore_relay.domain.blob_ports import Blob, Grant, Stage
from e2ecore_relay.domain.byte_ranges import BadRangeError, Span, judge, takes_range, wanted_span
from e2ecore_relay.server.asking import ask
from e2ecore_relay.server.blob_connection import (
    BrokenError,
    Headers,
    HttpConnection,
    ProblemError,
    Request,
)

if TYPE_CHECKING:
    from e2ecore_relay.domain.exchange import Turn
    from e2ecore_relay.domain.ports import Ledger
    from e2ecore_relay.server.hub import Hub

Arguments = TypeVarTuple("Arguments")
Result = TypeVar("Result")

BLOCK_BYTES: Final = 1 << 20
"""Bytes read from or written to a file at once: each time costs a switch to a thread and back."""

_FIRST_BYTES: Final = 1 << 16
"""Bytes read with the opening of a file, so that the first ones leave early."""

_SENT_AT_ONCE: Final = 1 << 18
"""Bytes sealed before the kernel must have taken them: bounds what waits in memory."""

_LOOK_EVERY: Final = 32
"""Blocks after which it is looked again whether the disk has room, and what came is flushed."""

_MAX_DIGITS: Final = 18
_NO_STORE: Final = ("cache-control", "no-store")


async def serve_request(hub: "Hub", connection: HttpConnection, request: Request) -> None:
    """Carry out one request.

    Raises:
        ProblemError: It is refused.
        BrokenError: The connection broke off.
    """
    blob_id = blob_http.blob_of(request.path)
    if blob_id is None:
        raise ProblemError(BlobProblem.NOT_FOUND)
    if request.method not in {"GET", "HEAD", "PATCH"}:
        raise ProblemError(BlobProblem.METHOD_NOT_ALLOWED, ("allow", "GET, HEAD, PATCH"))
    with hub.office.transfers.running(blob_id) as scope:
        await _answer(hub, connection, request, blob_id, scope)
    if scope.cancelled_caught:
        raise BrokenError("another request took over, or the blob is gone")


async def _answer(
    hub: "Hub",
    connection: HttpConnection,
    request: Request,
    blob_id: bytes,
    scope: anyio.CancelScope,
) -> None:
    grant = await _grant(hub, blob_id, request)
    if grant.is_upload and request.method == "HEAD":
        await _tell_offset(hub, connection, grant.blob, scope)
    elif grant.is_upload and request.method == "PATCH":
        await _take(hub, connection, request, grant.blob, scope)
    elif grant.is_upload or request.method == "PATCH":
        raise ProblemError(BlobProblem.TOKEN_WRONG_USE)
    else:
        await _give(hub, connection, request, grant.blob)


async def _grant(hub: "Hub", blob_id: bytes, request: Request) -> Grant:
    token = blob_http.token_of(request.headers.get("authorization", ""))
    if token is None:
        raise ProblemError(BlobProblem.TOKEN_MISSING)

    def look(ledger: "Ledger") -> tuple[Grant | None, bool]:
        return blobs.usable(ledger, token), bool(ledger.blobs.receipts([blob_id]))

    read = partial(hub.store.read, look)
    grant, is_gone = await anyio.to_thread.run_sync(read, limiter=hub.office.threads)
    time = hub.office.time()
    if grant is None or grant.blob.blob_id != blob_id:
        raise ProblemError(BlobProblem.GONE if is_gone else BlobProblem.TOKEN_UNKNOWN)
    if grant.is_used:
        raise ProblemError(BlobProblem.TOKEN_USED)
    if blobs.is_gone(grant.blob, time):
        raise ProblemError(BlobProblem.GONE)
    if grant.until_ms <= time.later_ms:
        raise ProblemError(BlobProblem.TOKEN_EXPIRED)
    return grant


async def _in_thread(
    hub: "Hub", work: Callable[[*Arguments], Result], *arguments: *Arguments
) -> Result:
    return await anyio.to_thread.run_sync(work, *arguments, limiter=hub.office.threads)


# --- upload ---------------------------------------------------------------------------------------


def _upload_headers(length: int, blob: Blob, *, is_complete: bool) -> Headers:
    complete = blob_http.TRUE if is_complete else blob_http.FALSE
    return [
        (blob_http.UPLOAD_OFFSET, str(length)),
        (blob_http.UPLOAD_COMPLETE, complete),
        (blob_http.UPLOAD_LENGTH, str(blob.size)),
        _NO_STORE,
    ]


async def _tell_offset(
    hub: "Hub", connection: HttpConnection, blob: Blob, scope: anyio.CancelScope
) -> None:
    """Answer how far an upload has come, durably; one that runs is ended."""
    office = hub.office
    async with office.transfers.uploading(blob.blob_id, scope):
        file = await _in_thread(hub, office.folder.open_to_append, blob.blob_id)
        try:
            await _in_thread(hub, file.sync)
        finally:
            file.close()
        is_complete = blob.stage is Stage.COMPLETE
        await connection.begin(204, _upload_headers(file.length, blob, is_complete=is_complete))
        await connection.end()


async def _take(
    hub: "Hub", connection: HttpConnection, request: Request, blob: Blob, scope: anyio.CancelScope
) -> None:
    offset, completes = _upload_request(request)
    if blob.stage is Stage.COMPLETE:
        raise ProblemError(BlobProblem.UPLOAD_COMPLETE)
    async with hub.office.transfers.uploading(blob.blob_id, scope):
        file = await _in_thread(hub, hub.office.folder.open_to_append, blob.blob_id)
        try:
            if offset != file.length:
                own = _upload_headers(file.length, blob, is_complete=False)
                raise ProblemError(BlobProblem.OFFSET_MISMATCH, *own)
            if (request.length or 0) > blob.size - offset:
                raise ProblemError(BlobProblem.TOO_LARGE)
            await _Intake(hub, connection, blob, file).run()
        finally:
            with anyio.CancelScope(shield=True):
                await _in_thread(hub, file.sync)
            file.close()
        if completes and file.length != blob.size:
            raise ProblemError(BlobProblem.BAD_REQUEST)
        if completes:
            await _complete(hub, blob)
        headers = _upload_headers(file.length, blob, is_complete=completes)
        await connection.begin(204, headers)
        await connection.end()


def _upload_request(request: Request) -> tuple[int, bool]:
    """Return where the body begins, and whether it is the last part."""
    headers = request.headers
    if headers.get("content-type") != blob_http.PARTIAL_UPLOAD:
        raise ProblemError(BlobProblem.UNSUPPORTED_MEDIA_TYPE)
    offset, complete = (
        headers.get(blob_http.UPLOAD_OFFSET, ""),
        headers.get(blob_http.UPLOAD_COMPLETE),
    )
    is_number = offset.isascii() and offset.isdigit() and len(offset) <= _MAX_DIGITS
    if not is_number or complete not in {blob_http.TRUE, blob_http.FALSE}:
        raise ProblemError(BlobProblem.BAD_REQUEST)
    return int(offset), complete == blob_http.TRUE


async def _complete(hub: "Hub", blob: Blob) -> None:
    def work(turn: "Turn") -> bool:
        return blobs.completed(turn.ledger.blobs, blob.blob_id)

    if not await ask(hub.store, work):
        raise ProblemError(BlobProblem.GONE)
    hub.metrics.blobs_completed += 1
    hub.office.look_soon()  # perhaps nobody waits for it any more


class _Intake:
    """The body of one PATCH on its way into a file."""

    def __init__(
        self, hub: "Hub", connection: HttpConnection, blob: Blob, file: GrowingFile
    ) -> None:
        self._hub = hub
        self._connection = connection
        self._blob = blob
        self._file = file
        self._block = bytearray()
        self._blocks = 0

    async def run(self) -> None:
        """Write what comes. What came of a body that breaks off is written too."""
        try:
            while data := await self._connection.piece():
                self._hub.metrics.blob_bytes_received += len(data)
                self._block += data
                room = self._blob.size - self._file.length
                if len(self._block) > room:
                    del self._block[room:]
                    raise ProblemError(BlobProblem.TOO_LARGE)
                if len(self._block) >= BLOCK_BYTES:
                    await self._write()
        finally:
            with anyio.CancelScope(shield=True):
                await self._write()

    async def _write(self) -> None:
        if not self._block:
            return
        if self._blocks % _LOOK_EVERY == 0:
            if not self._hub.office.has_room(len(self._block)):
                self._block.clear()
                raise ProblemError(BlobProblem.FULL)
            self._hub.office.flush_soon(self._file)
        self._blocks += 1
        try:
            await _in_thread(self._hub, self._file.append, self._block)
        except OSError as error:
            raise ProblemError(BlobProblem.FULL) from error
        finally:
            self._block.clear()
        await self._note_progress()

    async def _note_progress(self) -> None:
        """Let an upload that goes on live on."""
        found = blobs.grown(self._blob, self._hub.office.time())
        if found is not None:
            self._blob = found
            await ask(self._hub.store, partial(_prolong, found))


def _prolong(blob: Blob, turn: "Turn") -> None:
    turn.ledger.blobs.prolong(blob)


# --- download -------------------------------------------------------------------------------------


async def _give(hub: "Hub", connection: HttpConnection, request: Request, blob: Blob) -> None:
    etag = f'"{blob.blob_id.hex()}"'
    headers: Headers = [("etag", etag), ("accept-ranges", "bytes"), _NO_STORE]
    verdict = judge(request.headers, etag)
    if isinstance(verdict, BlobProblem):
        raise ProblemError(verdict)
    if verdict is not None:
        await connection.begin(verdict, headers)
        await connection.end()
        return
    span, status = _span(request, blob, etag)
    headers = [
        *headers,
        ("content-type", "application/octet-stream"),
        ("content-length", str(span.stop - span.start)),
    ]
    if status == 206:  # noqa: PLR2004
        headers.append(("content-range", f"bytes {span.start}-{span.stop - 1}/{blob.size}"))
    if request.method == "HEAD":
        await connection.begin(status, headers)
        await connection.end()
        return
    await _send(hub, connection, blob, span, (status, headers))


def _span(request: Request, blob: Blob, etag: str) -> tuple[Span, int]:
    value = request.headers.get("range")
    if value is None or request.method == "HEAD" or not takes_range(request.headers, etag):
        return Span(0, blob.size), 200
    try:
        span = wanted_span(value, blob.size)
    except BadRangeError:
        size = ("content-range", f"bytes */{blob.size}")
        raise ProblemError(BlobProblem.BAD_RANGE, size) from None
    return (span, 206) if span else (Span(0, blob.size), 200)


async def _send(
    hub: "Hub", connection: HttpConnection, blob: Blob, span: Span, head: tuple[int, Headers]
) -> None:
    block = bytearray(min(BLOCK_BYTES, span.stop - span.start))
    view, at = memoryview(block), span.start

    def begin() -> tuple[int, int]:
        file = hub.office.folder.open_to_read(blob.blob_id)
        return file, os.preadv(file, [view[:_FIRST_BYTES]], at)

    try:
        file, count = await _in_thread(hub, begin)
    except FileNotFoundError:
        raise ProblemError(BlobProblem.GONE) from None
    try:
        await connection.begin(*head)
        while True:
            if not count:
                raise BrokenError("the file is shorter than it should be")
            for start in range(0, count, _SENT_AT_ONCE):
                await connection.send(view[start : min(start + _SENT_AT_ONCE, count)])
            hub.metrics.blob_bytes_sent += count
            at += count
            if at >= span.stop:
                break
            count = await _in_thread(hub, os.preadv, file, [view[: span.stop - at]], at)
        await connection.end()
    finally:
        os.close(file)
