"""The lines of an export that SQLite makes."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from e2ecore.storage import export_lines, messages
from e2ecore.storage.database import Database
from e2ecore.storage.errors import StatementError
from e2ecore.storage.messages import MessageRow
from e2ecore.storage.sql import Connection
from e2ecore.storage.tx import Tx
from tests.support.databases import create_database, message, new_conversation
from tests.support.exports import Row, line_of

STATES = 4


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    found = create_database(tmp_path_factory.mktemp("lines") / "alice.db")
    found.writer.call(new_conversation)
    yield found
    found.close()


def everything(tx: Tx, cid: int = 1) -> tuple[list[export_lines.Line], int]:
    """All lines of a conversation, and on how many pages they came."""
    found: list[export_lines.Line] = []
    pages, cursor, is_more = 0, 0, True
    while is_more:
        page, is_more = export_lines.after(tx, cid, cursor)
        found += page
        cursor = page[-1].id if page else 0
        pages += 1
    return found, pages


def expected(row: MessageRow) -> str:
    return line_of(
        Row(
            row.uid, row.account_id, row.device_id, row.counter, row.sent_ms, row.stored_ms,
            row.kind, row.state, row.body, b"",
        )
    )  # fmt: skip


def test_every_character_is_written_as_json_does_it(database: Database) -> None:
    plane = [chr(code) for code in range(0x3000)] + [
        chr(code) for code in range(0xE000, 0x110000, 251)
    ]
    bodies = ["".join(plane[at : at + 200]) for at in range(0, len(plane), 200)]
    bodies = [body.encode("utf-8", "ignore").decode() for body in bodies]
    rows = [
        message(1, number)._replace(body=body, state=number % STATES)
        for number, body in enumerate(bodies)
    ]

    def work(tx: Tx) -> list[export_lines.Line]:
        tx.execute("DELETE FROM messages")
        messages.insert(tx, rows)
        return everything(tx)[0]

    found = database.writer.call(work)
    assert [one.text for one in found] == list(map(expected, rows))
    assert [(one.id, one.mid, one.uid) for one in found] == [row[:3] for row in rows]


@given(
    st.lists(
        st.tuples(
            st.text(st.characters(exclude_categories=["Cs"]), max_size=40),
            st.binary(max_size=9),
            st.integers(0, (1 << 63) - 1),
        ),
        min_size=1,
        max_size=5,
    )
)
def test_any_message_becomes_the_line_that_json_would_make(
    database: Database, given_: list[tuple[str, bytes, int]]
) -> None:
    rows = [
        message(1, number)._replace(body=body, ext=ext, sent_ms=at_ms)
        for number, (body, ext, at_ms) in enumerate(given_)
    ]

    def work(tx: Tx) -> list[export_lines.Line]:
        tx.execute("DELETE FROM messages")
        messages.insert(tx, rows)
        return everything(tx)[0]

    found = database.writer.call(work)
    assert [one.text for one in found] == list(map(expected, rows))
    assert [one.ext for one in found] == [row.ext for row in rows]


def test_a_page_ends_where_its_texts_fill_it(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export_lines, "PAGE_CHARS", 40_000)
    rows = [message(1, number)._replace(body="x" * 9_000) for number in range(50)]

    def work(tx: Tx) -> tuple[list[export_lines.Line], int]:
        tx.execute("DELETE FROM messages")
        messages.insert(tx, rows)
        return everything(tx)

    found, pages = database.writer.call(work)
    assert [one.id for one in found] == [row.id for row in rows]
    assert pages > 2


def test_an_error_while_rows_are_fetched_is_one_of_ours(tmp_path: Path) -> None:
    connection = Connection(tmp_path / "a")
    with pytest.raises(StatementError):
        connection.rows_within(tuple, "SELECT * FROM nowhere", (), size=len, budget=1)
    connection.close()
