"""Every statement of the relay's tables finds its rows by a key; none reads a whole table."""

import inspect
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pytest

from e2ecore_protocol.frames import ChainHead, ConversationKind, DeletionReceipt, DeviceAddress
from e2ecore_protocol.frames.guardians import MinorMark
from e2ecore_relay.backends.sqlite.accounts import SqliteAccounts
from e2ecore_relay.backends.sqlite.blob_orders import SqliteOrders
from e2ecore_relay.backends.sqlite.blobs import SqliteBlobs
from e2ecore_relay.backends.sqlite.connection import Connection, Cursor, SqlValue
from e2ecore_relay.backends.sqlite.guardians import SqliteGuardians
from e2ecore_relay.backends.sqlite.key_packages import SqliteKeyPackages
from e2ecore_relay.backends.sqlite.logs import SqliteLogs
from e2ecore_relay.backends.sqlite.minor_orders import SqliteMinorOrders
from e2ecore_relay.backends.sqlite.pages import SqlitePages
from e2ecore_relay.domain.blob_orders import Found, Order, OrderRecord
from e2ecore_relay.domain.blob_ports import Blob, Kept, Stage
from e2ecore_relay.domain.clock import Count
from e2ecore_relay.domain.feed import Span
from e2ecore_relay.domain.guardian_ports import (
    MarkReason,
    MinorRecord,
    StoredApproval,
    StoredEnding,
    StoredLink,
)
from e2ecore_relay.domain.log import Hole
from e2ecore_relay.domain.ports import Fresh, NewEntry
from tests.support.relay_desk import START_MS, Desk

ID = bytes(16)
BLOB = Blob(0, ID, 1, 1, 1, 9, START_MS, START_MS, Stage.UPLOADING, 3, 0, 0, bytes(64))
RECEIPT = Kept(1, DeletionReceipt(ID, 3, START_MS, bytes(64)))
APPROVAL = StoredApproval(ID, 2, b"document", b"", START_MS)
ORDER = OrderRecord(Order(ID, ID, "reference"), START_MS, Found.GONE)
RECORD = MinorRecord(ID, ID, bool(ORDER), MarkReason.PERSON, "reference", START_MS)

CALLS: dict[type, dict[str, tuple[object, ...]]] = {
    SqliteAccounts: {
        "find": ([ID],), "by_handle": ("bob",), "create": (ChainHead(ID, 0, ID), "bob", 1),
        "extend": (1, [NewEntry(0, ID, ID)]), "entries": (1, 0, 9), "add_device": (1, ID, ID, 1),
        "remove_devices": ([3], 1), "devices": ([DeviceAddress(ID, ID)],), "live_devices": ([1],),
    },
    SqliteKeyPackages: {
        "publish": (1, [b"a"], 9, 1), "set_last_resort": (1, b"b", 1), "claim": ([1],),
        "claim_one_time": (1, 9), "count": ([1],), "forget": ([1], Fresh(1, 1)), "discard": ([1],),
    },
    SqliteLogs: {
        "load": ([ID],), "load_numbers": ([1],), "create": (b"name", 2, 0), "answers": (1, [ID]),
        "append": ([(1, [(1, 1, b"item", 0, START_MS)])], {1: {ID: (1, 1)}}),
        "share": (b"payload", 1), "set_epoch": (1, 1), "admit": (1, [3], 1, [Hole(3, 1, 1)]),
        "succeed": (1, 4, 1, 1), "seat": (1, [4]), "dismiss": (1, [3], 1),
        "drop_readers": ([(1, 3)],), "move_cursors": ([(1, 1, 1)],), "forget": ([(1, 1, 1)],),
        "unread": (1,), "routes_of": (1,), "conversations": (1,), "count_conversations": ([1],),
        "expire": (START_MS + 10**10, START_MS, 9),
    },
    SqliteBlobs: {
        "find": ([ID],), "known": ([ID],), "create": (BLOB, bytes(32), ID, [1, 2]), "share": (1,),
        "renew_upload": (1, ID), "prolong": (BLOB,), "add_recipients": (1, [3]), "waits": (1, 1),
        "grant": (1, 1, b"t" * 32, 1), "granted": (b"t" * 32,), "acknowledge": (1, 1, bytes(64)),
        "dismiss": (2, 1), "complete": (1, 1), "sent": (1, [1]), "due": (START_MS, 9),
        "after": (0, 9), "doom": ([(1, 3)],), "doom_account": (1, 3), "doomed": (9,),
        "bury": ([(1, RECEIPT)], 1), "receipts": ([ID],), "forget_receipts": (START_MS, 9),
        "usage_of_account": (1,), "usage_of_log": (1,), "counted": (),
        "set_counted": (Count(1, 1, b""),), "receipt_seed": (), "set_receipt_seed": (ID,),
    },
    SqliteGuardians: {
        "set_mark": (1, MinorMark(1, 1)), "mark": (1,), "over": (1, 9), "links_of": (1,),
        "add_link": (StoredLink(ID, 1, 2, b"document", ended=False),), "link": (ID,),
        "wards_of": (2,), "approve": (1, APPROVAL), "approvals": (1,), "retract": (1, ID, b"r"),
        "want_end": (ID, StoredEnding(1, 1, b"document")), "endings": (ID,),
        "end_links": ([ID], 1), "drop_approvals": (1, [ID]), "forget": ([1],),
    },
    SqliteOrders: {"add": (ORDER,), "find": (ID,), "after": (0, 9)},
    SqliteMinorOrders: {"add": (RECORD,), "has": (ID,), "after": (0, 9)},
}  # fmt: skip
"""What each is called with, in this order. Who adds a method adds it here."""

