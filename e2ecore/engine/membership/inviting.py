"""Who can be added now, and who was away for so long that nothing of theirs is valid any more.

An account without a valid key package stops nobody else: the others are added, and the wish for
this one waits until its devices were online again and published fresh ones.
"""

from collections.abc import Collection, Sequence
from typing import Final

from e2ecore.engine.membership.judging import check_leaves
from e2ecore.engine.running.job import Job
from e2ecore.engine.running.mirror import Mirror
from e2ecore.engine.telling.events import WaitingForContact
from e2ecore.errors import PeerError
from e2ecore.ids import AccountId, GroupId
from e2ecore.messaging.identity import LeafIdentity, decode_identity, encode_identity
from e2ecore.messaging.intents import IntentKind, Wish
from e2ecore.mls.key_package import KeyPackage
from e2ecore.mls.members import Member
from e2ecore.storage import intents
from e2ecore.storage.intents import IntentRow
from e2ecore_protocol.frames.key_packages import DeviceKeyPackage

INVITING: Final = frozenset({IntentKind.CREATE, IntentKind.ADD})
FIRST_LOOK_MS: Final = 30_000
LAST_LOOK_MS: Final = 15 * 60_000
"""How often the relay is asked whether somebody is back: a quarter of the time waited, within these
bounds. After a new connection it is asked at once."""


class ForeignKeyPackageError(PeerError):
    """The relay handed out somebody else's key package. It was not used."""


def is_valid_now(package: KeyPackage, now_ms: int) -> bool:
    """Has the lifetime of a key package begun, and is it not over?"""
    lifetime = package.leaf_node.lifetime
    return lifetime is not None and lifetime.not_before <= now_ms // 1000 <= lifetime.not_after


def usable(
    job: Job, packages: Sequence[DeviceKeyPackage], wanted: Collection[bytes]
) -> list[tuple[LeafIdentity, KeyPackage]]:
    """Check that key packages are whose they are said to be; leave out those that are over.

    Raises:
        PeerError: One is forged.
        ChainsNeeded: An account's chain must be fetched first.
    """
    checked: list[tuple[LeafIdentity, KeyPackage]] = []
    for item in packages:
        if item.account_id not in wanted:
            continue
        package = KeyPackage.decode(item.key_package)
        who = decode_identity(encode_identity(item.account_id, item.device_id))
        leaf = Member.of(0, package.leaf_node)
        if leaf.identity != encode_identity(*who):
            raise ForeignKeyPackageError
        check_leaves(job, (leaf,))
        if is_valid_now(package, job.now_ms):
            checked.append((who, package))
    return checked


def wait_for(job: Job, mirror: Mirror, row: IntentRow, away: Collection[bytes]) -> None:
    """Leave a wish as it is until accounts were online again; tell the app once."""
    waited_ms = max(0, job.now_ms - row.created_ms)
    pause_ms = min(max(waited_ms // 4, FIRST_LOOK_MS), LAST_LOOK_MS)
    next_ms = job.now_ms + pause_ms
    intents.commit_lost(job.tx, row.iid, attempts=row.attempts, next_ms=next_ms)
    job.effects.intents.add(mirror.cid)
    told, uid = job.state.told_away, GroupId(mirror.uid)
    for account_id in sorted(away):
        if (row.iid, account_id) not in told:
            told.add((row.iid, account_id))
            event = WaitingForContact(uid, row.iid, AccountId(account_id))
            job.effects.events.append(event)


def add_later(job: Job, mirror: Mirror, row: IntentRow, wish: Wish, away: Sequence[bytes]) -> Wish:
    """Split a wish: those who are away get one of their own, which waits.

    Returns:
        What is left of it.
    """
    later = Wish(IntentKind.ADD, tuple(away))
    iid = intents.add(job.tx, mirror.cid, later.kind, later.encode(), job.now_ms)
    second = intents.get(job.tx, iid)
    if second is not None:
        wait_for(job, mirror, second, away)
    rest = Wish(wish.kind, tuple(one for one in wish.accounts if one not in set(away)))
    intents.rewrite(job.tx, row.iid, rest.encode())
    return rest
