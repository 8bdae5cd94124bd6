"""Clients of the port for bytes that mean no good, or are merely broken."""

import os
from pathlib import Path

import anyio
import h11
import pytest

from e2ecore_channel import ChannelError
from e2ecore_protocol.frames import CreateBlob
from e2ecore_protocol.frames.blobs import BlobCreated
from e2ecore_protocol.frames.session import Failed
from e2ecore_relay.server.relay import Relay
from tests.support.blob_client import (
    BlobConnection,
    blob_connection,
    create,
    fetch,
    send_blob,
    until_true,
    upload_head,
)
from tests.support.engines import PATIENCE_S
from tests.support.raw_client import Person, online
from tests.support.relay import relay_at, where

pytestmark = pytest.mark.anyio
DATA = os.urandom(4_000_000)


async def said(connection: BlobConnection, data: bytes) -> bytes:
    """Send bytes as they are. Return all that comes until the relay hangs up."""
    connection.stream.put(data)
    found = b""
    try:
        with anyio.fail_after(PATIENCE_S):
            await connection.stream.drain()
            while True:
                found += await connection.stream.read()
    except ChannelError:
        return found


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"\x16\x03\x01\x02\x00\x01" * 9 + b"\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 100_000, b"431"),
        (b"GET /../../etc/passwd HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", b"404"),
        (b"GET http://x/v1/blobs/1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", b"404"),
        (b"PRI * HTTP/2.0\r\nConnection: close\r\n\r\nSM\r\n\r\n", b"404"),
    ],
)
async def test_what_is_not_a_request_is_refused_and_hurts_nobody(
    relay: Relay, data: bytes, status: bytes
) -> None:
    async with blob_connection(relay) as connection:
        assert (await said(connection, data)).split(b"\r\n")[0].split()[1] == status
    await until_true(lambda: relay.blobs.connections == 0)


async def test_who_says_nothing_is_hung_up_on(tmp_path: Path) -> None:
    options = {"handshake_timeout_s": 0.3, "blob_idle_timeout_s": 0.3}
    async with relay_at(tmp_path, **options) as relay, blob_connection(relay) as connection:
        assert await said(connection, b"GET /v1/bl") == b""
        await until_true(lambda: relay.blobs.connections == 0)


async def test_a_body_that_stands_still_ends_and_keeps_what_came(tmp_path: Path) -> None:
    bob = Person()
    async with (
        relay_at(tmp_path, blob_idle_timeout_s=0.3) as relay,
        online(*where(relay)) as alice,
        online(*where(relay), bob),
    ):
        blob_id, made = await create(alice, await alice.direct(bob), len(DATA))
        async with blob_connection(relay) as connection:
            await upload_head(connection, blob_id, made.upload_token, len(DATA), DATA[:1_000])
            assert await said(connection, b"") == b""
        async with blob_connection(relay) as connection:
            assert (await connection.offset(blob_id, made.upload_token)).offset == 1_000


async def test_a_reader_that_does_not_read_costs_little_and_is_cut_off(tmp_path: Path) -> None:
    bob = Person()
    async with (
        relay_at(tmp_path, blob_idle_timeout_s=0.5) as relay,
        online(*where(relay)) as alice,
        online(*where(relay), bob) as b,
    ):
        data = DATA * 6
        blob_id, _ = await send_blob(relay, alice, await alice.direct(bob), data)
        granted = await fetch(b, blob_id)
        async with blob_connection(relay) as connection:
            head = (
                f"GET /v1/blobs/{blob_id.hex()} HTTP/1.1\r\nHost: x\r\n"
                f"Authorization: Bearer {granted.fetch_token.hex()}\r\n\r\n"
            )
            connection.stream.put(head.encode())
            await until_true(lambda: relay.hub.metrics.blob_bytes_sent > 0)
            await until_true(lambda: relay.blobs.connections == 0)
        assert relay.hub.metrics.blob_bytes_sent < len(data)
        async with blob_connection(relay) as connection:
            answer = await connection.download(blob_id, granted.fetch_token)
            assert answer.body == data


