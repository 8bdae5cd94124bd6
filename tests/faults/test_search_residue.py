"""What was erased is in no page, not even as a token of the search index."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from e2ecore.storage import erasure, messages, outbox, search, search_index
from e2ecore.storage.database import Database
from e2ecore.storage.messages import MessageRow
from e2ecore.storage.tx import Tx
from tests.support.databases import create_database, waiting
from tests.support.pages import plain_pages
from tests.support.searching import SILENCE, erase_below, index, store, texts

WORD = "zqxjkvbcanary"
HAN = "\U00020bb7"
TRACES = (WORD[3:].encode(), HAN.encode())
"""Of a word the index may keep only what differs from the word before it."""
ORDINARY = [f"common words {number} 常用的字 {number % 7} happen" for number in range(300)]
SECRETS = [f"{WORD} says {HAN}{HAN} number {number}" for number in range(12)]

Erase = Callable[[Database, list[MessageRow]], None]


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = create_database(tmp_path / "alice.db")
    yield database
    database.close()


def traces(path: Path) -> int:
    text = plain_pages(path)
    return sum(text.count(trace) for trace in TRACES)


def each_by_itself(database: Database, rows: list[MessageRow]) -> None:
    database.writer.call(lambda tx: erasure.erase(tx, rows, silence=SILENCE))


def by_merging(database: Database, rows: list[MessageRow]) -> None:
    erase_below(database, 2, rows[-1].id + 1, erasure.MANY)


def by_dropping(database: Database, rows: list[MessageRow]) -> None:
    erase_below(database, 2, rows[-1].id + 1, erasure.MANY + 1)


def by_changing(database: Database, rows: list[MessageRow]) -> None:
    def work(row: MessageRow) -> None:
        new = row._replace(body="changed")
        database.writer.call(lambda tx: search_index.replace(tx, row, new))
        database.writer.call(
            lambda tx: tx.execute("UPDATE messages SET body = 'changed' WHERE id = ?", (row.id,))
        )

    for row in rows:
        work(row)


@pytest.fixture(autouse=True)
def small_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have even a small index merged in more than one slice."""
    monkeypatch.setattr(search_index, "MERGE_PAGES", 3)


@pytest.mark.parametrize("indexed", [True, False])
@pytest.mark.parametrize("erase", [each_by_itself, by_merging, by_dropping, by_changing])
@pytest.mark.clause("GB42012-8.1.1c")
def test_what_was_erased_is_in_no_page(
    database: Database, tmp_path: Path, erase: Erase, *, indexed: bool
) -> None:
    path = tmp_path / "alice.db"
    secrets = texts(2, SECRETS, first_mid=101)
    before, after = texts(1, ORDINARY[:100]), texts(3, ORDINARY[100:], first_mid=201)
    call = database.writer.call
    call(lambda tx: store(tx, [*before, *secrets, *after]))
    call(lambda tx: outbox.add(tx, [waiting(1, 2, secrets[3].id)._replace(content=HAN.encode())]))
    if indexed:
        call(index)
    assert database.writer.call_purge()
    assert traces(path) >= len(SECRETS), "the search itself works"
    erase(database, secrets)
    assert database.writer.call_purge()
    if erase is not by_changing:
        assert traces(path) == 0
    else:
        assert traces(path) == 1, "only the outbox, which belongs to another verb"
    assert database.readers.read(lambda tx: search.find(tx, HAN)).rows == []
    call(index)
    found = database.readers.read(lambda tx: search.find(tx, "常用", limit=1000)).rows
    assert len(found) == len(ORDINARY)
    database.check()


def test_a_reader_that_looks_at_an_older_state_delays_the_purge(
    database: Database, tmp_path: Path
) -> None:
    secrets = texts(1, SECRETS)
    database.writer.call(lambda tx: store(tx, secrets))
    each_by_itself(database, secrets)

    def look(tx: Tx) -> bool:
        messages.count(tx, 1)
        database.writer.call(lambda tx: outbox.add(tx, [waiting(1, 1)]))
        return database.writer.call_purge()

    assert database.readers.read(look) is False
    assert database.writer.call_purge() is True
    assert traces(tmp_path / "alice.db") == 0
