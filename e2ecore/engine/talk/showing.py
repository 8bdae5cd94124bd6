"""Stored messages as the app sees them, with everything that was said of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from e2ecore.engine.arrival.listed import card_of, poll_of
from e2ecore.engine.arrival.notices import notice_of
from e2ecore.engine.files.file_showing import files_of
from e2ecore.engine.files.file_values import Files
from e2ecore.engine.talk.quoting import quote_of
from e2ecore.engine.values import (
    Mention,
    Message,
    MessageKind,
    MessageState,
    Poll,
    Reaction,
)
from e2ecore.ids import AccountId, DeviceId, GroupId, MessageId
from e2ecore.messaging.marks import decode_marks
from e2ecore.messaging.reactions import decode_signs
from e2ecore.messaging.receipts import Delivery
from e2ecore.storage import messages, reading, remarks
from e2ecore.storage.messages import MessageRow
from e2ecore.storage.tx import Tx
from e2ecore_protocol.content import polls as content_polls
from e2ecore_protocol.errors import MalformedError

_UNKNOWN: Final = MessageKind.UNKNOWN
_KINDS: Final = {int(kind): kind for kind in MessageKind}


def message_of(uid: bytes, row: MessageRow, own_id: bytes, others: Sequence[Delivery]) -> Message:
    """Return a stored message by itself; ``others`` is how far the other members are."""
    state = MessageState(row.state)
    delivered = others and all(one.has(row.counter) for one in others)
    if delivered and state is MessageState.ACCEPTED:
        state = MessageState.DELIVERED
    shown = Message(
        MessageId(row.uid),
        GroupId(uid),
        AccountId(row.account_id),
        DeviceId(row.device_id),
        row.account_id == own_id,
        _KINDS.get(row.kind, MessageKind.UNKNOWN),
        row.body,
        row.sent_ms,
        row.stored_ms,
        row.id & messages.ORDER_MASK,
        state,
        row.counter,
    )
    return _MORE[shown.kind](shown, row) if row.ext and shown.kind in _MORE else shown


def _marked(shown: Message, row: MessageRow) -> Message:
    marks = decode_marks(row.ext)
    extras = marks.extras
    return replace(
        shown,
        mentions=tuple([Mention(AccountId(who), *place) for who, *place in extras.mentions]),
        forwards=extras.forwards,
        edited_ms=marks.edited.changed_ms if marks.edited else None,
        lifetime_s=extras.lifetime_s,
    )


def _sent_on(shown: Message, row: MessageRow) -> Message:
    try:
        return replace(shown, forwards=decode_marks(row.ext).extras.forwards)
    except MalformedError:
        return shown  # it came from a file that says something else


def _with_card(shown: Message, row: MessageRow) -> Message:
    card = card_of(row)
    return replace(shown, card=card) if card else replace(shown, kind=_UNKNOWN)


def _with_poll(shown: Message, row: MessageRow) -> Message:
    poll = poll_of(row)
    return replace(shown, poll=shown_poll(poll)) if poll else replace(shown, kind=_UNKNOWN)


def shown_poll(poll: content_polls.Poll) -> Poll:
    """Return a poll as the app sees it."""
    return Poll(poll.question, poll.options, poll.max_choices, poll.closes_ms)


def _noticed(shown: Message, row: MessageRow) -> Message:
    try:
        return replace(shown, notice=notice_of(row))
    except MalformedError:
        return replace(shown, kind=MessageKind.UNKNOWN)


_MORE: Final[Mapping[MessageKind, Callable[[Message, MessageRow], Message]]] = {
    MessageKind.TEXT: _marked,
    MessageKind.FILES: _sent_on,
    MessageKind.CARD: _with_card,
    MessageKind.NOTICE: _noticed,
    MessageKind.POLL: _with_poll,
}
"""What messages of a kind have besides their words."""


def show_one(tx: Tx, uid: bytes, row: MessageRow, own_id: bytes, files: Files) -> Message:
    """Return one message with everything that was said of it."""
    return dressed(tx, [row], [message_of(uid, row, own_id, ())], files)[0]


def dressed(
    tx: Tx, rows: Sequence[MessageRow], shown: Sequence[Message], files: Files
) -> list[Message]:
    """Add to messages what other rows hold: what they answer, reactions, who has read them.

    Args:
        tx: One snapshot.
        rows: Messages of one conversation, in order.
        shown: The same, as ``message_of`` returned them.
        files: Who fetches files.
    """
    if not rows:
        return []
    said: dict[int, list[Reaction]] = {}
    for one in remarks.reactions(tx, rows[0].id, rows[-1].id):
        signs = decode_signs(one.signs)
        if signs:
            said.setdefault(one.message, []).append(Reaction(AccountId(one.account_id), signs))
    readers = reading.readers(tx, rows[0].id >> messages.ORDER_BITS)
    found: list[Message] = []
    for row, message in zip(rows, shown, strict=True):
        full = message
        if row.id in said:
            full = replace(full, reactions=tuple(said[row.id]))
        if readers and full.mine and full.state is not MessageState.RECEIVED:
            read = tuple([AccountId(one.account_id) for one in readers if row.counter <= one.upto])
            full = replace(full, read_by=read)
        if row.ext and row.kind == MessageKind.TEXT:
            cid = row.id >> messages.ORDER_BITS
            full = replace(full, reply=quote_of(tx, cid, decode_marks(row.ext)))
        if row.kind == MessageKind.FILES:
            full = replace(full, attachments=files_of(tx, row.id, files))
        found.append(full)
    return found
