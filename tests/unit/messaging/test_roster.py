"""Who may change what: one good commit each, and the same by somebody without the right."""

from dataclasses import replace

import pytest

from e2ecore.ids import AccountId, DeviceId
from e2ecore.messaging.identity import (
    BadIdentityError,
    ForeignLeafError,
    LeafIdentity,
    check_leaf,
    decode_identity,
    encode_identity,
)
from e2ecore.messaging.intents import Fulfilled, Impossible, IntentKind, Plan, Wish, plan
from e2ecore.messaging.roster import CommitNotAllowedError, Effect, Roster, check, with_lifetime
from e2ecore_protocol.content.conversation import (
    DIRECT_POLICY,
    ConversationInfo,
    InfoKind,
    Role,
)


def account(name: str) -> AccountId:
    return AccountId(name.encode().ljust(20, b"."))


def device(name: str) -> LeafIdentity:
    return LeafIdentity(account(name), DeviceId(name.encode().ljust(16, b"-")))


OWNER, ADMIN, MEMBER, OTHER, STRANGER = "owner", "admin", "member", "other", "stranger"
INFO = (
    ConversationInfo(InfoKind.GROUP, "title")
    .with_role(account(OWNER), Role.OWNER)
    .with_role(account(ADMIN), Role.ADMIN)
)
GROUP = Roster(
    INFO,
    {account(one): frozenset({device(one).device_id}) for one in (OWNER, ADMIN, MEMBER, OTHER)},
)
DIRECT = Roster(
    ConversationInfo(InfoKind.DIRECT, policy=DIRECT_POLICY),
    {account(one): frozenset({device(one).device_id}) for one in (MEMBER, OTHER)},
)


def by(who: str, **change: object) -> Effect:
    return replace(Effect(account(who)), **change)  # type: ignore[arg-type]  # named fields


ALLOWED = [
    pytest.param(
        by(OWNER, info=INFO.with_role(account(MEMBER), Role.ADMIN)), id="owner gives role"
    ),
    pytest.param(by(ADMIN, added=(device(STRANGER),)), id="admin adds"),
    pytest.param(by(ADMIN, removed=(device(MEMBER),)), id="admin removes member"),
    pytest.param(by(OWNER, removed=(device(ADMIN),)), id="owner removes admin"),
    pytest.param(by(ADMIN, info=replace(INFO, title="new")), id="admin renames"),
    pytest.param(by(MEMBER), id="member refreshes keys"),
    pytest.param(by(MEMBER, left=(device(OWNER),)), id="member commits another's leaving"),
    pytest.param(
        by(MEMBER, removed=(device(OTHER),), added=(device(OTHER),)), id="member heals another"
    ),
]
FORBIDDEN = [
    pytest.param(
        by(ADMIN, info=INFO.with_role(account(MEMBER), Role.ADMIN)), id="admin gives role"
    ),
    pytest.param(by(MEMBER, added=(device(STRANGER),)), id="member adds"),
    pytest.param(by(MEMBER, removed=(device(OTHER),)), id="member removes"),
    pytest.param(by(ADMIN, removed=(device(OWNER),)), id="admin removes owner"),
    pytest.param(by(MEMBER, info=replace(INFO, title="new")), id="member renames"),
    pytest.param(
        by(OWNER, info=ConversationInfo(InfoKind.DIRECT, policy=DIRECT_POLICY)), id="kind changes"
    ),
    pytest.param(
        by(
            ADMIN,
            added=(device(STRANGER),),
            info=INFO.with_role(account(STRANGER), Role.ADMIN),
        ),
        id="admin adds an admin",
    ),
    pytest.param(by(STRANGER, info=replace(INFO, title="new")), id="stranger renames"),
]


@pytest.mark.parametrize("effect", ALLOWED)
def test_what_the_role_allows_is_accepted(effect: Effect) -> None:
    check(GROUP, effect)


@pytest.mark.parametrize("effect", FORBIDDEN)
def test_what_the_role_does_not_allow_is_refused(effect: Effect) -> None:
    with pytest.raises(CommitNotAllowedError):
        check(GROUP, effect)


@pytest.mark.parametrize(
    "effect",
    [
        pytest.param(by(MEMBER, added=(device(STRANGER),)), id="add"),
        pytest.param(by(MEMBER, removed=(device(OTHER),)), id="remove"),
        pytest.param(by(MEMBER, info=replace(DIRECT.info, title="new")), id="title"),
    ],
)
def test_of_a_direct_conversation_neither_members_nor_title_change(effect: Effect) -> None:
    with pytest.raises(CommitNotAllowedError):
        check(DIRECT, effect)


