"""Finding messages in a long history, and erasing them from it, against what others do."""

from __future__ import annotations

import random  # noqa: TID251 - repeatable questions, not keys
import re
import time
from functools import partial
from statistics import median, quantiles
from typing import TYPE_CHECKING, Final, TypeVar

from benchmarks.corpus import CONVERSATIONS, Corpus
from benchmarks.floors.text_index import TRIGRAM, UNICODE61, TextIndex
from benchmarks.model import (
    OURS,
    Context,
    Measure,
    Result,
    Scale,
    Scenario,
    no_less_than,
    no_more_than,
)
from e2ecore.crypto.password import Argon2idParameters
from e2ecore.engine.talk.searching import SLICE
from e2ecore.storage import conversations, erasure, messages, search, search_index
from e2ecore.storage.connecting import PAGE_BYTES
from e2ecore.storage.conversations import ConversationKind, ConversationState
from e2ecore.storage.database import Database
from e2ecore.storage.search import Filter

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from e2ecore.storage.messages import MessageRow
    from e2ecore.storage.tx import Tx

T = TypeVar("T")

CHEAP: Final = Argon2idParameters(memory_kib=64, iterations=1, lanes=1)
"""The passphrase is not what is measured."""
LIMIT: Final = 50
QUESTIONS: Final = 240
"""Of each kind."""
CHECKED: Final = 24
"""Questions whose answers are compared with reading everything."""
LONGEST: Final = 12
"""Characters of a Chinese question."""
BATCH: Final = 1_000
"""Messages stored or noted in one transaction."""
PARTS: Final = 10
"""The dearest tenth of the indexing is shown: there the index merges what it has."""
REPEATS: Final = 3
"""Times each question is asked; a neighbour on the machine may disturb one of them."""
SCANS: Final = 6
"""Questions asked where nothing but reading everything is left: each takes a second."""
SINGLE: Final = 40
"""Messages erased one by one."""
BULK: Final = 10_000
"""Messages erased at once, at most a tenth of all."""
SILENCE: Final = b"nothing"
MS_PER_S: Final = 1e3
US_PER_NS: Final = 1e-3
_HAN: Final = re.compile("[\u4e00-\u9fff]+")


class History:
    """A database of ours full of messages."""

    def __init__(self, path: Path, rows: Sequence[MessageRow]) -> None:
        """Store messages, without indexing them."""
        self.database = Database.create(path, "passphrase", parameters=CHEAP)
        self.call = self.database.writer.call
        self.call(_conversations)
        ordered = sorted(rows)
        for at in range(0, len(ordered), BATCH):
            part = ordered[at : at + BATCH]
            self.call(partial(messages.insert, rows=part))
        last = {row.id >> messages.ORDER_BITS: row for row in ordered}
        self.call(lambda tx: _traffic(tx, last))

    def pages(self) -> int:
        """Return how many pages the file uses."""

        def work(tx: Tx) -> int:
            count = tx.value(int, "PRAGMA page_count") or 0
            return count - (tx.value(int, "PRAGMA freelist_count") or 0)

        return self.call(work)

    def index(self, rows: Sequence[MessageRow]) -> dict[str, float]:
        """Index everything as the engine does; return CPU microseconds per message."""
        began = time.process_time_ns()
        for at in range(0, len(rows), BATCH):
            part = rows[at : at + BATCH]
            self.call(partial(search_index.note, rows=part))
        self.call(lambda tx: _noted(tx, rows[-1].mid))
        noted = time.process_time_ns()
        tenths, done, before, longest = list[float](), 0, noted, 0.0
        while True:
            asked = time.perf_counter()
            count = self.call(lambda tx: search_index.add_slice(tx, SLICE))
            longest = max(longest, time.perf_counter() - asked)
            if not count:
                break
            done += count
            if done >= (len(tenths) + 1) * len(rows) // PARTS:
                now = time.process_time_ns()
                tenths.append((now - before) * US_PER_NS * PARTS / len(rows))
                before = now
        used = time.process_time_ns() - began
        self.call(search_index.begin_merge)
        while self.call(search_index.merge_slice):
            pass
        noting_us = (noted - began) * US_PER_NS / len(rows)
        dearest_us = max(tenths) + noting_us
        return {
            "index_us": used * US_PER_NS / len(rows),
            "index_tenth_us": dearest_us,
            "index_slice_ms": longest * MS_PER_S,
        }

    def newest(self, text: str, asked: Filter = search.ANYTHING) -> list[int]:
        """Return the newest hits' arrival numbers."""
        found = self.database.readers.read(lambda tx: search.find(tx, text, asked, limit=LIMIT))
        return [row.mid for row in found.rows]

    def erase(self, rows: Sequence[MessageRow]) -> float:
        """Erase a few messages for good; return milliseconds."""
        began = time.perf_counter()
        self.call(lambda tx: erasure.erase(tx, rows, silence=SILENCE))
        self.database.writer.call_purge()
        return (time.perf_counter() - began) * MS_PER_S

    def erase_below(self, cid: int, below: int, amount: int) -> float:
        """Erase many messages for good; return seconds."""
        began = time.perf_counter()
        eid = self.call(lambda tx: erasure.begin(tx, cid, below, amount))
        while self.call(lambda tx: erasure.go_on(tx, eid, silence=SILENCE)).is_left:
            pass
        self.database.writer.call_purge()
        return time.perf_counter() - began