ALLOWED = (
    r"SCAN blob_office",  # a single row
    r"SCAN blob_free_slots",  # the first row will do
    r"SCAN journal",  # the last seconds, read once after the start
    r"SCAN (\d+-ROW VALUES CLAUSE|\d+ CONSTANT ROWS?|CONSTANT ROW)",
)


class Recorder:
    """Notes statements with their parameters, as they run."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.noted: dict[str, Sequence[SqlValue]] = {}
        execute, executemany = Connection.execute, Connection.executemany

        def note(own: Connection, sql: str, given: Sequence[SqlValue] = ()) -> Cursor:
            self.noted[sql] = given
            return execute(own, sql, given)

        def note_many(own: Connection, sql: str, given: Iterable[Sequence[SqlValue]]) -> None:
            rows = list(given)
            if rows:
                self.noted[sql] = rows[0]
            executemany(own, sql, rows)

        monkeypatch.setattr(Connection, "execute", note)
        monkeypatch.setattr(Connection, "executemany", note_many)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path)
    one, two, *_ = [desk.device() for _ in range(4)]
    desk.commit(one, ID, 0, create=ConversationKind.GROUP, added=[two])
    desk.submit(one, desk.envelope(ID), desk.envelope(ID, lifetime_s=1))
    desk.settle()
    yield desk
    desk.close()


def test_every_statement_finds_its_rows_by_a_key(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = Recorder(monkeypatch)
    with desk.turn() as (_, ledger, _now_ms):
        for kind, calls in CALLS.items():
            names = {name for name, _ in inspect.getmembers(kind, inspect.isfunction)}
            assert {name for name in names if name[0] != "_"} == calls.keys(), kind.__name__
            (table,) = [one for one in vars(ledger).values() if type(one) is kind]
            for name, given in calls.items():
                named = {"closed": False} if name == "extend" else {}
                getattr(table, name)(*given, **named)
    SqlitePages(desk.reader, desk.journal).read(1, [Span(1, ID, 0, 9)], 9, 999)
    asked = {
        sql: given
        for sql, given in recorder.noted.items()
        if re.match(r"\s*(SELECT|UPDATE|DELETE|INSERT|WITH)", sql)
    }
    assert len(asked) > 80, "are they noted?"
    monkeypatch.undo()
    slow = {
        sql: step
        for sql, given in asked.items()
        for step in steps(desk.connection, sql, given)
        if step.startswith("SCAN ") and not any(re.match(one, step) for one in ALLOWED)
    }
    assert slow == {}


def test_a_pass_does_not_go_through_the_gaps_of_all_years_and_misses_nothing(desk: Desk) -> None:
    """A number that was given again is below where passes begin: found in the next round."""

    def put(number: int, expires_ms: int, first: int = 0) -> None:
        desk.connection.execute(
            "INSERT INTO envelopes (id, lid, seq, sender, expires_ms, first, item)"
            " VALUES (?1, 1, ?1, 0, ?2, ?3, x'00')",
            (number, expires_ms, first),
        )

    logs, far_ms = desk.ledger.logs, START_MS + 10**12
    with desk.turn():
        desk.connection.execute("DELETE FROM envelopes")
        put(50, START_MS, first=40)
        put(1000, far_ms)
        assert logs.expire(START_MS, 0, 9)[0] == 0
    with desk.turn():
        put(70, START_MS - 1)
        found = [logs.expire(START_MS, 0, 9)[0] for _ in range(200)]
        assert (found[0], sum(found)) == (0, 1)


def steps(connection: Connection, sql: str, given: Sequence[SqlValue]) -> list[str]:
    """How SQLite would carry it out."""
    rows = connection.execute(f"EXPLAIN QUERY PLAN {sql}", given).fetchall()
    return [str(row[3]) for row in rows]


def test_a_statement_without_an_index_would_be_noticed(desk: Desk) -> None:
    found = steps(desk.connection, "SELECT 1 FROM devices WHERE added_ms < ?", (os.getpid(),))
    assert found == ["SCAN devices"]
