"""What else of this device's state is told to our other devices: as it changes, and all at once.

When a second device begins to count, there are no ops yet. Then what is arranged, begun to be
written, blocked, verified, named and chosen here is written down as ops, once.
"""

from typing import Final

from e2ecore.engine.account.people import say_person
from e2ecore.engine.own_talk.oplog import say
from e2ecore.engine.own_talk.own_group import several_count
from e2ecore.engine.running.job import Job
from e2ecore.engine.talk.drafting import say_draft
from e2ecore.storage import (
    app_settings,
    arrangements,
    blocks,
    chains,
    conversations,
    drafts,
    erasure,
    ops,
    revisions,
    settings,
)
from e2ecore.storage.arrangements import ArrangementRow
from e2ecore.storage.chains import Verification
from e2ecore.storage.conversations import ConversationKind
from e2ecore_protocol.content.op_bodies import (
    Archive,
    Blocked,
    Mute,
    Place,
    Retention,
    Revisions,
    Setting,
    Verified,
)

_BEGUN: Final = "ops_begun"
"""The setting that is there once the state was written down."""


def say_arranged(job: Job, uid: bytes, before: ArrangementRow, after: ArrangementRow) -> None:
    """Tell how a conversation is arranged now, as far as that has changed."""
    if after.muted_ms != before.muted_ms:
        say(job, uid, Mute(after.muted_ms))
    if after.archived != before.archived:
        say(job, uid, Archive(after.archived))
    if after.pinned_ms != before.pinned_ms:
        say(job, uid, Place(after.pinned_ms))


def say_verified(job: Job, account_id: bytes) -> None:
    """Tell what was compared of a contact, or that nothing counts any more."""
    row = chains.account(job.tx, account_id)
    if row is not None:
        say(job, account_id, Verified(row.verified or None))


def begin_or_end(job: Job) -> None:
    """Write the present state down when a second device begins to count; forget it with the last.

    Numbers of ops go on where they were, and what was erased stays erased.
    """
    if several_count(job):
        if settings.get(job.tx, _BEGUN) is None:
            settings.put(job.tx, _BEGUN, b"")
            if job.own.holds_identity:  # others came later, or were away: theirs is old
                _write_state(job)
    elif settings.get(job.tx, _BEGUN) is not None:
        settings.remove(job.tx, _BEGUN)
        ops.remove_all(job.tx)


def _write_state(job: Job) -> None:
    tx, own_id = job.tx, job.own.account_id
    for row in conversations.shown(tx):
        if row.kind != ConversationKind.IMPORTED:
            now = arrangements.get(tx, row.cid)
            say_arranged(job, row.uid, ArrangementRow(row.cid), now)
            if drafts.get(tx, row.cid) is not None:
                say_draft(job, row.cid)
            keep_ms = erasure.retention(tx, row.cid)
            if keep_ms is not None:
                say(job, row.uid, Retention(keep_ms))
            _say_revisions(job, row.cid, row.uid)
    _say_revisions(job, revisions.EVERYWHERE, b"")
    for blocked in blocks.all_rows(tx):
        say(job, blocked.account_id, Blocked(1))
    for account in chains.accounts(tx):
        if account.verification != Verification.UNVERIFIED:
            say_verified(job, account.account_id)
        if (account.is_contact or account.forgotten) and account.account_id != own_id:
            say_person(job, account)
    for setting in app_settings.all_rows(tx):
        say(job, setting.name.encode(), Setting(setting.value))


def _say_revisions(job: Job, cid: int, uid: bytes) -> None:
    kept = revisions.choice(job.tx, cid)
    if kept is not None:
        say(job, uid, Revisions(int(kept)))
