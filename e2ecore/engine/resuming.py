"""What has to be taken up again after a new connection, from the database alone."""

from e2ecore.engine.job import Job
from e2ecore.engine.values import ConversationState
from e2ecore.storage import conversations, intents, members


def fresh_connection(job: Job) -> None:
    """Forget what belonged to the connection before, and find the work that was left."""
    job.state.held.clear()
    job.state.fetched.clear()
    job.state.relay_epochs.clear()
    job.state.behind_since.clear()
    job.effects.intents.update(row.cid for row in intents.all_rows(job.tx))
    for row in conversations.all_rows(job.tx):
        if row.state == ConversationState.ACTIVE and any(
            one.receive_counter > one.receipt_counter for one in members.current(job.tx, row.cid)
        ):
            job.effects.receipts[row.cid] = 1
