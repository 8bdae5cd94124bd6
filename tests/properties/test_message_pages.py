"""History as pages, against a list in memory, while messages come and go."""

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from e2ecore.storage import arrangements, conversations, drafts, erasure, messages, overview
from e2ecore.storage.arrangements import ArrangementRow
from e2ecore.storage.conversations import LIVE_ORDER
from e2ecore.storage.database import Database
from e2ecore.storage.drafts import DraftRow
from e2ecore.storage.messages import MAX_PAGE, MessageRow, message_row_id
from e2ecore.storage.tx import Tx
from tests.support.databases import create_database, message, new_conversation
from tests.support.searching import SILENCE

ORDERS = st.integers(LIVE_ORDER - 30, LIVE_ORDER + 30)
PLACES = st.sets(st.tuples(st.integers(1, 4), ORDERS), max_size=60)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("come"), st.sets(ORDERS, max_size=20)),
        st.tuples(st.just("go"), st.sets(ORDERS, max_size=20)),
        st.tuples(st.sampled_from(("older", "younger")), st.integers(1, 9)),
    ),
    max_size=20,
)


@pytest.fixture(scope="module")
def database() -> Iterator[Database]:
    with tempfile.TemporaryDirectory() as folder:
        database = create_database(Path(folder) / "alice.db")
        yield database
        database.close()


class Undo(Exception):  # noqa: N818 - not an error: ends a trial without a trace
    pass


def rows_at(places: Sequence[tuple[int, int]]) -> list[MessageRow]:
    """Messages at these places, each with an arrival number of its own."""
    return [
        message(cid, 0)._replace(id=message_row_id(cid, order), mid=message_row_id(cid, order))
        for cid, order in sorted(places)
    ]


