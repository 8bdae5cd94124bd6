"""The bytes of blobs over HTTP: uploads that go on, ranges, tokens, and what is refused."""

import os
import threading
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

import anyio
import pytest

from e2ecore_channel import ChannelError
from e2ecore_protocol.frames import Ok, RecallBlob
from e2ecore_protocol.limits import BLOB_TOKEN_S
from e2ecore_relay.domain import blobs
from e2ecore_relay.domain.blob_ports import Grant
from e2ecore_relay.domain.clock import BlobTime
from e2ecore_relay.domain.ports import Ledger
from e2ecore_relay.server.relay import Relay
from tests.support.blob_client import (
    acknowledge,
    blob_connection,
    create,
    fetch,
    send_blob,
    until_true,
    upload_head,
)
from tests.support.engines import PATIENCE_S
from tests.support.raw_client import Person, RawClient, online
from tests.support.relay import relay_at, where

pytestmark = pytest.mark.anyio
DATA = os.urandom(700_000)


async def a_conversation(alice: RawClient, bob: Person) -> bytes:
    return await alice.direct(bob)


async def test_what_is_uploaded_is_what_is_fetched(relay: Relay) -> None:
    bob = Person()
    async with online(*where(relay)) as alice, online(*where(relay), bob) as b:
        blob_id, made = await send_blob(relay, alice, await a_conversation(alice, bob), DATA)
        granted = await fetch(b, blob_id)
        assert granted.share == made.share
        assert (granted.size, granted.expires_ms, granted.promise) == (
            len(DATA),
            made.expires_ms,
            made.promise,
        )
        async with blob_connection(relay) as connection:
            answer = await connection.download(blob_id, granted.fetch_token)
        assert (answer.status, answer.body) == (200, DATA)
        assert answer.headers["etag"] == f'"{blob_id.hex()}"'


async def test_an_upload_goes_on_where_it_stopped(relay: Relay) -> None:
    bob = Person()
    async with online(*where(relay)) as alice, online(*where(relay), bob) as b:
        blob_id, made = await create(alice, await a_conversation(alice, bob), len(DATA))
        token = made.upload_token
        async with blob_connection(relay) as connection:
            await upload_head(connection, blob_id, token, len(DATA), DATA[:300_001])
        async with blob_connection(relay) as connection:
            state = await connection.offset(blob_id, token)
            assert state.status == 204
            assert state.headers["upload-complete"] == "?0"
            assert state.headers["upload-length"] == str(len(DATA))
            at = state.offset
            assert 0 <= at <= 300_001
            answer = await connection.upload(blob_id, token, DATA[at:500_000], at, complete=False)
            assert (answer.status, answer.offset) == (204, 500_000)
            answer = await connection.upload(blob_id, token, DATA[500_000:], 500_000)
            assert (answer.status, answer.headers["upload-complete"]) == (204, "?1")
            again = await connection.offset(blob_id, token)
            assert (again.offset, again.headers["upload-complete"]) == (len(DATA), "?1")
            late = await connection.upload(blob_id, token, b"", len(DATA))
            assert (late.status, late.code) == (409, "upload_complete")
        granted = await fetch(b, blob_id)
        async with blob_connection(relay) as connection:
            assert (await connection.download(blob_id, granted.fetch_token)).body == DATA


@pytest.fixture
async def fetched(relay: Relay) -> tuple[bytes, bytes, bytes]:
    """A blob that is there, with its upload token and a fetch token."""
    bob = Person()
    async with online(*where(relay)) as alice, online(*where(relay), bob) as b:
        blob_id, made = await send_blob(relay, alice, await a_conversation(alice, bob), DATA)
        return blob_id, made.upload_token, (await fetch(b, blob_id)).fetch_token


