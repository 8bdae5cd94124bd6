"""Erasing messages: on request, when their time is over, and what a crash has interrupted.

The first transaction deletes; where there is much, many small ones follow, so that messages can be
received in between. The call ends when the search index is clean and the log is empty: from then on
nothing in the files says what there was. Erasures take their turn, one after the other.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final, TypeAlias

import anyio

from e2ecore.engine.erasure.silencing import silence_remarks
from e2ecore.engine.errors import ErasureDelayedError, TooManyMessagesError
from e2ecore.engine.own_talk.oplog import say
from e2ecore.engine.running.job import Job
from e2ecore.engine.talk.drafting import discard
from e2ecore.engine.talk.referring import is_place
from e2ecore.engine.telling.events import MessagesErased
from e2ecore.engine.values import MessageKind, MessageState
from e2ecore.ids import GroupId
from e2ecore.storage import attachments, erasure, expiries, messages, remarks, revisions
from e2ecore.storage.handoff import wake_for_current_loop
from e2ecore.storage.messages import MAX_PAGE, ORDER_BITS, ORDER_MASK, MessageRow, message_row_id
from e2ecore.storage.search_tokens import Fold
from e2ecore.storage.tx import Tx
from e2ecore_protocol.content.messages import Receipt
from e2ecore_protocol.content.op_bodies import Revisions
from e2ecore_protocol.limits import MAX_ENVELOPE_LIFETIME_S

if TYPE_CHECKING:
    from e2ecore.engine.running.core import Core

TellRows: TypeAlias = Callable[[Job, int, Sequence[MessageRow]], None]
TellPlace: TypeAlias = Callable[[Job, int, int], None]
SWEEP_S: Final = 60.0
"""How often messages whose time is over are looked for."""
MIN_RETENTION_MS: Final = 1_000
"""Shorter than that nobody could read a message."""
PURGE_TRIES: Final = 200
"""How often the log is asked to be emptied: some 20 s, far longer than any reader reads."""
_PURGE_PAUSE_S: Final = 0.05
SILENCE: Final = Receipt(()).encode()
"""A receipt for nothing: keeps the place of a message that is not to be sent any more."""


async def erase_listed(
    core: "Core", cid: int, orders: Sequence[int], tell: TellRows | None = None
) -> int:
    """Erase single messages; return how many there were. See ``Conversation.delete_messages``.

    Args:
        core: The engine.
        cid: Conversation.
        orders: Their places.
        tell: Called in each transaction with what it erases, to tell our other devices.
    """
    core.check_open()
    if len(orders) > MAX_PAGE:
        raise TooManyMessagesError
    ids = sorted({message_row_id(cid, order) for order in orders if is_place(order)})
    async with core.upkeep.erasing:
        eid = 0
        if len(ids) > erasure.FEW:
            eid = await core.jobs.run(lambda job: erasure.begin(job.tx, cid, 0, len(ids)))
        size = erasure.SLICE if eid else erasure.FEW_SLICE
        count = 0

        def work(job: Job, part: Sequence[int]) -> int:
            rows = messages.pick(job.tx, part)
            erase_rows(job, cid, rows, core.upkeep.fold)
            if tell is not None and rows:
                tell(job, cid, rows)
            return len(rows)

        for at in range(0, len(ids), size):
            count += await core.jobs.run(partial(work, part=ids[at : at + size]))
        if eid:
            await _finish(core, eid)
        await purge(core)
    return count


async def erase_named(core: "Core", cid: int, below: int, tell: TellRows) -> int:
    """Erase all messages of a conversation below a row id, each told by its name; return how many.

    Args:
        core: The engine.
        cid: Conversation.
        below: Row id.
        tell: As for ``erase_listed``.
    """
    total = 0
    while rows := core.read(lambda tx: erasure.oldest(tx, cid, below, MAX_PAGE)):
        total += await erase_listed(core, cid, [row.id & ORDER_MASK for row in rows], tell)
    return total


async def erase_below(core: "Core", cid: int, below: int, tell: TellPlace | None = None) -> int:
    """Erase all messages of a conversation below a row id; return how many there were.

    Args:
        core: The engine.
        cid: Conversation.
        below: Row id.
        tell: Called once with the conversation and the row id, to tell our other devices: in the
            transaction from which on a crash does not keep the rest from being erased.
    """
    core.check_open()
    async with core.upkeep.erasing:
        amount = core.read(lambda tx: erasure.count(tx, cid, below, erasure.MANY + 1))
        if amount <= erasure.FEW:
            count = await _erase_few(core, cid, below, tell)
        else:

            def begin(job: Job) -> int:
                if tell is not None:
                    tell(job, cid, below)
                return erasure.begin(job.tx, cid, below, amount)

            count = await _finish(core, await core.jobs.run(begin))
        await purge(core)
    return count


async def clear(core: "Core", cid: int, tell: TellPlace) -> int:
    """Erase all messages of a conversation, its draft, and what was set aside of it.

    Files on their way into a message go as well, before anything else: what the user has erased is
    not uploaded any more, and the relay deletes what it has of it, also after a crash.
    """

    def work(job: Job) -> None:
        for parcel in attachments.parcels_of(job.tx, cid):
            attachments.give_up(job.tx, parcel.pid)
        erasure.forget_poison(job.tx, cid)
        discard(job, cid)

    await core.jobs.run(work)
    return await erase_below(core, cid, message_row_id(cid + 1, 0), tell)


async def _erase_few(core: "Core", cid: int, below: int, tell: TellPlace | None) -> int:
    def work(job: Job) -> int:
        rows = erasure.oldest(job.tx, cid, below, erasure.FEW_SLICE)
        erase_rows(job, cid, rows, core.upkeep.fold)
        if tell is not None and len(rows) < erasure.FEW_SLICE:
            tell(job, cid, below)
        return len(rows)

    total = 0
    while True:
        count = await core.jobs.run(work)
        total += count
        if count < erasure.FEW_SLICE:
            return total


async def _finish(core: "Core", eid: int) -> int:
    """Go on with an erasure of many messages to its end; return how many it still erased."""
    total = 0

    def work(job: Job) -> erasure.Step:
        done = erasure.go_on(job.tx, eid, silence=SILENCE, fold=core.upkeep.fold)
        silence_remarks(job, done.cid, {row.uid for row in done.rows}, SILENCE)
        note_erased(job, done.cid, done.rows)
        return done

    is_left = True
    while is_left:
        done = await core.jobs.run(work)
        is_left = done.is_left
        total += len(done.rows)
    core.upkeep.to_index.set()
    return total


def erase_rows(job: Job, cid: int, rows: Sequence[MessageRow], fold: Fold) -> None:
    """Delete some messages in this transaction. Only a purge takes them out of the files."""
    erasure.erase(job.tx, rows, silence=SILENCE, fold=fold)
    silence_remarks(job, cid, {row.uid for row in rows}, SILENCE)
    note_erased(job, cid, rows)


def note_erased(job: Job, cid: int, rows: Sequence[MessageRow]) -> None:
    """Correct what the conversation says of its messages, and tell the app."""
    if not rows:
        return
    mirror = job.mirror(cid)
    own_id = job.own.account_id
    unread = sum(
        row.state == MessageState.RECEIVED
        and row.account_id != own_id
        and row.id & ORDER_MASK >= mirror.read_order
        and row.kind != MessageKind.NOTICE
        for row in rows
    )
    if unread:
        mirror.unread = max(0, mirror.unread - unread)
        mirror.traffic = True
        mirror.save(job.tx)
    job.effects.events.append(MessagesErased(GroupId(mirror.uid), len(rows)))


async def choose_revisions(core: "Core", cid: int, kept: bool | None) -> None:  # noqa: FBT001
    """Say whether earlier words of edited messages are kept, and erase those that are not."""
    core.check_open()

    def work(job: Job) -> bool:
        revisions.choose(job.tx, cid, kept)
        uid = job.mirror(cid).uid if cid else b""
        say(job, uid, Revisions(None if kept is None else int(kept)))
        return revisions.are_kept(job.tx, cid)

    async with core.upkeep.erasing:
        if await core.jobs.run(work):
            return
        while await core.jobs.run(lambda job: revisions.forget_some(job.tx, cid)):
            continue
        await purge(core)


async def purge(core: "Core") -> None:
    """Empty the log: only then is what was deleted nowhere in the files.

    Raises:
        ErasureDelayedError: Something reads an older state for very long.
    """
    wake = wake_for_current_loop()
    for _ in range(PURGE_TRIES):
        if await core.database.writer.purge(wake).wait():
            return
        await anyio.sleep(_PURGE_PAUSE_S)
    raise ErasureDelayedError


async def keep_erasing(core: "Core") -> None:
    """Finish what a crash has interrupted, then erase what is over, again and again."""
    was_told = False
    while True:
        for row in core.read(erasure.under_way):
            async with core.upkeep.erasing:
                await _finish(core, row.eid)
                await purge(core)
        if was_told:
            await purge(core)
        await sweep(core)
        was_told = await core.upkeep.to_clean.wait_for(SWEEP_S)


async def sweep(core: "Core") -> None:
    """Erase what has been stored for longer than its conversation keeps it."""
    now_ms = core.clock_ms()

    def work(tx: Tx) -> list[tuple[int, int]]:
        return [
            (row.cid, erasure.expired_below(tx, row.cid, now_ms - row.keep_ms))
            for row in erasure.retentions(tx)
        ]

    for cid, below in core.read(work):
        if core.read(partial(erasure.count, cid=cid, below=below, limit=1)):
            await erase_below(core, cid, below)
    await _erase_expired(core, now_ms)


async def _erase_expired(core: "Core", now_ms: int) -> None:
    """Erase messages that were sent to last no longer, and remarks that waited in vain."""
    while ids := core.read(partial(expiries.due, now_ms=now_ms)):
        for cid in sorted({one >> ORDER_BITS for one in ids}):
            await erase_listed(
                core, cid, [one & ORDER_MASK for one in ids if one >> ORDER_BITS == cid]
            )
        await core.jobs.run(partial(_forget_expired, ids=ids))
    before_ms = now_ms - MAX_ENVELOPE_LIFETIME_S * 1000
    if core.read(partial(remarks.any_early, before_ms=before_ms)):
        await core.jobs.run(lambda job: remarks.forget_early(job.tx, before_ms))


def _forget_expired(job: Job, ids: Sequence[int]) -> None:
    """Some had been erased already, by who does not know of this list."""
    expiries.remove(job.tx, ids)
