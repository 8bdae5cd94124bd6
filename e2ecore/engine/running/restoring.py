"""A relay that was set back to an old state, as by an old backup: noticed, told, and made good.

The relay has then forgotten what it had confirmed: accounts, envelopes, commits, which key
packages are used up. What is signed by us is given to it again; its numbers are taken as they are
now, because they only order envelopes: what was read before is recognised by its keys, which are
used once. Nothing that is stored here is changed.

Not recovered: what was accepted and not delivered to anybody before, and conversations that the
relay does not know any more. They are lost: their history stays, and they can be begun anew.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from e2ecore.engine.account.accounts import replace_key_packages
from e2ecore.engine.account.registering import register_at_relay
from e2ecore.engine.running.job import Job
from e2ecore.engine.running.losing import find_again
from e2ecore.engine.telling.events import RelaySetBack
from e2ecore.ids import GroupId
from e2ecore.storage import account, chains, inbox, shared_marks
from e2ecore.transport.errors import RelayRefusedError
from e2ecore.transport.login import Dial
from e2ecore_protocol.errors import ErrorCode
from e2ecore_protocol.frames.accounts import AppendChain
from e2ecore_protocol.frames.conversations import ConversationState
from e2ecore_protocol.frames.session import Ok
from e2ecore_protocol.limits import MAX_ENTRIES_PER_FRAME

if TYPE_CHECKING:
    from e2ecore.engine.running.core import Core

_AT_REGISTRATION = 2
"""Entries of a chain that register an account."""


async def restore_account(core: "Core", dial: Dial) -> None:
    """Give the relay our account, of which it knows nothing any more.

    If somebody else has our handle now, we have none.

    Raises:
        E2EError: It was not possible; the next connection tries again.
    """
    entries, handle = await core.jobs.run(_own_account)
    first = entries[:_AT_REGISTRATION]
    try:
        await register_at_relay(core, dial, first, handle)
    except RelayRefusedError as error:
        if error.code is not ErrorCode.HANDLE_TAKEN:
            raise
        await register_at_relay(core, dial, first, None)
    await core.jobs.run(lambda job: _told(job, forgot_account=True))


def _own_account(job: Job) -> tuple[tuple[bytes, ...], str | None]:
    row = account.load(job.tx)
    rows = chains.entries(job.tx, job.own.account_id)
    return tuple(one.entry for one in rows), (row.handle if row else "") or None


async def restore_chain(core: "Core", head_seq: int) -> None:
    """Give the relay the entries of our chain behind the head that it has.

    Raises:
        E2EError: It was not possible; the next connection tries again.
    """
    entries, _ = await core.jobs.run(_own_account)
    missing = entries[head_seq + 1 :]
    for at in range(0, len(missing), MAX_ENTRIES_PER_FRAME):
        some = missing[at : at + MAX_ENTRIES_PER_FRAME]
        await core.need_link().request(AppendChain(0, some), Ok)


def take_numbers(job: Job, states: Sequence[ConversationState]) -> None:
    """Go on from the relay's numbers in conversations where they went back."""
    gone: list[GroupId] = []
    went_back = False
    find_again(job, [one.conversation for one in states])
    for one in states:
        mirror = job.state.find(job.tx, one.conversation)
        if mirror is None or mirror.group is None:
            continue
        if one.head_seq >= mirror.cursor and one.epoch >= mirror.log_epoch:
            continue
        mirror.cursor = min(mirror.cursor, one.head_seq)
        mirror.log_epoch = min(mirror.log_epoch, one.epoch)
        mirror.marks = shared_marks.set_back(job.tx, mirror.marks, one.cursor)
        mirror.traffic = mirror.dirty = True
        mirror.save(job.tx)
        went_back = True
        if not mirror.is_own:
            gone.append(GroupId(mirror.uid))
    if went_back:
        _told(job, conversations=tuple(gone))


def _told(
    job: Job, *, forgot_account: bool = False, conversations: tuple[GroupId, ...] = ()
) -> None:
    """Tell the app; begin the inbox anew, and replace all key packages: some may be used up."""
    inbox.rewind(job.tx)
    job.state.replaced_ms = 0
    replace_key_packages(job)
    effects = job.effects
    effects.pause_ms = 1  # the sender begins anew with what is not accepted
    effects.events.append(RelaySetBack(conversations, forgot_account))
