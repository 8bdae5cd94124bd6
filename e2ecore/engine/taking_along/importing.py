"""Import: conversations from files become read-only conversations of this database.

They are of a kind of their own, under random ids that nobody else can know, without members, keys
or a place at a relay. Nothing of them is ever sent. A message that is here already is left out, so
an import that was interrupted is simply begun again, and importing twice is importing once.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

import anyio
import anyio.to_thread

from e2ecore.engine.errors import ImportTooLongError
from e2ecore.engine.files import fetching
from e2ecore.engine.running.job import Job
from e2ecore.engine.taking_along.exporting import OnProgress, TransferProgress
from e2ecore.engine.taking_along.importing_files import Brought, FileBringer
from e2ecore.engine.taking_along.importing_kept import (
    PersonBrought,
    answer,
    begin,
    bring_person,
    homes,
    read_paper,
)
from e2ecore.engine.taking_along.importing_said import store_said
from e2ecore.engine.values import MessageState
from e2ecore.ids import GroupId
from e2ecore.portability.opening import Wishes, open_file
from e2ecore.portability.ours import OwnExport
from e2ecore.portability.records import Entry, Heading, ImportFormat
from e2ecore.portability.seen import IdSet
from e2ecore.storage import (
    attachments,
    imports,
    messages,
    search_index,
)
from e2ecore.storage.conversations import LIVE_ORDER
from e2ecore.storage.files import mapped
from e2ecore.storage.imports import PersonRow
from e2ecore.storage.messages import MessageRow, message_row_id

if TYPE_CHECKING:
    from e2ecore.engine.running.core import Core

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
    files: int = 0
    """Files of messages that came along."""
    files_missing: int = 0
    """Files that are only named: they were not in the file, or there was no room for them."""
    blocked: int = 0
    """People who were blocked when this account exported, and were not here."""
    consents: int = 0
    """Consents that came along to be looked at, never in force; see ``Consents.imported``."""


class _Batch(NamedTuple):
    heading: Heading
    entries: list[Entry]
    people: Mapping[bytes, str] = MappingProxyType({})
    """Names of those in it that were not stored yet."""
    files: Mapping[tuple[bytes, int], Brought] = MappingProxyType({})
    """Copies of files, by message id and place."""


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
            if one.belongings.begun is not None:
                yield _Batch(heading, [])  # there may be no message to it
        else:
            waiting.append(one)
            chars += len(one.text) + len(one.content)
            if one.said is not None:
                chars += one.said.weight
    if heading is not None and waiting:
        yield _Batch(heading, waiting)


class _Import:
    """One import: its reader is driven from a worker thread, its rows go through the writer's."""

    def __init__(self, core: "Core", path: Path, wishes: Wishes, room: int) -> None:
        self._core = core
        source = self._source = open_file(path, wishes)
        self._files: FileBringer | None = None
        if isinstance(source, OwnExport):
            self._files = FileBringer(core.desk.cache, source, core.rng, room)
        self._batches = batches(self._source.items())
        self._seen: dict[bytes, IdSet] = {}
        self._named: set[tuple[bytes, bytes, str]] = set()
        self._expired = 0
        self.uids: dict[bytes, None] = {}
        self.messages = self.known = 0
        self.brought = PersonBrought(0, 0)

    def next_batches(self) -> list[_Batch]:
        """Read messages that are new here, a transaction's worth; none: there are no more."""
        found: list[_Batch] = []
        while sum(max(1, len(one.entries)) for one in found) < BATCH // 2:
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
            if not batch.entries and not self._is_here(batch.heading):
                return batch
            fresh = [one for one in batch.entries if seen.add(one.uid)]
            self.known += len(batch.entries) - len(fresh)
            kept = self._alive(fresh)
            if kept:
                people = self._people(batch.heading.key, kept)
                files = {} if self._files is None else self._files.bring(kept)
                return _Batch(batch.heading, kept, people, files)
        return None

    def _is_here(self, heading: Heading) -> bool:
        return bool(self._core.database.readers.read(partial(homes, heading=heading)))

    def person(self) -> Callable[[Job], PersonBrought] | None:
        """Return what stores what belongs to the person alone; None: nothing does.

        Raises:
            ExportDamagedError: It does not prove what it says.
        """
        if not isinstance(self._source, OwnExport):
            return None
        source = self._source
        paper = read_paper(source, self._core.clock_ms())
        if paper is None and not source.blocked and not source.called:
            return None
        return partial(bring_person, blocked=source.blocked, called=source.called, paper=paper)

    @property
    def has_files(self) -> bool:
        """Does the file bring files of messages?"""
        return isinstance(self._source, OwnExport) and self._source.has_attachments

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
        for cid in read(partial(homes, heading=heading)):
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
            0 if self._files is None else self._files.count,
            0 if self._files is None else self._files.missing,
            self.brought.blocked,
            self.brought.consents,
        )

    @property
    def format(self) -> ImportFormat:
        """What the file is."""
        return self._source.format

    def close(self) -> None:
        """Close the file."""
        self._source.close()


