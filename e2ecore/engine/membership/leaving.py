"""Leaving: a member proposes its own removal, and any other member commits that."""

from typing import Final

from e2ecore.engine.membership.healing import add_intent_later
from e2ecore.engine.running.job import Job
from e2ecore.engine.running.mirror import Mirror
from e2ecore.engine.running.state import group_of
from e2ecore.engine.talk.writing import outgoing
from e2ecore.messaging.intents import IntentKind, Wish
from e2ecore.messaging.roster import CommitNotAllowedError
from e2ecore.mls.errors import EpochInFutureError, EpochTooOldError
from e2ecore.mls.framing import Sender, SenderType
from e2ecore.mls.proposals import Remove, Update
from e2ecore.mls.received import ReceivedProposal
from e2ecore.mls.staged import SentProposal
from e2ecore.storage import intents, outbox
from e2ecore.storage.outbox import OutboxRow
from e2ecore_protocol.frames.delivery import Delivery, EnvelopeKind, make_envelope_id

AGAIN_MS: Final = 200
"""Pause before a proposal is made anew: the commit that was faster has to come first."""


def take_proposal(job: Job, mirror: Mirror, item: Delivery) -> None:
    """Take a proposal that was sent on its own: somebody wants to leave, or fresh keys.

    Raises:
        PeerError: It is not right, or members do not propose that to each other here.
    """
    if mirror.group is None:
        raise EpochInFutureError
    if item.epoch < mirror.log_epoch:
        return  # its epoch is over: whoever wanted it proposes again
    received = mirror.group.receive(item.payload, now_ms=job.now_ms)
    if not isinstance(received, ReceivedProposal):
        raise EpochTooOldError("not a proposal")
    proposal = received.proposal
    if all(row.kind != IntentKind.SETTLE for row in intents.of_conversation(job.tx, mirror.cid)):
        sender = mirror.by_leaf.get(received.sender.leaf)
        avoid = b"" if sender is None else sender.device_id
        add_intent_later(job, mirror, Wish(IntentKind.SETTLE), avoid)
    if not is_own_affair(SentProposal(proposal, _member(received), received.ref)):
        raise CommitNotAllowedError("members propose only for themselves")


def is_own_affair(sent: SentProposal) -> bool:
    """Answer whether a proposal concerns only the member who made it: leaving, or fresh keys."""
    if isinstance(sent.proposal, Remove):
        return sent.sender == Sender(SenderType.MEMBER, sent.proposal.removed)
    return isinstance(sent.proposal, Update)


def _member(received: ReceivedProposal) -> Sender:
    return Sender(SenderType.MEMBER, received.sender.leaf)


def propose_again(job: Job, mirror: Mirror) -> None:
    """The relay has not taken a proposal, because another commit came first: make it anew."""
    for row in intents.of_conversation(job.tx, mirror.cid):
        if row.kind == IntentKind.LEAVE and row.state == intents.IntentState.COMMIT_MADE:
            later = job.now_ms + AGAIN_MS
            intents.commit_lost(job.tx, row.iid, attempts=row.attempts + 1, next_ms=later)


def propose_leaving(job: Job, mirror: Mirror, iid: int) -> None:
    """Propose our own removal in the present epoch."""
    own, group = job.own, group_of(mirror)
    now_ms = job.now_ms
    payload = group.propose_remove(group.own_leaf, signer=own.signer, rng=job.state.rng)
    envelope_id = make_envelope_id(now_ms, job.state.rng(10))
    row = OutboxRow(
        job.state.next_oid(job.tx), mirror.cid, 0, int(EnvelopeKind.PROPOSAL), mirror.epoch, 0,
        envelope_id, payload, b"", 0, 0,
    )  # fmt: skip
    outbox.add(job.tx, (row,))
    job.effects.outgoing.append(outgoing(row, mirror))
    intents.commit_made(job.tx, iid, epoch=mirror.epoch, envelope_id=envelope_id, pending=b"")
    mirror.save(job.tx)
