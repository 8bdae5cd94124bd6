"""What is said of a message afterwards: found its message, judged, stored.

The same functions serve what others say and what this user says; each is one part of the
transaction of its caller. What comes before its message waits, if the message can still come.
"""

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias, cast

from e2ecore.engine.arrival.ballots import BallotContent, apply_ballot
from e2ecore.engine.erasure.silencing import silence_remarks
from e2ecore.engine.running.job import Job
from e2ecore.engine.running.mirror import Mirror
from e2ecore.engine.talk.showing import show_one
from e2ecore.engine.talk.speaker import Speaker
from e2ecore.engine.telling.agreements import PinChanged
from e2ecore.engine.telling.events import MessageEdited, MessageRecalled, ReactionChanged
from e2ecore.engine.values import MessageKind, MessageState
from e2ecore.ids import AccountId, GroupId, MessageId
from e2ecore.messaging.marks import decode_marks, encode_marks
from e2ecore.messaging.reactions import counts, encode_signs
from e2ecore.messaging.revisions import Fate, Subject, judge_edit
from e2ecore.messaging.stamps import Stamp
from e2ecore.storage import (
    message_names,
    messages,
    outbox,
    pins,
    polls,
    remarks,
    revisions,
    search_index,
)
from e2ecore.storage.messages import MessageRow
from e2ecore.storage.pins import PinRow
from e2ecore.storage.remarks import EarlyRow, ReactionRow, RevisionRow
from e2ecore_protocol.content.messages import Receipt, decode_content
from e2ecore_protocol.content.pins import PINNED, Pin
from e2ecore_protocol.content.polls import PollClose, Vote, VoteReveal
from e2ecore_protocol.content.reactions import Reaction
from e2ecore_protocol.content.revisions import Edit, Recall

Remark: TypeAlias = Reaction | Edit | Recall | Pin | BallotContent
"""Content that refers to a message."""
SILENCE: Final = Receipt(()).encode()
"""A receipt for nothing: keeps the place of something that is not to be sent any more."""


def take_remark(job: Job, mirror: Mirror, by: Speaker, content: Remark) -> None:
    """Take what a member says of a message.

    Raises:
        PeerError: It may not be said.
    """
    author = by.account_id if isinstance(content, Edit | Recall) else content.author
    row = message_names.find(job.tx, mirror.cid, content.message_id, author)
    if row is not None:
        apply_remark(job, mirror, row, by, content)
    elif _may_still_come(mirror, author):
        early = EarlyRow(
            mirror.cid, by.device_id, by.counter, by.account_id, content.message_id, author,
            content.encode(), job.now_ms, by.seq,
        )  # fmt: skip
        if remarks.wait(job.tx, early):
            mirror.awaited |= {content.message_id}


def take_early(job: Job, mirror: Mirror, row: MessageRow) -> None:
    """A message came for which something waits."""
    for early in remarks.take_early(job.tx, mirror.cid, row.uid, row.account_id):
        now = messages.get(job.tx, row.id)
        content = decode_content(early.content)
        if now is not None and isinstance(content, Remark):
            by = Speaker(early.account_id, early.device_id, early.counter, seq=early.seq)
            apply_remark(job, mirror, now, by, content)
    mirror.awaited = remarks.awaited(job.tx, mirror.cid)


def apply_remark(job: Job, mirror: Mirror, row: MessageRow, by: Speaker, content: Remark) -> None:
    """Store what is said of a message.

    Raises:
        PeerError: It may not be said.
    """
    if row.kind != MessageKind.RECALLED:
        _HANDLERS[type(content)](job, mirror, row, by, content)


def _react(job: Job, mirror: Mirror, row: MessageRow, by: Speaker, content: Remark) -> None:
    said = cast("Reaction", content)
    known = remarks.reaction(job.tx, row.id, by.account_id)
    stamp = Stamp(said.changed_ms, by.device_id)
    if not counts(None if known is None else Stamp(known.changed_ms, known.device_id), stamp):
        return
    signs = encode_signs(said.signs)
    remarks.react(job.tx, ReactionRow(row.id, by.account_id, by.device_id, said.changed_ms, signs))
    job.tx.touch((row.id,))
    if not by.is_self:
        job.effects.events.append(
            ReactionChanged(
                GroupId(mirror.uid), MessageId(row.uid), row.id & messages.ORDER_MASK,
                AccountId(by.account_id), said.signs,
            )
        )  # fmt: skip


