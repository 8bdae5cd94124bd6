"""The conversation of our own devices: how they tell each other what is nobody else's affair.

It is an MLS group like any other, with the same relay log, intents and seats, and its members are
the devices of this account that count. It is begun by the device that holds the identity key, once
a second device counts; its id follows from the account, so of two that begin it at once the relay
takes one. When the last other device goes, this one stays alone in it, with new keys, and it waits
for the next. No row of the history belongs to it, and the app never hears of it.

What is said there is content of the kind ``Own``: ``tell_own_devices`` sends it, ``own_topics``
says who takes it.
"""

from collections.abc import Collection
from typing import Final

from e2ecore.engine.membership.founding import found_group
from e2ecore.engine.running.job import Job
from e2ecore.engine.running.mirror import Mirror
from e2ecore.engine.talk.writing import write_unlisted
from e2ecore.engine.values import ConversationState
from e2ecore.storage import conversations
from e2ecore_protocol.content.conversation import DIRECT_POLICY, ConversationInfo, InfoKind
from e2ecore_protocol.content.own import Own
from e2ecore_protocol.frames.conversations import self_conversation_id
from e2ecore_protocol.limits import MAX_DIRECT_ATTEMPT

_IN_USE: Final = frozenset(
    {ConversationState.CREATING, ConversationState.ACTIVE, ConversationState.HEALING}
)


def several_count(job: Job) -> bool:
    """Has the account other devices besides this one, and do all of them count?"""
    own = job.own
    chain = job.state.chain(job.tx, own.account_id)
    if chain is None or len(chain.devices) == 1:
        return False
    valid = {one.device_id for one in chain.valid_devices(job.now_ms)}
    return len(valid) > 1 and own.device_id in valid


def own_group(job: Job) -> Mirror | None:
    """Return the conversation of our own devices; None: there is none that can be used."""
    for cid in job.state.own_cids(job.tx):
        mirror = job.mirror(cid)
        if mirror.state in _IN_USE:
            return mirror
    return None


def begin_own_group(job: Job) -> None:
    """Begin it, after the last one that was lost; at the end of its attempts there is none."""
    account_id = job.own.account_id
    for attempt in range(MAX_DIRECT_ATTEMPT + 1):
        uid = self_conversation_id(account_id, attempt)
        if conversations.by_uid(job.tx, uid) is None:
            found_group(job, uid, ConversationInfo(InfoKind.SELF, policy=DIRECT_POLICY), ())
            return


def tell_own_devices(job: Job, topic: int, bodies: Collection[bytes]) -> bool:
    """Say something to our own other devices. It leaves with this transaction, or never was.

    Each body goes as one envelope, in order, encrypted for the devices that are seated when it
    leaves. A device that is seated later does not get it: what it must know is to be said again,
    or found by comparing. Where the conversation is not ready yet, it waits in the outbox.

    Args:
        job: The work under way.
        topic: What the bodies are, an ``OwnTopic``.
        bodies: At most MAX_OWN_BODY_BYTES each.

    Returns:
        Whether there is anybody to tell: False with one device alone, and before the device that
        holds the identity key has made the conversation.
    """
    mirror = own_group(job) if several_count(job) else None
    if mirror is None:
        return False
    for body in bodies:
        write_unlisted(job, mirror, Own(topic, body))
    return True
