"""Taking an account over, on the device that it moves to.

The relay has put this device into the routes of the one before. It has a leaf nowhere: in each
conversation it asks, and a member adds it. Until then nothing can be read or said there.

Spec: protocol/spec/70-linking.md, [LNK-50] to [LNK-56]
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from e2ecore.crypto.signing import ED25519
from e2ecore.engine.errors import AlreadyRegisteredError
from e2ecore.engine.membership.healing import ask_for_readd
from e2ecore.engine.membership.unopened import keep_place
from e2ecore.engine.running.job import Job
from e2ecore.engine.values import ConversationState
from e2ecore.errors import PeerError
from e2ecore.linking.keys import LinkBrokenError
from e2ecore.storage import account, settings
from e2ecore.storage.account import AccountRow, AccountState
from e2ecore.storage.tx import Tx
from e2ecore_protocol.chain.state import AccountState as ChainState
from e2ecore_protocol.content.conversation import InfoKind
from e2ecore_protocol.content.linking import Handover
from e2ecore_protocol.content.readd import ReaddReason
from e2ecore_protocol.frames.conversations import Conversations, ListConversations
from e2ecore_protocol.frames.conversations import ConversationState as Listed

if TYPE_CHECKING:
    from e2ecore.engine.running.core import Core

_PLACE: Final = "account_moved_here"
"""The setting that holds our place in the chain until every conversation was asked."""
_SEQ_BYTES: Final = 4


class NewHereError(PeerError):
    """The account has moved to this device. The members are asked to add it."""


def check_free(tx: Tx, account_id: bytes) -> None:
    """Refuse to take an account where there is one, or another one is on its way.

    Raises:
        AlreadyRegisteredError: There is.
    """
    row = account.load(tx)
    if row is None or (row.state == AccountState.LINKING and not row.identity_key):
        return
    if row.state != AccountState.LINKING or row.account_id != account_id:
        raise AlreadyRegisteredError


def note_place(tx: Tx, said: Handover) -> None:
    """Remember where the chain is to name this device, in the transaction that stores its key."""
    settings.put(tx, _PLACE, said.seq.to_bytes(_SEQ_BYTES))


def check_place(tx: Tx, row: AccountRow, chain: ChainState) -> None:
    """Check that the chain is that of the identity key that was handed over, with us in our place.

    Raises:
        LinkBrokenError: It is not. The other device or the relay does not keep to the rules.
    """
    stored = settings.get(tx, _PLACE)
    seq = None if stored is None else int.from_bytes(stored)
    identity = ED25519.load(row.identity_key)
    if identity.public != chain.identity_key or chain.devices[row.device_id].added_seq != seq:
        raise LinkBrokenError("another account than the one that was handed over")


async def take_places(core: "Core") -> None:
    """Ask to be added to the conversations of the account that has moved here, once.

    Raises:
        E2EError: The relay did not answer; the next connection tries again.
    """
    if core.read(lambda tx: settings.get(tx, _PLACE)) is None:
        return
    await core.all_here.wait()
    await core.supplied.wait()  # whoever adds us needs our key packages
    answer = await core.need_link().request(ListConversations(0), Conversations)
    await core.jobs.run(lambda job: _ask_all(job, answer.conversations))


def _ask_all(job: Job, known: Sequence[Listed]) -> None:
    for one in known:
        if job.state.find(job.tx, one.conversation) is None:
            mirror = keep_place(job, one.conversation, NewHereError())
            mirror.log_epoch = one.epoch
            mirror.placed = mirror.dirty = True
            if mirror.info.kind is InfoKind.SELF:
                mirror.state = ConversationState.REMOVED  # nobody is left in it: another is begun
                mirror.save(job.tx)
                continue
            ask_for_readd(job, mirror, ReaddReason.STATE_LOST, NewHereError())
    settings.remove(job.tx, _PLACE)
