"""Drafts: kept, shown, sent. In the writer's thread, each call one part of a transaction."""

from collections.abc import Sequence
from typing import Final

from e2ecore.engine.account.names import check_text
from e2ecore.engine.errors import NoDraftError
from e2ecore.engine.own_talk.oplog import say
from e2ecore.engine.running.job import Job
from e2ecore.engine.talk.handles import SentMessage
from e2ecore.engine.talk.quoting import answered_row, reply_to
from e2ecore.engine.talk.referring import Which, check_mentions, wire_mentions
from e2ecore.engine.talk.writing import write_rich_text
from e2ecore.engine.values import Draft, Mention
from e2ecore.ids import AccountId
from e2ecore.storage import drafts, message_names, messages, ops
from e2ecore.storage.drafts import DraftRow
from e2ecore.storage.messages import ORDER_MASK
from e2ecore.storage.tx import Tx
from e2ecore.sync import hlc, merging
from e2ecore_protocol.codec import pack, unpack
from e2ecore_protocol.content import op_bodies, rich_text
from e2ecore_protocol.content.ops import Op
from e2ecore_protocol.limits import KIB, MAX_SHARED_DRAFT_BYTES

_MAX_MENTIONS_BYTES: Final = 16 * KIB
"""A hundred mentions have 4 KiB."""


def check_draft(text: str, mentions: Sequence[Mention]) -> None:
    """Refuse what could never be sent; no words at all may become some.

    Raises:
        UsageError: It could not.
    """
    if text:
        check_text(text)
    check_mentions(text, mentions)


def keep(
    job: Job, cid: int, text: str, answered: Which | None, mentions: Sequence[Mention]
) -> None:
    """Keep a draft. It may answer a message that is taken back later; sending it says so.

    Raises:
        MessageGoneError: What it answers is not here.
        NotATextError: What it answers cannot be answered.
    """
    job.mirror(cid)  # there is such a conversation
    reply = 0 if answered is None else answered_row(job, cid, answered).id
    named = pack(wire_mentions(mentions))
    drafts.save(job.tx, DraftRow(cid, job.now_ms, text, reply, named))
    say_draft(job, cid)


def discard(job: Job, cid: int) -> bool:
    """Delete a draft; return whether there was one."""
    was_there = drafts.remove(job.tx, cid)
    if was_there:
        say_draft(job, cid)
    return was_there


def send_draft(job: Job, cid: int) -> SentMessage:
    """Write the message that a draft has become, and delete the draft.

    Raises:
        NoDraftError: There is none, or it has no words.
        UsageError: It cannot be sent now.
    """
    row = drafts.get(job.tx, cid)
    if row is None or not row.body:
        raise NoDraftError
    reply = None
    if row.reply:
        reply = reply_to(job, answered_row(job, cid, row.reply & ORDER_MASK))
    one = write_rich_text(job, cid, row.body, rich_text.Extras(reply, _mentions(row)))
    discard(job, cid)
    sent = SentMessage(one.message_id, one.counter, one.order)
    job.effects.sent.append((one.oid, sent))
    return sent


def draft_of(row: DraftRow) -> Draft:
    """Return a draft as the app sees it."""
    named = tuple([Mention(AccountId(who), *place) for who, *place in _mentions(row)])
    return Draft(row.body, row.reply & ORDER_MASK or None, named, row.changed_ms)


def _mentions(row: DraftRow) -> tuple[rich_text.Mention, ...]:
    return rich_text.mention_list(unpack(row.mentions, _MAX_MENTIONS_BYTES))


def say_draft(job: Job, cid: int) -> None:
    """Tell our other devices what is begun here now, or that nothing is."""
    row, uid = drafts.get(job.tx, cid), job.mirror(cid).uid
    if row is None:
        say(job, uid, op_bodies.Draft("", None, ()))
    elif len(row.body.encode()) <= MAX_SHARED_DRAFT_BYTES:
        answered = messages.get(job.tx, row.reply) if row.reply else None
        reply = None if answered is None else op_bodies.Named(answered.uid, answered.account_id)
        say(job, uid, op_bodies.Draft(row.body, reply, _mentions(row)))


def show_draft(job: Job, cid: int, kept: Sequence[Op]) -> None:
    """Show the newest of the drafts that count; none, if all of them are empty."""
    found = next(iter(_begun(kept)), None)
    known = drafts.get(job.tx, cid)
    if found is None:
        drafts.remove(job.tx, cid)
        return
    changed_ms, draft = found
    answered = draft.reply and message_names.find(job.tx, cid, *draft.reply)
    reply = answered.id if answered else 0
    row = DraftRow(cid, changed_ms, draft.text, reply, pack(draft.mentions))
    if known is None or known._replace(changed_ms=changed_ms) != row:
        drafts.save(job.tx, row)


def other_drafts(tx: Tx, cid: int, uid: bytes) -> list[Draft]:
    """Return the drafts that count besides the one that is shown, the newest first."""
    kept = [Op.decode(one) for one in ops.slot(tx, op_bodies.Draft.KIND, uid)]
    found: list[Draft] = []
    for changed_ms, draft in _begun(kept)[1:]:
        answered = draft.reply and message_names.look(tx, cid, *draft.reply)
        order = answered.id & ORDER_MASK if answered else None
        named = tuple([Mention(AccountId(who), *place) for who, *place in draft.mentions])
        found.append(Draft(draft.text, order, named, changed_ms))
    return found


def _begun(kept: Sequence[Op]) -> list[tuple[int, op_bodies.Draft]]:
    """Return the drafts that are not empty, with their times, the newest first."""
    found = [(hlc.ms_of(op.time), op.body()) for op in merging.values(kept)]
    return [
        (at_ms, body)
        for at_ms, body in found
        if isinstance(body, op_bodies.Draft) and (body.text or body.reply)
    ]