def _conversations(tx: Tx) -> None:
    for number in range(CONVERSATIONS):
        conversations.create(
            tx,
            uid=number.to_bytes(16, "big"),
            kind=ConversationKind.GROUP,
            state=ConversationState.ACTIVE,
            created_ms=1,
        )


def _traffic(tx: Tx, last: dict[int, MessageRow]) -> None:
    for cid, row in last.items():
        kept = conversations.get(tx, cid)
        if kept is not None:
            order = (row.id & 0xFFFFFFFF) + 1
            conversations.save_traffic(tx, [kept._replace(last_mid=row.mid, next_order=order)])


def _noted(tx: Tx, mid: int) -> None:
    tx.execute("UPDATE search_state SET noted_mid = ?", (mid,))


class Questions:
    """What is asked: pieces of texts that are there, of every length; rare and frequent words."""

    def __init__(self, rows: Sequence[MessageRow], corpus: Corpus) -> None:
        dice = random.Random(7)  # noqa: S311
        self.chinese: list[str] = []
        while len(self.chinese) < QUESTIONS:
            size = 1 + len(self.chinese) % LONGEST
            runs = [run for run in _HAN.findall(dice.choice(rows).body) if len(run) >= size]
            if runs:
                run = dice.choice(runs)
                at = dice.randrange(len(run) - size + 1)
                self.chinese.append(run[at : at + size])
        words = [word for word in corpus.english.draw(QUESTIONS * 4) if len(word) > 4]  # noqa: PLR2004
        self.words = words[:QUESTIONS]
        self.prefixes = [word[: 2 + at % 3] for at, word in enumerate(self.words)]
        self.chats = [dice.randint(1, CONVERSATIONS) for _ in self.chinese]


def _times(ask: Callable[[T], object], questions: Sequence[T]) -> list[float]:
    """Return milliseconds for each question: the median of three, the pages warm."""
    taken: list[float] = []
    for question in questions:
        ask(question)
        taken.append(median(_timed(ask, question) for _ in range(REPEATS)))
    return taken


def _timed(ask: Callable[[T], object], question: T) -> float:
    began = time.perf_counter()
    ask(question)
    return (time.perf_counter() - began) * MS_PER_S


def _p50(taken: Sequence[float]) -> float:
    return median(taken)


def _p99(taken: Sequence[float]) -> float:
    return quantiles(taken, n=100)[-1]


def _right(answers: Sequence[list[int]], truths: Sequence[list[int]]) -> tuple[float, float]:
    """Return the share of what should be found that was, and how much was found that should not."""
    hits = sum(len(set(one) & set(truth)) for one, truth in zip(answers, truths, strict=True))
    wrong = sum(len(set(one) - set(truth)) for one, truth in zip(answers, truths, strict=True))
    return hits / max(1, sum(map(len, truths))), float(wrong)


