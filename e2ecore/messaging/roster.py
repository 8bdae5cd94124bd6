"""Who may change what in a conversation. Every receiver checks each commit by these rules.

Direct: exactly two accounts, for good; no title, no roles; both say how long messages stay. Of
an account's own devices: these alone, and the terms never change. Group:

- owners give and take roles; owners and admins add and remove accounts and set title and policy;
  only an owner removes an admin or an owner;
- everybody may leave, by a proposal of their own that any member commits;
- everybody may refresh their own keys, and may *heal*: remove devices of an account and add live
  devices of the same account again, which changes no membership;
- a group that lost its last owner is owned by its admins, and without admins by all its members.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from e2ecore.errors import PeerError
from e2ecore.messaging.identity import LeafIdentity
from e2ecore_protocol.content.conversation import ConversationInfo, InfoKind, Role


class CommitNotAllowedError(PeerError):
    """A member changed the conversation in a way its role does not allow. It was refused."""


@dataclass(frozen=True, slots=True)
class Roster:
    """What all have agreed on, and the devices of each member account."""

    info: ConversationInfo
    devices: Mapping[bytes, frozenset[bytes]]

    def role(self, account_id: bytes) -> Role:
        """Return what the account may do; no more than MEMBER if it is none."""
        if account_id not in self.devices:
            return Role.MEMBER
        given = {entry.account_id: Role(entry.role) for entry in self.info.roles}
        highest = max(given.get(one, Role.MEMBER) for one in self.devices)
        own = given.get(account_id, Role.MEMBER)
        return Role.OWNER if own == highest else own


@dataclass(frozen=True, slots=True)
class Effect:
    """What a commit would do.

    Attributes:
        committer: Account id.
        removed: By the committer's will.
        left: By proposals of the removed devices themselves.
        info: The new extension; None if it stays.
    """

    committer: bytes
    added: tuple[LeafIdentity, ...] = ()
    removed: tuple[LeafIdentity, ...] = ()
    left: tuple[LeafIdentity, ...] = ()
    info: ConversationInfo | None = None


Devices = Mapping[bytes, frozenset[bytes]]


def after(roster: Roster, effect: Effect) -> dict[bytes, frozenset[bytes]]:
    """Return the devices of each account once the commit is in force."""
    devices = {account: set(ids) for account, ids in roster.devices.items()}
    for gone in (*effect.removed, *effect.left):
        devices.get(gone.account_id, set()).discard(gone.device_id)
    for new in effect.added:
        devices.setdefault(new.account_id, set()).add(new.device_id)
    return {account: frozenset(ids) for account, ids in devices.items() if ids}


def check(roster: Roster, effect: Effect) -> None:
    """Check a commit against the rules above.

    Raises:
        CommitNotAllowedError: It breaks one of them. The text names the rule and no person.
    """
    devices = after(roster, effect)
    if effect.info is not None and effect.info.kind is not roster.info.kind:
        raise CommitNotAllowedError("the kind of a conversation never changes")
    if roster.info.kind is InfoKind.DIRECT:
        _check_direct(roster, effect, devices)
    elif roster.info.kind is InfoKind.SELF:
        _check_own(roster, effect, devices)
    else:
        _check_accounts(roster, effect, devices)
        _check_info(roster, effect, devices)


def _check_direct(roster: Roster, effect: Effect, devices: Devices) -> None:
    info = effect.info or roster.info
    if with_lifetime(info, roster.info.policy.message_lifetime_s) != roster.info:
        raise CommitNotAllowedError("in a direct conversation only the lifetime changes")
    if devices.keys() - roster.devices.keys():
        raise CommitNotAllowedError("nobody can be added to a direct conversation")
    left = {one.account_id for one in effect.left}
    if roster.devices.keys() - devices.keys() - left:
        raise CommitNotAllowedError("nobody can be removed from a direct conversation")


def _check_own(roster: Roster, effect: Effect, devices: Devices) -> None:
    if effect.info is not None and effect.info != roster.info:
        raise CommitNotAllowedError("the terms among own devices never change")
    if devices.keys() - roster.devices.keys():
        raise CommitNotAllowedError("nobody else comes among own devices")


def _check_accounts(roster: Roster, effect: Effect, devices: Devices) -> None:
    power = roster.role(effect.committer)
    if devices.keys() - roster.devices.keys() and power < Role.ADMIN:
        raise CommitNotAllowedError("only admins and owners add members")
    left = {one.account_id for one in effect.left}
    for account in roster.devices.keys() - devices.keys() - left:
        needed = Role.OWNER if roster.role(account) > Role.MEMBER else Role.ADMIN
        if power < needed:
            raise CommitNotAllowedError("this role does not allow to remove that member")


def _check_info(roster: Roster, effect: Effect, devices: Devices) -> None:
    info = effect.info or roster.info
    power = roster.role(effect.committer)
    same = (info.title, info.policy) == (roster.info.title, roster.info.policy)
    if not same and power < Role.ADMIN:
        raise CommitNotAllowedError("only admins and owners change title and policy")
    if power < Role.OWNER:
        _check_roles(roster, info, devices, power)


def _check_roles(roster: Roster, info: ConversationInfo, devices: Devices, power: Role) -> None:
    """Without being owner one may only take roles from accounts that have gone."""
    for account in {entry.account_id for entry in (*info.roles, *roster.info.roles)}:
        old, new = roster.info.role_of(account), info.role_of(account)
        is_member = account in roster.devices
        cleared = not is_member and new is Role.MEMBER and power is Role.ADMIN
        if old is not new and not cleared:
            raise CommitNotAllowedError("only owners change roles")
        if new is not Role.MEMBER and account in devices and not is_member:
            raise CommitNotAllowedError("only owners add somebody with a role")


def with_title(info: ConversationInfo, title: str) -> ConversationInfo:
    """Return terms with another title."""
    return replace(info, title=title)


def with_lifetime(info: ConversationInfo, message_lifetime_s: int) -> ConversationInfo:
    """Return terms with another lifetime of messages, in seconds."""
    return replace(info, policy=info.policy._replace(message_lifetime_s=message_lifetime_s))


def without_strangers(info: ConversationInfo, members: Iterable[bytes]) -> ConversationInfo:
    """Return terms that give no role to accounts outside ``members``."""
    keep = set(members)
    return replace(info, roles=tuple(one for one in info.roles if one.account_id in keep))