async def test_connections_beyond_the_limit_are_closed(tmp_path: Path) -> None:
    async with (
        relay_at(tmp_path, blob_connections=1) as relay,
        blob_connection(relay) as first,
    ):
        await until_true(lambda: relay.blobs.connections == 1)
        with pytest.raises(ChannelError):
            async with blob_connection(relay):
                raise AssertionError
        answer = await first.ask("GET", os.urandom(16), None)
        assert answer.status == 401


async def test_a_recall_cuts_off_who_is_reading(relay: Relay) -> None:
    bob = Person()
    async with online(*where(relay)) as alice, online(*where(relay), bob) as b:
        data = DATA * 6
        blob_id, _ = await send_blob(relay, alice, await alice.direct(bob), data)
        granted = await fetch(b, blob_id)
        async with blob_connection(relay) as connection:
            head = (
                f"GET /v1/blobs/{blob_id.hex()} HTTP/1.1\r\nHost: x\r\n"
                f"Authorization: Bearer {granted.fetch_token.hex()}\r\n\r\n"
            )
            connection.stream.put(head.encode())
            await until_true(lambda: len(relay.hub.office.transfers) == 1)
            relay.hub.office.transfers.cut([blob_id])
            assert len(await said(connection, b"")) < len(data)
        assert len(relay.hub.office.transfers) == 0


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("blobs_per_account", 2),
        ("blob_bytes_per_account", 25),
        ("blob_bytes_per_conversation", 25),
    ],
)
async def test_quotas_hold(tmp_path: Path, option: str, value: int) -> None:
    bob = Person()
    async with (
        relay_at(tmp_path, **{option: value}) as relay,
        online(*where(relay)) as alice,
        online(*where(relay), bob),
    ):
        chat = await alice.direct(bob)
        for _ in range(2):
            await create(alice, chat, 10)
        frame = CreateBlob(alice.request(), os.urandom(16), chat, 10, 60)
        answer = await alice.ask(frame, BlobCreated)
        assert isinstance(answer, Failed)
        assert answer.code == "quota_exceeded"


async def test_size_and_disk_are_looked_at_before_anything_is_stored(tmp_path: Path) -> None:
    bob = Person()
    async with (
        relay_at(tmp_path, max_blob_bytes=100) as relay,
        online(*where(relay)) as alice,
        online(*where(relay), bob),
    ):
        chat = await alice.direct(bob)
        frame = CreateBlob(alice.request(), os.urandom(16), chat, 101, 60)
        answer = await alice.ask(frame, BlobCreated)
        assert isinstance(answer, Failed)
        assert answer.code == "too_large"
        object.__setattr__(relay.hub.config, "blob_min_free_bytes", 1 << 60)
        frame = CreateBlob(alice.request(), os.urandom(16), chat, 1, 60)
        answer = await alice.ask(frame, BlobCreated)
        assert isinstance(answer, Failed)
        assert answer.code == "relay_full"


async def test_a_stopping_relay_lets_a_transfer_finish(tmp_path: Path) -> None:
    bob = Person()
    async with relay_at(tmp_path, drain_timeout_s=PATIENCE_S) as relay:
        async with online(*where(relay)) as alice, online(*where(relay), bob):
            blob_id, made = await create(alice, await alice.direct(bob), len(DATA))
        async with blob_connection(relay) as connection, anyio.create_task_group() as tasks:
            await upload_head(connection, blob_id, made.upload_token, len(DATA), DATA[:1_000])
            await until_true(lambda: relay.hub.metrics.blob_bytes_received > 0)
            relay.stop()
            tasks.start_soon(relay.blobs.drain)
            await connection.send(h11.Data(data=DATA[1_000:]), h11.EndOfMessage())
            assert (await connection.answer()).status == 204
