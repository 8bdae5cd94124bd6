"""Requests to be added again, as the members take them."""

from typing import Final

from e2ecore.crypto.signing import ED25519
from e2ecore.engine.membership.deciding import count_vote
from e2ecore.engine.membership.healing import add_intent_later
from e2ecore.engine.membership.heirs import heir_of, want_heir
from e2ecore.engine.membership.judging import ChainsNeeded
from e2ecore.engine.running.job import Job
from e2ecore.engine.running.mirror import Mirror
from e2ecore.ids import AccountId, DeviceId
from e2ecore.messaging.docket import Outcome
from e2ecore.messaging.identity import ForeignLeafError, LeafIdentity
from e2ecore.messaging.intents import IntentKind, Wish
from e2ecore.mls.errors import EpochInFutureError
from e2ecore.storage import intents
from e2ecore_protocol.content.readd import ReaddRequest
from e2ecore_protocol.frames.delivery import Delivery

_DECIDED: Final = frozenset({Outcome.GO_ON, Outcome.FALL_BACK, Outcome.LATE})
"""Who asked because of a commit that is void can go on without help."""


def take_readd_request(job: Job, mirror: Mirror, item: Delivery) -> None:
    """Count what a request says against a commit, and note that its sender wants to be added again.

    Raises:
        PeerError: The request is forged.
        MalformedError: It cannot be read.
        EpochInFutureError: It has to wait for a commit.
        ChainsNeeded: The chain of its account must be fetched first.
    """
    request = ReaddRequest.decode(item.payload)
    if mirror.group is None:
        return  # we wait ourselves; or it is our own request
    if item.epoch > mirror.log_epoch:
        raise EpochInFutureError  # whoever asks may have been added by a commit on its way
    device = mirror.devices.get(request.device_id)
    if request.conversation != mirror.uid:
        raise ForeignLeafError("a re-add request from outside of the conversation")
    if device is None:
        take_successor(job, mirror, request)
        return
    chain = job.state.chain(job.tx, request.account_id)
    if device.account_id != request.account_id or chain is None:
        raise ForeignLeafError("a re-add request in another account's name")
    known = chain.devices.get(request.device_id)
    if known is None or known.removed_ms is not None:
        raise ForeignLeafError("a re-add request of a device that is no more")
    ED25519.verify(known.key, request.signed_message(), request.signature)
    if count_vote(job, mirror, request) in _DECIDED:
        return
    own = job.own
    if request.device_id == own.device_id or device.leaf < 0:
        return
    sick = LeafIdentity(AccountId(request.account_id), DeviceId(request.device_id))
    wish = Wish(IntentKind.HEAL, devices=(sick,))
    if any(
        row.kind == IntentKind.HEAL and sick in Wish.decode(row.kind, row.args).devices
        for row in intents.of_conversation(job.tx, mirror.cid)
    ):
        return
    add_intent_later(job, mirror, wish, avoid=request.device_id)


def take_successor(job: Job, mirror: Mirror, request: ReaddRequest) -> None:
    """Note that an account has moved to the device that asks: none that is a member is its now.

    Raises:
        ForeignLeafError: It has not, or nobody of that account is a member.
        ChainsNeeded: The chain of the account must be fetched first.
    """
    if all(one.account_id != request.account_id for one in mirror.by_leaf.values()):
        raise ForeignLeafError("a re-add request from outside of the conversation")
    chain = job.state.chain(job.tx, request.account_id)
    if chain is None or request.device_id not in chain.devices:
        if job.state.was_asked(request.account_id, request.account_id + request.device_id):
            raise ForeignLeafError("a re-add request of a device that its account does not name")
        raise ChainsNeeded((request.account_id,))
    heir = heir_of(mirror, chain)
    if heir is None or heir.device_id != request.device_id:
        raise ForeignLeafError("a re-add request of a device that its account has to add")
    ED25519.verify(heir.key, request.signed_message(), request.signature)
    want_heir(job, mirror, request.account_id, heir)
