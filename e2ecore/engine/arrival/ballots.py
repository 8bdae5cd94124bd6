"""Votes on polls as they come: sealed, closed, opened. And opening our own.

What a vote contains leaves this device only when a close counts that names it.
"""

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias, cast

from e2ecore.engine.arrival.closing import count_close
from e2ecore.engine.arrival.listed import poll_of
from e2ecore.engine.errors import (
    ContactBlockedError,
    ContactChangedError,
    ConversationReadOnlyError,
)
from e2ecore.engine.running.job import Job
from e2ecore.engine.running.mirror import Mirror
from e2ecore.engine.talk.speaker import Speaker
from e2ecore.engine.talk.writing import check_writable, write_content
from e2ecore.engine.telling.poll_events import PollClosed, PollVoted, VoteOpened
from e2ecore.engine.values import MessageKind
from e2ecore.ids import AccountId, GroupId, MessageId
from e2ecore.messaging.polls import (
    MAX_REVEALS,
    PolledKindError,
    TooManyRevealsError,
    check_choices,
    check_close,
    decode_counted,
    encode_counted,
    from_mask,
    to_mask,
)
from e2ecore.messaging.stamps import Stamp
from e2ecore.storage import messages, outbox, polls
from e2ecore.storage.messages import MessageRow
from e2ecore.storage.polls import CloseRow, DeadlineRow, RevealRow, VoteRow
from e2ecore_protocol.content.conversation import Role
from e2ecore_protocol.content.polls import (
    Booth,
    Poll,
    PollClose,
    Vote,
    VoteReveal,
    vote_commitment,
)
from e2ecore_protocol.limits import SECOND_MS

GRACE_MS: Final = 60 * SECOND_MS
"""How long admins leave it to the account that asked to close a poll in time."""

BallotContent: TypeAlias = Vote | PollClose | VoteReveal
"""Content that refers to a poll."""


def apply_ballot(
    job: Job, mirror: Mirror, row: MessageRow, by: Speaker, content: BallotContent
) -> None:
    """Store what is said of a poll.

    Raises:
        PeerError: It may not be said.
    """
    _asked(row)
    _HANDLERS[type(content)](job, mirror, row, by, content)


def _asked(row: MessageRow) -> Poll:
    poll = poll_of(row) if row.kind == MessageKind.POLL else None
    if poll is None:
        raise PolledKindError
    return poll


def _take_vote(
    job: Job, mirror: Mirror, row: MessageRow, by: Speaker, content: BallotContent
) -> None:
    said = cast("Vote", content)
    known = polls.vote(job.tx, row.id, by.account_id)
    stamp = Stamp(said.changed_ms, by.device_id)
    if known is not None and Stamp(known.changed_ms, known.device_id) >= stamp:
        return
    polls.cast(
        job.tx, VoteRow(row.id, by.account_id, by.device_id, said.changed_ms, said.commitment)
    )
    job.tx.touch((row.id,))
    if not by.is_self:
        job.effects.events.append(PollVoted(*_place(mirror, row), AccountId(by.account_id)))


def _take_close(
    job: Job, mirror: Mirror, row: MessageRow, by: Speaker, content: BallotContent
) -> None:
    said = cast("PollClose", content)
    check_close(by=by.account_id, author=row.account_id, role=mirror.info.role_of(by.account_id))
    counted = encode_counted(said.counted)
    if count_close(job.tx, job.own.account_id, CloseRow(row.id, by.seq, by.account_id, counted)):
        job.effects.receipts.setdefault(mirror.cid, 0)  # whoever sends them opens votes as well
        job.effects.events.append(PollClosed(*_place(mirror, row), AccountId(by.account_id)))


def _take_reveal(
    job: Job, mirror: Mirror, row: MessageRow, by: Speaker, content: BallotContent
) -> None:
    said, poll = cast("VoteReveal", content), _asked(row)
    check_choices(said.choices, len(poll.options), poll.max_choices)
    booth = Booth(mirror.uid, row.uid, row.account_id, by.account_id)
    commitment = vote_commitment(booth, said.choices, said.salt)
    known = polls.reveals_of(job.tx, row.id, by.account_id)
    if any(one.commitment == commitment for one in known):
        return
    if len(known) >= MAX_REVEALS:
        raise TooManyRevealsError
    polls.reveal(job.tx, RevealRow(row.id, by.account_id, commitment, to_mask(said.choices)))
    close = polls.close(job.tx, row.id)
    counts = close and decode_counted(close.counted).get(by.account_id) == commitment
    if counts and not by.is_self:
        job.effects.events.append(VoteOpened(*_place(mirror, row), AccountId(by.account_id)))


def _place(mirror: Mirror, row: MessageRow) -> tuple[GroupId, MessageId, int]:
    return GroupId(mirror.uid), MessageId(row.uid), row.id & messages.ORDER_MASK


_Handler: TypeAlias = Callable[[Job, Mirror, MessageRow, Speaker, BallotContent], None]
_HANDLERS: Final[Mapping[type[BallotContent], _Handler]] = {
    Vote: _take_vote,
    PollClose: _take_close,
    VoteReveal: _take_reveal,
}


def open_votes(job: Job, mirror: Mirror) -> None:
    """Open our votes in a conversation that a close counts. They stay due while that cannot be."""
    due = polls.due(job.tx, mirror.cid)
    if not due:
        return
    try:
        check_writable(job, mirror)
    except (ContactBlockedError, ContactChangedError, ConversationReadOnlyError):
        return
    own = job.own
    for vote in due:
        row = messages.get(job.tx, vote.message)
        polls.set_due(job.tx, vote.message, vote.commitment, is_due=False)
        if row is None:
            continue
        content = VoteReveal(row.uid, row.account_id, from_mask(vote.choices), vote.salt)
        queued = write_content(job, mirror, content.encode(), 0, job.now_ms)
        outbox.add(job.tx, (queued,))
        by = Speaker(own.account_id, own.device_id, queued.counter, is_self=True)
        apply_ballot(job, mirror, row, by, content)
    mirror.save(job.tx)


def note_deadline(job: Job, mirror: Mirror, row: MessageRow) -> None:
    """A message was stored: note when this device is to close it, if it is a poll that ends.

    Who did not ask closes only what did not end before it came.
    """
    poll = poll_of(row) if row.kind == MessageKind.POLL else None
    if poll is None or poll.closes_ms is None:
        return
    own_id = job.own.account_id
    if row.account_id == own_id:
        polls.set_deadline(job.tx, DeadlineRow(row.id, poll.closes_ms))
    elif mirror.info.role_of(own_id) is not Role.MEMBER and poll.closes_ms > row.stored_ms:
        polls.set_deadline(job.tx, DeadlineRow(row.id, poll.closes_ms + GRACE_MS))
