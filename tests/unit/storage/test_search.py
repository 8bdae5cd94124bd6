"""Search at its edges: changed texts, other rules, folded characters, times, snippets."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from e2ecore.storage import messages, search, search_index
from e2ecore.storage.database import Database
from e2ecore.storage.search import Filter
from e2ecore.storage.search_tokens import Fold, parse
from e2ecore.storage.snippets import ELLIPSIS, make_snippet
from e2ecore.storage.tx import Tx
from tests.support.databases import create_database
from tests.support.searching import index, store, texts

WIDE = "\uff37\uff29\uff24\uff25"
SIMPLIFIED: Fold = {ord("國"): "国", ord("語"): "语"}


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = create_database(tmp_path / "alice.db")
    yield database
    database.close()


def bodies(database: Database, text: str, asked: Filter = search.ANYTHING) -> list[str]:
    found = database.readers.read(lambda tx: search.find(tx, text, asked))
    assert found.cursor == 0
    return [row.body for row in found.rows]


def fill(database: Database, *said: str) -> list[messages.MessageRow]:
    rows = texts(1, said)
    database.writer.call(lambda tx: store(tx, rows))
    database.writer.call(index)
    return rows


def test_a_changed_text_is_found_by_what_it_says_now(database: Database) -> None:
    old, _ = fill(database, "the old wording", "another one")
    new = old._replace(body="the new wording")

    def change(tx: Tx) -> None:
        search_index.replace(tx, old, new)
        tx.execute("UPDATE messages SET body = ? WHERE id = ?", (new.body, new.id))

    database.writer.call(change)
    assert bodies(database, "old") == []
    assert bodies(database, "wording") == ["the new wording"]


def test_a_text_that_is_not_indexed_yet_can_change_too(database: Database) -> None:
    (old,) = texts(1, ["the old wording"])
    database.writer.call(lambda tx: store(tx, [old]))
    database.writer.call(lambda tx: search_index.replace(tx, old, old._replace(body="new")))
    database.writer.call(lambda tx: tx.execute("UPDATE messages SET body = 'new'"))
    database.writer.call(index)
    assert bodies(database, "new") == ["new"]


def test_an_index_made_by_other_rules_is_not_asked_and_made_anew(database: Database) -> None:
    rows = fill(database, "one", "two")
    call = database.writer.call
    call(lambda tx: tx.execute("UPDATE search_state SET made_with = 'other rules'"))
    assert bodies(database, "two") == ["two"]
    call(lambda tx: search_index.remove(tx, rows[:1]))
    assert database.readers.read(search_index.state).made_with == ""
    while call(lambda tx: search_index.step(tx, 10)):
        pass
    assert database.readers.read(search_index.state).made_with == search_index.made_with()
    assert bodies(database, "two") == ["two"]


def test_a_damaged_index_is_found_out_and_the_history_read_instead(database: Database) -> None:
    fill(database, "one thing", "another thing")
    database.writer.call(
        lambda tx: tx.execute("UPDATE search_data SET block = x'ffffffffffff' WHERE id > 1")
    )
    found = database.readers.read(lambda tx: search.find(tx, "thing"))
    assert [row.body for row in found.rows] == ["another thing", "one thing"]
    assert found.index_failed
    database.writer.call(search_index.mark_damaged)
    assert database.readers.read(lambda tx: search.find(tx, "thing")).index_failed
    while database.writer.call(lambda tx: search_index.step(tx, 10)):
        pass
    assert not database.readers.read(lambda tx: search.find(tx, "thing")).index_failed


def test_folded_characters_are_one_in_texts_and_questions(database: Database) -> None:
    rows = texts(1, ["國語", "国语"])
    database.writer.call(lambda tx: store(tx, rows))
    while database.writer.call(lambda tx: search_index.step(tx, 10, SIMPLIFIED)):
        pass
    for asked in ("国语", "國語"):
        page = database.readers.read(partial(search.find, text=asked, fold=SIMPLIFIED))
        assert [row.body for row in page.rows] == ["国语", "國語"]
        assert bodies(database, asked) == [asked], "without folding they differ, index or not"


def test_times_leave_out_blocks_and_come_together_again(database: Database) -> None:
    rows = [
        row._replace(mid=1 + number * 300, sent_ms=number * 1000)
        for number, row in enumerate(texts(1, [f"word {n}" for n in range(30)]))
    ]
    database.writer.call(lambda tx: store(tx, rows))
    database.writer.call(index)
    assert bodies(database, "word", Filter(after_ms=5_000, before_ms=8_000)) == [
        "word 7", "word 6", "word 5",
    ]  # fmt: skip
    assert len(bodies(database, "word", Filter(after_ms=1))) == 29
    assert bodies(database, "word", Filter(after_ms=100_000)) == []


@pytest.mark.parametrize(
    ("body", "asked", "text", "marked"),
    [
        ("short and good", "good", "short and good", ["good"]),
        ("x " * 50 + "needle" + " y" * 50, "needle", None, ["needle"]),
        ("two words: two", "two words", "two words: two", ["two", "words"]),
        (f"{WIDE} letters", "wide", f"{WIDE} letters", [WIDE]),
        ("cafe\u0301 noir", "café", "cafe\u0301 noir", ["cafe\u0301"]),
        ("line\nbreak", "break", "line break", ["break"]),
        ("overlap 中国人", "中国 国人", "overlap 中国人", ["中国人"]),
        ("nothing", "else", "nothing", []),
    ],
)
def test_a_snippet_shows_and_marks_what_was_found(
    body: str, asked: str, text: str | None, marked: list[str]
) -> None:
    snippet = make_snippet(body, parse(asked), 40)
    assert [snippet.text[start:end] for start, end in snippet.marks] == marked
    if text is not None:
        assert snippet.text == text
    else:
        assert snippet.text.startswith(ELLIPSIS)
        assert snippet.text.endswith(ELLIPSIS)
