"""What verbs share that point at a message or name people: found and checked in one place."""

from collections.abc import Sequence
from typing import TypeAlias

from e2ecore.engine.account.names import check_text
from e2ecore.engine.errors import (
    BadLifetimeError,
    BadMentionError,
    MessageElsewhereError,
    MessageGoneError,
    NotATextError,
    NotYourMessageError,
)
from e2ecore.engine.running.job import Job
from e2ecore.engine.values import Mention, Message, MessageKind
from e2ecore.storage import messages
from e2ecore.storage.messages import ORDER_MASK, MessageRow, message_row_id
from e2ecore_protocol.content import rich_text
from e2ecore_protocol.errors import MalformedError
from e2ecore_protocol.limits import ACCOUNT_ID_BYTES, MAX_MENTIONS, MAX_TEXT_LIFETIME_S

Which: TypeAlias = Message | int
"""A message, or its ``Message.order``."""


def order_of(uid: bytes, message: Which) -> int:
    """Return a message's place in its conversation.

    Args:
        uid: The conversation's id.
        message: A message of it.

    Raises:
        MessageElsewhereError: It is in another one, where the same place is another message.
    """
    if isinstance(message, int):
        return message
    if message.conversation_id != uid:
        raise MessageElsewhereError
    return message.order


def is_place(order: int) -> bool:
    """Answer whether a message can be there: other numbers lead into other conversations."""
    return 0 <= order <= ORDER_MASK


def row_of(job: Job, cid: int, message: Which) -> MessageRow:
    """Return the row of a message that can be spoken of.

    Raises:
        MessageElsewhereError: It is in another conversation.
        MessageGoneError: It is not here, or was taken back.
        NotATextError: It is a notice, of which others know nothing.
    """
    order = order_of(job.mirror(cid).uid, message)
    row = messages.get(job.tx, message_row_id(cid, order)) if is_place(order) else None
    if row is None or row.kind == MessageKind.RECALLED:
        raise MessageGoneError
    if row.kind == MessageKind.NOTICE:
        raise NotATextError
    return row


def text_row(job: Job, cid: int, message: Which) -> MessageRow:
    """Return the row of a text.

    Raises:
        MessageGoneError: It is not here, or was taken back.
        NotATextError: It is something else.
    """
    row = row_of(job, cid, message)
    if row.kind != MessageKind.TEXT:
        raise NotATextError
    return row


def check_own(job: Job, row: MessageRow) -> None:
    """Refuse what only the author may do.

    Raises:
        NotYourMessageError: Somebody else wrote it.
    """
    if row.account_id != job.own.account_id:
        raise NotYourMessageError


def wire_mentions(mentions: Sequence[Mention]) -> tuple[rich_text.Mention, ...]:
    """Return mentions as they are sent."""
    return tuple([rich_text.Mention(one.account_id, one.start, one.length) for one in mentions])


def check_mentions(text: str, mentions: Sequence[Mention]) -> None:
    """Refuse mentions that nobody would take.

    Raises:
        BadMentionError: A part is not in the text, overlaps another one, or names nobody.
    """
    named = wire_mentions(mentions)
    try:
        rich_text.check_mentions(named, text)
    except MalformedError as error:
        raise BadMentionError from error
    if len(named) > MAX_MENTIONS or any(one.start < 0 or one.length < 1 for one in named):
        raise BadMentionError
    if any(len(one.account_id) != ACCOUNT_ID_BYTES for one in named):
        raise BadMentionError


def check_rich(text: str, mentions: Sequence[Mention], lifetime_s: int | None) -> None:
    """Refuse a text that nobody would take, with what is besides.

    Raises:
        UsageError: It is one.
    """
    check_text(text)
    check_mentions(text, mentions)
    if lifetime_s is not None and not 1 <= lifetime_s <= MAX_TEXT_LIFETIME_S:
        raise BadLifetimeError
