"""Drafts: kept, shown, sent. In the writer's thread, each call one part of a transaction."""

from collections.abc import Sequence
from typing import Final

from e2ecore.engine.errors import NoDraftError
from e2ecore.engine.handles import SentMessage
from e2ecore.engine.job import Job
from e2ecore.engine.names import check_text
from e2ecore.engine.quoting import answered_row, reply_to
from e2ecore.engine.referring import Which, check_mentions, wire_mentions
from e2ecore.engine.values import Draft, Mention
from e2ecore.engine.writing import write_rich_text
from e2ecore.ids import AccountId
from e2ecore.storage import drafts
from e2ecore.storage.drafts import DraftRow
from e2ecore.storage.messages import ORDER_MASK
from e2ecore_protocol.codec import pack, unpack
from e2ecore_protocol.content import rich_text
from e2ecore_protocol.limits import KIB

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


def discard(job: Job, cid: int) -> bool:
    """Delete a draft; return whether there was one."""
    return drafts.remove(job.tx, cid)


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
    drafts.remove(job.tx, cid)
    sent = SentMessage(one.message_id, one.counter, one.order)
    job.effects.sent.append((one.oid, sent))
    return sent


def draft_of(row: DraftRow) -> Draft:
    """Return a draft as the app sees it."""
    named = tuple([Mention(AccountId(who), *place) for who, *place in _mentions(row)])
    return Draft(row.body, row.reply & ORDER_MASK or None, named, row.changed_ms)


def _mentions(row: DraftRow) -> tuple[rich_text.Mention, ...]:
    return rich_text.mention_list(unpack(row.mentions, _MAX_MENTIONS_BYTES))
