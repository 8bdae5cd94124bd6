"""The history on the disk: a page of it, the list of conversations, opening.

Beside it the schema that most messengers have, on plain SQLite and on SQLCipher, through the same
binding; and another implementation of the file format, as a check that ours is the standard one.
"""

from __future__ import annotations

import json
import random  # noqa: TID251 - chooses conversations, not keys
import subprocess
import time
from functools import partial
from pathlib import Path
from statistics import median, quantiles
from typing import TYPE_CHECKING, Final

from benchmarks.corpus import CONVERSATIONS, Corpus
from benchmarks.floors.usual_history import UsualHistory
from benchmarks.model import (
    OURS,
    Context,
    Measure,
    Result,
    Scale,
    Scenario,
    at_least,
    at_most,
    no_more_than,
)
from benchmarks.peers import setup
from e2ecore.storage import conversations, messages, overview
from e2ecore.storage.connecting import READER_CACHE_KIB, Opener
from e2ecore.storage.conversations import ConversationKind, ConversationState
from e2ecore.storage.database import Database
from e2ecore.storage.files import keys_of
from e2ecore.storage.keys import KeyFile, database_key

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from e2ecore.storage.messages import MessageRow
    from e2ecore.storage.tx import Tx

ROOT: Final = Path(__file__).parents[2]
PASSPHRASE: Final = "passphrase"  # noqa: S105 - of a database that is thrown away
PLAIN: Final = "SQLite, usual schema"
SQLCIPHER: Final = "SQLCipher, usual schema"
SQLITE3MC: Final = "apsw-sqlite3mc"
REQUIREMENTS: Final = ("apsw-sqlite3mc==3.53.2.0",)
PAGE: Final = 50
BATCH: Final = 1_000
"""Messages of one transaction while the databases are filled, sorted as an import sorts them."""
FIRST_SIZE: Final = 10_000
"""Where the curve begins."""
STEPS: Final = (1, 3)
OPENINGS: Final = 5
LISTS: Final = 20
MS_PER_S: Final = 1e3


def _sizes(size: int) -> list[int]:
    """Return at how many messages is measured: 10,000, 30,000, 100,000 ... and the size itself."""
    found, decade = [], FIRST_SIZE
    while decade < size:
        found += [decade * step for step in STEPS if decade * step < size]
        decade *= 10
    return [*found, size]


def add_conversations(tx: Tx) -> None:
    """Make the conversations that messages of the corpus are in."""
    for number in range(CONVERSATIONS):
        conversations.create(
            tx, uid=number.to_bytes(16, "big"), kind=ConversationKind.GROUP,
            state=ConversationState.ACTIVE, created_ms=1,
        )  # fmt: skip


class Three:
    """The same history three times."""

    def __init__(self, home: Path) -> None:
        self.path = home / "ours.db"
        self.ours = Database.create(self.path, PASSPHRASE)
        self.ours.writer.call(add_conversations)
        self.plain = UsualHistory(home / "plain.db", encrypted=False, cache_kib=READER_CACHE_KIB)
        self.usual = UsualHistory(home / "usual.db", encrypted=True, cache_kib=READER_CACHE_KIB)
        self._messages = Corpus()
        self._count = 0

    def grow(self, size: int) -> None:
        """Have messages arrive until there are so many."""
        rows: list[MessageRow] = []
        for row in self._corpus_rows(size):
            rows.append(row)
            if len(rows) == BATCH:
                self._store(rows)
                rows = []
        self._store(rows)
        self._count = size

    def _corpus_rows(self, size: int) -> list[MessageRow]:
        if not self._count:
            self._rows = self._messages.messages(10**9)
        return [next(self._rows) for _ in range(size - self._count)]

    def _store(self, rows: Sequence[MessageRow]) -> None:
        if rows:
            self.ours.writer.call(partial(messages.insert, rows=sorted(rows)))
            self.plain.store(rows)
            self.usual.store(rows)

    def page(self, cid: int) -> list[MessageRow]:
        """Return the newest messages of a conversation, through our storage layer."""
        return self.ours.readers.read(lambda tx: messages.newest(tx, cid, PAGE))

    def close(self) -> None:
        """Close all."""
        self.ours.close()
        self.plain.close()
        self.usual.close()


def _times(visit: Callable[[int], object], cids: Sequence[int]) -> list[float]:
    """Return milliseconds of a visit to each conversation."""
    taken: list[float] = []
    for cid in cids:
        began = time.perf_counter()
        visit(cid)
        taken.append((time.perf_counter() - began) * MS_PER_S)
    return taken


def _visit(three: Three, dice: random.Random) -> dict[str, list[float]]:
    """Look at every conversation once, in random order; all systems take turns."""
    cids = dice.sample(range(1, CONVERSATIONS + 1), CONVERSATIONS)
    visits: dict[str, Callable[[int], object]] = {
        OURS: three.page,
        PLAIN: lambda cid: three.plain.newest(cid, PAGE),
        SQLCIPHER: lambda cid: three.usual.newest(cid, PAGE),
    }
    taken: dict[str, list[float]] = {name: [] for name in visits}
    for at in range(0, len(cids), 50):
        for name, visit in visits.items():
            taken[name] += _times(visit, cids[at : at + 50])
    return taken