def _edit(job: Job, mirror: Mirror, row: MessageRow, by: Speaker, content: Remark) -> None:
    said = cast("Edit", content)
    is_text = row.kind == MessageKind.TEXT
    marks = decode_marks(row.ext if is_text else b"")
    subject = Subject(row.sent_ms, is_text, marks.edited)
    stamp = Stamp(said.changed_ms, by.device_id)
    fate = judge_edit(subject, stamp)
    is_kept = revisions.are_kept(job.tx, mirror.cid)
    if fate is Fate.KEPT and is_kept:
        remarks.keep_revision(job.tx, RevisionRow(row.id, *stamp, said.text))
    if fate is not Fate.SHOWN:
        return
    before = marks.edited or Stamp(row.sent_ms, row.device_id)
    if is_kept:
        remarks.keep_revision(job.tx, RevisionRow(row.id, *before, row.body))
    extras = marks.extras._replace(mentions=said.mentions)
    changed = row._replace(
        body=said.text, ext=encode_marks(marks._replace(extras=extras, edited=stamp))
    )
    _rewrite(job, row, changed)
    if not by.is_self:
        shown = show_one(job.tx, mirror.uid, changed, job.own.account_id, job.state.files)
        job.effects.events.append(MessageEdited(GroupId(mirror.uid), shown))


def _pin(job: Job, mirror: Mirror, row: MessageRow, by: Speaker, content: Remark) -> None:
    said = cast("Pin", content)
    known = pins.get(job.tx, row.id)
    stamp = Stamp(said.changed_ms, by.device_id)
    if known is not None and stamp <= Stamp(known.changed_ms, known.device_id):
        return
    pins.save(job.tx, PinRow(row.id, by.account_id, by.device_id, said.changed_ms, said.state))
    was_pinned = known is not None and known.state == PINNED
    if not by.is_self and (said.state == PINNED) is not was_pinned:
        job.effects.events.append(
            PinChanged(
                GroupId(mirror.uid), MessageId(row.uid), row.id & messages.ORDER_MASK,
                AccountId(by.account_id), is_pinned=said.state == PINNED,
            )
        )  # fmt: skip


def _recall(job: Job, mirror: Mirror, row: MessageRow, by: Speaker, _content: Remark) -> None:
    remarks.forget(job.tx, (row,), recalled=by.is_self)
    polls.forget(job.tx, (row,))
    _rewrite(job, row, row._replace(kind=int(MessageKind.RECALLED), body="", ext=b""))
    silence_remarks(job, mirror.cid, {row.uid}, SILENCE)
    if by.is_self:
        _silence(job, mirror, row.id)
        return
    if row.state == MessageState.RECEIVED:
        job.effects.events.append(
            MessageRecalled(
                GroupId(mirror.uid), MessageId(row.uid), row.id & messages.ORDER_MASK,
                AccountId(by.account_id),
            )
        )  # fmt: skip


def _ballot(job: Job, mirror: Mirror, row: MessageRow, by: Speaker, content: Remark) -> None:
    apply_ballot(job, mirror, row, by, cast("BallotContent", content))


def _rewrite(job: Job, old: MessageRow, new: MessageRow) -> None:
    search_index.replace(job.tx, old, new, job.state.fold)
    messages.rewrite(job.tx, new)


def _silence(job: Job, mirror: Mirror, message: int) -> None:
    """Take the words of a message from what has not left yet."""
    for row in outbox.with_content(job.tx, mirror.cid):
        if row.message == message:
            outbox.replace_content(job.tx, row.oid, SILENCE)


def _may_still_come(mirror: Mirror, author: bytes) -> bool:
    """Are messages of this account missing that may yet come?"""
    return any(one.heard.missing for one in mirror.devices.values() if one.account_id == author)


_Handler: TypeAlias = Callable[[Job, Mirror, MessageRow, Speaker, Remark], None]
_HANDLERS: Final[Mapping[type[Remark], _Handler]] = {
    Reaction: _react,
    Edit: _edit,
    Recall: _recall,
    Pin: _pin,
    Vote: _ballot,
    PollClose: _ballot,
    VoteReveal: _ballot,
}
