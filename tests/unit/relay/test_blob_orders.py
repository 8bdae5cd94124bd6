"""An operator's orders: carried out once, recorded for good, and never a way to read."""

import os
import shutil
from pathlib import Path

import anyio
import anyio.to_thread
import pytest

from e2ecore_protocol.errors import ErrorCode
from e2ecore_protocol.frames import (
    BlobGranted,
    BlobStates,
    DeletionReason,
    DeletionReceipt,
    FetchBlob,
    QueryBlobs,
    receipt_message,
)
from e2ecore_relay import __main__ as program
from e2ecore_relay.backends.sqlite.blob_orders import SqliteOrders
from e2ecore_relay.backends.sqlite.connection import Connection, StoreError
from e2ecore_relay.backends.sqlite.database import open_database
from e2ecore_relay.domain.blob_orders import Found, Order
from e2ecore_relay.server import order_files
from e2ecore_relay.server.authentication import verify
from e2ecore_relay.server.relay import Relay
from tests.support.blob_client import send_blob, until_true
from tests.support.engines import PATIENCE_S
from tests.support.raw_client import Person, RawClient, online
from tests.support.relay import relay_at, where

pytestmark = pytest.mark.anyio
REFERENCE = "Court of X, 12/2026"


def operate(monkeypatch: pytest.MonkeyPatch, data: Path, *arguments: str) -> int:
    """Run the operator's command; return its exit status."""
    monkeypatch.setattr("sys.argv", ["e2ecore-relay", "--data", str(data), "blobs", *arguments])
    return program.main()


async def operated(monkeypatch: pytest.MonkeyPatch, data: Path, *arguments: str) -> int:
    return await anyio.to_thread.run_sync(operate, monkeypatch, data, *arguments)


def refused_orders(data: Path) -> list[str]:
    return [one.name for one in (data / order_files.FOLDER_NAME).glob("*.refused")]


async def the_receipt(client: RawClient, blob_id: bytes) -> DeletionReceipt:
    with anyio.fail_after(PATIENCE_S):
        while True:
            answer = await client.ask(QueryBlobs(client.request(), (blob_id,)), BlobStates)
            assert isinstance(answer, BlobStates)
            if answer.deleted:
                return answer.deleted[0]
            await anyio.sleep(0.02)