def _store_all(
    job: Job, core: "Core", found: Sequence[_Batch], format_: ImportFormat
) -> list[bytes]:
    """Store new messages; return the ids of their conversations."""
    uids = [_store(job, core, batch, format_) for batch in found]
    search_index.note_slice(job.tx, BATCH)  # so that searches need not look for what is new
    return uids


def _store(job: Job, core: "Core", batch: _Batch, format_: ImportFormat) -> bytes:
    """Store new messages of one conversation; return its id."""
    known = imports.by_source(job.tx, batch.heading.key)
    mirror = begin(job, batch.heading, format_) if known is None else job.mirror(known.cid)
    first = mirror.next_order
    if first + len(batch.entries) > LIVE_ORDER:
        raise ImportTooLongError
    if not batch.entries:
        return mirror.uid
    imports.save_people(
        job.tx, [PersonRow(mirror.cid, who, name) for who, name in batch.people.items()]
    )
    rows = rows_of(job, enumerate(batch.entries, message_row_id(mirror.cid, first)))
    messages.insert(job.tx, rows)
    search_index.note_import(job.tx, rows)
    store_said(job, core.desk.cache, rows, batch.entries, batch.files)
    answer(job, mirror.cid, batch.heading.belongings, rows)
    mirror.next_order = mirror.read_order = first + len(rows)
    mirror.last_mid = rows[-1].mid
    mirror.traffic = True
    mirror.save(job.tx)
    return mirror.uid


def rows_of(job: Job, placed: Iterable[tuple[int, Entry]]) -> list[MessageRow]:
    """Return messages of a file, given their row ids, as they are stored."""
    now_ms, next_mid, tx = job.now_ms, job.state.next_mid, job.tx
    return [
        MessageRow(
            place, next_mid(tx), one.uid, one.account_id, one.device_id, one.counter, 0,
            one.sent_ms, now_ms, one.kind, _OWN if one.is_mine else _RECEIVED, one.text,
            one.content,
        )
        for place, one in placed
    ]  # fmt: skip


async def _bring(core: "Core", source: _Import, on_progress: OnProgress | None) -> None:
    """Store everything; the next is read while something is written."""
    found = await anyio.to_thread.run_sync(source.next_batches)
    while found:
        pending = core.jobs.submit(_storing(core, source, found))
        count = sum(len(one.entries) for one in found)
        found = await anyio.to_thread.run_sync(source.next_batches)
        source.stored(await pending.wait(), count)
        _came_forward(core, source, on_progress)


async def _bring_with_files(core: "Core", source: _Import, on_progress: OnProgress | None) -> None:
    """Store everything; between two turns no copy is without a row, and others may sweep."""
    while True:
        async with core.desk.storing:
            found = await anyio.to_thread.run_sync(source.next_batches)
            if not found:
                return
            with anyio.CancelScope(shield=True):
                uids = await core.jobs.run(_storing(core, source, found))
        source.stored(uids, sum(len(one.entries) for one in found))
        _came_forward(core, source, on_progress)


def _storing(
    core: "Core", source: _Import, found: Sequence[_Batch]
) -> Callable[[Job], list[bytes]]:
    return partial(_store_all, core=core, found=found, format_=source.format)


def _came_forward(core: "Core", source: _Import, on_progress: OnProgress | None) -> None:
    core.upkeep.to_index.set()
    if on_progress is not None:
        on_progress(source.progress)


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
            room = max(0, await fetching.limit(core) - core.read(attachments.kept_bytes))
            source = await anyio.to_thread.run_sync(_Import, core, path, wishes, room)
            bring = _bring_with_files if source.has_files else _bring
            await bring(core, source, on_progress)
            person = await anyio.to_thread.run_sync(source.person)
            if person is not None:
                source.brought = await core.jobs.run(person)
            if on_progress is not None:
                on_progress(TransferProgress(source.messages, 1.0))
        except OSError as error:
            raise mapped(error) from None
        else:
            return source.report
        finally:
            core.upkeep.transfers -= 1
            core.desk.tidy_signal.set()  # copies whose messages did not come
            if source is not None:
                source.close()