@pytest.mark.parametrize(
    ("given", "start", "stop"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=350000-", 350_000, len(DATA)),
        ("bytes=350000-99999999", 350_000, len(DATA)),
        ("bytes=-10", len(DATA) - 10, len(DATA)),
    ],
)
async def test_a_range_is_served(
    relay: Relay, fetched: tuple[bytes, bytes, bytes], given: str, start: int, stop: int
) -> None:
    blob_id, _, token = fetched
    async with blob_connection(relay) as connection:
        answer = await connection.download(blob_id, token, range=given)
    assert (answer.status, answer.body) == (206, DATA[start:stop])
    assert answer.headers["content-range"] == f"bytes {start}-{stop - 1}/{len(DATA)}"


async def test_conditions_are_honoured(relay: Relay, fetched: tuple[bytes, bytes, bytes]) -> None:
    blob_id, _, token = fetched
    etag = f'"{blob_id.hex()}"'
    async with blob_connection(relay) as connection:
        one = {"range": "bytes=5-9"}
        assert (await connection.download(blob_id, token, if_none_match=etag)).status == 304
        assert (await connection.download(blob_id, token, if_match=etag, **one)).status == 206
        assert (await connection.download(blob_id, token, if_range=etag, **one)).status == 206
        whole = await connection.download(blob_id, token, if_range='"other"', **one)
        assert (whole.status, whole.body) == (200, DATA)
        refused = await connection.download(blob_id, token, if_match='"other"')
        assert (refused.status, refused.code) == (412, "precondition_failed")
        beyond = await connection.download(blob_id, token, range=f"bytes={len(DATA)}-")
        assert (beyond.status, beyond.code) == (416, "bad_range")
        assert beyond.headers["content-range"] == f"bytes */{len(DATA)}"
        head = await connection.ask("HEAD", blob_id, token)
        assert (head.status, head.headers["content-length"]) == (200, str(len(DATA)))


async def test_tokens_are_good_for_one_thing(
    relay: Relay, fetched: tuple[bytes, bytes, bytes]
) -> None:
    blob_id, upload, token = fetched
    for method, name, shown, expected in (
        ("GET", blob_id, None, (401, "token_missing")),
        ("GET", blob_id, os.urandom(32), (401, "token_unknown")),
        ("GET", os.urandom(16), token, (401, "token_unknown")),
        ("GET", blob_id, upload, (403, "token_wrong_use")),
        ("PATCH", blob_id, token, (403, "token_wrong_use")),
        ("DELETE", blob_id, token, (405, "method_not_allowed")),
    ):
        async with blob_connection(relay) as connection:
            answer = await connection.ask(method, name, shown)
        assert (answer.status, answer.code) == expected, expected


async def test_a_token_is_void_when_there_is_a_newer_one(relay: Relay) -> None:
    bob = Person()
    async with online(*where(relay)) as alice, online(*where(relay), bob) as b:
        blob_id, _ = await send_blob(relay, alice, await a_conversation(alice, bob), DATA)
        old, new = await fetch(b, blob_id), await fetch(b, blob_id)
        async with blob_connection(relay) as connection:
            assert (await connection.download(blob_id, old.fetch_token)).code == "token_unknown"
            assert (await connection.download(blob_id, new.fetch_token)).status == 200


