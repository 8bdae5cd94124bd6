"""Import: conversations from files become read-only conversations of this database.

They are of a kind of their own, under random ids that nobody else can know, without members, keys
or a place at a relay. Nothing of them is ever sent. A message that is here already is left out, so
an import that was interrupted is simply begun again, and importing twice is importing once.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

import anyio
import anyio.to_thread

from e2ecore.engine.errors import ImportTooLongError
from e2ecore.engine.exporting import OnProgress, TransferProgress
from e2ecore.engine.job import Job
from e2ecore.engine.mirror import Mirror
from e2ecore.engine.values import ConversationState, MessageState
from e2ecore.ids import GroupId
from e2ecore.messaging.reactions import encode_signs
from e2ecore.portability.opening import Wishes, open_file
from e2ecore.portability.records import Entry, Heading, ImportFormat
from e2ecore.portability.seen import IdSet
from e2ecore.storage import conversations, expiries, imports, messages, remarks, search_index
from e2ecore.storage.conversations import LIVE_ORDER, ConversationKind
from e2ecore.storage.files import mapped
from e2ecore.storage.imports import FIRST_ORDER, ImportRow, PersonRow
from e2ecore.storage.messages import MessageRow, message_row_id
from e2ecore.storage.remarks import ReactionRow, RevisionRow
from e2ecore.storage.tx import Tx
from e2ecore_protocol.content.conversation import ConversationInfo, InfoKind
from e2ecore_protocol.frames.conversations import group_conversation_id

if TYPE_CHECKING:
    from e2ecore.engine.core import Core

BATCH: Final = 1_000
"""Messages of one transaction: others wait some 20 ms."""
MAX_NAMED: Final = 100_000
"""People of whom is remembered that their names are stored: some 20 MB."""
BATCH_CHARS: Final = 1 << 20
"""Text of one transaction, unless a single message has more."""

_OWN: Final = int(MessageState.ACCEPTED)
_RECEIVED: Final = int(MessageState.RECEIVED)


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What was imported."""

    format: ImportFormat
    conversations: tuple[GroupId, ...]
    """Those in which something new is."""
    messages: int
    """New here."""
    known: int
    """Already here, left alone."""
    skipped: int
    """Records of the file without anything that could be kept."""


class _Batch(NamedTuple):
    heading: Heading
    entries: list[Entry]
    people: Mapping[bytes, str] = MappingProxyType({})
    """Names of those in it that were not stored yet."""


def batches(items: Iterable[Heading | Entry]) -> Iterator[_Batch]:
    """Yield entries in transactions' worth, each of one conversation."""
    heading: Heading | None = None
    waiting: list[Entry] = []
    chars = 0
    for one in items:
        full = len(waiting) == BATCH or chars > BATCH_CHARS
        if heading is not None and waiting and (full or isinstance(one, Heading)):
            yield _Batch(heading, waiting)
            waiting, chars = [], 0
        if isinstance(one, Heading):
            heading = one
        else:
            waiting.append(one)
            chars += len(one.text) + len(one.content)
            if one.said is not None:
                chars += sum(len(before.text) for before in one.said.earlier)
    if heading is not None and waiting:
        yield _Batch(heading, waiting)


class _Import:
    """One import: its reader is driven from a worker thread, its rows go through the writer's."""

    def __init__(self, core: "Core", path: Path, wishes: Wishes) -> None:
        self._core = core
        self._source = open_file(path, wishes)
        self._batches = batches(self._source.items())
        self._seen: dict[bytes, IdSet] = {}
        self._named: set[tuple[bytes, bytes, str]] = set()
        self._expired = 0
        self.uids: dict[bytes, None] = {}
        self.messages = self.known = 0

    def next_batches(self) -> list[_Batch]:
        """Read messages that are new here, a transaction's worth; none: there are no more."""
        found: list[_Batch] = []
        while sum(len(one.entries) for one in found) < BATCH // 2:
            batch = self._next_batch()
            if batch is None:
                break
            found.append(batch)
        return found

    def _next_batch(self) -> _Batch | None:
        for batch in self._batches:
            seen = self._seen.get(batch.heading.key)
            if seen is None:
                if not self._source.is_mixed:
                    self._seen.clear()
                    self._named.clear()
                seen = self._seen[batch.heading.key] = self._load_seen(batch.heading)
            fresh = [one for one in batch.entries if seen.add(one.uid)]
            self.known += len(batch.entries) - len(fresh)
            kept = self._alive(fresh)
            if kept:
                return _Batch(batch.heading, kept, self._people(batch.heading.key, kept))
        return None

    def _alive(self, entries: list[Entry]) -> list[Entry]:
        """Return those that have not erased themselves by now."""
        now_ms = self._core.clock_ms()
        kept = [one for one in entries if one.expires_ms is None or one.expires_ms > now_ms]
        self._expired += len(entries) - len(kept)
        return kept

    def _people(self, key: bytes, entries: Iterable[Entry]) -> dict[bytes, str]:
        """Return names that this import has not stored in this conversation yet."""
        found: dict[bytes, str] = {}
        for one in entries:
            found[one.account_id] = one.name
            if one.said is not None:
                found.update((other.account_id, other.name) for other in one.said.reactions)
        fresh = {who: name for who, name in found.items() if (key, who, name) not in self._named}
        if len(self._named) > MAX_NAMED:
            self._named.clear()
        self._named.update((key, who, name) for who, name in fresh.items())
        return fresh

    def _load_seen(self, heading: Heading) -> IdSet:
        """Return the messages of a conversation that are here, in its live or its imported form."""
        read = self._core.database.readers.read
        found = IdSet()
        for cid in read(partial(_homes, heading=heading)):
            cursor = 0
            while page := read(partial(imports.message_ids, cid=cid, cursor=cursor)):
                for _, uid in page:
                    found.add(uid)
                cursor = page[-1][0]
        return found

    def stored(self, uids: Iterable[bytes], count: int) -> None:
        """Note what a transaction has brought."""
        self.uids.update(dict.fromkeys(uids))
        self.messages += count

    @property
    def progress(self) -> TransferProgress:
        """How far it is."""
        place = self._source.position
        return TransferProgress(self.messages, min(1.0, place.done / max(1, place.total)))

    @property
    def report(self) -> ImportReport:
        """What was done."""
        return ImportReport(
            self._source.format,
            tuple(map(GroupId, self.uids)),
            self.messages,
            self.known,
            self._source.position.skipped + self._expired,
        )

    @property
    def format(self) -> ImportFormat:
        """What the file is."""
        return self._source.format

    def close(self) -> None:
        """Close the file."""
        self._source.close()


