"""Wishes that are over: they came true, or are given up."""

from typing import Final

from e2ecore.engine.membership.applying import drop_outbox, forget_group
from e2ecore.engine.running.job import Job
from e2ecore.engine.running.mirror import Mirror
from e2ecore.engine.telling.events import ChangeApplied, IntentFailed
from e2ecore.engine.values import ConversationState
from e2ecore.errors import E2EError
from e2ecore.ids import GroupId
from e2ecore.messaging.intents import IntentEvent, IntentKind, step
from e2ecore.messaging.intents import IntentState as Stage
from e2ecore.storage import intents
from e2ecore.storage.intents import IntentRow

_QUIET: Final = frozenset(
    {
        *(IntentKind.SETTLE, IntentKind.HEAL, IntentKind.REROUTE),
        *(IntentKind.SEAT, IntentKind.UNSEAT),
    }
)
"""Wishes that are not the app's: they are found anew if they come to nothing."""


def finish(job: Job, mirror: Mirror, iid: int) -> None:
    """The wish has come true."""
    intents.remove(job.tx, iid)
    job.effects.changes.append((iid, None))
    job.effects.events.append(ChangeApplied(GroupId(mirror.uid), iid))


def fail(job: Job, mirror: Mirror, row: IntentRow, error: E2EError) -> None:
    """The wish is given up, and the app told."""
    step(Stage(row.state), IntentEvent.IMPOSSIBLE)
    intents.remove(job.tx, row.iid)
    quiet = row.kind in _QUIET
    if row.kind == IntentKind.CREATE:
        forget_group(job.tx, mirror)
        mirror.state = ConversationState.FAILED
        mirror.dirty = True
        mirror.save(job.tx)
        drop_outbox(job, mirror.cid)
    job.effects.changes.append((row.iid, error))
    if not quiet:
        job.effects.events.append(IntentFailed(GroupId(mirror.uid), row.iid, error))
