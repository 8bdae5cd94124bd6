"""What happened to a conversation itself, as it is kept in the history between the messages.

Each device writes its own notices, about what it has checked; nobody sends any. They hold no words:
the app finds these, in whatever language.
"""

from collections.abc import Iterable
from enum import IntEnum
from typing import Final, NamedTuple, cast

from e2ecore.messaging.roster import Effect, Roster
from e2ecore_protocol.codec import Wire, pack, unpack
from e2ecore_protocol.content.conversation import POLICY, InfoKind, Policy, Role
from e2ecore_protocol.limits import ACCOUNT_ID_BYTES, KIB, MAX_MEMBERS, MAX_TITLE_CHARS
from e2ecore_protocol.shape import exactly, integer, listing, maybe, one_of, record, text

_MAX_BYTES: Final = 64 * KIB
"""A notice of a thousand members has 23 KiB."""


class NoticeKind(IntEnum):
    """What happened. The numbers are stored: never change one."""

    JOINED = 1
    """Accounts became members."""
    LEFT = 2
    """An account left of its own will."""
    REMOVED = 3
    """Accounts were removed."""
    ROLE = 4
    """Accounts have another role."""
    TITLE = 5
    """The title is another one."""
    POLICY = 6
    """The rules are others: how long messages and attachments stay."""
    KEYS = 7
    """An account has other devices: compare the safety number again."""
    EXPIRED = 8
    """Messages were thrown away by the relay before this device could have them."""


class Notice(NamedTuple):
    """One notice, as far as its kind uses the fields."""

    kind: int
    accounts: tuple[bytes, ...] = ()
    """Whom it is about, ascending."""
    role: int | None = None
    title: str = ""
    policy: Policy | None = None
    expired: int = 0
    """How many messages are gone."""


_notice: Final = record(
    Notice._make,
    one_of(*NoticeKind),
    listing(exactly(ACCOUNT_ID_BYTES), MAX_MEMBERS),
    maybe(one_of(*Role)),
    text(MAX_TITLE_CHARS),
    maybe(POLICY),
    integer(),
)


def encode_notice(notice: Notice) -> bytes:
    """Return what is stored."""
    return pack(cast("tuple[Wire, ...]", notice))


def decode_notice(data: bytes) -> Notice:
    """Return what was stored.

    Raises:
        MalformedError: That was something else.
    """
    return _notice(unpack(data, _MAX_BYTES))


def between(before: Roster, now: Roster, effect: Effect) -> list[Notice]:
    """Return what a commit, or what was missed of several, has changed.

    Args:
        before: Who was a member, and on which terms.
        now: Who is.
        effect: Who did it, and who of those that are gone had wished to go.
    """
    found: list[Notice] = []
    if now.info.kind is InfoKind.GROUP:
        _about(found, NoticeKind.JOINED, now.devices.keys() - before.devices.keys())
    gone = before.devices.keys() - now.devices.keys()
    own_will = gone & {one.account_id for one in effect.left}
    for account in sorted(own_will):
        _about(found, NoticeKind.LEFT, (account,))
    _about(found, NoticeKind.REMOVED, gone - own_will)
    stayed = now.devices.keys() & before.devices.keys()
    if now.info.roles != before.info.roles or gone:
        moved = [who for who in stayed if now.role(who) is not before.role(who)]
        for role in Role:
            _about(found, NoticeKind.ROLE, [one for one in moved if now.role(one) is role], role)
    if now.info.title != before.info.title:
        found.append(Notice(NoticeKind.TITLE, title=now.info.title))
    if now.info.policy != before.info.policy:
        found.append(Notice(NoticeKind.POLICY, policy=now.info.policy))
    return found


def _about(
    found: list[Notice], kind: NoticeKind, accounts: Iterable[bytes], role: Role | None = None
) -> None:
    whom = tuple(sorted(accounts))
    if whom:
        found.append(Notice(kind, whom, role))
