"""Notices in the history: what happened to a conversation, in its order between the messages."""

from collections.abc import Iterable
from typing import Final

from e2ecore.engine.account.blocks import was_turned_away
from e2ecore.engine.running.job import Job
from e2ecore.engine.running.mirror import Mirror
from e2ecore.engine.values import MessageKind, Notice
from e2ecore.ids import AccountId
from e2ecore.messaging import notices
from e2ecore.messaging.lifetimes import lifetime_of
from e2ecore.messaging.notices import NoticeKind, decode_notice, encode_notice
from e2ecore.storage import members, messages
from e2ecore.storage.messages import MessageRow, MessageState, message_row_id
from e2ecore_protocol.content.conversation import HistorySharing, Role
from e2ecore_protocol.frames.delivery import make_envelope_id
from e2ecore_protocol.limits import ACCOUNT_ID_BYTES, DEVICE_ID_BYTES

NOBODY: Final = bytes(ACCOUNT_ID_BYTES)
"""Stands in a row for whoever did it, where that cannot be told."""
_NO_DEVICE: Final = bytes(DEVICE_ID_BYTES)


def note(job: Job, mirror: Mirror, by: bytes, found: Iterable[notices.Notice]) -> None:
    """Put notices behind the newest message. They are not unread. The caller saves the mirror.

    None in a conversation that is never shown: see ``blocks``, ``own_group``.
    """
    if mirror.is_own:
        job.effects.own_seats = True  # what expired is missing: see ``siblings``
        return
    if was_turned_away(job, mirror):
        return
    rows: list[MessageRow] = []
    now_ms = job.now_ms
    for one in found:
        order, mirror.next_order = mirror.next_order, mirror.next_order + 1
        mirror.last_mid = job.state.next_mid(job.tx)
        rows.append(
            MessageRow(
                message_row_id(mirror.cid, order), mirror.last_mid,
                make_envelope_id(now_ms, job.state.rng(10)), by, _NO_DEVICE, 0, 0, now_ms, now_ms,
                MessageKind.NOTICE, MessageState.RECEIVED, "", encode_notice(one),
            )
        )  # fmt: skip
        mirror.traffic = True
    messages.insert(job.tx, rows)


def note_keys(job: Job, account_id: bytes) -> None:
    """Tell in every conversation with somebody that their devices have changed."""
    for cid in members.conversations_of(job.tx, account_id):
        mirror = job.mirror(cid)
        note(job, mirror, account_id, (notices.Notice(NoticeKind.KEYS, (account_id,)),))
        mirror.save(job.tx)


def notice_of(row: MessageRow) -> Notice:
    """Return a notice as the app sees it.

    Raises:
        MalformedError: An import has brought something else.
    """
    said = decode_notice(row.ext)
    policy = said.policy
    return Notice(
        NoticeKind(said.kind),
        None if row.account_id == NOBODY else AccountId(row.account_id),
        tuple(map(AccountId, said.accounts)),
        None if said.role is None else Role(said.role),
        said.title,
        None if policy is None else lifetime_of(policy),
        None if policy is None else policy.attachment_ttl_s,
        None if policy is None else HistorySharing(policy.history_sharing),
        said.expired,
    )
