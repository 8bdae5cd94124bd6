"""Giving the history to another device of the same person, part by part, through the relay.

Nothing of it happens by itself: the person has agreed to it (``history_transfer``), and has said to
which device, from when on, and of which conversations. A part is a file like others: made, stored
with how far the gift is in one transaction, uploaded, and named in the conversation of the person's
own devices. So a gift goes on where it was after any break.

Spec: protocol/spec/76-history-transfer.md
"""

import io
from collections.abc import Collection, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

import anyio.to_thread

from e2ecore.consent.purposes import Purpose
from e2ecore.engine.account.agreeing import in_force
from e2ecore.engine.account.own_chain import own_chain
from e2ecore.engine.errors import (
    ConsentRequiredError,
    DeviceNotConfirmedError,
    UnknownConversationError,
    UnknownOwnDeviceError,
)
from e2ecore.engine.files.attaching import Copied, copy_file
from e2ecore.engine.files.file_showing import decode_item
from e2ecore.engine.files.file_values import OutgoingFile
from e2ecore.engine.files.offering import store_parcel
from e2ecore.engine.own_devices.handing import confirmation_of
from e2ecore.engine.own_talk.own_group import own_group, tell_own_devices
from e2ecore.engine.own_talk.own_topic import OwnTopic
from e2ecore.engine.running.job import Job
from e2ecore.engine.taking_along.export_pages import read_page
from e2ecore.engine.taking_along.exporting import heading_of
from e2ecore.engine.taking_along.gift_showing import NUMBER_BYTES, shown_gift
from e2ecore.engine.taking_along.history_values import (
    HistoryTransfer,
    HistoryTransferChanged,
)
from e2ecore.portability.history_part import first_line
from e2ecore.storage import attachments, conversations, export_lines, members
from e2ecore.storage import history_transfers as transfers
from e2ecore.storage.attachments import AttachmentRow, Owed
from e2ecore.storage.history_transfers import GiftRow, GiftState, PartRow
from e2ecore.storage.messages import message_row_id
from e2ecore.storage.tx import Tx
from e2ecore_protocol.content.history import TRANSFER_ID_BYTES, HistoryPart
from e2ecore_protocol.limits import CONVERSATION_ID_BYTES

if TYPE_CHECKING:
    from e2ecore.engine.running.core import Core

PART_MESSAGES: Final = 4_000
"""Messages of one part, about."""
MAX_WAITING: Final = 3
"""Parts that are made and not uploaded yet."""
LOOK_S: Final = 600.0
"""How often it is looked whether parts were fetched, and whether the consent is still in force."""
_UNDER_WAY: Final = frozenset({GiftState.MAKING, GiftState.MADE})
_NAME: Final = "history"
_TYPE: Final = "application/x-ndjson"
_TODO_BYTES: Final = 2 * NUMBER_BYTES


class _Todo(NamedTuple):
    """A conversation that is still to be given."""

    cid: int
    amount: int
    """How many messages of it, when the gift began."""


class _Piece(NamedTuple):
    """What the next part holds."""

    content: bytes
    gift: GiftRow
    """As it will be when the part is stored."""


async def give_history(
    core: "Core", device_id: bytes, since_ms: int, wanted: Collection[bytes] | None
) -> HistoryTransfer:
    """Begin to give. See ``Devices.give_history``."""
    core.check_open()
    await core.jobs.run(partial(_check_allowed, device_id=device_id))
    survey = partial(_survey, since_ms=since_ms, wanted=wanted)
    upto, todo = await anyio.to_thread.run_sync(core.database.readers.read, survey)
    waiting = b"".join(one.cid.to_bytes(NUMBER_BYTES) + one.amount.to_bytes(NUMBER_BYTES)
                       for one in todo)  # fmt: skip

    def work(job: Job) -> HistoryTransfer:
        _check_allowed(job, device_id)
        row = GiftRow(
            job.state.rng(TRANSFER_ID_BYTES), device_id, since_ms, upto, waiting, 0, 0, 0, 0, 0, 0,
            sum(one.amount for one in todo), b"",
            GiftState.MAKING if todo else GiftState.GIVEN, job.now_ms,
        )  # fmt: skip
        transfers.save_gift(job.tx, row)
        _tell(job, row)
        return shown_gift(row)

    begun = await core.jobs.run(work)
    core.upkeep.to_give.set()
    return begun


def _check_allowed(job: Job, device_id: bytes) -> None:
    """Refuse what the person has not agreed to, and devices that are none of theirs.

    Raises:
        ConsentRequiredError: They have not agreed to it.
        UnknownOwnDeviceError: It is no other device of this account that counts.
        DeviceNotConfirmedError: It is in quarantine ([LNK-60]).
    """
    if not in_force(job, Purpose.HISTORY_TRANSFER):
        raise ConsentRequiredError(Purpose.HISTORY_TRANSFER)
    chain = own_chain(job)
    valid = {one.device_id for one in chain.valid_devices(job.now_ms)}
    if device_id == job.own.device_id or device_id not in valid:
        raise UnknownOwnDeviceError
    if not chain.came_alone(device_id) and confirmation_of(job.tx, device_id) is None:
        raise DeviceNotConfirmedError


