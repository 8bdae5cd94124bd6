"""Conversations that the relay does not know any more, and what becomes of them here.

The relay orders a conversation from its first commit on, which cannot be given to it again. So the
conversation ends: its history stays, what waits to be sent has failed, and it can be begun anew.
The keys stay, too: a relay that was set back by mistake may come back with what it had.
"""

from collections.abc import Sequence
from typing import Final

from e2ecore.engine.account.accounts import replace_key_packages
from e2ecore.engine.errors import ChangeFailedError
from e2ecore.engine.membership.applying import drop_outbox, forget_group
from e2ecore.engine.running.job import Job
from e2ecore.engine.running.mirror import Mirror
from e2ecore.engine.telling.events import ConversationHealed, ConversationLost
from e2ecore.engine.values import ConversationState
from e2ecore.ids import GroupId
from e2ecore.storage import inbox, intents
from e2ecore_protocol.errors import ErrorCode

UNKNOWN: Final = ErrorCode.UNKNOWN_CONVERSATION.value
_IN_USE: Final = frozenset({ConversationState.ACTIVE, ConversationState.HEALING})


def lose(job: Job, mirror: Mirror) -> None:
    """The relay says that it does not know a conversation which it has confirmed."""
    left = mirror.state == ConversationState.LEFT
    if left:
        forget_group(job.tx, mirror)
    elif mirror.state in _IN_USE:
        mirror.state = ConversationState.LOST
        job.effects.events.append(ConversationLost(GroupId(mirror.uid)))
        inbox.rewind(job.tx)
        replace_key_packages(job)  # those that were used are at the relay again
    else:
        return
    mirror.healing_ms = 0
    mirror.dirty = True
    job.state.asking.pop(mirror.cid, None)
    drop_outbox(job, mirror.cid)
    for row in intents.of_conversation(job.tx, mirror.cid):
        intents.remove(job.tx, row.iid)
        error = None if left else ChangeFailedError(UNKNOWN)
        job.effects.changes.append((row.iid, error))
    mirror.save(job.tx)


def find_again(job: Job, known: Sequence[bytes]) -> None:
    """The relay knows conversations which it did not know the last time: they go on."""
    for uid in known:
        mirror = job.state.find(job.tx, uid)
        if mirror is not None and mirror.state == ConversationState.LOST:
            mirror.state = ConversationState.ACTIVE
            mirror.dirty = True
            mirror.save(job.tx)
            job.effects.events.append(ConversationHealed(GroupId(uid)))
