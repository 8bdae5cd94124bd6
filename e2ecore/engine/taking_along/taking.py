"""Taking the history that another device of the same person gives.

Each part is fetched like a file, checked as a whole, and stored in front of what the conversation
has here, a slice in each transaction. What is here already is left alone, so a part that a crash
has cut is simply stored again. Only then is it forgotten.

Spec: protocol/spec/76-history-transfer.md
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

import anyio
import anyio.to_thread

from e2ecore.attachments.errors import AttachmentDamagedError
from e2ecore.engine.files import fetching
from e2ecore.engine.files.file_errors import AttachmentGoneError, AttachmentNotHereError
from e2ecore.engine.own_talk.oplog import is_gone
from e2ecore.engine.own_talk.own_group import own_group
from e2ecore.engine.running.job import Job
from e2ecore.engine.running.mirror import Mirror
from e2ecore.engine.taking_along.announced import may_take, shown_taking
from e2ecore.engine.taking_along.history_values import (
    HistoryArrived,
    HistoryTransferChanged,
)
from e2ecore.engine.taking_along.importing import BATCH, BATCH_CHARS, rows_of
from e2ecore.engine.taking_along.importing_kept import begin
from e2ecore.engine.taking_along.importing_said import store_said
from e2ecore.errors import PeerError, TransientError
from e2ecore.ids import GroupId
from e2ecore.portability.errors import ImportFileError
from e2ecore.portability.history_part import PartHeading, read_part
from e2ecore.portability.records import Entry, ImportFormat
from e2ecore.storage import attachments, conversations, imports, messages, search_index
from e2ecore.storage import history_transfers as transfers
from e2ecore.storage.attachments import Owed
from e2ecore.storage.conversations import LIVE_ORDER
from e2ecore.storage.file_cache import CachedFileError, LocalFile
from e2ecore.storage.history_transfers import PartRow, TakingRow, TakingState
from e2ecore.storage.messages import message_row_id
from e2ecore.storage.tx import Tx

if TYPE_CHECKING:
    from e2ecore.engine.running.core import Core

AGAIN_S: Final = 5.0
"""How long to wait when the relay says no for now."""
_NAMES: Final = 500
_OPEN: Final = frozenset({TakingState.TAKING, TakingState.LOST})


async def keep_taking(core: "Core") -> None:
    """Take parts when they are there, for the life of the engine."""
    while True:
        part = core.read(_next_part) if core.account is not None else None
        if part is None:
            core.desk.duty_signal.set()
            await core.upkeep.to_take.wait()
            continue
        try:
            if await core.jobs.run(partial(_is_agreed, part=part)):
                await _take(core, part)
        except (TransientError, PeerError):  # of the relay's: nothing is lost by what it says
            await core.upkeep.to_take.wait_for(AGAIN_S)


def _next_part(tx: Tx) -> PartRow | None:
    for row in transfers.takings(tx):
        if row.state in _OPEN:
            part = transfers.next_part(tx, row.transfer, row.next)
            if part is not None:
                return part
    return None


def _is_agreed(job: Job, part: PartRow) -> bool:
    """Does the person still agree? Else what was announced is left, and the relay told."""
    if may_take(job):
        return True
    for one in transfers.parts(job.tx, part.transfer):
        row = attachments.get(job.tx, one.aid)
        if row is not None:
            attachments.bury(job.tx, row, Owed.ACKNOWLEDGEMENT)
        transfers.remove_part(job.tx, one.part)
    taking = transfers.taking(job.tx, part.transfer)
    if taking is not None:
        _ended(job, taking._replace(state=TakingState.INCOMPLETE))
    return False


async def _take(core: "Core", part: PartRow) -> None:
    async with core.desk.fetches.setdefault(part.aid, anyio.Lock()):
        try:
            await fetching.download(core, part.aid, None, None)
            await _read(core, part)
        except (AttachmentGoneError, AttachmentNotHereError, AttachmentDamagedError,
                CachedFileError, ImportFileError):  # fmt: skip
            with anyio.CancelScope(shield=True):
                await core.jobs.run(partial(_over, part=part, is_lost=True))
    core.upkeep.to_index.set()


class _Stream:
    """A local file, read from its start."""

    def __init__(self, local: LocalFile) -> None:
        self._local = local
        self._at = 0

    def read(self, size: int, /) -> bytes:
        found = self._local.read(self._at, size)
        self._at += len(found)
        return found


async def _read(core: "Core", part: PartRow) -> None:
    """Store the messages of a part that is here."""
    row = core.read(partial(attachments.get, aid=part.aid))
    if row is None:
        raise AttachmentNotHereError
    with core.desk.cache.open(part.aid, row.cache_key, row.size) as local:
        slices = _slices(part, read_part(_Stream(local), core.account_id))
        while (found := await anyio.to_thread.run_sync(next, slices, None)) is not None:
            with anyio.CancelScope(shield=True):
                await core.jobs.run(partial(_store, core=core, found=found))
    with anyio.CancelScope(shield=True):
        await core.jobs.run(partial(_over, part=part, is_lost=False))


def _slices(part: PartRow, items: Iterable[PartHeading | Entry]) -> Iterator["_Slice"]:
    """Yield messages in transactions' worth, each of one conversation."""
    heading: PartHeading | None = None
    found: list[Entry] = []
    first = chars = 0
    for one in items:
        is_full = len(found) == BATCH or chars > BATCH_CHARS
        if heading is not None and found and (is_full or isinstance(one, PartHeading)):
            yield _Slice(part, heading, first, found)
            first, found, chars = first + len(found), [], 0
        if isinstance(one, PartHeading):
            heading, first = one, 0
        else:
            found.append(one)
            chars += len(one.text) + len(one.content) + (one.said.weight if one.said else 0)
    if heading is not None and found:
        yield _Slice(part, heading, first, found)