def _survey(tx: Tx, since_ms: int, wanted: Collection[bytes] | None) -> tuple[int, list[_Todo]]:
    """Count what is to be given, the conversation with the newest message first.

    Raises:
        UnknownConversationError: One that is wanted is not here.
    """
    upto = conversations.last_mid(tx)
    rows = [row for row in conversations.shown(tx) if wanted is None or row.uid in wanted]
    if wanted is not None and len(rows) < len(set(wanted)):
        raise UnknownConversationError
    todo = [_Todo(row.cid, transfers.amount(tx, row.cid, since_ms, upto)) for row in rows]
    return upto, [one for one in todo if one.amount]


async def keep_giving(core: "Core") -> None:
    """Make parts while there are any to make, for the life of the engine."""
    while True:
        waiting = core.read(_unfetched)
        for row in waiting:
            await _look_after(core, row)
        making = await core.jobs.run(_next_gift) if waiting else None
        if making is None:
            await core.upkeep.to_give.wait_for(LOOK_S)
            continue
        piece = await anyio.to_thread.run_sync(_next_piece, core, making)
        await _store(core, piece)


def _unfetched(tx: Tx) -> list[GiftRow]:
    """Return the gifts of which something may still have to be done."""
    return [
        row
        for row in transfers.gifts(tx)
        if row.state in _UNDER_WAY
        or (row.state == GiftState.GIVEN and transfers.parts(tx, row.transfer))
    ]


async def _look_after(core: "Core", row: GiftRow) -> None:
    """End a gift that must not go on, or that is all at the relay."""

    def work(job: Job) -> bool:
        parts = [one for one in transfers.parts(job.tx, row.transfer) if one.is_ours]
        _forget_fetched(job, parts)
        lost = any(one.pid and attachments.parcel(job.tx, one.pid) is None for one in parts)
        try:
            _check_allowed(job, row.device_id)
        except (ConsentRequiredError, DeviceNotConfirmedError, UnknownOwnDeviceError):
            return False
        if not lost and row.state == GiftState.MADE and not any(one.pid for one in parts):
            given = row._replace(state=GiftState.GIVEN)
            transfers.save_gift(job.tx, given)
            _tell(job, given)
        return not lost

    if not await core.jobs.run(work):
        await end_gift(core, row.transfer)


def _forget_fetched(job: Job, parts: Sequence[PartRow]) -> None:
    for one in parts:
        row = attachments.get(job.tx, one.aid)
        if row is None or row.receipt:
            transfers.remove_part(job.tx, one.part)


async def end_gift(core: "Core", transfer: bytes) -> None:
    """Give a gift up: what is at the relay and was not fetched is deleted there."""
    await core.jobs.run(partial(_end, transfer=transfer))
    core.desk.duty_signal.set()  # uploads whose parcels are gone end, and the relay is told


def _end(job: Job, transfer: bytes) -> None:
    row = transfers.gift(job.tx, transfer)
    if row is None or row.state == GiftState.ENDED:
        return
    for one in transfers.parts(job.tx, transfer):
        if one.is_ours:
            _take_back(job, one)
    ended = row._replace(state=GiftState.ENDED, waiting=b"", cid=0)
    transfers.save_gift(job.tx, ended)
    _tell(job, ended)


def _take_back(job: Job, one: PartRow) -> None:
    row = attachments.get(job.tx, one.aid)
    if row is not None and row.parcel:
        attachments.give_up(job.tx, row.parcel)
    elif row is not None and not row.receipt:
        attachments.save(job.tx, row._replace(owed=Owed.RECALL))
    transfers.remove_part(job.tx, one.part)


def _next_gift(job: Job) -> GiftRow | None:
    """Return the gift that a part should be made of now, if there is one."""
    own = own_group(job)
    if own is None:
        return None
    seated = {one.device_id for one in members.current(job.tx, own.cid)}
    for row in transfers.gifts(job.tx):
        if row.state == GiftState.MAKING and row.device_id in seated:
            waiting = [one for one in transfers.parts(job.tx, row.transfer) if one.pid]
            if len(waiting) < MAX_WAITING:
                return row
    return None


def _todo(row: GiftRow) -> list[_Todo]:
    packed = row.waiting
    return [
        _Todo(
            int.from_bytes(packed[at : at + NUMBER_BYTES]),
            int.from_bytes(packed[at + NUMBER_BYTES : at + _TODO_BYTES]),
        )
        for at in range(0, len(packed), _TODO_BYTES)
    ]