@given(places=PLACES, cid=st.integers(1, 4), order=ORDERS, limit=st.integers(1, 20))
def test_a_page_holds_the_neighbours_of_its_cursor_in_both_directions(
    database: Database, places: set[tuple[int, int]], cid: int, order: int, limit: int
) -> None:
    cursor = message_row_id(cid, order)
    rows = rows_at(sorted(places))
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
        half = older[: limit // 2][::-1]
        rest = [row for row in own if row.id >= cursor][: limit - len(half)]
        assert messages.around(tx, cid, cursor, limit) == [*half, *rest]
        raise Undo

    with pytest.raises(Undo):
        database.writer.call(trial)


def walk_back(tx: Tx, cid: int, limit: int) -> Iterator[MessageRow]:
    page = messages.newest(tx, cid, limit)
    while page:
        yield from page
        page = messages.before(tx, cid, page[-1].id, limit)


@given(steps=STEPS, start=ORDERS)
def test_a_view_that_pages_both_ways_while_messages_come_and_go_misses_and_repeats_nothing(
    database: Database, steps: list[tuple[str, set[int] | int]], start: int
) -> None:
    stored: set[int] = set()
    shown: list[int] = []
    edges = [start, start - 1]  # what lies strictly between them was shown

    def trial(tx: Tx) -> None:
        for verb, given_ in steps:
            if isinstance(given_, set):
                came = sorted(given_ - stored if verb == "come" else given_ & stored)
                rows = rows_at([(1, order) for order in came])
                if verb == "come":
                    messages.insert(tx, rows)
                    stored.update(came)
                else:
                    erasure.erase(tx, rows, silence=SILENCE, indexed=False)
                    stored.difference_update(came)
                continue
            if verb == "older":
                page = [row.id for row in messages.before(tx, 1, at(edges[0]), given_)]
                expected = sorted((o for o in stored if o < edges[0]), reverse=True)[:given_]
                edges[0] = expected[-1] if expected else edges[0]
            else:
                page = [row.id for row in messages.after(tx, 1, at(edges[1]), given_)]
                expected = sorted(o for o in stored if o > edges[1])[:given_]
                edges[1] = expected[-1] if expected else edges[1]
            assert page == [at(order) for order in expected]
            assert not set(expected) & set(shown)
            shown.extend(expected)
        raise Undo

    with pytest.raises(Undo):
        database.writer.call(trial)


def at(order: int) -> int:
    return message_row_id(1, order)


@given(times=st.lists(st.integers(0, 30), max_size=40), gap=st.integers(1, 5), at_ms=ORDERS)
def test_a_time_leads_to_a_place_where_the_messages_reach_it(
    database: Database, times: list[int], gap: int, at_ms: int
) -> None:
    at_ms -= LIVE_ORDER
    rows = [
        message(2, number * gap)._replace(sent_ms=sent_ms, mid=number + 1)
        for number, sent_ms in enumerate(times)
    ]
    others = [message(cid, 0)._replace(sent_ms=at_ms, mid=100 + cid) for cid in (1, 3)]

    def trial(tx: Tx) -> None:
        messages.insert(tx, sorted([*rows, *others]))
        found = messages.place_of_time(tx, 2, at_ms)
        older = [row for row in rows if row.id < found]
        younger = [row for row in rows if row.id >= found]
        assert not older or older[-1].sent_ms < at_ms
        assert younger[0].sent_ms >= at_ms if younger else found == message_row_id(3, 0)
        if times == sorted(times):
            assert all(row.sent_ms < at_ms for row in older)
            assert all(row.sent_ms >= at_ms for row in younger)
        raise Undo

    with pytest.raises(Undo):
        database.writer.call(trial)


@given(places=PLACES, unread=st.lists(st.integers(0, 9), min_size=4, max_size=4))
def test_the_list_of_conversations_has_each_with_its_newest_message(
    database: Database, places: set[tuple[int, int]], unread: list[int]
) -> None:
    rows = rows_at(sorted(places))

    def trial(tx: Tx) -> None:
        for number, count in enumerate(unread, 1):
            row = new_conversation(tx, number)._replace(unread=count)
            newest = max((one for one in rows if one.id >> 32 == number), default=None)
            conversations.save(tx, row._replace(last_mid=newest.mid if newest else 0))
        messages.insert(tx, rows)
        found = overview.all_rows(tx)
        assert [one.conversation for one in found] == conversations.all_rows(tx)
        assert all(one.draft is None for one in found)
        for one in found:
            assert one.newest == next(iter(messages.newest(tx, one.conversation.cid, 1)), None)
            assert one.conversation.unread == unread[one.conversation.cid - 1]
            assert overview.get(tx, one.conversation.cid) == one
            assert overview.by_uid(tx, one.conversation.uid) == one
        raise Undo

    with pytest.raises(Undo):
        database.writer.call(trial)


@given(
    arranged=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 1)), min_size=5, max_size=5),
    drafted=st.sets(st.integers(1, 5)),
)
def test_the_list_of_conversations_is_in_the_order_in_which_they_are_arranged(
    database: Database, arranged: list[tuple[int, int]], drafted: set[int]
) -> None:
    def trial(tx: Tx) -> None:
        wanted: list[tuple[int, int, int]] = []
        for cid, (pinned_ms, archived) in enumerate(arranged, 1):
            new_conversation(tx, cid)
            arrangements.save(tx, ArrangementRow(cid, pinned_ms, 7 * archived, archived))
            wanted.append((archived, -pinned_ms, -cid))
        for cid in drafted:
            drafts.save(tx, DraftRow(cid, 1, f"draft {cid}", 0, b""))
        found = overview.all_rows(tx)
        assert [one.conversation.cid for one in found] == [-cid for *_, cid in sorted(wanted)]
        for one in found:
            cid = one.conversation.cid
            assert (one.draft is not None) == (cid in drafted)
            assert one.draft == drafts.get(tx, cid)
            assert one.arrangement == arrangements.get(tx, cid)
        raise Undo

    with pytest.raises(Undo):
        database.writer.call(trial)


def test_the_list_of_conversations_reads_no_other_message(database: Database) -> None:
    plan = database.readers.read(
        lambda tx: tx.rows(lambda row: str(row[3]), f"EXPLAIN QUERY PLAN {overview.LIST}")
    )
    assert not [step for step in plan if step.startswith("SCAN m")]
    assert sum("messages USING INTEGER PRIMARY KEY" in step for step in plan) == 1
    assert sum("SEARCH m USING INTEGER PRIMARY KEY" in step for step in plan) == 1


@pytest.mark.parametrize("limit", [0, -1, -(10**9)])
def test_a_page_of_nothing_is_empty_and_no_page_is_endless(database: Database, limit: int) -> None:
    rows = [message(1, number) for number in range(MAX_PAGE + 5)]

    def trial(tx: Tx) -> None:
        messages.insert(tx, rows)
        assert messages.newest(tx, 1, limit) == []
        assert messages.around(tx, 1, rows[3].id, limit) == []
        assert len(messages.newest(tx, 1, 10**9)) == MAX_PAGE
        assert len(messages.around(tx, 1, rows[500].id, 10**9)) == MAX_PAGE
        raise Undo

    with pytest.raises(Undo):
        database.writer.call(trial)