def test_in_a_direct_conversation_both_say_how_long_messages_stay_and_nothing_else() -> None:
    check(DIRECT, by(MEMBER, info=with_lifetime(DIRECT.info, 60)))
    check(DIRECT, by(OTHER, info=with_lifetime(DIRECT.info, 1)))
    for wrong in (
        replace(DIRECT.info, policy=DIRECT.info.policy._replace(attachment_ttl_s=1)),
        replace(with_lifetime(DIRECT.info, 60), title="new"),
        DIRECT.info.with_role(account(MEMBER), Role.OWNER),
    ):
        with pytest.raises(CommitNotAllowedError):
            check(DIRECT, by(MEMBER, info=wrong))


def test_among_own_devices_nobody_else_comes_and_the_terms_stay() -> None:
    info = ConversationInfo(InfoKind.SELF, policy=DIRECT_POLICY)
    phone, laptop, tablet = (
        LeafIdentity(account(MEMBER), DeviceId(bytes((n,)) * 16)) for n in range(3)
    )
    own = Roster(info, {account(MEMBER): frozenset({phone.device_id, laptop.device_id})})
    check(own, by(MEMBER, added=(tablet,)))
    check(own, by(MEMBER, removed=(laptop,)))
    for wrong in (by(MEMBER, added=(device(OTHER),)), by(MEMBER, info=with_lifetime(info, 60))):
        with pytest.raises(CommitNotAllowedError):
            check(own, wrong)


def test_a_lifetime_is_set_once_and_only_by_who_may() -> None:
    wish = Wish(IntentKind.SET_LIFETIME, lifetime_s=60)
    found = plan(wish, GROUP, account(ADMIN))
    assert isinstance(found, Plan)
    assert found.info == with_lifetime(INFO, 60)
    agreed = Roster(with_lifetime(INFO, 60), GROUP.devices)
    assert isinstance(plan(wish, agreed, account(ADMIN)), Fulfilled)
    with pytest.raises(Impossible):
        plan(wish, GROUP, account(MEMBER))
    assert Wish.decode(wish.kind, wish.encode()) == wish


def test_in_a_direct_conversation_one_may_leave_and_be_healed() -> None:
    check(DIRECT, by(MEMBER, left=(device(OTHER),)))
    check(DIRECT, by(MEMBER, removed=(device(OTHER),), added=(device(OTHER),)))


def test_a_group_without_owner_is_owned_by_its_admins_and_then_by_all() -> None:
    without = {who: ids for who, ids in GROUP.devices.items() if who != account(OWNER)}
    roster = Roster(INFO, without)
    assert roster.role(account(ADMIN)) is Role.OWNER
    assert roster.role(account(MEMBER)) is Role.MEMBER
    members = {who: ids for who, ids in without.items() if who != account(ADMIN)}
    assert Roster(INFO, members).role(account(MEMBER)) is Role.OWNER
    assert Roster(INFO, members).role(account(STRANGER)) is Role.MEMBER


def test_an_admin_may_clear_the_roles_of_those_who_have_gone() -> None:
    gone = INFO.with_role(account(STRANGER), Role.ADMIN)
    check(Roster(gone, GROUP.devices), by(ADMIN, info=INFO))


class Chain:
    def live_device_key(self, device_id: bytes, /) -> bytes | None:
        return b"key" if device_id == device(MEMBER).device_id else None


def test_a_leaf_needs_the_word_of_its_account() -> None:
    identity = encode_identity(*device(MEMBER))
    assert check_leaf(identity, b"key", Chain()) == device(MEMBER)
    with pytest.raises(ForeignLeafError):
        check_leaf(identity, b"other key", Chain())
    with pytest.raises(ForeignLeafError):
        check_leaf(encode_identity(*device(OTHER)), b"key", Chain())
    with pytest.raises(BadIdentityError):
        decode_identity(identity + b"x")


def test_a_wish_is_planned_fulfilled_or_impossible() -> None:
    me = account(ADMIN)
    add = Wish(IntentKind.ADD, (account(STRANGER),))
    assert plan(add, GROUP, me) == Plan(add=(account(STRANGER),))
    assert isinstance(plan(Wish(IntentKind.ADD, (account(MEMBER),)), GROUP, me), Fulfilled)
    assert isinstance(plan(Wish(IntentKind.REMOVE, (account(STRANGER),)), GROUP, me), Fulfilled)
    assert isinstance(plan(Wish(IntentKind.RENAME, title="title"), GROUP, me), Fulfilled)
    with pytest.raises(Impossible):
        plan(Wish(IntentKind.REMOVE, (account(OWNER),)), GROUP, me)
    with pytest.raises(Impossible):
        plan(Wish(IntentKind.SET_ROLE, (account(STRANGER),), role=Role.ADMIN), GROUP, me)
    with pytest.raises(Impossible):
        plan(add, GROUP, account(MEMBER))


def test_a_wish_survives_the_database() -> None:
    wish = Wish(IntentKind.HEAL, (account(OWNER),), "title", Role.ADMIN, (device(MEMBER),))
    assert Wish.decode(wish.kind, wish.encode()) == wish
