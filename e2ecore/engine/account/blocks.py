"""People who are blocked: what they say to us alone is not kept, and they are not told.

A block is the affair of this account's own devices. The relay goes on to deliver, MLS goes on to
count; what is dropped is dropped after it was opened, so that nobody else can tell.
"""

from collections.abc import Callable, Container
from typing import Final

from e2ecore.engine.running.job import Job
from e2ecore.engine.running.mirror import Mirror
from e2ecore.engine.values import ConversationState
from e2ecore.storage import blocks
from e2ecore.storage.blocks import BlockRow
from e2ecore.storage.conversations import LIVE_ORDER
from e2ecore.storage.overview import OverviewRow
from e2ecore.storage.tx import Tx
from e2ecore_protocol.content.conversation import ConversationInfo, Role

_OVER: Final = frozenset({ConversationState.LEFT, ConversationState.REMOVED})


def block(job: Job, account_id: bytes) -> None:
    """Note that an account is blocked from now on; once more changes nothing."""
    if account_id not in job.state.blocked(job.tx):
        blocks.add(job.tx, BlockRow(account_id, job.now_ms))
        job.state.forget_blocked()


def unblock(job: Job, account_id: bytes) -> None:
    """Note that an account is blocked no longer."""
    blocks.remove(job.tx, account_id)
    job.state.forget_blocked()


def is_with_blocked(job: Job, mirror: Mirror) -> bool:
    """Is a conversation one with somebody who is blocked, and nobody else?"""
    return bool(mirror.peer) and mirror.peer in job.state.blocked(job.tx)


def is_unwelcome(job: Job, mirror: Mirror) -> bool:
    """Is it a group of somebody who is blocked?"""
    return _is_owned_by(mirror.info, job.state.blocked(job.tx))


def was_turned_away(job: Job, mirror: Mirror) -> bool:
    """Is it a group of somebody who is blocked, left before anything was shown of it?"""
    is_empty = mirror.next_order == LIVE_ORDER and mirror.state in _OVER
    return is_empty and is_unwelcome(job, mirror)


def unwelcome(tx: Tx) -> Callable[[OverviewRow], bool]:
    """Return what tells which conversations were begun by somebody who was blocked then."""
    blocked = {row.account_id for row in blocks.all_rows(tx)}

    def test(row: OverviewRow) -> bool:
        if not blocked or row.newest is not None:
            return False
        one = row.conversation
        if one.peer:
            return one.peer in blocked
        return one.state in _OVER and _is_owned_by(ConversationInfo.decode(one.info), blocked)

    return test


def _is_owned_by(info: ConversationInfo, accounts: Container[bytes]) -> bool:
    return any(one.account_id in accounts and one.role == Role.OWNER for one in info.roles)
