"""Polls: ask, vote, close, and how it stands.

Votes are sealed: until a poll is closed nobody sees what others have chosen, whatever program they
use. After it this device opens its vote by itself, also if it was offline.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final

import anyio

from e2ecore.engine.arrival.ballots import note_deadline
from e2ecore.engine.arrival.closing import revealed
from e2ecore.engine.arrival.listed import poll_of
from e2ecore.engine.arrival.remarks import apply_remark
from e2ecore.engine.errors import (
    BadChoiceError,
    BadPollError,
    ContactBlockedError,
    ConversationReadOnlyError,
    MessageGoneError,
    NotAllowedError,
    NotAPollError,
    PollClosedError,
)
from e2ecore.engine.running.job import Job
from e2ecore.engine.running.mirror import Mirror
from e2ecore.engine.talk.handles import SentMessage
from e2ecore.engine.talk.referring import Which, is_place, order_of
from e2ecore.engine.talk.showing import shown_poll
from e2ecore.engine.talk.speaker import Speaker
from e2ecore.engine.talk.talking import Talk, noted
from e2ecore.engine.talk.writing import check_writable, write_listed, write_unlisted
from e2ecore.engine.values import MessageKind, PollBallot, PollResult
from e2ecore.ids import AccountId, MessageId
from e2ecore.messaging import polls as rules
from e2ecore.messaging.stamps import Stamp, next_ms
from e2ecore.storage import conversations, messages, polls
from e2ecore.storage.messages import ORDER_BITS, ORDER_MASK, MessageRow, message_row_id
from e2ecore.storage.outbox import OutboxRow
from e2ecore.storage.polls import OwnCloseRow, OwnVoteRow
from e2ecore.storage.tx import Tx
from e2ecore_protocol.content.polls import (
    Booth,
    Counted,
    Poll,
    PollClose,
    Vote,
    vote_commitment,
)
from e2ecore_protocol.errors import MalformedError
from e2ecore_protocol.limits import MESSAGE_ID_BYTES, VOTE_SALT_BYTES

if TYPE_CHECKING:
    from e2ecore.engine.running.core import Core

CLOSE_EVERY_S: Final = 10.0
"""How often it is looked for polls whose time is over."""
_AT_ONCE: Final = 16
"""Polls that are closed in one transaction."""


class Polling(Talk):
    """The part of ``Conversation`` that deals with polls."""

    async def ask(
        self,
        question: str,
        options: Sequence[str],
        *,
        max_choices: int = 1,
        closes_ms: int | None = None,
    ) -> SentMessage:
        """Begin a poll. As ``send``.

        Args:
            question: At most 300 characters.
            options: 2 to 12 different ones of at most 100 characters.
            max_choices: How many of them one vote may choose.
            closes_ms: When this device closes it by itself, in milliseconds since the Unix epoch;
                None: ``close_poll`` does. While this device is offline, devices of admins do.

        Raises:
            BadPollError: No poll looks like that.
            UsageError: As ``send``.
        """
        poll = Poll(bytes(MESSAGE_ID_BYTES), 0, question, tuple(options), max_choices, closes_ms)
        try:
            Poll.from_fields(poll.to_fields())
            poll.encode()
        except (MalformedError, UnicodeEncodeError) as error:
            raise BadPollError from error

        def make(uid: bytes, sent_ms: int) -> Poll:
            return replace(poll, message_id=uid, sent_ms=sent_ms)

        def work(job: Job) -> SentMessage:
            written = write_listed(job, self._row.cid, make)
            row = messages.get(job.tx, message_row_id(self._row.cid, written.order))
            if row is not None:
                note_deadline(job, job.mirror(self._row.cid), row)
            return noted(job, written)

        return await self._run(work)

    async def vote(self, message: Which, choices: Sequence[int]) -> SentMessage:
        """Vote on a poll, instead of an earlier vote. Nobody sees the choice before the close.

        If the poll is closed with this vote, this device opens it by itself when it is online.

        Args:
            message: The poll.
            choices: Numbers of options, from 0; none: take the vote back, which nobody sees either.

        Raises:
            BadChoiceError: The poll has no such options, or allows fewer.
            PollClosedError: It is closed, or its time is over.
            NotAPollError: It is none.
            MessageGoneError: It is not here.
            UsageError: As ``send``.
        """

        def work(job: Job) -> SentMessage:
            mirror = job.mirror(self._row.cid)
            row, poll = _open_poll(job.tx, self._row.cid, message)
            if poll.closes_ms is not None and poll.closes_ms <= job.now_ms:
                raise PollClosedError
            _check_choices(choices, poll)
            chosen = tuple(sorted(choices))
            check_writable(job, mirror)
            own, salt = job.own, job.state.rng(VOTE_SALT_BYTES)
            booth = Booth(mirror.uid, row.uid, row.account_id, own.account_id)
            commitment = vote_commitment(booth, chosen, salt)
            known = polls.vote(job.tx, row.id, own.account_id)
            stamp = None if known is None else Stamp(known.changed_ms, known.device_id)
            polls.keep_own(
                job.tx, OwnVoteRow(row.id, commitment, rules.to_mask(chosen), salt, due=0)
            )
            content = Vote(row.uid, row.account_id, next_ms(job.now_ms, stamp), commitment)
            queued = write_unlisted(job, mirror, content)
            by = Speaker(own.account_id, own.device_id, queued.counter, is_self=True)
            apply_remark(job, mirror, row, by, content)
            return _handle(job, row, queued)

        return await self._run(work)

    async def close_poll(self, message: Which) -> SentMessage:
        """Close a poll: the votes that came until now count, and are opened.

        It takes effect when the relay has it. Of several who close at once, the first one counts.

        Raises:
            NotAllowedError: Somebody else asked, and this account is neither admin nor owner.
            PollClosedError: It is closed.
            NotAPollError: It is none.
            MessageGoneError: It is not here.
            UsageError: As ``send``.
        """

        def work(job: Job) -> SentMessage:
            mirror = job.mirror(self._row.cid)
            row, _poll = _open_poll(job.tx, self._row.cid, message)
            own_id = job.own.account_id
            try:
                role = mirror.info.role_of(own_id)
                rules.check_close(by=own_id, author=row.account_id, role=role)
            except rules.CloseNotAllowedError as error:
                raise NotAllowedError(str(error)) from error
            check_writable(job, mirror)
            return _handle(job, row, _close(job, mirror, row))

        return await self._run(work)

    async def poll(self, message: Which) -> PollResult:
        """Return how a poll stands.

        Raises:
            NotAPollError: It is none.
            MessageGoneError: It is not here.
        """
        core, cid = self._core, self._row.cid
        return core.read(lambda tx: _result(tx, cid, message, core.account_id))


def _handle(job: Job, row: MessageRow, queued: OutboxRow) -> SentMessage:
    said = SentMessage(MessageId(row.uid), queued.counter, row.id & ORDER_MASK)
    job.effects.sent.append((queued.oid, said))
    return said


def _poll(tx: Tx, cid: int, message: Which) -> tuple[MessageRow, Poll]:
    home = conversations.get(tx, cid)
    order = order_of(b"" if home is None else home.uid, message)
    row = messages.get(tx, message_row_id(cid, order)) if is_place(order) else None
    if row is None or row.kind == MessageKind.RECALLED:
        raise MessageGoneError
    poll = poll_of(row) if row.kind == MessageKind.POLL else None
    if poll is None:
        raise NotAPollError
    return row, poll


def _open_poll(tx: Tx, cid: int, message: Which) -> tuple[MessageRow, Poll]:
    row, poll = _poll(tx, cid, message)
    if polls.close(tx, row.id) is not None or polls.is_closing(tx, row.id):
        raise PollClosedError
    return row, poll


def _check_choices(choices: Sequence[int], poll: Poll) -> None:
    try:
        rules.check_choices(choices, len(poll.options), poll.max_choices)
    except rules.BadChoiceRevealedError as error:
        raise BadChoiceError from error
    if len(set(choices)) != len(choices):
        raise BadChoiceError


def _close(job: Job, mirror: Mirror, row: MessageRow) -> OutboxRow:
    """Close a poll with the votes of all members that are here."""
    members = {one.account_id for one in mirror.by_leaf.values()}
    counted = tuple(
        [
            Counted(one.account_id, one.commitment)
            for one in polls.votes(job.tx, row.id)
            if one.account_id in members
        ]
    )
    content = PollClose(row.uid, row.account_id, job.now_ms, counted)
    queued = write_unlisted(job, mirror, content)
    polls.closing(job.tx, OwnCloseRow(queued.oid, row.id, rules.encode_counted(counted)))
    job.tx.touch((row.id,))
    return queued


def _result(tx: Tx, cid: int, message: Which, own_id: bytes) -> PollResult:
    row, poll = _poll(tx, cid, message)
    votes = polls.votes(tx, row.id)
    close = polls.close(tx, row.id)
    counted = None if close is None else rules.decode_counted(close.counted)
    voters = [one.account_id for one in votes]
    found = rules.ballots(voters, counted, revealed(tx, row.id))
    mine = next((one for one in votes if one.account_id == own_id), None)
    own = None if mine is None else polls.own_vote(tx, row.id, mine.commitment)
    return PollResult(
        shown_poll(poll),
        None if close is None else AccountId(close.account_id),
        tuple([PollBallot(AccountId(one.account_id), one.state, one.choices) for one in found]),
        rules.tally(len(poll.options), found),
        None if own is None else rules.from_mask(own.choices),
    )


async def keep_polls(core: "Core") -> None:
    """Close polls whose time is over, for the life of the engine."""
    while True:
        if core.account is not None:
            now_ms = core.clock_ms()
            while core.read(partial(polls.deadlines, now_ms=now_ms, limit=1)):
                await core.jobs.run(close_due)
        await anyio.sleep(CLOSE_EVERY_S)


def close_due(job: Job) -> None:
    """Close some polls whose time is over; where that is not for this device, forget about it."""
    for due in polls.deadlines(job.tx, job.now_ms, _AT_ONCE):
        polls.no_deadline(job.tx, due.message)
        row = messages.get(job.tx, due.message)
        if row is None or row.kind != MessageKind.POLL:
            continue
        if polls.close(job.tx, row.id) is not None or polls.is_closing(job.tx, row.id):
            continue
        mirror, own_id = job.mirror(row.id >> ORDER_BITS), job.own.account_id
        try:
            role = mirror.info.role_of(own_id)
            rules.check_close(by=own_id, author=row.account_id, role=role)
            check_writable(job, mirror)
        except (rules.CloseNotAllowedError, ContactBlockedError, ConversationReadOnlyError):
            continue
        _close(job, mirror, row)