async def test_an_ordered_blob_ends_with_a_receipt_of_its_own_reason_and_is_recorded(
    relay: Relay, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    data, bob = relay.hub.config.data, Person()
    async with online(*where(relay)) as alice, online(*where(relay), bob) as b:
        group = await alice.group(bob)
        blob_id, made = await send_blob(relay, alice, group, b"evidence")
        assert await operated(monkeypatch, data, "list") == 0
        assert blob_id.hex() in capsys.readouterr().out
        order = ("delete", blob_id.hex(), "--reference", REFERENCE)
        assert await operated(monkeypatch, data, *order) == 0
        assert "share is destroyed" in capsys.readouterr().out
        receipt = await the_receipt(alice, blob_id)
        assert receipt.reason == DeletionReason.OPERATOR
        name = relay.hub.config.server_name
        signed = receipt_message(name, blob_id, receipt.reason, receipt.time_ms)
        verify(made.receipt_key, signed, receipt.signature)
        assert relay.hub.office.folder.size(blob_id) == 0
        refused = await b.ask(FetchBlob(b.request(), blob_id), BlobGranted)
        assert getattr(refused, "code", None) == ErrorCode.BLOB_GONE
        assert await operated(monkeypatch, data, *order) == 0
        unknown = ("delete", bytes(16).hex(), "--reference", REFERENCE)
        assert await operated(monkeypatch, data, *unknown) == 1
        capsys.readouterr()
        assert await operated(monkeypatch, data, "orders") == 0
        lines = capsys.readouterr().out.splitlines()
        assert [REFERENCE in line for line in lines] == [True] * 3
        assert [one.split("  ")[1] for one in lines] == [blob_id.hex()] * 2 + [bytes(16).hex()]
        assert made.share.hex() not in "".join(lines)
        assert not order_files.waiting(data)


async def test_an_order_that_a_crash_left_behind_is_not_carried_out_twice(
    relay: Relay, tmp_path: Path
) -> None:
    data = relay.hub.config.data
    order = Order(os.urandom(16), bytes(16), REFERENCE)
    for _ in range(2):
        file = order_files.write(data, order)
        shutil.copy(file, tmp_path / "kept")
        await until_true(lambda: not order_files.waiting(data))
    records = relay.hub.store.read(lambda ledger: ledger.orders.after(0, 10))
    assert [record.order for _, record in records] == [order]
    assert records[0][1].found is Found.UNKNOWN


async def test_an_order_waits_for_a_relay_that_is_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bob = Person()
    async with (
        relay_at(tmp_path) as relay,
        online(*where(relay)) as alice,
        online(*where(relay), bob),
    ):
        data = relay.hub.config.data
        blob_id, _ = await send_blob(relay, alice, await alice.group(bob), b"evidence")
        person = alice.person
    order = ("delete", blob_id.hex(), "--reference", REFERENCE)
    assert await operated(monkeypatch, data, *order) == 0
    assert "noted" in capsys.readouterr().out
    assert await operated(monkeypatch, data, "orders") == 0
    assert "not carried out yet" in capsys.readouterr().out
    async with relay_at(tmp_path) as relay, online(*where(relay), person) as alice:
        assert (await the_receipt(alice, blob_id)).reason == DeletionReason.OPERATOR


async def test_a_file_that_is_no_order_is_put_aside(relay: Relay) -> None:
    data = relay.hub.config.data
    folder = data / order_files.FOLDER_NAME
    folder.mkdir()
    wrong = {
        "a": b"{",
        "b" * 32: b'{"blob": "00", "reference": "x"}',
        "c" * 32: b'{"blob": "' + b"0" * 32 + b'", "reference": ""}',
        "d" * 32: b'{"blob": "' + b"0" * 32 + b'", "reference": "x", "more": 1}',
        "e" * 32: b"[]" * 4_000,
    }
    for name, text in wrong.items():
        (folder / f"{name}.order").write_bytes(text)
    await until_true(lambda: len(refused_orders(data)) == len(wrong))
    assert relay.hub.store.read(lambda ledger: ledger.orders.after(0, 10)) == []


@pytest.mark.parametrize(
    "arguments",
    [
        ("delete", "zz", "--reference", "x"),
        ("delete", "00", "--reference", "x"),
        ("delete", "0" * 32, "--reference", " "),
        ("delete", "0" * 32, "--reference", "two\nlines"),
        ("delete", "0" * 32, "--reference", "x" * 201),
        ("list", "--account", "zz"),
    ],
)
def test_what_cannot_be_ordered_is_refused_with_a_reason(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
) -> None:
    database = open_database(tmp_path, os.urandom)
    database.writer().close()
    database.close()
    assert operate(monkeypatch, tmp_path, *arguments) == 2
    assert "Not done" in capsys.readouterr().err
    assert not order_files.waiting(tmp_path)
    assert operate(monkeypatch, tmp_path / "nowhere", *arguments) == 2


def test_records_of_orders_are_never_changed_or_deleted(tmp_path: Path) -> None:
    database = open_database(tmp_path, os.urandom)
    connection: Connection = database.writer()
    connection.execute(
        "INSERT INTO blob_orders (order_id, blob_id, reference, time_ms, found)"
        " VALUES (x'01', x'02', 'why', 1, 3)"
    )
    for statement in ("DELETE FROM blob_orders", "UPDATE blob_orders SET reference = 'x'"):
        with pytest.raises(StoreError, match="orders are"):
            connection.execute(statement)
    assert len(SqliteOrders(connection).after(0, 10)) == 1
    connection.close()
    database.close()
