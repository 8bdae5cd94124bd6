"""Giving up intents: that the engine itself failed at, or that the user takes back."""

from collections.abc import Collection

from e2ecore.engine.errors import ChangeFailedError, EngineDefectError
from e2ecore.engine.membership.concluding import fail
from e2ecore.engine.membership.healing import ask_for_readd
from e2ecore.engine.running.job import Job
from e2ecore.messaging.intents import IntentKind, Wish
from e2ecore.storage import intents
from e2ecore.storage.intents import IntentState
from e2ecore_protocol.content.readd import ReaddReason


def isolate(job: Job, iid: int, error: str) -> None:
    """Give up an intent that the engine itself failed at.

    If its commit was sent, it may be in force: then we cannot follow, and ask to be added again.
    """
    row = intents.get(job.tx, iid)
    if row is None:
        return
    mirror = job.mirror(row.cid)
    defect = EngineDefectError(error)
    fail(job, mirror, row, defect)
    if row.state == IntentState.COMMIT_MADE:
        ask_for_readd(job, mirror, ReaddReason.COMMIT_FAILED, defect)
    mirror.save(job.tx)
    job.effects.intents.add(row.cid)


def drop(job: Job, iid: int, error: str) -> None:
    """Give up an intent whose conversation cannot even be loaded."""
    intents.remove(job.tx, iid)
    job.effects.changes.append((iid, EngineDefectError(error)))


def withdraw_additions(job: Job, cid: int, accounts: Collection[bytes]) -> None:
    """Who is removed shall not be added by a wish that waits for them."""
    mirror = job.mirror(cid)
    for row in intents.of_conversation(job.tx, cid):
        if row.kind != IntentKind.ADD or row.state != IntentState.WANTED:
            continue
        wish = Wish.decode(row.kind, row.args)
        rest = tuple(one for one in wish.accounts if one not in accounts)
        if not rest:
            fail(job, mirror, row, ChangeFailedError("withdrawn"))
        elif rest != wish.accounts:
            intents.rewrite(job.tx, row.iid, Wish(wish.kind, rest).encode())