def _ask_ours(ours: History, asked: Questions, truths: Sequence[list[int]]) -> dict[str, float]:
    chinese = _times(ours.newest, asked.chinese)
    pairs = list(zip(asked.chinese, asked.chats, strict=True))
    chat = _times(lambda one: ours.newest(one[0], Filter(cid=one[1])), pairs)
    answers = [ours.newest(text) for text in asked.chinese[: len(truths)]]
    recall, wrong = _right(answers, truths)
    return {
        "chinese_p50_ms": _p50(chinese),
        "chinese_p99_ms": _p99(chinese),
        "chat_p99_ms": _p99(chat),
        "word_p99_ms": _p99(_times(ours.newest, asked.words)),
        "prefix_p99_ms": _p99(_times(ours.newest, asked.prefixes)),
        "recall": recall,
        "wrong": wrong,
    }


def _ask_theirs(
    theirs: TextIndex, asked: Questions, truths: Sequence[list[int]], *, scans: bool
) -> dict[str, float]:
    chinese = asked.chinese
    if scans:  # what is left to them for short questions takes a second: ask fewer
        short = [text for text in chinese if len(text) < 3]  # noqa: PLR2004
        chinese = [*[text for text in chinese if text not in short], *short[:SCANS]]
    taken = _times(lambda text: theirs.newest(text, LIMIT), chinese)
    checked = asked.chinese[: len(truths)]
    recall, wrong = _right([theirs.newest(text, LIMIT) for text in checked], truths)
    return {
        "chinese_p50_ms": _p50(taken),
        "chinese_p99_ms": _p99(taken),
        "word_p99_ms": _p99(_times(lambda text: theirs.newest(text, LIMIT), asked.words)),
        "prefix_p99_ms": _p99(_times(lambda text: theirs.newest(text, LIMIT), asked.prefixes)),
        "recall": recall,
        "wrong": wrong,
    }


def _build_theirs(
    theirs: TextIndex, rows: Sequence[MessageRow], text_bytes: int
) -> dict[str, float]:
    bodies = [(row.mid, row.body) for row in rows]
    for at in range(0, len(bodies), BATCH):
        theirs.store(bodies[at : at + BATCH])
    before, began = theirs.pages(), time.process_time_ns()
    for at in range(0, len(bodies), BATCH):
        theirs.index(bodies[at : at + BATCH])
    used = (time.process_time_ns() - began) * US_PER_NS / len(rows)
    theirs.optimize()
    return {"index_share": (theirs.pages() - before) * PAGE_BYTES / text_bytes, "index_us": used}


def _run_search(context: Context, size: int) -> Result:
    result, corpus = Result(), Corpus()
    rows = list(corpus.messages(size))
    text_bytes = sum(len(row.body.encode()) for row in rows)
    asked = Questions(rows, corpus)
    words = {name: TextIndex(context.home / f"{name}.db", name) for name in (UNICODE61, TRIGRAM)}
    ours = History(context.home / "ours.db", rows)
    try:
        before = ours.pages()
        built = {OURS: ours.index(rows)}
        built[OURS]["index_share"] = (ours.pages() - before) * PAGE_BYTES / text_bytes
        for name, theirs in words.items():
            built[name] = _build_theirs(theirs, rows, text_bytes)
        context.say(f"indexed: {built}")
        checked = asked.chinese[:CHECKED]
        truths = [words[UNICODE61].scan(text, LIMIT) for text in checked]
        for _ in range(context.runs):
            result.add(OURS, {**built[OURS], **_ask_ours(ours, asked, truths)})
            for name, theirs in words.items():
                found = _ask_theirs(theirs, asked, truths, scans=name == TRIGRAM)
                result.add(name, {**built[name], **found})
    finally:
        ours.database.close()
        for theirs in words.values():
            theirs.close()
    return result