def _sample(taken: Sequence[float]) -> dict[str, float]:
    return {"page_ms": median(taken), "page_p99_ms": quantiles(taken, n=100)[-1]}


def _open(path: Path) -> dict[str, float]:
    """Unlock and connect, as opening does."""
    unlocks, connects = [], []
    for _ in range(OPENINGS):
        began = time.perf_counter()
        keys = KeyFile.load(keys_of(path))
        master = keys.unlock(PASSPHRASE)
        unlocks.append((time.perf_counter() - began) * MS_PER_S)
        opener = Opener(path, database_key(master), keys.database)
        for _ in range(OPENINGS):
            began = time.perf_counter()
            connection = opener.reader()
            connects.append((time.perf_counter() - began) * MS_PER_S)
            connection.close()
    return {"unlock_ms": median(unlocks), "connect_ms": median(connects)}


def _read_elsewhere(path: Path, cids: Sequence[int]) -> tuple[str, dict[str, float]]:
    """Have the other implementation read the closed file.

    Raises:
        NotInstalledError: It cannot be installed here.
    """
    interpreter = setup.python_environment("sqlite3mc", REQUIREMENTS)
    keys = KeyFile.load(keys_of(path))
    key = database_key(keys.unlock(PASSPHRASE)).raw.hex() + keys.database.hex()
    arguments = [str(path), str(PAGE), json.dumps(list(cids))]
    done = subprocess.run(
        [str(interpreter), "-m", "benchmarks.workers.sqlite3mc", *arguments],
        input=key, capture_output=True, text=True, check=True, cwd=ROOT,
    )  # fmt: skip
    found = json.loads(done.stdout)
    share = {"readable": float(found["whole"]), "messages": float(found["count"])}
    return found["version"], {**_sample(found["ms"]), **share}


def _run_pages(context: Context, size: int) -> Result:
    result, dice = Result(), random.Random(7)  # noqa: S311
    three = Three(context.home)
    try:
        for at in _sizes(size):
            three.grow(at)
            _visit(three, dice)  # the operating system has the pages then
            taken = _visit(three, dice)
            for name, times in taken.items():
                result.series.setdefault(name, []).append((at, median(times)))
            context.say(f"{at:,}: { ({name: round(median(t), 3) for name, t in taken.items()}) }")
        for _ in range(context.runs):
            taken = _visit(three, dice)
            lists = _times(lambda _: three.ours.readers.read(overview.all_rows), range(LISTS))
            ours = {**_sample(taken[OURS]), "list_ms": median(lists), **_open(three.path)}
            result.add(OURS, {**ours, "readable": 1.0, "messages": float(size)})
            for name in (PLAIN, SQLCIPHER):
                result.add(name, _sample(taken[name]))
    finally:
        three.close()
    if context.peers:
        cids = dice.sample(range(1, CONVERSATIONS + 1), CONVERSATIONS)
        try:
            result.versions[SQLITE3MC], found = _read_elsewhere(three.path, cids)
            result.add(SQLITE3MC, found)
        except setup.NotInstalledError as error:
            result.skipped[SQLITE3MC] = str(error)
    return result


PAGES: Final = Scenario(
    name="stored_history",
    title="A page of a long history",
    about=(
        f"The newest {PAGE} messages of {CONVERSATIONS} conversations, visited once each in random "
        "order, in a history of mixed Chinese and English that grew as messages arrive. The "
        "operating system has the pages, the connection's cache (2 MiB) has not. Beside it the "
        "usual schema through the same binding: rows in the order of arrival, an index on "
        "conversation and time. Then the list of all conversations with their last messages, "
        "unlocking, connecting; and the same file read by SQLite3 Multiple Ciphers as a standard "
        "SQLCipher 4 database, whole and complete (ratio 1)."
    ),
    sizes={Scale.QUICK: 3_000, Scale.SHORT: 100_000, Scale.LONG: 1_000_000},
    size_unit="messages",
    measures=(
        Measure("page_ms", "page_ms", "ms", "newest page, median", PLAIN, at_most(0.8)),
        Measure("page_ms_sqlcipher", "page_ms", "ms", "the same", SQLCIPHER, at_most(0.3)),
        Measure("page_ms_sqlite3mc", "page_ms", "ms", "the same, our file", SQLITE3MC),
        Measure("page_p99_ms", "page_p99_ms", "ms", "99th percentile", PLAIN, no_more_than(1)),
        Measure("list_ms", "list_ms", "ms", "500 conversations with their last messages"),
        Measure("unlock_ms", "unlock_ms", "ms", "by passphrase, once", goal=no_more_than(150)),
        Measure("connect_ms", "connect_ms", "ms", "one more connection", goal=no_more_than(1)),
        Measure("readable", "readable", "", "integrity as seen by", SQLITE3MC, at_least(1)),
        Measure("messages", "messages", "", "messages as seen by", SQLITE3MC, at_least(1)),
    ),
    run=_run_pages,
    axis=("messages in the history", "newest page, median (ms)"),
)
