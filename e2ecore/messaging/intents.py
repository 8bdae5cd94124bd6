"""Intents: what the user wants done by a commit, kept until a commit that does it is in force.

A commit may lose the race for its epoch. Then the commit is thrown away, not the wish: in the new
epoch the intent is looked at again, and is built again, is already fulfilled, or has become
impossible.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from types import MappingProxyType
from typing import Final, cast

from e2ecore.crypto.rng import Rng
from e2ecore.errors import CorruptStateError
from e2ecore.ids import AccountId, DeviceId
from e2ecore.messaging.identity import DEVICE_ID_BYTES, LeafIdentity
from e2ecore.messaging.roster import (
    CommitNotAllowedError,
    Effect,
    Roster,
    check,
    with_lifetime,
    with_title,
    without_strangers,
)
from e2ecore.messaging.sending import ImpossibleStepError
from e2ecore_protocol.codec import pack, unpack
from e2ecore_protocol.content.conversation import ConversationInfo, Role

_Stored = tuple[
    tuple[bytes, ...], str, int, tuple[tuple[AccountId, DeviceId], ...], *tuple[int, ...]
]

MAX_ATTEMPTS: Final = 40
"""Lost races after which an intent is given up.

Five members who always commit at once need about ten.
"""
FIRST_PAUSE_MS: Final = 20
MAX_PAUSE_MS: Final = 2_000
MAX_WISH_BYTES: Final = 1 << 20
"""Longest stored wish: as many accounts as a conversation may have, many times over."""
MAX_REFUSALS: Final = 8
"""Refusals of the other kind (no key packages, over quota) before an intent is given up."""


class IntentKind(IntEnum):
    """What is wanted. The numbers are stored: never change one."""

    CREATE = 1
    """Make the conversation at the relay, with all its first members."""
    ADD = 2
    REMOVE = 3
    RENAME = 4
    SET_ROLE = 5
    UPDATE = 6
    """Refresh our own keys."""
    HEAL = 7
    """Remove and add again devices that asked for it."""
    SETTLE = 8
    """Commit what others have proposed: somebody wants to leave."""
    LEAVE = 9
    """Propose our own removal and wait until somebody commits it."""
    REROUTE = 10
    """Have the relay deliver no more to devices that are no members."""
    SET_LIFETIME = 11
    """Have messages erase themselves after another time."""
    SEAT = 12
    """Add devices of our own account."""
    UNSEAT = 13
    """Remove devices of our own account."""
    SUCCEED = 14
    """Add the device to which an account has moved, and remove those that it had."""


class IntentState(IntEnum):
    """Where an intent is. The numbers are stored: never change one."""

    WANTED = 1
    STAGED = 2
    """A commit was made, stored, and perhaps sent."""
    APPLIED = 3
    GIVEN_UP = 4


class IntentEvent(IntEnum):
    """What can happen to an intent."""

    COMMIT_MADE = 1
    COMMIT_ACCEPTED = 2
    RACE_LOST = 3
    REFUSED = 4
    FULFILLED = 5
    IMPOSSIBLE = 6


TRANSITIONS: Final[Mapping[tuple[IntentState, IntentEvent], IntentState]] = MappingProxyType(
    {
        (IntentState.WANTED, IntentEvent.COMMIT_MADE): IntentState.STAGED,
        (IntentState.WANTED, IntentEvent.FULFILLED): IntentState.APPLIED,
        (IntentState.WANTED, IntentEvent.IMPOSSIBLE): IntentState.GIVEN_UP,
        (IntentState.STAGED, IntentEvent.COMMIT_ACCEPTED): IntentState.APPLIED,
        (IntentState.STAGED, IntentEvent.RACE_LOST): IntentState.WANTED,
        (IntentState.STAGED, IntentEvent.REFUSED): IntentState.WANTED,
        (IntentState.STAGED, IntentEvent.FULFILLED): IntentState.APPLIED,
        (IntentState.STAGED, IntentEvent.IMPOSSIBLE): IntentState.GIVEN_UP,
    }
)
"""Every step there is."""


def step(state: IntentState, event: IntentEvent) -> IntentState:
    """Return the next state.

    Raises:
        ImpossibleStepError: The table has no such step.
    """
    try:
        return TRANSITIONS[state, event]
    except KeyError:
        raise ImpossibleStepError(f"{event.name} while {state.name}") from None


@dataclass(frozen=True, slots=True)
class Wish:
    """The arguments of an intent, as far as its kind uses them."""

    kind: IntentKind
    accounts: tuple[bytes, ...] = ()
    title: str = ""
    role: Role = Role.MEMBER
    devices: tuple[LeafIdentity, ...] = ()
    lifetime_s: int = 0

    def encode(self) -> bytes:
        """Return the arguments for one database column; the kind has a column of its own."""
        more = (self.lifetime_s,) if self.lifetime_s else ()  # wishes of before have none
        return pack((self.accounts, self.title, int(self.role), self.devices, *more))

    @classmethod
    def decode(cls, kind: int, data: bytes) -> "Wish":
        """Read what ``encode`` wrote.

        Raises:
            CorruptStateError: ``encode`` did not write it.
        """
        try:
            accounts, title, role, devices, *more = cast("_Stored", unpack(data, MAX_WISH_BYTES))
            who = tuple(map(LeafIdentity._make, devices))
            return cls(IntentKind(kind), accounts, title, Role(role), who, *more)
        except (ValueError, TypeError) as error:
            raise CorruptStateError("an intent's arguments do not decode") from error


@dataclass(frozen=True, slots=True)
class Plan:
    """What a commit for the wish must contain in the present epoch."""

    add: tuple[bytes, ...] = ()
    """Accounts of which all live devices are to be added."""
    heal: tuple[LeafIdentity, ...] = ()
    """Devices to add; where they have a leaf, it is removed."""
    remove: tuple[LeafIdentity, ...] = ()
    info: ConversationInfo | None = None
    """The new extension, if it changes."""


class Fulfilled:
    """Somebody else has done it already."""


class Impossible(Exception):  # noqa: N818 - a finding about a wish, not an error of its own
    """The wish cannot be fulfilled any more. The text says why."""


def plan(wish: Wish, roster: Roster, own_account: bytes) -> Plan | Fulfilled:
    """Decide what has to be committed now.

    Raises:
        Impossible: It is no longer possible, or our role does not allow it.
    """
    found = _PLANNERS[wish.kind](wish, roster)
    if isinstance(found, Fulfilled):
        return found
    try:
        check(roster, _effect(found, own_account))
    except CommitNotAllowedError as error:
        raise Impossible(str(error)) from error
    return found


def pause_ms(attempts: int, rng: Rng) -> int:
    """Return how long to wait before the next attempt.

    Doubling, capped, and anywhere below that.
    """
    ceiling = min(MAX_PAUSE_MS, FIRST_PAUSE_MS << min(attempts, 10))
    return int.from_bytes(rng(4), "big") % ceiling


_NEW_DEVICE: Final = DeviceId(bytes(DEVICE_ID_BYTES))
"""Stands for the devices of an account that is to be added: the rules ask only for the account."""


def _effect(found: Plan, own_account: bytes) -> Effect:
    added = tuple(LeafIdentity(AccountId(who), _NEW_DEVICE) for who in found.add)
    removed = (*found.remove, *found.heal)
    return Effect(own_account, (*added, *found.heal), removed, (), found.info)


def _add(wish: Wish, roster: Roster) -> Plan | Fulfilled:
    new = tuple(who for who in wish.accounts if who not in roster.devices)
    if not new:
        return Fulfilled()
    info = without_strangers(roster.info, roster.devices)
    return Plan(add=new, info=info if info != roster.info else None)


def _remove(wish: Wish, roster: Roster) -> Plan | Fulfilled:
    gone = tuple(
        LeafIdentity(AccountId(who), DeviceId(device))
        for who in wish.accounts
        for device in sorted(roster.devices.get(who, ()))
    )
    return Plan(remove=gone) if gone else Fulfilled()


def _rename(wish: Wish, roster: Roster) -> Plan | Fulfilled:
    if roster.info.title == wish.title:
        return Fulfilled()
    return Plan(info=with_title(roster.info, wish.title))


def _set_lifetime(wish: Wish, roster: Roster) -> Plan | Fulfilled:
    info = with_lifetime(roster.info, wish.lifetime_s)
    return Plan(info=info) if info != roster.info else Fulfilled()


def _set_role(wish: Wish, roster: Roster) -> Plan | Fulfilled:
    info = roster.info
    for who in wish.accounts:
        if who not in roster.devices:
            raise Impossible("the account is no member any more")
        info = info.with_role(who, wish.role)
    return Plan(info=info) if info != roster.info else Fulfilled()


def _heal(wish: Wish, roster: Roster) -> Plan | Fulfilled:
    sick = tuple(one for one in wish.devices if one.account_id in roster.devices)
    return Plan(heal=sick) if sick else Fulfilled()


def _succeed(wish: Wish, roster: Roster) -> Plan | Fulfilled:
    """The first device is the new one, the others were before it."""
    new, *old = wish.devices
    seated = roster.devices.get(new.account_id, frozenset())
    if not seated:
        raise Impossible("the account is no member any more")
    gone = tuple(one for one in old if one.device_id in seated)
    if not gone and new.device_id in seated:
        return Fulfilled()
    return Plan(heal=(new,), remove=gone)


def _seat(wish: Wish, roster: Roster) -> Plan | Fulfilled:
    new = tuple(
        one for one in wish.devices if one.device_id not in roster.devices.get(one.account_id, ())
    )
    return Plan(heal=new) if new else Fulfilled()


def _unseat(wish: Wish, roster: Roster) -> Plan | Fulfilled:
    gone = tuple(
        one for one in wish.devices if one.device_id in roster.devices.get(one.account_id, ())
    )
    return Plan(remove=gone) if gone else Fulfilled()


def _reroute(wish: Wish, roster: Roster) -> Plan | Fulfilled:
    members = {device for devices in roster.devices.values() for device in devices}
    return Fulfilled() if all(one.device_id in members for one in wish.devices) else Plan()


def _nothing(_wish: Wish, _roster: Roster) -> Plan | Fulfilled:
    return Plan()


_PLANNERS: Final = MappingProxyType(
    {
        IntentKind.CREATE: _nothing,
        IntentKind.ADD: _add,
        IntentKind.REMOVE: _remove,
        IntentKind.RENAME: _rename,
        IntentKind.SET_ROLE: _set_role,
        IntentKind.UPDATE: _nothing,
        IntentKind.HEAL: _heal,
        IntentKind.SETTLE: _nothing,
        IntentKind.LEAVE: _nothing,
        IntentKind.REROUTE: _reroute,
        IntentKind.SET_LIFETIME: _set_lifetime,
        IntentKind.SEAT: _seat,
        IntentKind.UNSEAT: _unseat,
        IntentKind.SUCCEED: _succeed,
    }
)
