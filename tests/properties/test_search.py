"""Search against reading everything, on random texts of many scripts."""

import re
import tempfile
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from e2ecore.storage import conversations, messages, search, search_index, search_tokens
from e2ecore.storage.conversations import LIVE_ORDER
from e2ecore.storage.database import Database
from e2ecore.storage.messages import MessageRow
from e2ecore.storage.search import Filter
from e2ecore.storage.tx import Tx
from tests.support.databases import create_database, message, new_conversation, numbered

ALPHABET = (
    "的一是不了中国人民 \uff0c\u3002\uff01\uff1fa bcdeE Fthe1239 ()\"'*:^-+~{}[]%_\\\x00\t"
    "\u3000\u0301\u0304"
    "éßİıſﬁＡｂ１①½한국어ไทยかな゙カ々〇ﾊﾟ😀👨\u200d👩❤\ufe0f𠮷\uf8f0\ue021\ufdfa"
)
PIECES = st.sampled_from(
    [
        "中国",
        "人民",
        "hello",
        "Wörld",
        "AND",
        "NOT",
        "NEAR(",
        '"',
        "2024",
        "test",
        "testing",
        "iPhone15",
    ]
)
TEXTS = st.lists(st.one_of(st.sampled_from(ALPHABET), PIECES), max_size=12).map("".join)
CIDS = st.integers(1, 3)
BODIES = st.lists(st.tuples(CIDS, st.integers(1, 2), TEXTS), max_size=16)
FILTERS = st.builds(
    Filter,
    cid=st.integers(0, 3),
    account_id=st.sampled_from([b"", numbered(1, 20), numbered(2, 20)]),
    after_ms=st.sampled_from([0, 0, 5, 1024, 3000]),
    before_ms=st.sampled_from([1 << 62, 1 << 62, 9, 1030]),
    kinds=st.sampled_from([frozenset[int](), frozenset({1}), frozenset({2})]),
)

_SPACELESS = re.compile(r"(HANGUL|CJK|HIRAGANA|KATAKANA|THAI|IDEOGRAPHIC|BOPOMOFO)")


class Undo(Exception):  # noqa: N818 - not an error: ends a trial without a trace
    pass


@pytest.fixture(scope="module")
def database() -> Iterator[Database]:
    with tempfile.TemporaryDirectory() as folder:
        database = create_database(Path(folder) / "alice.db")
        yield database
        database.close()


def plain(text: str) -> str:
    form = unicodedata.normalize("NFKC", text).casefold()
    return unicodedata.normalize("NFKC", form)


def class_of(character: str) -> str:
    """What the documentation says: letters and numbers make words, in scripts with spaces."""
    if _SPACELESS.search(unicodedata.name(character, "")):
        return ""
    if character.isdecimal():
        return "number"
    return "word" if character.isalnum() else ""


def is_there(term: str, text: str) -> bool:
    for at in range(len(text) - len(term) + 1):
        if text.startswith(term, at):
            kind = class_of(term[0])
            if not kind or at == 0 or class_of(text[at - 1]) != kind:
                return True
    return False


def oracle(rows: list[MessageRow], text: str, asked: Filter) -> list[int]:
    """Everything that was asked for, by reading everything."""
    terms = plain(text).split()
    found = [
        row.mid
        for row in rows
        if terms and asked.passes(row) and all(is_there(term, plain(row.body)) for term in terms)
    ]
    return sorted(found, reverse=True)


def rows_of(bodies: list[tuple[int, int, str]]) -> list[MessageRow]:
    return [
        message(cid, number)._replace(
            mid=1 + number * 600, body=body, account_id=numbered(who, 20), sent_ms=number,
            kind=1 + number % 2,
        )
        for number, (cid, who, body) in enumerate(bodies)
    ]  # fmt: skip


def fill(tx: Tx, rows: list[MessageRow], noted: int, indexed: int) -> None:
    """Store messages as they arrive, and do some of the slices that would follow."""
    for cid in (1, 2, 3):
        new_conversation(tx, cid)
    at = 0
    for upto in (min(noted, len(rows)), len(rows)):
        messages.insert(tx, sorted(rows[at:upto]))
        for row in rows[at:upto]:
            cid = row.id >> messages.ORDER_BITS
            kept = conversations.get(tx, cid)
            assert kept is not None
            order = LIVE_ORDER + row.counter
            conversations.save_traffic(tx, [kept._replace(last_mid=row.mid, next_order=order)])
        if at == 0:
            while search_index.note_slice(tx, 3):
                pass
            search_index.add_slice(tx, max(1, indexed))
        at = upto
    search_index.note_slice(tx, 2)


@given(
    bodies=BODIES,
    text=st.one_of(TEXTS, st.sampled_from(ALPHABET)),
    asked=FILTERS,
    limit=st.integers(1, 6),
    progress=st.tuples(st.integers(0, 16), st.integers(0, 16)),
)
def test_search_finds_what_reading_everything_finds_and_nothing_else(  # noqa: PLR0917
    database: Database,
    bodies: list[tuple[int, int, str]],
    text: str,
    asked: Filter,
    limit: int,
    progress: tuple[int, int],
) -> None:
    rows = rows_of(bodies)

    def trial(tx: Tx) -> None:
        fill(tx, rows, *progress)
        found, cursor = [], search.NEWEST
        while cursor:
            page = search.find(tx, text, asked, limit=limit, cursor=cursor)
            found += [row.mid for row in page.rows]
            cursor = page.cursor
        assert found == oracle(rows, text, asked)
        raise Undo

    with pytest.raises(Undo):
        database.writer.call(trial)


@given(body=TEXTS, start=st.integers(0, 40), size=st.integers(1, 12))
def test_a_piece_of_a_text_finds_the_text_if_it_begins_where_a_word_begins(
    body: str, start: int, size: int
) -> None:
    piece = body[start : start + size]
    query = search_tokens.parse(piece)
    expected = all(is_there(term, plain(body)) for term in plain(piece).split())
    assert query.matches(body) == expected


def simple_tokens(text: str) -> set[str]:
    """Return the tokens of a text as the rules say it, one character after the other."""
    found, word, before = set[str](), "", ""
    for one in f"{text} ":
        dense = "\u4e00" <= one <= "\u9fff" or "\U00020000" <= one <= "\U0003ffff"
        joins = (one.isalpha() and not dense and word.isalpha()) or (
            one.isdigit() and word.isdigit()
        )
        if word and not joins:
            found |= {word[:1], word[:2], word[:3], word[:24]}
            word = ""
        if dense:
            found |= {one, before + one}
        elif one.isalpha() or one.isdigit():
            word += one
        elif not one.isspace():
            found.add(chr(0xE000 + ord(one)) if one.isascii() else one)
        before = one if dense else ""
    return found


@given(body=st.text(st.sampled_from("中国人𠀀𠀁ab1\u0e2a _-。🎉\n"), max_size=60))
@example("𠀀中 国a人1b")
def test_a_text_has_the_tokens_that_the_rules_name(body: str) -> None:
    body = body.replace("\u0e2a", "z" * 30)
    assert set(search_tokens.tokens(body).split(" ")) - {""} == simple_tokens(body)
