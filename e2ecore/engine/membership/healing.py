"""Healing: a device that cannot follow asks to be added again, and another member does it.

The request is signed by the device key and changes no membership: whoever carries it out removes
the device's leaf and adds it with a key package that its account chain vouches for. The lowest leaf
is first; the others wait a little longer each, so that one commit is made and not many.
"""

from typing import Final

from e2ecore.engine.running.effects import Effects
from e2ecore.engine.running.job import Job
from e2ecore.engine.running.mirror import Mirror
from e2ecore.engine.talk.writing import outgoing
from e2ecore.engine.telling.events import ConversationHealed, ConversationHealing
from e2ecore.engine.values import ConversationState
from e2ecore.ids import GroupId
from e2ecore.messaging.docket import open_trial
from e2ecore.messaging.intents import Wish
from e2ecore.storage import intents, outbox
from e2ecore.storage.outbox import OutboxRow
from e2ecore_protocol.content.readd import FailedCommit, ReaddReason, ReaddRequest
from e2ecore_protocol.frames.delivery import EnvelopeKind, make_envelope_id

ASK_AGAIN_MS: Final = 15_000
"""Pause between two requests for one conversation."""
PER_RANK_MS: Final = 400
"""How much longer each next member waits before it acts for somebody else."""
MAX_RANK: Final = 20
_JITTER_MS: Final = 150


def ask_for_readd(job: Job, mirror: Mirror, reason: ReaddReason, error: Exception) -> None:
    """Ask the members of a conversation to add this device again.

    Nothing is thrown away: what can still be read in the old epoch is read, and if the missing
    commit comes after all, everything goes on as before.
    """
    if mirror.state not in {ConversationState.ACTIVE, ConversationState.HEALING}:
        return
    now_ms = job.now_ms
    is_waiting = mirror.state == ConversationState.HEALING
    if not is_due(mirror, now_ms) or (is_waiting and job.state.asking.get(mirror.cid, 0) > now_ms):
        return
    own = job.own
    if mirror.state != ConversationState.HEALING:
        job.effects.events.append(ConversationHealing(GroupId(mirror.uid), type(error).__name__))
    mirror.state = ConversationState.HEALING
    mirror.healing_ms = now_ms
    mirror.dirty = True
    failed = open_trial(mirror.docket)
    request = ReaddRequest(
        mirror.uid, own.account_id, own.device_id, mirror.floor,
        reason if failed is None else ReaddReason.COMMIT_FAILED,
        None if failed is None else FailedCommit(failed.number, failed.digest), now_ms,
    ).signed(own.signer.sign)  # fmt: skip
    row = OutboxRow(
        job.state.next_oid(job.tx), mirror.cid, 0, int(EnvelopeKind.READD_REQUEST), mirror.epoch, 0,
        make_envelope_id(now_ms, job.state.rng(10)), request.encode(), b"", 0, 0,
    )  # fmt: skip
    outbox.add(job.tx, (row,))
    job.effects.outgoing.append(outgoing(row, mirror))
    mirror.save(job.tx)


def is_due(mirror: Mirror, now_ms: int) -> bool:
    """May a request be sent now? Not so soon after the last one."""
    return not mirror.healing_ms or now_ms - mirror.healing_ms >= ASK_AGAIN_MS


def add_intent_later(job: Job, mirror: Mirror, wish: Wish, avoid: bytes = b"") -> None:
    """Store a wish that others have too: the lowest leaf acts first, the next ones later."""
    own = job.own
    leaves = sorted(one.leaf for one in mirror.by_leaf.values() if one.device_id != avoid)
    mine = mirror.devices[own.device_id].leaf
    rank = min(leaves.index(mine) if mine in leaves else MAX_RANK, MAX_RANK)
    jitter = int.from_bytes(job.state.rng(2), "big") % _JITTER_MS
    now_ms = job.now_ms
    iid = intents.add(job.tx, mirror.cid, wish.kind, wish.encode(), now_ms)
    intents.commit_lost(job.tx, iid, attempts=0, next_ms=now_ms + rank * PER_RANK_MS + jitter)
    job.effects.intents.add(mirror.cid)


def healed_by_itself(effects: Effects, mirror: Mirror) -> None:
    """The commit that was missing came after all."""
    if mirror.state == ConversationState.HEALING:
        mirror.state = ConversationState.ACTIVE
        mirror.healing_ms = 0
        mirror.dirty = True
        effects.events.append(ConversationHealed(GroupId(mirror.uid)))
