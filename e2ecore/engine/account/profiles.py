"""Names: what this account wants to be called, told to the members of its conversations."""

from typing import Final

from e2ecore.engine.running.job import Job
from e2ecore.engine.running.mirror import Mirror
from e2ecore.engine.talk.writing import write_content
from e2ecore.storage import account, chains, outbox
from e2ecore_protocol.content.messages import Profile

MAX_TOLD_AGAIN: Final = 16
"""Members up to which everybody tells a new one their name; in larger groups new ones ask less."""


def tell_name(job: Job, mirror: Mirror) -> None:
    """Tell the members of a conversation our display name, if we have one."""
    row = account.load(job.tx)
    if row is None or not row.display_name or mirror.is_own:
        return
    content = Profile(row.display_name).encode()
    outbox.add(job.tx, (write_content(job, mirror, content, 0, job.now_ms),))


def tell_newcomers(job: Job, mirror: Mirror) -> None:
    """Tell those who have just been added our display name, where that is few messages."""
    if len(mirror.by_leaf) <= MAX_TOLD_AGAIN:
        tell_name(job, mirror)


def note_own_names(job: Job) -> None:
    """Make our own names show up beside those of others."""
    row = account.load(job.tx)
    if row is None:
        return
    known = chains.account(job.tx, row.account_id)
    if known is not None:
        names = known._replace(handle=row.handle, display_name=row.display_name)
        chains.save_account(job.tx, names)
