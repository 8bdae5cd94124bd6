"""What has to be taken up again after a new connection, from the database alone."""

from e2ecore.engine.jobs import Effects
from e2ecore.engine.state import State
from e2ecore.engine.values import ConversationState
from e2ecore.storage import conversations, intents, members
from e2ecore.storage.tx import Tx


def fresh_connection(tx: Tx, effects: Effects, state: State) -> None:
    """Forget what belonged to the connection before, and find the work that was left."""
    state.begin(tx)
    state.held.clear()
    state.fetched.clear()
    state.relay_epochs.clear()
    state.behind_since.clear()
    effects.intents.update(row.cid for row in intents.all_rows(tx))
    for row in conversations.all_rows(tx):
        if row.state == ConversationState.ACTIVE and any(
            one.receive_counter > one.receipt_counter for one in members.current(tx, row.cid)
        ):
            effects.receipts[row.cid] = 1