class _Slice(NamedTuple):
    """Some messages of a part."""

    part: PartRow
    heading: PartHeading
    first: int
    """How many of the conversation are before them in the part."""
    entries: Sequence[Entry]


def _store(job: Job, core: "Core", found: _Slice) -> None:
    """Store some messages of a part."""
    part = found.part
    taking = transfers.taking(job.tx, part.transfer)
    if taking is None:
        return
    fresh, mirror = _fresh(job, found)
    if not fresh:
        return
    made = zip(rows_of(job, fresh), fresh, strict=True)
    rows = [row._replace(seq=one.seq) for row, (_, one) in made]
    messages.insert(job.tx, rows)
    search_index.note(job.tx, rows)
    said = [one for _, one in fresh]
    store_said(job, core.desk.cache, rows, said, {}, keeps_blobs=True)
    _count_up(job, rows[-1].mid, mirror)
    if mirror.last_mid == 0:
        mirror.last_mid = rows[-1].mid
    mirror.dirty = True
    mirror.save(job.tx)
    transfers.save_taking(job.tx, taking._replace(messages=taking.messages + len(rows)))
    job.effects.events.append(HistoryArrived(part.transfer, GroupId(mirror.uid), len(rows)))


def _count_up(job: Job, mid: int, fallback: Mirror) -> None:
    """Note the newest arrival number with the conversation that nobody sees.

    The conversations themselves keep their places: what came is old. Only if there is no such
    conversation any more is it noted where it came.
    """
    mirror = own_group(job) or fallback
    mirror.last_mid = mid
    mirror.dirty = True
    mirror.save(job.tx)


def _fresh(job: Job, found: _Slice) -> tuple[list[tuple[int, Entry]], Mirror]:
    """Return messages that are not here, with their orders; and where they go."""
    part, heading = found.part, found.heading
    mirror, is_live = _home(job, heading)
    while search_index.note_next(job.tx, mirror.cid, _NAMES):
        pass
    first = transfers.first_order(job.tx, part.transfer, heading.heading.live_uid)
    if first is None:
        if is_live:
            lowest = transfers.lowest_order(job.tx, mirror.cid, LIVE_ORDER)
            first = max(1, lowest - heading.count)
        else:
            first = mirror.next_order
            mirror.next_order = mirror.read_order = first + heading.count
        transfers.place(job.tx, part.transfer, heading.heading.live_uid, first)
    return [
        (message_row_id(mirror.cid, first + heading.first + place), one)
        for place, one in enumerate(found.entries, found.first)
        if not transfers.is_known(job.tx, mirror.cid, one.uid)
        and not is_gone(job, mirror, one.uid, one.account_id, one.seq)
    ], mirror


def _home(job: Job, heading: PartHeading) -> tuple[Mirror, bool]:
    """Return where messages go, and whether that is a conversation with members.

    What has none on this device becomes a conversation to read, as after an import.
    """
    said = heading.heading
    live = None if heading.is_imported else conversations.by_uid(job.tx, said.live_uid)
    if live is not None:
        return job.mirror(live.cid), True
    known = imports.by_source(job.tx, said.key)
    if known is not None:
        return job.mirror(known.cid), False
    return begin(job, said, ImportFormat.E2ECORE), False


def _over(job: Job, part: PartRow, *, is_lost: bool) -> None:
    """A part is stored, or gone; the next one follows. What is lost need not wait at the relay."""
    row = attachments.get(job.tx, part.aid)
    if row is not None:
        attachments.bury(job.tx, row, Owed.ACKNOWLEDGEMENT if is_lost else Owed(row.owed))
    transfers.remove_part(job.tx, part.part)
    taking = transfers.taking(job.tx, part.transfer)
    if taking is None:
        return
    state = TakingState.LOST if is_lost else TakingState(taking.state)
    after = taking._replace(next=part.number + 1, state=state)
    if not part.is_last:
        transfers.save_taking(job.tx, after)
        return
    is_whole = state is not TakingState.LOST
    _ended(job, after._replace(state=TakingState.TAKEN if is_whole else TakingState.INCOMPLETE))


def _ended(job: Job, taking: TakingRow) -> None:
    """Nothing more comes of a transfer."""
    transfers.forget_places(job.tx, taking.transfer)
    transfers.save_taking(job.tx, taking)
    job.effects.events.append(HistoryTransferChanged(shown_taking(taking)))
