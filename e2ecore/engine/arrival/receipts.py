"""Delivery receipts: one for many messages, never one for a receipt. Votes are opened with them."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

import anyio

from e2ecore.consent.purposes import Purpose
from e2ecore.engine.account.agreeing import in_force
from e2ecore.engine.account.blocks import is_with_blocked
from e2ecore.engine.arrival.ballots import open_votes
from e2ecore.engine.running.job import Job
from e2ecore.engine.running.mirror import Mirror
from e2ecore.engine.talk.writing import write_content
from e2ecore.storage import outbox, reading
from e2ecore_protocol.content.messages import Receipt, Stored
from e2ecore_protocol.content.reading import Read, ReadReceipt

if TYPE_CHECKING:
    from e2ecore.engine.running.core import Core

COALESCE_S: Final = 0.25
"""How long receipts are gathered: nobody misses a mark for a quarter of a second, but each receipt
is a message of its own, three flushes of disks for which other messages have to wait."""
MOST_UNRECEIPTED: Final = 256
"""Messages after which a receipt is sent at once."""


def write_receipts(job: Job, cids: Iterable[int]) -> None:
    """Tell the members of conversations what is stored here."""
    now_ms = job.now_ms
    for cid in cids:
        mirror = job.mirror(cid)
        if mirror.is_own or not mirror.can_send or is_with_blocked(job, mirror):
            continue
        write_read_receipt(job, mirror)
        open_votes(job, mirror)
        heard = [one for one in mirror.by_leaf.values() if one.heard.upto]
        stored = tuple(
            Stored(one.account_id + one.device_id, one.heard.upto, one.heard.missing)
            for one in heard
            if one.heard.upto > one.receipted or one.heard.missing
        )
        if not stored:
            continue
        row = write_content(job, mirror, Receipt(stored).encode(), 0, now_ms)
        outbox.add(job.tx, (row,))
        for one in heard:
            if one.receipted != one.heard.upto:
                one.receipted = one.heard.upto
                mirror.touch(one)
        mirror.save(job.tx)


def write_read_receipt(job: Job, mirror: Mirror) -> None:
    """Tell the members of a conversation what was read, if they are to know and do not."""
    told = reading.told(job.tx, mirror.cid)
    if told is None or told >= mirror.read_order or not in_force(job, Purpose.READ_RECEIPTS):
        return
    unread = reading.first_unread(job.tx, mirror.cid, mirror.read_order) if mirror.unread else {}
    upto = {
        one.account_id + one.device_id: unread.get(one.device_id, one.heard.upto + 1) - 1
        for one in mirror.by_leaf.values()
        if one.account_id != job.own.account_id
    }
    read = tuple([Read(who, counter) for who, counter in sorted(upto.items()) if counter > 0])
    reading.note_told(job.tx, mirror.cid, mirror.read_order)
    if read:
        row = write_content(job, mirror, ReadReceipt(read).encode(), 0, job.now_ms)
        outbox.add(job.tx, (row,))
        mirror.save(job.tx)


async def send_receipts(core: "Core") -> None:
    """Gather and send receipts for the life of the engine."""
    while True:
        await core.receipts_signal.wait()
        with anyio.move_on_after(COALESCE_S):
            while max(core.receipts_due.values(), default=0) < MOST_UNRECEIPTED:
                await core.receipts_signal.wait()
        due, core.receipts_due = core.receipts_due, {}
        if core.link is None:
            continue  # found again in the database after the next connection
        cids = tuple(due)

        def work(job: Job, cids: tuple[int, ...] = cids) -> None:
            write_receipts(job, cids)

        core.jobs.submit(work)
