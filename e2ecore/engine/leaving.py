"""Leaving: a member proposes its own removal, and any other member commits that."""

from e2ecore.engine.healing import add_intent_later
from e2ecore.engine.jobs import Effects
from e2ecore.engine.mirror import Mirror
from e2ecore.engine.state import State, group_of
from e2ecore.engine.writing import outgoing
from e2ecore.messaging.intents import IntentKind, Wish
from e2ecore.messaging.roster import CommitNotAllowedError
from e2ecore.mls.errors import EpochInFutureError, EpochTooOldError
from e2ecore.mls.framing import Sender, SenderType
from e2ecore.mls.proposals import Remove, Update
from e2ecore.mls.received import ReceivedProposal
from e2ecore.mls.staged import SentProposal
from e2ecore.storage import intents, outbox
from e2ecore.storage.outbox import OutboxRow
from e2ecore.storage.tx import Tx
from e2ecore_protocol.frames.delivery import Delivery, EnvelopeKind, make_envelope_id


def take_proposal(tx: Tx, effects: Effects, state: State, mirror: Mirror, item: Delivery) -> None:
    """Take a proposal that was sent on its own: somebody wants to leave, or fresh keys.

    Raises:
        PeerError: It is not right, or members do not propose that to each other here.
    """
    if mirror.group is None:
        raise EpochInFutureError
    if item.epoch < mirror.epoch:
        return  # its epoch is over: whoever wanted it proposes again
    received = mirror.group.receive(item.payload, now_ms=state.clock_ms())
    if not isinstance(received, ReceivedProposal):
        raise EpochTooOldError("not a proposal")
    proposal = received.proposal
    if all(row.kind != IntentKind.SETTLE for row in intents.of_conversation(tx, mirror.cid)):
        sender = mirror.by_leaf.get(received.sender.leaf)
        avoid = b"" if sender is None else sender.device_id
        add_intent_later(tx, effects, state, mirror, Wish(IntentKind.SETTLE), avoid)
    if not is_own_affair(SentProposal(proposal, _member(received), received.ref)):
        raise CommitNotAllowedError("members propose only for themselves")


def is_own_affair(sent: SentProposal) -> bool:
    """Answer whether a proposal concerns only the member who made it: leaving, or fresh keys."""
    if isinstance(sent.proposal, Remove):
        return sent.proposal.removed == sent.sender.index
    return isinstance(sent.proposal, Update)


def _member(received: ReceivedProposal) -> Sender:
    return Sender(SenderType.MEMBER, received.sender.leaf)


def propose_leaving(tx: Tx, effects: Effects, state: State, mirror: Mirror, iid: int) -> None:
    """Propose our own removal in the present epoch."""
    own, group = state.own(tx), group_of(mirror)
    now_ms = state.clock_ms()
    payload = group.propose_remove(group.own_leaf, signer=own.signer, rng=state.rng)
    envelope_id = make_envelope_id(now_ms, state.rng(10))
    row = OutboxRow(
        state.next_oid(tx), mirror.cid, 0, int(EnvelopeKind.PROPOSAL), mirror.epoch, 0,
        envelope_id, payload, b"", 0, 0,
    )  # fmt: skip
    outbox.add(tx, (row,))
    effects.outgoing.append(outgoing(row, mirror.uid))
    intents.commit_made(tx, iid, epoch=mirror.epoch, envelope_id=envelope_id, pending=b"")
    mirror.save(tx)
