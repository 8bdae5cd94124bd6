"""Searching the history, and the task that keeps the index behind it.

A search runs in a thread of its own on one snapshot: neither the event loop nor the writer waits
for it. Indexing waits until nothing has come or gone for a moment, so that no message pays for it;
under traffic that never pauses it takes a twentieth of the writer's time.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import anyio
import anyio.lowlevel
import anyio.to_thread

from e2ecore.engine.running.job import Job
from e2ecore.engine.talk.showing import message_of
from e2ecore.engine.telling.events import SearchDegraded, SearchProgress, SearchRestored
from e2ecore.engine.values import Message, MessageKind
from e2ecore.errors import CorruptStateError
from e2ecore.ids import AccountId
from e2ecore.messaging.counters import decode_missing
from e2ecore.messaging.receipts import Delivery
from e2ecore.storage import conversations, members, search, search_index
from e2ecore.storage.messages import ORDER_BITS
from e2ecore.storage.search import Filter, Found
from e2ecore.storage.search_tokens import Query, parse
from e2ecore.storage.snippets import Snippet, make_snippet
from e2ecore.storage.tx import Tx

if TYPE_CHECKING:
    from e2ecore.engine.running.core import Core

IDLE_S: Final = 1.0
"""Silence after which messages are indexed: before the log is emptied, not while one arrives."""
PATIENCE_S: Final = 30.0
"""Traffic without a pause after which indexing begins all the same."""
SLICE: Final = 250
"""Messages indexed in one transaction: about 25 ms that a message may have to wait."""
BUSY_SLICE: Final = 50
"""The same under traffic."""
BUSY_SHARE: Final = 20
"""Under traffic, so many times as long as a slice took is left to others."""
PROGRESS_EVERY: Final = 20_000
"""Messages between two ``SearchProgress`` events."""
MERGE_FROM: Final = 5_000
"""Messages indexed in one go after which the index is also put in order."""


@dataclass(frozen=True, slots=True)
class SearchHit:
    """One message that was found."""

    message: Message
    _query: Query = field(repr=False, compare=False)

    def snippet(self, characters: int = 80) -> Snippet:
        """Return the part of the text around the first hit, with the places to be marked in it.

        Args:
            characters: Length at most.
        """
        return make_snippet(self.message.text, self._query, characters)


@dataclass(frozen=True, slots=True)
class SearchPage:
    """A page of hits, the newest first."""

    hits: tuple[SearchHit, ...]
    cursor: int | None
    """Pass it to get the next page; None: this was the last. A page may have few hits or none and
    yet not be the last, where there is much to look at and little to find."""


@dataclass(frozen=True, slots=True)
class SearchStatus:
    """How far the index is. Searches are complete all the time; they are faster with it."""

    indexed: int
    """Arrival number up to which messages are indexed."""
    newest: int
    """Arrival number of the newest message."""
    is_degraded: bool
    """The index is damaged, and could not be made anew yet."""


async def run_search(
    core: "Core", text: str, asked: Filter, limit: int, cursor: int | None
) -> SearchPage:
    """Find messages; see ``Engine.search``."""
    core.check_open()
    fold = core.upkeep.fold
    query = parse(text, fold)
    before = search.NEWEST if cursor is None else cursor
    own_id = core.account.account_id if core.account is not None else AccountId(b"")

    def work(tx: Tx) -> tuple[Found, list[Message]]:
        found = search.find(tx, text, asked, limit=limit, cursor=before, fold=fold)
        return found, _messages(tx, found, own_id)

    found, messages = await anyio.to_thread.run_sync(core.read, work)
    if found.index_failed and not core.upkeep.rebuilding:
        core.upkeep.index_failed = True
        core.upkeep.to_index.set()
    hits = tuple(SearchHit(one, query) for one in messages)
    return SearchPage(hits, found.cursor or None)


def _messages(tx: Tx, found: Found, own_id: AccountId) -> list[Message]:
    uids: dict[int, bytes] = {}
    others: dict[int, list[Delivery]] = {}
    messages: list[Message] = []
    for row in found.rows:
        cid = row.id >> ORDER_BITS
        if cid not in uids:
            kept = conversations.get(tx, cid)
            uids[cid] = b"" if kept is None else kept.uid
        if row.account_id == own_id and cid not in others:
            others[cid] = [
                Delivery(one.delivered_upto, decode_missing(one.delivered_gaps))
                for one in members.current(tx, cid)
                if one.account_id != own_id
            ]
        messages.append(message_of(uids[cid], row, own_id, others.get(cid, [])))
    return messages


def filter_of(
    cid: int,
    sender: bytes,
    after: int | None,
    before: int | None,
    kinds: Collection[MessageKind] | None,
) -> Filter:
    """Return what a hit must be besides having the text."""
    asked = Filter(cid=cid, account_id=sender, kinds=frozenset(int(one) for one in kinds or ()))
    if after is not None:
        asked = Filter(asked.cid, asked.account_id, max(0, after), asked.before_ms, asked.kinds)
    if before is not None:
        asked = Filter(asked.cid, asked.account_id, asked.after_ms, before, asked.kinds)
    return asked


def status(core: "Core") -> SearchStatus:
    """Return how far the index is."""

    def work(tx: Tx) -> SearchStatus:
        now = search_index.state(tx)
        return SearchStatus(now.indexed_mid, conversations.last_mid(tx), bool(now.damaged))

    return core.read(work)


async def keep_index(core: "Core") -> None:
    """Index what came, when there is time for it; make the index anew if it is damaged."""
    core.upkeep.to_index.set()
    while True:
        await core.upkeep.to_index.wait()
        started = anyio.current_time()
        await anyio.sleep(IDLE_S)
        # An event would wake this task for every message.
        while core.upkeep.to_index.take() and anyio.current_time() - started <= PATIENCE_S:  # noqa: ASYNC110
            await anyio.sleep(IDLE_S)
        try:
            if core.upkeep.index_failed:
                await _give_up_index(core)
            await _catch_up(core)
        except CorruptStateError:
            if core.upkeep.rebuilding:
                return  # not even what is left of it can be removed: searches read everything
            core.upkeep.index_failed = True
            core.upkeep.to_index.set()


async def _give_up_index(core: "Core") -> None:
    """The index is damaged: nobody asks it any more, and what is left of it is removed."""
    core.upkeep.rebuilding, core.upkeep.index_failed = True, False
    await core.jobs.run(lambda job: search_index.mark_damaged(job.tx))
    core.emit(SearchDegraded())
    await core.jobs.run(lambda job: search_index.drop(job.tx))


async def _catch_up(core: "Core") -> None:
    """Do slices until everything is indexed."""
    fold, done, told = core.upkeep.fold, 0, 0
    while True:
        busy = core.upkeep.to_index.is_raised or core.upkeep.transfers > 0
        limit = BUSY_SLICE if busy else SLICE

        def work(job: Job, limit: int = limit) -> int:
            return search_index.step(job.tx, limit, fold)

        began = anyio.current_time()
        count = await core.jobs.run(work)
        if not count:
            break
        done += count
        if done - told >= PROGRESS_EVERY:
            told = done
            now = status(core)
            core.emit(SearchProgress(now.indexed, now.newest))
        if busy:
            await anyio.sleep((anyio.current_time() - began) * BUSY_SHARE)
    if core.upkeep.rebuilding:
        core.upkeep.rebuilding = False
        core.emit(SearchRestored())
    if done >= MERGE_FROM:
        while await core.jobs.run(lambda job: search_index.merge_slice(job.tx)):
            await anyio.lowlevel.checkpoint()