def _next_piece(core: "Core", row: GiftRow) -> _Piece:
    """Read what comes next. Runs in a thread of its own, each page in a snapshot of its own."""
    lines: list[str] = []
    before = row.messages
    chars = 0
    row = row._replace(parts=row.parts + 1)
    while row.state == GiftState.MAKING:
        room = row.messages - before < PART_MESSAGES and chars < export_lines.PAGE_CHARS
        if lines and not room:
            break
        found, row = _next_page(core, row)
        chars += sum(map(len, found))
        lines += found
    return _Piece("".join(lines).encode(), row)


def _next_page(core: "Core", row: GiftRow) -> tuple[list[str], GiftRow]:
    """Read a page, with the line that begins its conversation; return how far the gift is then."""
    read = core.database.readers.read
    if not row.cid:
        first = _todo(row)[0]
        row = row._replace(
            waiting=row.waiting[_TODO_BYTES:], cid=first.cid, amount=first.amount, place=0,
            cursor=message_row_id(first.cid, 0),
        )  # fmt: skip
    conversation = read(partial(conversations.get, cid=row.cid))
    if conversation is None:  # it is gone since
        return [], _over(row)
    heading = read(partial(heading_of, row=conversation, own=core.account_id))
    heading.pop("draft", None)
    page = read(
        partial(
            read_page, cid=row.cid, cursor=row.cursor, last_mid=row.upto_mid,
            since_ms=row.since_ms, is_gift=True,
        )
    )  # fmt: skip
    lines = [first_line(heading, row.place, max(row.amount, row.place)), *page.lines]
    row = row._replace(
        place=row.place + page.messages, messages=row.messages + page.messages,
        withheld=_withhold(row.withheld, conversation.uid, page.withheld), cursor=page.cursor,
    )  # fmt: skip
    return lines, row if page.cursor else _over(row)


def _over(row: GiftRow) -> GiftRow:
    """Return a gift behind its present conversation."""
    return row._replace(cid=0, state=row.state if row.waiting else GiftState.MADE)


def _withhold(known: bytes, uid: bytes, more: int) -> bytes:
    """Return the list of what is withheld with so many more of a conversation."""
    if not more:
        return known
    count = 0
    if known[-CONVERSATION_ID_BYTES - NUMBER_BYTES : -NUMBER_BYTES] == uid:
        count = int.from_bytes(known[-NUMBER_BYTES:])
        known = known[: -CONVERSATION_ID_BYTES - NUMBER_BYTES]
    return known + uid + (count + more).to_bytes(NUMBER_BYTES)


async def _store(core: "Core", piece: _Piece) -> None:
    """Store a part with how far the gift is."""
    if not piece.content:  # what was left of it is gone
        await core.jobs.run(partial(_go_on, piece=piece))
        return
    wanted = OutgoingFile(io.BytesIO(piece.content), name=_NAME, media_type=_TYPE)
    try:
        with core.desk.making_copies():
            work = partial(copy_file, core.desk.cache, wanted, core.rng)
            copied = await anyio.to_thread.run_sync(work)
            async with core.desk.storing:
                pid = await core.jobs.run(
                    partial(_store_part, core=core, piece=piece, copied=copied)
                )
    except BaseException:
        core.desk.tidy_signal.set()
        raise
    if pid:
        core.desk.sending(pid).total = copied.item.size
    core.desk.upload_signal.set()


def _is_current(job: Job, piece: _Piece) -> bool:
    """Was the gift not ended while the part was made?"""
    now = transfers.gift(job.tx, piece.gift.transfer)
    return now is not None and now.state == GiftState.MAKING


def _go_on(job: Job, piece: _Piece) -> None:
    if _is_current(job, piece):
        transfers.save_gift(job.tx, piece.gift)


def _store_part(job: Job, core: "Core", piece: _Piece, copied: Copied) -> int:
    gift, own = piece.gift, own_group(job)
    if own is None or not _is_current(job, piece):
        return 0
    pid, (aid,) = store_parcel(job, core, own.cid, "", (copied,))
    part = PartRow(
        0, gift.transfer, gift.parts - 1, gift.device_id, aid, 1, pid,
        int(gift.state == GiftState.MADE),
    )  # fmt: skip
    transfers.add_part(job.tx, part)
    transfers.save_gift(job.tx, gift)
    return pid


def say_part(job: Job, part: PartRow, rows: Sequence[AttachmentRow]) -> None:
    """Tell the other device that a part is at the relay. Our own copy is not needed any more."""
    (row,) = rows
    item = decode_item(row)
    said = HistoryPart(part.transfer, part.device_id, part.number, part.is_last, item)
    tell_own_devices(job, OwnTopic.HISTORY, (said.encode(),))
    attachments.bury(job.tx, row, Owed.NOTHING)
    transfers.save_part(job.tx, part._replace(pid=0))


def _tell(job: Job, row: GiftRow) -> None:
    job.effects.events.append(HistoryTransferChanged(shown_gift(row)))
