"""Answers and what they answer: bound when they are written, compared when they are shown.

Spec: protocol/spec/50-content.md, [CNT-28] and [CNT-29]
"""

from collections.abc import Callable, Mapping
from typing import Final

from e2ecore.engine.arrival.listed import poll_of, stored_card
from e2ecore.engine.errors import NotATextError
from e2ecore.engine.files.file_showing import decode_item
from e2ecore.engine.running.job import Job
from e2ecore.engine.talk.referring import Which, row_of
from e2ecore.engine.values import MessageKind, Quote
from e2ecore.ids import AccountId, MessageId
from e2ecore.messaging.marks import Marks
from e2ecore.storage import attachments, message_names
from e2ecore.storage.messages import ORDER_MASK, MessageRow
from e2ecore.storage.tx import Tx
from e2ecore_protocol.codec import Wire
from e2ecore_protocol.content import quotes
from e2ecore_protocol.content.rich_text import Reply, quote_digest


def answered_row(job: Job, cid: int, message: Which) -> MessageRow:
    """Return the row of a message that can be answered: whatever kind somebody can see.

    Raises:
        MessageGoneError: It is not here, or was taken back.
        NotATextError: Nobody wrote it, or only a newer version can show it.
    """
    row = row_of(job, cid, message)
    if _said(job.tx, row) is None:
        raise NotATextError
    return row


def reply_to(job: Job, row: MessageRow) -> Reply:
    """Return what binds an answer to a message that can be answered."""
    digest = quote_digest(row.uid, row.account_id, _said(job.tx, row))
    return Reply(row.uid, row.account_id, digest)


def quote_of(tx: Tx, cid: int, marks: Marks) -> Quote | None:
    """Return what a text answers, as it is now; None: nothing."""
    reply = marks.extras.reply
    if reply is None:
        return None
    found = message_names.look(tx, cid, reply.message_id, reply.author)
    said = None if found is None else _said(tx, found)
    is_here = found is not None and said is not None
    return Quote(
        MessageId(reply.message_id),
        AccountId(reply.author),
        _words(tx, found) if is_here and found is not None else None,
        found.id & ORDER_MASK if found is not None else None,
        is_here and quote_digest(reply.message_id, reply.author, said) == reply.digest,
        MessageKind(found.kind) if is_here and found is not None else None,
    )


def _said(tx: Tx, row: MessageRow) -> Wire:
    """Return what an answer to a message binds; None: it cannot be answered."""
    say = _SAID.get(row.kind)
    return None if say is None else say(tx, row)


def _of_text(tx: Tx, row: MessageRow) -> Wire:
    del tx
    return row.body


def _of_card(tx: Tx, row: MessageRow) -> Wire:
    del tx
    card = stored_card(row)
    return None if card is None else quotes.card_said(card)


def _of_poll(tx: Tx, row: MessageRow) -> Wire:
    del tx
    poll = poll_of(row)
    return None if poll is None else quotes.poll_said(poll)


def _of_files(tx: Tx, row: MessageRow) -> Wire:
    files = map(decode_item, attachments.of_message(tx, row.id))
    return quotes.files_said(row.body, [one.digest for one in files])


_SAID: Final[Mapping[int, Callable[[Tx, MessageRow], Wire]]] = {
    MessageKind.TEXT: _of_text,
    MessageKind.CARD: _of_card,
    MessageKind.POLL: _of_poll,
    MessageKind.FILES: _of_files,
}


def _words(tx: Tx, row: MessageRow) -> str:
    """Return what is shown of a message that was answered."""
    if row.kind == MessageKind.POLL:
        poll = poll_of(row)
        return "" if poll is None else poll.question
    if row.kind == MessageKind.FILES and not row.body:
        return ", ".join(decode_item(one).name for one in attachments.of_message(tx, row.id))
    return row.body
