"""What all members agree on: the ``conversation`` extension (0xF0E2) of the MLS GroupContext.

Roles are checked by every member on every commit; the relay never sees them.
Spec: protocol/spec/50-content.md
"""

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final, NamedTuple, Self

from e2ecore_protocol.codec import pack, unpack
from e2ecore_protocol.errors import MalformedError
from e2ecore_protocol.limits import (
    ACCOUNT_ID_BYTES,
    MAX_ATTACHMENT_TTL_DIRECT_S,
    MAX_ATTACHMENT_TTL_GROUP_S,
    MAX_CONVERSATION_INFO_BYTES,
    MAX_ENVELOPE_LIFETIME_S,
    MAX_MEMBERS,
    MAX_TITLE_CHARS,
)
from e2ecore_protocol.shape import exactly, integer, listing, one_of, record, text

CONVERSATION_EXTENSION: Final = 0xF0E2
"""MLS extension type of the encoded ConversationInfo, from the range for private use."""


class InfoKind(IntEnum):
    """What a conversation is; the same numbers as the relay's ConversationKind."""

    DIRECT = 1
    GROUP = 2
    SELF = 4
    """Of the devices of one account; as little to say of it as of a direct one."""


class Role(IntEnum):
    """What a member may do. An account that is not listed is a MEMBER."""

    MEMBER = 1
    """Send, leave."""

    ADMIN = 2
    """Also add and remove members, change title and policy."""

    OWNER = 3
    """Also give and take roles, remove admins."""


class HistorySharing(IntEnum):
    """Who may give older messages to new members."""

    NOBODY = 0
    ADMINS = 1
    MEMBERS = 2


class RoleOf(NamedTuple):
    """The role of one account: ADMIN or OWNER."""

    account_id: bytes
    role: int


class Policy(NamedTuple):
    """Rules of one conversation.

    In seconds, at least 1: for how long attachments wait at the relay at most; after how long every
    device erases a message, where MAX_ENVELOPE_LIFETIME_S stands for never.
    """

    attachment_ttl_s: int
    message_lifetime_s: int = MAX_ENVELOPE_LIFETIME_S
    history_sharing: int = HistorySharing.NOBODY


DIRECT_POLICY: Final = Policy(MAX_ATTACHMENT_TTL_DIRECT_S)
GROUP_POLICY: Final = Policy(MAX_ATTACHMENT_TTL_GROUP_S)

_VERSION: Final = 1
_FIELDS: Final = 5
_version = one_of(_VERSION)
_kind = one_of(*InfoKind)
_title = text(MAX_TITLE_CHARS)
_role = record(RoleOf._make, exactly(ACCOUNT_ID_BYTES), one_of(Role.ADMIN, Role.OWNER))
_roles = listing(_role, MAX_MEMBERS)
POLICY: Final = record(
    Policy._make,
    integer(MAX_ATTACHMENT_TTL_GROUP_S, 1),
    integer(MAX_ENVELOPE_LIFETIME_S, 1),
    one_of(*HistorySharing),
)


@dataclass(frozen=True, slots=True)
class ConversationInfo:
    """Kind, title, roles and policy.

    On the wire [1, kind, title, [[account, role]...], [attachment ttl, lifetime, sharing]].
    Roles are sorted by account id, each account once. In a direct conversation both accounts are
    equal: no roles, no title. In that of an account's own devices neither.
    """

    kind: InfoKind
    title: str = ""
    roles: tuple[RoleOf, ...] = ()
    policy: Policy = field(default=GROUP_POLICY)

    def role_of(self, account_id: bytes) -> Role:
        """Return the role of an account; MEMBER if it is not listed."""
        for entry in self.roles:
            if entry.account_id == account_id:
                return Role(entry.role)
        return Role.MEMBER

    def with_role(self, account_id: bytes, role: Role) -> "ConversationInfo":
        """Return a copy in which an account has another role; MEMBER takes it off the list."""
        roles = [entry for entry in self.roles if entry.account_id != account_id]
        if role is not Role.MEMBER:
            roles.append(RoleOf(account_id, role))
        return ConversationInfo(self.kind, self.title, tuple(sorted(roles)), self.policy)

    def encode(self) -> bytes:
        """Return the canonical encoding."""
        return pack((_VERSION, self.kind, self.title, self.roles, self.policy))

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Parse the content of the extension.

        Raises:
            MalformedError: Not canonical, beyond a limit, or contradicting its kind.
        """
        wire = unpack(data, MAX_CONVERSATION_INFO_BYTES)
        if len(wire) != _FIELDS:
            raise MalformedError(f"expected an array of {_FIELDS} fields")
        _version(wire[0])
        info = cls(InfoKind(_kind(wire[1])), _title(wire[2]), _roles(wire[3]), POLICY(wire[4]))
        _check(info)
        return info


def _check(info: ConversationInfo) -> None:
    accounts = [entry.account_id for entry in info.roles]
    if accounts != sorted(set(accounts)):
        raise MalformedError("roles are sorted by account, each account once")
    if info.kind is InfoKind.GROUP:
        return
    if info.title or info.roles:
        raise MalformedError("only a group has a title and roles")
    if info.policy.attachment_ttl_s > MAX_ATTACHMENT_TTL_DIRECT_S:
        raise MalformedError(f"attachments wait at most {MAX_ATTACHMENT_TTL_DIRECT_S} s here")
