"""A share that was destroyed is nowhere on the disk: every page of database and log is searched."""

import os
from pathlib import Path

import pytest

from e2ecore_protocol.frames import BlobCreated, CreateBlob, Ok, RecallBlob
from e2ecore_relay.backends.sqlite.database import DATABASE_NAME, KEY_NAME
from e2ecore_relay.server.relay import Relay
from tests.support.blob_client import acknowledge, create, send_blob, until_true
from tests.support.pages import opened_pages
from tests.support.raw_client import Person, RawClient, online
from tests.support.relay import relay_at, where

pytestmark = [pytest.mark.anyio, pytest.mark.slow]
BLOBS = 300
"""More than two rounds of slots are laid out for them."""


@pytest.fixture
def anyio_backend() -> str:
    return "trio"


def on_disk(folder: Path, share: bytes) -> bool:
    """Look at what is there now, as somebody would who took the disk and the key."""
    key = bytes.fromhex((folder / KEY_NAME).read_text().strip())
    return share in opened_pages(folder / DATABASE_NAME, key) or any(
        share in path.read_bytes() for path in folder.rglob("*") if path.is_file()
    )


async def many(client: RawClient, group: bytes) -> dict[bytes, bytes]:
    """Make room for many blobs. Return their shares."""
    shares = {}
    for _ in range(BLOBS):
        blob_id, made = await create(client, group, 1_000)
        shares[blob_id] = made.share
    return shares


async def settled(relay: Relay, deleted: int) -> None:
    await until_true(lambda: sum(relay.hub.metrics.blobs_deleted.values()) >= deleted)


@pytest.mark.clause("GB42012-8.1.1e")
async def test_no_page_of_database_and_log_holds_a_destroyed_share(tmp_path: Path) -> None:
    bob = Person()
    folder = tmp_path / "relay"
    async with (
        relay_at(tmp_path) as relay,
        online(*where(relay)) as alice,
        online(*where(relay), bob) as b,
    ):
        group = await alice.group(bob)
        shares = await many(alice, group)
        fetched, made = await send_blob(relay, alice, group, os.urandom(5_000))
        shares[fetched] = made.share
        key = bytes.fromhex((folder / KEY_NAME).read_text().strip())
        pages = opened_pages(folder / DATABASE_NAME, key)
        assert sum(share in pages for share in shares.values()) == len(shares), "the search works"
        gone = {blob_id for number, blob_id in enumerate(shares) if number % 3} | {fetched}
        for blob_id in gone - {fetched}:
            answer = await alice.ask(RecallBlob(alice.request(), blob_id), Ok)
            assert isinstance(answer, Ok)
        assert isinstance(await acknowledge(b, fetched), Ok)
        await settled(relay, len(gone))
        pages = opened_pages(folder / DATABASE_NAME, key)
        assert not [blob_id for blob_id in gone if shares[blob_id] in pages]
        kept = [shares[blob_id] for blob_id in shares if blob_id not in gone]
        assert all(share in pages for share in kept), "the others are untouched"
        assert relay.hub.office.folder.size(fetched) == 0
        again = await many(alice, group)
        pages = opened_pages(folder / DATABASE_NAME, key)
        assert not [blob_id for blob_id in gone if shares[blob_id] in pages], "slots are used again"
        assert all(share in pages for share in again.values())
    assert not any(on_disk(folder, shares[blob_id]) for blob_id in [*gone][:5])


async def test_a_repeated_request_never_brings_a_share_back(tmp_path: Path) -> None:
    bob = Person()
    async with (
        relay_at(tmp_path) as relay,
        online(*where(relay)) as alice,
        online(*where(relay), bob),
    ):
        group = await alice.group(bob)
        blob_id, made = await create(alice, group, 10)
        await alice.ask(RecallBlob(alice.request(), blob_id), Ok)
        await settled(relay, 1)
        again = CreateBlob(alice.request(), blob_id, group, 10, 60)
        assert not isinstance(await alice.ask(again, BlobCreated), BlobCreated)
        assert not on_disk(tmp_path / "relay", made.share)
