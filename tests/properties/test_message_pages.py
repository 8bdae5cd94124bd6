"""History as pages, against a list in memory."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from e2ecore.storage import messages
from e2ecore.storage.conversations import LIVE_ORDER
from e2ecore.storage.database import Database
from e2ecore.storage.messages import MessageRow, message_row_id
from e2ecore.storage.tx import Tx
from tests.support.databases import create_database, message

ORDERS = st.integers(LIVE_ORDER - 30, LIVE_ORDER + 30)
PLACES = st.sets(st.tuples(st.integers(1, 4), ORDERS), max_size=60)


@pytest.fixture(scope="module")
def database() -> Iterator[Database]:
    with tempfile.TemporaryDirectory() as folder:
        database = create_database(Path(folder) / "alice.db")
        yield database
        database.close()


class Undo(Exception):  # noqa: N818 - not an error: ends a trial without a trace
    pass


@given(places=PLACES, cid=st.integers(1, 4), order=ORDERS, limit=st.integers(1, 20))
def test_a_page_holds_the_neighbours_of_its_cursor_in_both_directions(
    database: Database, places: set[tuple[int, int]], cid: int, order: int, limit: int
) -> None:
    cursor = message_row_id(cid, order)
    rows = [message(one, 0)._replace(id=message_row_id(one, at)) for one, at in sorted(places)]
    own = [row for row in rows if row.id >> messages.ORDER_BITS == cid]

    def trial(tx: Tx) -> None:
        messages.insert(tx, rows)
        older = [row for row in reversed(own) if row.id < cursor]
        newer = [row for row in own if row.id > cursor]
        assert messages.newest(tx, cid, limit) == own[::-1][:limit]
        assert messages.before(tx, cid, cursor, limit) == older[:limit]
        assert messages.after(tx, cid, cursor, limit) == newer[:limit]
        assert messages.count(tx, cid) == len(own)
        assert list(walk_back(tx, cid, limit)) == own[::-1]
        raise Undo

    with pytest.raises(Undo):
        database.writer.call(trial)


def walk_back(tx: Tx, cid: int, limit: int) -> Iterator[MessageRow]:
    page = messages.newest(tx, cid, limit)
    while page:
        yield from page
        page = messages.before(tx, cid, page[-1].id, limit)
