"""A group of one: how every conversation begins. The others are invited by an intent."""

from e2ecore.engine.running.job import Job
from e2ecore.engine.running.mirror import Mirror
from e2ecore.messaging.identity import decode_identity
from e2ecore.messaging.intents import IntentKind, Wish
from e2ecore.mls.extensions import Extension, ExtensionType, RequiredCapabilities
from e2ecore.mls.group import Group
from e2ecore.mls.nodes import Capabilities
from e2ecore.storage import conversations, intents, mls_rows
from e2ecore.storage.conversations import ConversationKind
from e2ecore.storage.tx import Tx
from e2ecore_protocol.content.conversation import (
    CONVERSATION_EXTENSION,
    ConversationInfo,
    InfoKind,
)


def capabilities(job: Job) -> Capabilities:
    """Return what our leaves announce."""
    return Capabilities(
        cipher_suites=(job.state.suite.code,),
        extensions=(CONVERSATION_EXTENSION, ExtensionType.LAST_RESORT_KEY_PACKAGE),
    )


def found_group(
    job: Job, uid: bytes, info: ConversationInfo, accounts: tuple[bytes, ...]
) -> tuple[int, int]:
    """Make a group of this device alone, and store the wish to make it known to the relay.

    Args:
        job: The work under way.
        uid: Its id at the relay.
        info: Its terms.
        accounts: Whom to invite.

    Returns:
        Its local number, and the number of the intent that makes it.
    """
    own, now_ms = job.own, job.now_ms
    row = conversations.create(
        job.tx,
        uid=uid,
        kind=ConversationKind(info.kind),
        state=conversations.ConversationState.CREATING,
        title=info.title,
        peer=accounts[0] if info.kind is InfoKind.DIRECT else b"",
        info=info.encode(),
        created_ms=now_ms,
    )
    mirror = Mirror(row)
    job.state.add_mirror(mirror)
    required = RequiredCapabilities(extension_types=(CONVERSATION_EXTENSION,))
    group = Group.create(
        job.state.suite,
        uid,
        own.signer,
        own.leaf_identity,
        extensions=(
            required.to_extension(),
            Extension(CONVERSATION_EXTENSION, info.encode()),
        ),
        capabilities=capabilities(job),
        now_ms=now_ms,
        rng=job.state.rng,
    )
    seat_everybody(job.tx, mirror, group)
    wish = Wish(IntentKind.CREATE, accounts)
    iid = intents.add(job.tx, mirror.cid, wish.kind, wish.encode(), now_ms)
    job.effects.intents.add(mirror.cid)
    mirror.save(job.tx)
    return mirror.cid, iid


def seat_everybody(tx: Tx, mirror: Mirror, group: Group) -> None:
    """Make a group that has not been stored yet the group of a conversation."""
    mirror.group = group
    mirror.source = mls_rows.MlsRows(tx, mirror.cid)
    mirror.epoch = group.epoch
    for member in group.members():
        who = decode_identity(member.identity)
        mirror.place(who.account_id, who.device_id, member.leaf)
    mirror.set_roles()
    mirror.dirty = True
