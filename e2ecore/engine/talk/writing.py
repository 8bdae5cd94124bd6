"""Making application messages: in the writer's thread, final bytes before anything leaves.

One transaction holds the message, the used ratchet step, the counter and the envelope with its
final ciphertext. The same bytes go out again after a crash, so no key meets two plaintexts.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from e2ecore.engine.account.blocks import is_with_blocked
from e2ecore.engine.arrival.listed import Listed, form_of
from e2ecore.engine.erasure.expiring import expire
from e2ecore.engine.errors import (
    ContactBlockedError,
    ContactChangedError,
    ConversationReadOnlyError,
)
from e2ecore.engine.running.effects import Outgoing
from e2ecore.engine.running.job import Job
from e2ecore.engine.running.mirror import Mirror
from e2ecore.engine.running.state import group_of
from e2ecore.engine.values import ConversationState, MessageKind
from e2ecore.ids import MessageId
from e2ecore.messaging.lifetimes import sooner
from e2ecore.mls.errors import PendingChangeError
from e2ecore.mls.private_message import bucketed
from e2ecore.storage import messages, outbox
from e2ecore.storage.messages import MessageRow, message_row_id
from e2ecore.storage.outbox import OutboxRow
from e2ecore.storage.tx import Tx
from e2ecore_protocol.content.kind import Content
from e2ecore_protocol.content.messages import Text, UnknownContent, encode_counter
from e2ecore_protocol.content.rich_text import NO_EXTRAS, Extras, RichText
from e2ecore_protocol.frames.delivery import Envelope, EnvelopeKind, make_envelope_id
from e2ecore_protocol.limits import KIB, MAX_ENVELOPE_BYTES, MAX_ENVELOPE_LIFETIME_S

_APPLICATION: Final = int(EnvelopeKind.APPLICATION)
WRITABLE: Final = frozenset(
    {ConversationState.CREATING, ConversationState.ACTIVE, ConversationState.HEALING}
)
_LARGEST_CONTENT: Final = MAX_ENVELOPE_BYTES - 4 * KIB
"""Largest padded content, in bytes: an envelope less everything that MLS puts around it."""
_PAGE: Final = 256
"""Rows of the outbox that are looked at in one query."""


@dataclass(frozen=True, slots=True)
class Written:
    """One message as written: enough to tell the caller."""

    oid: int
    message_id: MessageId
    counter: int
    order: int


def write_texts(job: Job, cid: int, texts: Sequence[str]) -> list[Written]:
    """Write messages that people typed, as one transaction.

    Raises:
        ConversationReadOnlyError: We are no longer in it.
        ContactChangedError: A verified member's devices have changed.
    """
    own, mirror = job.own, job.mirror(cid)
    check_writable(job, mirror)
    if mirror.lifetime_s is not None:
        return [write_rich_text(job, cid, text, NO_EXTRAS) for text in texts]
    now_ms, rng = job.now_ms, job.state.rng
    written: list[Written] = []
    rows: list[MessageRow] = []
    waiting: list[OutboxRow] = []
    for text in texts:
        message_id = make_envelope_id(now_ms, rng(10))
        mirror.last_mid = job.state.next_mid(job.tx)
        order, mirror.next_order = mirror.next_order, mirror.next_order + 1
        row_id = message_row_id(cid, order)
        content = Text(message_id, now_ms, text).encode()
        queued = write_content(job, mirror, content, row_id, now_ms)
        waiting.append(queued)
        rows.append(
            MessageRow(
                row_id, mirror.last_mid, message_id, own.account_id, own.device_id,
                queued.counter, 0, now_ms, now_ms, MessageKind.TEXT,
                messages.MessageState.QUEUED, text, b"",
            )
        )  # fmt: skip
        written.append(Written(queued.oid, MessageId(message_id), queued.counter, order))
    messages.insert(job.tx, rows)
    outbox.add(job.tx, waiting)
    mirror.save(job.tx)
    return written


def write_rich_text(job: Job, cid: int, text: str, extras: Extras) -> Written:
    """Write a message with something besides, as one transaction. As ``write_texts``.

    It stays no longer than messages do here.
    """
    extras = extras._replace(lifetime_s=sooner(extras.lifetime_s, job.mirror(cid).lifetime_s))
    if extras == NO_EXTRAS:
        return write_texts(job, cid, (text,))[0]
    return write_listed(job, cid, lambda uid, sent_ms: RichText(uid, sent_ms, text, extras))


def write_listed(job: Job, cid: int, make: Callable[[bytes, int], Listed]) -> Written:
    """Write a message that is more than a plain text, as one transaction. As ``write_texts``.

    Args:
        job: The work under way.
        cid: Conversation.
        make: Makes the content, given its message id and the time.
    """
    own, mirror = job.own, job.mirror(cid)
    check_writable(job, mirror)
    now_ms = job.now_ms
    message_id = make_envelope_id(now_ms, job.state.rng(10))
    mirror.last_mid = job.state.next_mid(job.tx)
    order, mirror.next_order = mirror.next_order, mirror.next_order + 1
    row_id = message_row_id(cid, order)
    content = make(message_id, now_ms)
    form = form_of(content)
    queued = write_content(job, mirror, content.encode(), row_id, now_ms)
    row = MessageRow(
        row_id, mirror.last_mid, message_id, own.account_id, own.device_id, queued.counter, 0,
        now_ms, now_ms, form.kind, messages.MessageState.QUEUED, form.body, form.ext,
    )  # fmt: skip
    messages.insert(job.tx, (row,))
    expire(job.tx, row, mirror.lifetime_s)
    outbox.add(job.tx, (queued,))
    mirror.save(job.tx)
    return Written(queued.oid, MessageId(message_id), queued.counter, order)


def write_unlisted(job: Job, mirror: Mirror, content: Content | UnknownContent) -> OutboxRow:
    """Write content that is no message of its own."""
    row = write_content(job, mirror, content.encode(), 0, job.now_ms)
    outbox.add(job.tx, (row,))
    mirror.save(job.tx)
    return row


def write_content(job: Job, mirror: Mirror, content: bytes, row_id: int, now_ms: int) -> OutboxRow:
    """Encrypt content under the next counter; the caller stores the row and saves the mirror.

    Where the conversation cannot encrypt now, the content waits in the row without a payload.
    """
    mirror.own_counter += 1
    mirror.traffic = True
    envelope_id = make_envelope_id(now_ms, job.state.rng(10))
    payload = encrypt(job, mirror, content, mirror.own_counter)
    epoch = mirror.epoch if payload else 0
    row = OutboxRow(
        job.state.next_oid(job.tx), mirror.cid, row_id, _APPLICATION, epoch, mirror.own_counter,
        envelope_id, payload, content, 0, 0,
    )  # fmt: skip
    if payload:
        job.effects.outgoing.append(outgoing(row, mirror))
    return row


def encrypt(job: Job, mirror: Mirror, content: bytes, counter: int) -> bytes:
    """Return an application message in the present epoch.

    Returns:
        No bytes where it has to wait: for the conversation to exist, for a re-add, or for the
        commit of what others have proposed (RFC 9420 §12.4 (Commit)).
    """
    if not mirror.can_send:
        return b""
    try:
        return group_of(mirror).protect(
            content,
            authenticated_data=encode_counter(counter),
            signer=job.own.signer,
            rng=job.state.rng,
            padding=padded,
        )
    except PendingChangeError:
        return b""


def padded(size: int, /) -> int:
    """Return how many zero bytes to append: as ``bucketed``, but within what the relay takes."""
    return max(0, min(bucketed(size), _LARGEST_CONTENT - size))


def outgoing(row: OutboxRow, mirror: Mirror) -> Outgoing:
    """Return what the sender submits for a row."""
    envelope = Envelope(
        mirror.uid, row.envelope_id, row.kind, mirror.log_epoch_of(row.epoch),
        MAX_ENVELOPE_LIFETIME_S, row.payload,
    )  # fmt: skip
    return Outgoing(row.oid, row.cid, row.message, envelope)


def check_writable(job: Job, mirror: Mirror) -> None:
    """Refuse to write where nobody would read, or where somebody else might.

    Raises:
        ConversationReadOnlyError: We are no longer in it.
        ContactChangedError: A verified member's devices have changed.
        ContactBlockedError: It is with somebody who is blocked.
    """
    if mirror.state not in WRITABLE:
        raise ConversationReadOnlyError
    if is_with_blocked(job, mirror):
        raise ContactBlockedError
    changed = job.state.changed_contacts(job.tx)
    if changed and (
        mirror.peer in changed or any(one.account_id in changed for one in mirror.by_leaf.values())
    ):
        raise ContactChangedError


def encrypt_again(job: Job, mirror: Mirror, refused: frozenset[int] = frozenset()) -> None:
    """Encrypt everything of a conversation that the relay has not got in its present epoch.

    Counter, message id and order stay; so does the envelope id, so that an answer that was lost on
    its way still counts.

    Args:
        job: The work under way.
        mirror: The conversation; the caller saves it.
        refused: Rows that are submitted again even if their epoch is the present one: the relay has
            just refused them, or counts another commit since.
    """
    if not mirror.can_send:
        return
    for row in of_conversation(job.tx, mirror.cid):
        fresh = row
        if row.content and row.epoch != mirror.epoch:
            payload = encrypt(job, mirror, row.content, row.counter)
            if not payload:
                return
            outbox.re_encrypted(
                job.tx, row.oid, epoch=mirror.epoch, envelope_id=row.envelope_id, payload=payload
            )
            fresh = row._replace(payload=payload, epoch=mirror.epoch)
        elif row.oid not in refused or row.epoch != mirror.epoch:
            continue
        job.effects.outgoing.append(outgoing(fresh, mirror))


def submit_again(job: Job, mirror: Mirror) -> None:
    """Submit everything that waits in a conversation: the relay's count of commits has changed."""
    waiting = frozenset(row.oid for row in of_conversation(job.tx, mirror.cid) if row.content)
    encrypt_again(job, mirror, waiting)


def of_conversation(tx: Tx, cid: int) -> list[OutboxRow]:
    """Return what waits in one conversation, in order."""
    found: list[OutboxRow] = []
    at = 0
    while rows := outbox.after(tx, at, _PAGE):
        found.extend(row for row in rows if row.cid == cid)
        at = rows[-1].oid
    return found
