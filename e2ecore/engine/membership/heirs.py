"""Accounts that have moved, as the other members see it: the new device gets the old one's place.

A member learns of it from the account's chain or from a request of the new device, whatever comes
first, and wants the same in both cases.

Spec: protocol/spec/70-linking.md, [LNK-55]; protocol/spec/50-content.md, [CNT-45]
"""

from e2ecore.engine.membership.healing import add_intent_later
from e2ecore.engine.running.job import Job
from e2ecore.engine.running.mirror import Mirror
from e2ecore.ids import AccountId, DeviceId
from e2ecore.messaging.identity import LeafIdentity
from e2ecore.messaging.intents import IntentKind, Wish
from e2ecore.storage import intents, members
from e2ecore_protocol.chain.state import AccountState, Device


def heir_of(mirror: Mirror, chain: AccountState) -> Device | None:
    """Return the device that is to take the place of those that an account has in a conversation.

    None: nobody of the account is a member, or one that is is live still.
    """
    seated = {
        one.device_id for one in mirror.by_leaf.values() if one.account_id == chain.account_id
    }
    live = chain.live_devices()
    if not seated or len(live) != 1 or any(one.device_id in seated for one in live):
        return None
    return live[0]


def want_heir(job: Job, mirror: Mirror, account_id: bytes, heir: Device) -> None:
    """Want a commit that removes the leaves of an account and adds its new device."""
    seated = [one.device_id for one in mirror.by_leaf.values() if one.account_id == account_id]
    devices = tuple(
        LeafIdentity(AccountId(account_id), DeviceId(one))
        for one in (heir.device_id, *sorted(seated))
    )
    wish = Wish(IntentKind.SUCCEED, devices=devices)
    known = intents.of_conversation(job.tx, mirror.cid)
    if all(row.kind != wish.kind or Wish.decode(row.kind, row.args) != wish for row in known):
        add_intent_later(job, mirror, wish, avoid=seated[0])


def follow_move(job: Job, chain: AccountState) -> None:
    """The chain of somebody else has grown: if they have moved, follow in every conversation."""
    if len(chain.live_devices()) != 1 or len(chain.devices) == 1:
        return
    for cid in members.conversations_of(job.tx, chain.account_id):
        mirror = job.mirror(cid)
        heir = heir_of(mirror, chain)
        if heir is not None and mirror.group is not None:
            want_heir(job, mirror, chain.account_id, heir)
