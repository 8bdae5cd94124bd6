"""Beginning a conversation: a group of one, and the intent to invite the others."""

from collections.abc import Sequence

from e2ecore.engine.errors import OwnAccountError, TooManyRestartsError
from e2ecore.engine.membership.founding import found_group
from e2ecore.engine.membership.isolating import withdraw_additions
from e2ecore.engine.running.job import Job
from e2ecore.engine.values import ConversationState
from e2ecore.messaging.intents import IntentKind, Wish
from e2ecore.storage import conversations, intents
from e2ecore.storage.tx import Tx
from e2ecore_protocol.content.conversation import (
    DIRECT_POLICY,
    ConversationInfo,
    InfoKind,
    Role,
)
from e2ecore_protocol.frames.conversations import direct_conversation_id, group_conversation_id
from e2ecore_protocol.limits import MAX_DIRECT_ATTEMPT

_OVER = frozenset(
    {
        ConversationState.LEFT,
        ConversationState.REMOVED,
        ConversationState.FAILED,
        ConversationState.LOST,
    }
)


def begin_direct(job: Job, peer: bytes) -> tuple[int, int]:
    """Find or begin the conversation with one account.

    Returns:
        Its local number, and the number of the intent that makes it; 0 if there is none.

    Raises:
        TooManyRestartsError: It was ended and begun anew too often.
    """
    own = job.own
    if peer == own.account_id:
        raise OwnAccountError
    for attempt in range(MAX_DIRECT_ATTEMPT + 1):
        uid = direct_conversation_id(own.account_id, peer, attempt)
        known = conversations.by_uid(job.tx, uid)
        if known is None:
            info = ConversationInfo(InfoKind.DIRECT, policy=DIRECT_POLICY)
            return found_group(job, uid, info, (peer,))
        if known.state not in _OVER:
            _know_peer(job, known.cid, peer)
            return known.cid, _create_intent(job.tx, known.cid)
    raise TooManyRestartsError


def _know_peer(job: Job, cid: int, peer: bytes) -> None:
    """A conversation whose invitation could not be opened does not say yet whose it is."""
    mirror = job.mirror(cid)
    if not mirror.peer:
        mirror.peer = peer
        mirror.dirty = True
        mirror.save(job.tx)


def _create_intent(tx: Tx, cid: int) -> int:
    rows = intents.of_conversation(tx, cid)
    return next((row.iid for row in rows if row.kind == IntentKind.CREATE), 0)


def begin_group(job: Job, title: str, accounts: Sequence[bytes]) -> tuple[int, int]:
    """Begin a group that we own.

    Returns:
        Its local number, and the number of the intent that makes it.
    """
    info = ConversationInfo(InfoKind.GROUP, title)
    info = info.with_role(job.own.account_id, Role.OWNER)
    return found_group(job, group_conversation_id(job.state.rng(16)), info, tuple(accounts))


def add_wish(job: Job, cid: int, wish: Wish) -> int:
    """Store what the user wants done to a conversation; return its number."""
    if wish.kind is IntentKind.REMOVE:
        withdraw_additions(job, cid, wish.accounts)
    iid = intents.add(job.tx, cid, wish.kind, wish.encode(), job.now_ms)
    job.effects.intents.add(cid)
    return iid
