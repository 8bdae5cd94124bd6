"""What every table of blobs must do: the real one, and the one that tests run years on."""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from e2ecore_protocol.frames import ConversationKind, DeletionReceipt
from e2ecore_relay.domain.blob_ports import Blob, BlobTable, Kept, Stage, Usage
from e2ecore_relay.domain.clock import Count
from tests.support.blob_table import MemoryBlobTable
from tests.support.relay_desk import START_MS, Desk

DAY_MS = 86_400_000


class Backend(NamedTuple):
    """A table, and rows that blobs may refer to."""

    turn: Callable[[], AbstractContextManager[BlobTable]]
    lid: int
    account: int
    devices: list[int]


@contextmanager
def in_memory(_folder: Path) -> Iterator[Backend]:
    table = MemoryBlobTable()

    @contextmanager
    def turn() -> Iterator[BlobTable]:
        yield table

    yield Backend(turn, 1, 1, [1, 2, 3, 4])


@contextmanager
def sqlite(folder: Path) -> Iterator[Backend]:
    desk = Desk(folder)
    stored = [desk.device() for _ in range(4)]
    desk.commit(stored[0], bytes(16), 0, create=ConversationKind.GROUP)
    log = desk.exchange.log(desk.ledger, bytes(16))
    assert log is not None

    @contextmanager
    def turn() -> Iterator[BlobTable]:
        with desk.turn() as (_, ledger, _now_ms):
            yield ledger.blobs

    yield Backend(turn, log.lid, stored[0].account, [one.device for one in stored])
    desk.close()


@pytest.fixture(params=[in_memory, sqlite])
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Backend]:
    with request.param(tmp_path) as found:
        yield found


def made(backend: Backend, *, due_ms: int = START_MS + DAY_MS, size: int = 100) -> Blob:
    """Store a blob of the first device for the other three."""
    blob = Blob(
        blob=0,
        blob_id=os.urandom(16),
        lid=backend.lid,
        account=backend.account,
        device=backend.devices[0],
        size=size,
        expires_ms=START_MS + 2 * DAY_MS,
        due_ms=due_ms,
        stage=Stage.UPLOADING,
        reason=6,
        recipients=0,
        waiting=0,
        promise=bytes(64),
    )
    with backend.turn() as table:
        number = table.create(blob, os.urandom(32), os.urandom(32), backend.devices[1:])
    return blob._replace(blob=number, recipients=3, waiting=3)


def test_what_was_made_is_found(backend: Backend) -> None:
    blob = made(backend)
    with backend.turn() as table:
        assert table.find([blob.blob_id, bytes(16)]) == {blob.blob_id: blob}
        assert len(table.share(blob.blob)) == 32
        assert [table.waits(blob.blob, device) for device in backend.devices] == [
            None,
            True,
            True,
            True,
        ]


def test_tokens_stand_for_one_use_and_the_newest_counts(backend: Backend) -> None:
    blob = made(backend)
    reader = backend.devices[1]
    upload, old, new = os.urandom(32), os.urandom(32), os.urandom(32)
    with backend.turn() as table:
        table.renew_upload(blob.blob, upload)
        table.grant(blob.blob, reader, old, 5)
        table.grant(blob.blob, reader, new, 7)
        found = table.granted(upload)
        assert found is not None
        assert (found.is_upload, found.blob) == (True, blob)
        found = table.granted(new)
        assert found is not None
        assert (found.is_upload, found.until_ms, found.is_used) == (False, 7, False)
        assert table.granted(old) is None
        table.acknowledge(blob.blob, reader, bytes(64))
        found = table.granted(new)
        assert found is not None
        assert found.is_used


def test_acknowledgements_and_departures_are_counted(backend: Backend) -> None:
    blob, other = made(backend), made(backend)
    _, one, two, three = backend.devices
    with backend.turn() as table:
        table.complete(blob.blob, blob.expires_ms)
        table.acknowledge(blob.blob, one, bytes(64))
        assert table.waits(blob.blob, one) is False
        assert table.dismiss(two, backend.lid + 1) == []
        assert table.dismiss(two, backend.lid) == []
        assert table.waits(blob.blob, two) is None
        (done,) = table.dismiss(three, None)
        assert (done.blob_id, done.recipients, done.waiting) == (blob.blob_id, 3, 0)
        assert table.find([other.blob_id])[other.blob_id].waiting == 1
        table.add_recipients(blob.blob, [one, two])
        again = table.find([blob.blob_id])[blob.blob_id]
        assert (again.recipients, again.waiting) == (4, 1)
        assert table.waits(blob.blob, one) is False


def test_what_is_due_comes_once_it_is_due_and_the_oldest_first(backend: Backend) -> None:
    late, early = made(backend, due_ms=START_MS + 20), made(backend, due_ms=START_MS + 10)
    whole = made(backend, due_ms=START_MS + 5)
    with backend.turn() as table:
        table.complete(whole.blob, START_MS + 15)
        assert table.due(START_MS + 9, 10) == []
        names = [blob.blob_id for blob in table.due(START_MS + 20, 10)]
        assert names == [early.blob_id, whole.blob_id, late.blob_id]
        assert len(table.due(START_MS + 20, 2)) == 2


def test_a_doomed_blob_loses_its_share_keeps_its_reason_and_is_buried(backend: Backend) -> None:
    blob, other = made(backend), made(backend, size=7)
    with backend.turn() as table:
        table.doom([(blob.blob, 2)])
        table.doom([(blob.blob, 3)])
        (doomed,) = table.doomed(10)
        assert (doomed.stage, doomed.reason, doomed.due_ms) == (Stage.DOOMED, 2, 0)
        assert table.usage_of_account(backend.account) == Usage(107, 2)
    receipt = DeletionReceipt(blob.blob_id, 2, START_MS, bytes(64))
    with backend.turn() as table:
        buried = [(blob.blob, Kept(blob.device, receipt))]
        table.bury(buried, START_MS + DAY_MS)
        assert table.find([blob.blob_id]) == {}
        assert table.receipts([blob.blob_id, other.blob_id]) == [receipt]
        assert table.usage_of_account(backend.account) == Usage(7, 1)
        assert table.usage_of_log(backend.lid) == Usage(7, 1)
        assert table.forget_receipts(START_MS + DAY_MS - 1, 10) == 0
        assert table.forget_receipts(START_MS + DAY_MS, 10) == 1
        assert table.receipts([blob.blob_id]) == []
    with backend.turn() as table:
        assert table.doom_account(backend.account, 4) == 1
        assert [one.reason for one in table.doomed(10)] == [4]


def test_all_complete_blobs_can_be_walked_through(backend: Backend) -> None:
    blobs = [made(backend) for _ in range(5)]
    with backend.turn() as table:
        for blob in blobs[1:]:
            table.complete(blob.blob, blob.expires_ms)
        first = table.after(0, 3)
        assert [one.blob for one in first] == [one.blob for one in blobs[1:4]]
        assert [one.blob for one in table.after(first[-1].blob, 3)] == [blobs[4].blob]


def test_the_office_is_kept(backend: Backend) -> None:
    with backend.turn() as table:
        assert table.counted() is None
        assert table.receipt_seed() is None
        table.set_counted(Count(1, 2, b"boot", 3, 4))
        table.set_receipt_seed(bytes(32))
        table.set_receipt_seed(b"x" * 32)
        assert table.counted() == Count(1, 2, b"boot", 3, 4)
        assert table.receipt_seed() == bytes(32)
