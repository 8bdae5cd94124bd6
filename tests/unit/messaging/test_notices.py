"""What of a commit is told in the history, and how it is stored."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from e2ecore.messaging.lifetimes import lifetime_of, sooner
from e2ecore.messaging.notices import Notice, NoticeKind, between, decode_notice, encode_notice
from e2ecore.messaging.roster import Roster, with_lifetime, with_title
from e2ecore_protocol.codec import pack
from e2ecore_protocol.content.conversation import DIRECT_POLICY, GROUP_POLICY, Role
from e2ecore_protocol.errors import MalformedError
from e2ecore_protocol.limits import MAX_ENVELOPE_LIFETIME_S
from tests.unit.messaging.test_roster import (
    ADMIN,
    DIRECT,
    GROUP,
    INFO,
    MEMBER,
    OTHER,
    OWNER,
    STRANGER,
    account,
    by,
    device,
)

LIFETIMES = st.none() | st.integers(1, 100)


def without(roster: Roster, *names: str) -> Roster:
    gone = {account(one) for one in names}
    left = {who: of for who, of in roster.devices.items() if who not in gone}
    return replace(roster, devices=left)


def test_each_change_is_one_notice_however_many_it_concerns() -> None:
    later = Roster(
        with_lifetime(with_title(INFO, "new").with_role(account(MEMBER), Role.ADMIN), 60),
        {
            **without(GROUP, OTHER).devices,
            account(STRANGER): frozenset({device(STRANGER).device_id}),
        },
    )
    found = between(GROUP, later, by(OWNER, removed=(device(OTHER),)))
    assert found == [
        Notice(NoticeKind.JOINED, (account(STRANGER),)),
        Notice(NoticeKind.REMOVED, (account(OTHER),)),
        Notice(NoticeKind.ROLE, (account(MEMBER),), Role.ADMIN),
        Notice(NoticeKind.TITLE, title="new"),
        Notice(NoticeKind.POLICY, policy=GROUP_POLICY._replace(message_lifetime_s=60)),
    ]


def test_who_left_is_told_from_who_was_removed() -> None:
    later = without(GROUP, OTHER, MEMBER)
    effect = by(ADMIN, removed=(device(MEMBER),), left=(device(OTHER),))
    assert between(GROUP, later, effect) == [
        Notice(NoticeKind.LEFT, (account(OTHER),)),
        Notice(NoticeKind.REMOVED, (account(MEMBER),)),
    ]


def test_who_inherits_a_group_has_another_role() -> None:
    found = between(GROUP, without(GROUP, OWNER), by(OTHER, left=(device(OWNER),)))
    assert found[-1] == Notice(NoticeKind.ROLE, (account(ADMIN),), Role.OWNER)


def test_a_device_added_again_and_the_beginning_of_a_direct_conversation_are_no_news() -> None:
    assert between(GROUP, GROUP, by(MEMBER, added=(device(OTHER),), removed=(device(OTHER),))) == []
    assert between(without(DIRECT, OTHER), DIRECT, by(MEMBER)) == []


@given(
    st.builds(
        Notice,
        st.sampled_from(NoticeKind).map(int),
        st.lists(st.binary(min_size=20, max_size=20), max_size=5).map(tuple),
        st.none() | st.sampled_from(Role).map(int),
        st.text(st.characters(codec="utf-8"), max_size=128),
        st.none() | st.just(DIRECT_POLICY) | st.just(GROUP_POLICY._replace(message_lifetime_s=1)),
        st.integers(0, 2**40),
    )
)
def test_a_notice_is_read_as_it_was_stored(notice: Notice) -> None:
    assert decode_notice(encode_notice(notice)) == notice


@pytest.mark.parametrize(
    "wrong",
    [
        b"",
        b"\xc0",
        pack((99, (), None, "", None, 0)),
        pack((1, (b"short",), None, "", None, 0)),
        pack((1, (), 9, "", None, 0)),
        pack((1, (), None, "x" * 129, None, 0)),
        pack((1, (), None, "", (0, 0, 0), 0)),
        pack((1, (), None, "", None)),
    ],
)
def test_anything_else_is_no_notice(wrong: bytes) -> None:
    with pytest.raises(MalformedError):
        decode_notice(wrong)


@given(LIFETIMES, LIFETIMES, LIFETIMES)
def test_of_two_lifetimes_the_shorter_counts(
    one: int | None, other: int | None, third: int | None
) -> None:
    assert sooner(one, other) == sooner(other, one)
    assert sooner(one, sooner(other, third)) == sooner(sooner(one, other), third)
    assert sooner(one, None) == one
    assert sooner(one, other) in {one, other}


def test_the_longest_lifetime_on_the_wire_stands_for_ever() -> None:
    assert lifetime_of(GROUP_POLICY) is None
    for wanted in (1, MAX_ENVELOPE_LIFETIME_S - 1):
        assert lifetime_of(GROUP_POLICY._replace(message_lifetime_s=wanted)) == wanted
