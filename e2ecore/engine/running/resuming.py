"""What has to be taken up again after a new connection, from the database alone."""

from collections.abc import Iterable
from typing import Final

from e2ecore.engine.membership.deciding import RouteFaultError
from e2ecore.engine.membership.healing import ask_for_readd
from e2ecore.engine.membership.inviting import INVITING
from e2ecore.engine.own_devices.seating import seat_devices
from e2ecore.engine.running.job import Job
from e2ecore.engine.values import ConversationState
from e2ecore.storage import conversations, intents, members, polls, reading
from e2ecore.storage.intents import IntentState
from e2ecore.storage.tx import Tx
from e2ecore_protocol.content.readd import ReaddReason

ASK_AGAIN_AFTER_MS: Final = 3600 * 1000
"""How long a request to be added again may stay unanswered before a new connection repeats it."""


def fresh_connection(job: Job) -> None:
    """Forget what belonged to the connection before, and find the work that was left."""
    job.state.held.clear()
    job.state.doubts.clear()
    job.state.relay_epochs.clear()
    job.state.behind_since.clear()
    seat_devices(job)
    job.state.comparisons.reconnected()
    job.effects.own_news = job.effects.own_seats = True
    for wish in intents.all_rows(job.tx):
        job.effects.intents.add(wish.cid)
        if wish.state == IntentState.WANTED and wish.kind in INVITING:
            intents.commit_lost(job.tx, wish.iid, attempts=wish.attempts, next_ms=0)
    for row in conversations.all_rows(job.tx):
        if row.state == ConversationState.ACTIVE and any(
            one.receive_counter > one.receipt_counter for one in members.current(job.tx, row.cid)
        ):
            job.effects.receipts[row.cid] = 1
    for cid in {*reading.untold(job.tx), *polls.cids_due(job.tx)}:
        job.effects.receipts.setdefault(cid, 0)


def conversations_in_use(tx: Tx) -> frozenset[bytes]:
    """Return the ids of all conversations in which we are a member and can follow."""
    return _in_states(tx, ConversationState.ACTIVE)


def conversations_amiss(tx: Tx) -> frozenset[bytes]:
    """Return the ids of all conversations that may go on when others, or the relay, help."""
    return _in_states(tx, ConversationState.HEALING, ConversationState.LOST)


def _in_states(tx: Tx, *states: ConversationState) -> frozenset[bytes]:
    return frozenset(row.uid for row in conversations.all_rows(tx) if row.state in states)


def ask_for_routes(job: Job, missing: Iterable[bytes]) -> None:
    """Ask the members for what the relay does not deliver; and again where nobody has answered."""
    for uid in missing:
        mirror = job.state.find(job.tx, uid)
        if mirror is not None and mirror.state == ConversationState.ACTIVE:
            ask_for_readd(job, mirror, ReaddReason.NOT_IN_ROUTE, RouteFaultError())
    for row in conversations.all_rows(job.tx):
        is_waiting = row.state == ConversationState.HEALING
        if is_waiting and job.now_ms - row.healing_ms >= ASK_AGAIN_AFTER_MS:
            mirror = job.mirror(row.cid)
            ask_for_readd(job, mirror, ReaddReason.COMMIT_MISSED, RouteFaultError())