def _homes(tx: Tx, heading: Heading) -> list[int]:
    """Return the local numbers of the conversations in which messages of a file may be already."""
    found: list[int] = []
    known = imports.by_source(tx, heading.key)
    if known is not None:
        found.append(known.cid)
    live = conversations.by_uid(tx, heading.live_uid) if heading.live_uid else None
    if live is not None and live.cid not in found:
        found.append(live.cid)
    return found


def _store_all(job: Job, found: Sequence[_Batch], format_: ImportFormat) -> list[bytes]:
    """Store new messages; return the ids of their conversations."""
    uids = [_store(job, batch, format_) for batch in found]
    search_index.note_slice(job.tx, BATCH)  # so that searches need not look for what is new
    return uids


def _store(job: Job, batch: _Batch, format_: ImportFormat) -> bytes:
    """Store new messages of one conversation; return its id."""
    known = imports.by_source(job.tx, batch.heading.key)
    mirror = _begin(job, batch.heading, format_) if known is None else job.mirror(known.cid)
    first = mirror.next_order
    if first + len(batch.entries) > LIVE_ORDER:
        raise ImportTooLongError
    imports.save_people(
        job.tx, [PersonRow(mirror.cid, who, name) for who, name in batch.people.items()]
    )
    rows = _rows(job, mirror.cid, first, batch.entries)
    messages.insert(job.tx, rows)
    search_index.note_import(job.tx, rows)
    _store_said(job.tx, rows, batch.entries)
    mirror.next_order = mirror.read_order = first + len(rows)
    mirror.last_mid = rows[-1].mid
    mirror.traffic = True
    mirror.save(job.tx)
    return mirror.uid


def _begin(job: Job, heading: Heading, format_: ImportFormat) -> Mirror:
    row = conversations.create(
        job.tx,
        uid=group_conversation_id(job.state.rng(16)),
        kind=ConversationKind.IMPORTED,
        state=conversations.ConversationState(ConversationState.LEFT),
        title=heading.title,
        info=ConversationInfo(InfoKind.GROUP, heading.title).encode(),
        created_ms=heading.created_ms or job.now_ms,
    )
    imports.add(job.tx, ImportRow(row.cid, heading.key, format_.value, job.now_ms))
    mirror = Mirror(row)
    mirror.next_order = mirror.read_order = FIRST_ORDER
    job.state.add_mirror(mirror)
    return mirror


def _rows(job: Job, cid: int, first: int, entries: Sequence[Entry]) -> list[MessageRow]:
    now_ms, next_mid, tx = job.now_ms, job.state.next_mid, job.tx
    return [
        MessageRow(
            place, next_mid(tx), one.uid, one.account_id, one.device_id, one.counter, 0,
            one.sent_ms, now_ms, one.kind, _OWN if one.is_mine else _RECEIVED, one.text,
            one.content,
        )
        for place, one in enumerate(entries, message_row_id(cid, first))
    ]  # fmt: skip


def _store_said(tx: Tx, rows: Iterable[MessageRow], entries: Iterable[Entry]) -> None:
    """Store what was said of messages, and when they erase themselves."""
    for row, one in zip(rows, entries, strict=True):
        if one.expires_ms is not None:
            expiries.add(tx, row.id, one.expires_ms)
        if one.said is None:
            continue
        for by in one.said.reactions:
            signs = encode_signs(by.signs)
            remarks.react(
                tx, ReactionRow(row.id, by.account_id, by.device_id, by.changed_ms, signs)
            )
        for was in one.said.earlier:
            remarks.keep_revision(tx, RevisionRow(row.id, was.changed_ms, was.device_id, was.text))


async def import_history(
    core: "Core",
    path: Path,
    *,
    format_: ImportFormat | None,
    me: str,
    title: str,
    time_zone: tzinfo | None,
    on_progress: OnProgress | None,
) -> ImportReport:
    """Read a file into conversations; see ``Engine.import_history``."""
    core.check_open()
    wishes = Wishes(core.account_id, format_, me, title, time_zone)
    source: _Import | None = None
    async with core.upkeep.importing:
        core.upkeep.transfers += 1
        try:
            source = await anyio.to_thread.run_sync(_Import, core, path, wishes)
            found = await anyio.to_thread.run_sync(source.next_batches)
            while found:
                pending = core.jobs.submit(partial(_store_all, found=found, format_=source.format))
                count = sum(len(one.entries) for one in found)
                found = await anyio.to_thread.run_sync(source.next_batches)  # while it is written
                source.stored(await pending.wait(), count)
                core.upkeep.to_index.set()
                if on_progress is not None:
                    on_progress(source.progress)
            if on_progress is not None:
                on_progress(TransferProgress(source.messages, 1.0))
        except OSError as error:
            raise mapped(error) from None
        else:
            return source.report
        finally:
            core.upkeep.transfers -= 1
            if source is not None:
                source.close()