SEARCH: Final = Scenario(
    name="search",
    title="Finding messages",
    about=(
        "The newest 50 hits in a history of mixed Chinese and English (made-up words, real "
        "frequencies), texts read, pages warm: pieces of 1 to 12 Chinese characters, English words "
        "and beginnings of 2 to 4 letters. Beside it FTS5 as others use it, in SQLCipher too: "
        "unicode61 with prefixes (Signal for Android and iOS), and trigram, which reads everything "
        "for questions of one or two characters. Recall and wrong hits are against reading "
        "everything."
    ),
    sizes={Scale.QUICK: 2_000, Scale.SHORT: 1_000_000, Scale.LONG: 1_000_000},
    size_unit="messages",
    measures=(
        Measure(
            "chinese_p50_ms", "chinese_p50_ms", "ms", "Chinese, all lengths", TRIGRAM,
            no_more_than(0.5),
        ),
        Measure(
            "chinese_p99_ms", "chinese_p99_ms", "ms", "Chinese, all lengths", TRIGRAM,
            no_more_than(10),
        ),
        Measure(
            "chat_p99_ms", "chat_p99_ms", "ms", "the same in one conversation",
            goal=no_more_than(2),
        ),
        Measure(
            "word_p99_ms", "word_p99_ms", "ms", "an English word", UNICODE61, no_more_than(5)
        ),
        Measure(
            "prefix_p99_ms", "prefix_p99_ms", "ms", "2 to 4 letters", UNICODE61, no_more_than(5)
        ),
        Measure(
            "recall", "recall", "", "share of the right Chinese hits", UNICODE61, no_less_than(1)
        ),
        Measure("wrong", "wrong", "", "Chinese hits that are none", goal=no_more_than(0)),
        Measure(
            "index_share", "index_share", "x", "size of the index over size of the texts", TRIGRAM,
            no_more_than(0.95),
        ),
        Measure(
            "index_us", "index_us", "us", "CPU time to index a message", TRIGRAM, no_more_than(80)
        ),
        Measure("index_tenth_us", "index_tenth_us", "us", "the same in the dearest tenth"),
        Measure("index_slice_ms", "index_slice_ms", "ms", "longest slice: a message has to wait"),
    ),
    run=_run_search,
)  # fmt: skip


def _run_erase(context: Context, size: int) -> Result:
    result, corpus = Result(), Corpus()
    rows = list(corpus.messages(size))
    history = History(context.home / "ours.db", rows)
    words = TextIndex(context.home / "words.db", UNICODE61)
    try:
        history.index(rows)
        _build_theirs(words, rows, 1)
        dice = random.Random(7)  # noqa: S311
        cid = 1
        mine = [row for row in rows if row.id >> messages.ORDER_BITS == cid]
        others = [row for row in rows if row.id >> messages.ORDER_BITS != cid]
        chosen = dice.sample(others, min(SINGLE * context.runs, len(others)))
        share = max(1, len(chosen) // context.runs)
        amount = min(BULK, size // 10) // context.runs
        for run in range(context.runs):
            part = chosen[run * share : (run + 1) * share]
            single = [history.erase([row]) for row in part]
            theirs = [_timed(lambda row: words.delete(row.mid), row) for row in part]
            bulk = mine[run * amount : (run + 1) * amount]
            bulk_s = history.erase_below(cid, bulk[-1].id + 1, len(bulk))
            result.add(OURS, {"one_ms": median(single), "bulk_s": bulk_s})
            result.add(UNICODE61, {"one_ms": median(theirs)})
    finally:
        history.database.close()
        words.close()
    return result


ERASE: Final = Scenario(
    name="erase",
    title="Erasing messages",
    about=(
        "From an indexed history: one message, and thousands of a conversation, until nothing of "
        "them is in any page of file or log. Beside it the deletion that others do, which leaves "
        "the text in the log and its words in the index. That ours leaves nothing is shown by "
        "`tests/faults/test_search_residue.py`."
    ),
    sizes={Scale.QUICK: 4_000, Scale.SHORT: 1_000_000, Scale.LONG: 1_000_000},
    size_unit="messages",
    measures=(
        Measure("one_ms", "one_ms", "ms", "one message", UNICODE61, no_more_than(15)),
        Measure("bulk_s", "bulk_s", "s", "a third of 10,000 messages", goal=no_more_than(6)),
    ),
    run=_run_erase,
)
