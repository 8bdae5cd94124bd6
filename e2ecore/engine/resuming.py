"""What has to be taken up again after a new connection, from the database alone."""

from e2ecore.engine.inviting import INVITING
from e2ecore.engine.job import Job
from e2ecore.engine.values import ConversationState
from e2ecore.storage import conversations, intents, members
from e2ecore.storage.intents import IntentState


def fresh_connection(job: Job) -> None:
    """Forget what belonged to the connection before, and find the work that was left."""
    job.state.held.clear()
    job.state.fetched.clear()
    job.state.relay_epochs.clear()
    job.state.behind_since.clear()
    for wish in intents.all_rows(job.tx):
        job.effects.intents.add(wish.cid)
        if wish.state == IntentState.WANTED and wish.kind in INVITING:
            intents.commit_lost(job.tx, wish.iid, attempts=wish.attempts, next_ms=0)
    for row in conversations.all_rows(job.tx):
        if row.state == ConversationState.ACTIVE and any(
            one.receive_counter > one.receipt_counter for one in members.current(job.tx, row.cid)
        ):
            job.effects.receipts[row.cid] = 1
