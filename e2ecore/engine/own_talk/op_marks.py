"""What our other devices say about messages: read, cleared, erased. In the writer's thread.

What is erased is gone when the transaction is over that brought the op, however much it is: no
reader sees it any more. Only the search index and the files are cleaned behind it.
"""

from collections.abc import Sequence
from typing import Final

from e2ecore.engine.erasure.erasing import SILENCE, note_erased
from e2ecore.engine.erasure.silencing import silence_remarks
from e2ecore.engine.own_talk.oplog import never_again, say, say_erased, slot
from e2ecore.engine.own_talk.own_group import several_count
from e2ecore.engine.running.job import Job
from e2ecore.engine.running.mirror import Mirror
from e2ecore.engine.values import ConversationKind, MessageKind
from e2ecore.storage import erasure, message_names, reading, shared_marks
from e2ecore.storage.messages import ORDER_MASK, MessageRow, message_row_id
from e2ecore_protocol.content.op_bodies import ClearedUpTo, Named, ReadUpTo

FEW: Final = 40
"""Messages up to which each is taken out of the search index at once, a third of a second."""
_LOOKED_AT: Final = 256
"""Kept messages that are looked at to find the lowest number: further ones are in order."""


def say_read(job: Job, mirror: Mirror) -> None:
    """Everything that is here was read: tell our other devices."""
    if mirror.cursor > mirror.marks.read_seq and several_count(job):
        say(job, mirror.uid, ReadUpTo(mirror.cursor))
        _mark(job, mirror, read_seq=mirror.cursor)


def tell_erased(job: Job, cid: int, rows: Sequence[MessageRow]) -> None:
    """Messages are being erased: tell our other devices, and never store them again."""
    mirror = job.mirror(cid)
    if mirror.kind != ConversationKind.IMPORTED:
        say_erased(job, mirror, rows)


def tell_cleared(job: Job, cid: int, below: int) -> None:
    """Everything below a row id is being erased: tell our other devices, and keep none of it."""
    mirror = job.mirror(cid)
    if mirror.kind == ConversationKind.IMPORTED or not several_count(job):
        return
    first = shared_marks.first_seq(job.tx, below, _LOOKED_AT)
    seq = mirror.cursor if first is None else min(mirror.cursor, first - 1)
    if seq > mirror.marks.cleared_seq:
        say(job, mirror.uid, ClearedUpTo(seq))
        _mark(job, mirror, cleared_seq=seq)


def is_used_up(job: Job, cid: int) -> bool:
    """Was more cleared, before the relay was set back, than its log has now?

    Then a mark tells our other devices nothing: the greater one counts.
    """
    mirror = job.mirror(cid)
    bodies = [op.body() for op in slot(job, ClearedUpTo.KIND, mirror.uid)]
    greatest = max((one.seq for one in bodies if isinstance(one, ClearedUpTo)), default=0)
    return greatest >= mirror.cursor and greatest > mirror.marks.cleared_seq


def take_read(job: Job, mirror: Mirror, seq: int) -> None:
    """Everything up to a number of the relay's log was read on another device."""
    if seq <= mirror.marks.read_seq:
        return
    _mark(job, mirror, read_seq=seq)
    begin = message_row_id(mirror.cid, mirror.read_order)
    own_id = job.own.account_id
    left = shared_marks.unread(job.tx, begin, seq, own_id, MessageKind.NOTICE)
    mirror.read_order = mirror.next_order if left.first is None else left.first & ORDER_MASK
    mirror.unread = left.amount
    mirror.traffic = True
    mirror.save(job.tx)
    if reading.told(job.tx, mirror.cid) is not None:
        reading.note_told(job.tx, mirror.cid, mirror.read_order)  # the other one tells them


def take_cleared(job: Job, mirror: Mirror, seq: int) -> None:
    """Everything up to a number of the relay's log was erased on another device."""
    if seq <= mirror.marks.cleared_seq:
        return
    _mark(job, mirror, cleared_seq=seq)
    after = 0
    found: list[MessageRow] = []
    while rows := shared_marks.cleared(job.tx, mirror.cid, seq, after, MessageKind.NOTICE):
        found += rows
        after = rows[-1].id
    erase_here(job, mirror, found)


def take_erased(job: Job, mirror: Mirror, named: Sequence[Named]) -> None:
    """Messages were erased on another device: those that are here go, the others never show."""
    never_again(job, mirror.uid, named)
    found = [message_names.find(job.tx, mirror.cid, *one) for one in named]
    erase_here(job, mirror, [one for one in found if one is not None])


def erase_here(job: Job, mirror: Mirror, rows: Sequence[MessageRow]) -> None:
    """Delete messages now, all of them in this transaction."""
    if not rows:
        return
    fold = job.state.fold
    indexed, step = True, len(rows)
    if len(rows) > FEW:
        eid = erasure.begin(job.tx, mirror.cid, 0, len(rows))
        under_way = erasure.get(job.tx, eid)
        indexed = under_way is not None and under_way.state == erasure.ErasureState.MARKING
        step = erasure.SLICE
    for at in range(0, len(rows), step):
        part = rows[at : at + step]
        erasure.erase(job.tx, part, silence=SILENCE, indexed=indexed, fold=fold)
        silence_remarks(job, mirror.cid, {row.uid for row in part}, SILENCE)
        note_erased(job, mirror.cid, part)
    job.effects.erased = True


def _mark(job: Job, mirror: Mirror, **changes: int) -> None:
    mirror.marks = mirror.marks._replace(**changes)
    shared_marks.save(job.tx, mirror.marks)
