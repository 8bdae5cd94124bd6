"""Messages of kinds that this version of the program knows and an earlier one did not.

They were kept as they came. When a database is opened by a version that knows other kinds than the
last one, they are looked at again, some in each transaction; a crash in between costs nothing but
looking again. What is still unknown stays.
"""

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Final

from e2ecore.engine.arrival.ballots import note_deadline
from e2ecore.engine.arrival.content import is_unlisted
from e2ecore.engine.arrival.file_taking import take_files
from e2ecore.engine.arrival.listed import Listed, form_of, listed
from e2ecore.engine.arrival.remarks import Remark, take_early, take_remark
from e2ecore.engine.erasure.erasing import erase_rows
from e2ecore.engine.erasure.expiring import expire
from e2ecore.engine.running.job import Job
from e2ecore.engine.running.mirror import Mirror
from e2ecore.engine.talk.speaker import Speaker
from e2ecore.errors import PeerError
from e2ecore.messaging.pins import PinNotAllowedError, may_pin
from e2ecore.storage import search_index, settings, unknown
from e2ecore.storage.messages import ORDER_BITS, MessageRow
from e2ecore.storage.tx import Tx
from e2ecore_protocol.codec import pack
from e2ecore_protocol.content.attachments import Attachments
from e2ecore_protocol.content.messages import (
    KINDS,
    AnyContent,
    UnknownContent,
    decode_content,
)
from e2ecore_protocol.content.pins import Pin
from e2ecore_protocol.errors import MalformedError

if TYPE_CHECKING:
    from e2ecore.engine.running.core import Core

SLICE: Final = 16
"""Messages of one transaction: each may have a megabyte."""
_KNOWN: Final = "content_kinds"
"""Setting: the kinds that all messages here were looked at for, as a packed array."""


async def learn_kinds(core: "Core") -> None:
    """Make of messages what this version knows of them, if the last one did not; then end."""
    if core.read(_is_done):
        return
    cursor = 0
    while cursor >= 0:
        cursor = await core.jobs.run(partial(_learn_some, cursor=cursor))


def _kinds() -> bytes:
    return pack(tuple(sorted(KINDS)))


def _is_done(tx: Tx) -> bool:
    return settings.get(tx, _KNOWN) == _kinds()


def _learn_some(job: Job, cursor: int) -> int:
    """Look at the next messages; return behind which one to go on, or -1: that was all."""
    rows = unknown.after(job.tx, cursor, SLICE)
    for row in rows:
        try:
            content = decode_content(row.ext)
        except MalformedError:
            continue  # an import has brought it
        if not isinstance(content, UnknownContent):
            _learn(job, row, content)
    if len(rows) == SLICE:
        return rows[-1].id
    settings.put(job.tx, _KNOWN, _kinds())
    return -1


def _learn(job: Job, row: MessageRow, content: AnyContent) -> None:
    """Make a message what it is. What is none, or says nothing any more, goes."""
    cid = row.id >> ORDER_BITS
    message = listed(content)
    if message is not None:
        _become(job, row, message)
        return
    if isinstance(content, Remark):
        by = Speaker(row.account_id, row.device_id, row.counter, seq=row.seq)
        with suppress(PeerError):  # it would have been set aside
            _say(job, job.mirror(cid), by, content)
    if is_unlisted(content):
        erase_rows(job, cid, (row,), job.state.fold)


def _say(job: Job, mirror: Mirror, by: Speaker, content: Remark) -> None:
    if isinstance(content, Pin) and not may_pin(mirror.roster(), by.account_id):
        raise PinNotAllowedError
    take_remark(job, mirror, by, content)


def _become(job: Job, row: MessageRow, content: Listed) -> None:
    form = form_of(content)
    changed = row._replace(
        uid=content.message_id,
        sent_ms=content.sent_ms,
        kind=form.kind,
        body=form.body,
        ext=form.ext,
    )
    unknown.become(job.tx, row, changed)
    search_index.replace(job.tx, row, changed, job.state.fold)
    expire(job.tx, changed)
    if isinstance(content, Attachments):
        take_files(job, changed.id, content)
    mirror = job.mirror(row.id >> ORDER_BITS)
    note_deadline(job, mirror, changed)
    if changed.uid in mirror.awaited:
        take_early(job, mirror, changed)