async def test_a_token_that_is_too_old_begins_nothing_and_a_new_one_goes_on(
    relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    bob = Person()
    office = relay.hub.office
    async with online(*where(relay)) as alice, online(*where(relay), bob) as b:
        blob_id, _ = await send_blob(relay, alice, await a_conversation(alice, bob), DATA)
        old, present = await fetch(b, blob_id), office.time

        def later() -> BlobTime:
            return present()._replace(later_ms=present().later_ms + BLOB_TOKEN_S * 1_000)

        monkeypatch.setattr(office, "time", later)
        async with blob_connection(relay) as connection:
            answer = await connection.download(blob_id, old.fetch_token)
            assert (answer.status, answer.code) == (403, "token_expired")
        new = await fetch(b, blob_id)
        async with blob_connection(relay) as connection:
            answer = await connection.download(blob_id, new.fetch_token, range="bytes=300000-")
            assert (answer.status, answer.body) == (206, DATA[300_000:])


async def test_a_token_is_void_after_its_device_acknowledged(relay: Relay) -> None:
    bob, carol = Person(), Person()
    async with (
        online(*where(relay)) as alice,
        online(*where(relay), bob) as b,
        online(*where(relay), carol),
    ):
        group = await alice.group(bob, carol)
        blob_id, _ = await send_blob(relay, alice, group, DATA)
        granted = await fetch(b, blob_id)
        assert isinstance(await acknowledge(b, blob_id), Ok)
        async with blob_connection(relay) as connection:
            answer = await connection.download(blob_id, granted.fetch_token)
        assert (answer.status, answer.code) == (410, "token_used")


async def test_a_recalled_blob_is_cut_off(relay: Relay) -> None:
    bob = Person()
    async with online(*where(relay)) as alice, online(*where(relay), bob) as b:
        blob_id, _ = await send_blob(relay, alice, await a_conversation(alice, bob), DATA)
        granted = await fetch(b, blob_id)
        assert isinstance(await alice.ask(RecallBlob(alice.request(), blob_id), Ok), Ok)
        async with blob_connection(relay) as connection:
            answer = await connection.download(blob_id, granted.fetch_token)
        assert (answer.status, answer.code) == (410, "gone")
        await until_true(lambda: relay.hub.office.folder.size(blob_id) == 0)


async def test_what_is_wrong_with_an_upload_is_said_before_its_body(relay: Relay) -> None:
    bob = Person()
    async with online(*where(relay)) as alice, online(*where(relay), bob):
        blob_id, made = await create(alice, await a_conversation(alice, bob), 1_000)
        token = made.upload_token
        for headers, expected in (
            ({"upload_offset": "5"}, (409, "offset_mismatch")),
            ({"upload_offset": "-1"}, (400, "bad_request")),
            ({"upload_complete": "yes"}, (400, "bad_request")),
            ({"content_type": "text/plain"}, (415, "unsupported_media_type")),
        ):
            async with blob_connection(relay) as connection:
                answer = await connection.upload(blob_id, token, b"x" * 10, headers=headers)
            assert (answer.status, answer.code) == expected
        async with blob_connection(relay) as connection:
            answer = await connection.upload(blob_id, token, b"x" * 1_001)
            assert (answer.status, answer.code) == (413, "too_large")
        async with blob_connection(relay) as connection:
            answer = await connection.upload(
                blob_id, token, b"x" * 1_001, headers={"transfer_encoding": "chunked"}
            )
            assert (answer.status, answer.code) == (413, "too_large")
        async with blob_connection(relay) as connection:
            assert (await connection.offset(blob_id, token)).offset <= 1_000


async def test_an_upload_that_says_it_is_complete_and_is_not(relay: Relay) -> None:
    bob = Person()
    async with online(*where(relay)) as alice, online(*where(relay), bob):
        blob_id, made = await create(alice, await a_conversation(alice, bob), 1_000)
        async with blob_connection(relay) as connection:
            answer = await connection.upload(blob_id, made.upload_token, b"x" * 10)
            assert (answer.status, answer.code) == (400, "bad_request")
            assert (await connection.offset(blob_id, made.upload_token)).offset == 10


async def test_permission_is_given_before_a_body_is_sent(relay: Relay) -> None:
    bob = Person()
    async with online(*where(relay)) as alice, online(*where(relay), bob):
        blob_id, made = await create(alice, await a_conversation(alice, bob), 10)
        async with blob_connection(relay) as connection:
            answer = await connection.upload(
                blob_id, made.upload_token, b"0123456789", headers={"expect": "100-continue"}
            )
            assert (answer.status, answer.interim) == (204, [100])


async def test_who_comes_back_ends_the_upload_that_hangs(relay: Relay) -> None:
    bob = Person()
    async with online(*where(relay)) as alice, online(*where(relay), bob):
        blob_id, made = await create(alice, await a_conversation(alice, bob), len(DATA))
        token = made.upload_token
        async with blob_connection(relay) as hanging, blob_connection(relay) as fresh:
            await upload_head(hanging, blob_id, token, len(DATA), DATA[:1_000])
            await until_true(lambda: relay.hub.metrics.blob_bytes_received > 0)
            assert (await fresh.offset(blob_id, token)).offset == 1_000
            assert (await fresh.upload(blob_id, token, DATA[1_000:], 1_000)).status == 204


@pytest.mark.parametrize("verb", ["upload", "offset"])
async def test_who_was_let_in_just_before_the_blob_was_recalled_writes_nothing_behind_it(
    relay: Relay, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    """The token was found good; before anything came of it, share, bytes and row were gone."""
    looked, goes_on, usable = threading.Event(), threading.Event(), blobs.usable

    def slowly(ledger: Ledger, token: bytes) -> Grant | None:
        found = usable(ledger, token)
        looked.set()
        goes_on.wait(PATIENCE_S)
        return found

    bob = Person()
    async with online(*where(relay)) as alice, online(*where(relay), bob):
        blob_id, made = await create(alice, await a_conversation(alice, bob), len(DATA))
        monkeypatch.setattr(blobs, "usable", slowly)
        async with blob_connection(relay) as connection, anyio.create_task_group() as tasks:

            async def ask() -> None:
                asked = partial(connection.offset, blob_id, made.upload_token)
                if verb == "upload":
                    asked = partial(connection.upload, blob_id, made.upload_token, DATA)
                with pytest.raises((ChannelError, OSError)):
                    await asked()

            tasks.start_soon(ask)
            await until_true(looked.is_set)
            assert isinstance(await alice.ask(RecallBlob(alice.request(), blob_id), Ok), Ok)
            await until_true(lambda: sum(relay.hub.metrics.blobs_deleted.values()) == 1)
            goes_on.set()
        await until_true(lambda: len(relay.hub.office.transfers) == 0)
        assert list(relay.hub.office.folder.names()) == []


async def test_a_full_disk_is_said(tmp_path: Path) -> None:
    bob = Person()
    async with (
        relay_at(tmp_path) as relay,
        online(*where(relay)) as alice,
        online(*where(relay), bob),
    ):
        blob_id, made = await create(alice, await a_conversation(alice, bob), 1_000)
        object.__setattr__(relay.hub.config, "blob_min_free_bytes", 1 << 60)
        async with blob_connection(relay) as connection:
            answer = await connection.upload(blob_id, made.upload_token, b"x" * 1_000)
            assert (answer.status, answer.code) == (507, "full")
        object.__setattr__(relay.hub.config, "blob_min_free_bytes", 0)
        async with blob_connection(relay) as connection:
            assert (await connection.offset(blob_id, made.upload_token)).offset == 0
            answer = await connection.upload(blob_id, made.upload_token, b"x" * 1_000)
            assert answer.status == 204


async def test_neither_a_token_nor_what_lies_beside_the_bytes_says_whose_they_are(
    tmp_path: Path,
) -> None:
    """Each device has a token of its own, random each time; the folder has ciphertext alone."""
    people = [Person(), Person(), Person()]
    async with relay_at(tmp_path) as relay, AsyncExitStack() as stack:
        clients = [
            await stack.enter_async_context(online(*where(relay), person)) for person in people
        ]
        chat = await clients[0].group(*people[1:])
        blob_id, made = await send_blob(relay, clients[0], chat, DATA)
        granted = [await fetch(one, blob_id) for one in (*clients[1:], *clients[1:])]
        tokens = [made.upload_token, *(one.fetch_token for one in granted)]
        async with blob_connection(relay) as connection:
            answer = await connection.download(blob_id, granted[-1].fetch_token)
        lies = {
            path: path.read_bytes() for path in (tmp_path / "relay" / "blobs").rglob(blob_id.hex())
        }
    assert len(set(tokens)) == len(tokens)
    assert [*lies.values()] == [DATA]
    said = repr((sorted(answer.headers.items()), [str(path) for path in lies])).encode()
    for person in people:
        for secret in (*person.address, person.device.public, *tokens):
            assert secret not in said
            assert secret.hex().encode() not in said
