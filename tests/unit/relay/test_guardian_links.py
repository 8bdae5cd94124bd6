"""Links, marks and their ends at the relay: one fault at a time, by a client that was changed."""

import os
from dataclasses import replace

import pytest

from e2ecore_protocol.chain.bodies import (
    AccountClosed,
    ConsentWithdrawn,
)
from e2ecore_protocol.errors import ErrorCode
from e2ecore_protocol.family_limits import (
    GUARDIAN_DOCUMENT_MS,
    MAX_GUARDIAN_APPROVALS,
    MAX_GUARDIAN_LINKS,
    MAX_MINOR_MS,
    MAX_WARDS,
)
from e2ecore_protocol.frames.guardians import Guardianship, MarkedBy, MinorMark
from e2ecore_protocol.guardians import EndingScope
from e2ecore_relay.domain import accounts, guardians, minors
from e2ecore_relay.server.authentication import verify
from tests.support.families import consent
from tests.support.families_at_desk import DAY_MS, INVALID, NEEDED, RANDOM, Home, refused
from tests.support.raw_client import KeyPair, Person
from tests.support.relay_desk import START_MS

pytestmark = pytest.mark.clause("GB42012-14.1a-g")


def test_a_link_needs_both_and_a_mark(home: Home) -> None:
    with refused(INVALID):
        home.submit(home.link())
    home.mark()
    with refused(ErrorCode.BAD_SIGNATURE):
        home.submit(home.link(guardian_key=KeyPair.make()))
    with refused(ErrorCode.BAD_SIGNATURE):
        home.submit(replace(home.link(), ward_signature=bytes(64)))
    with refused(INVALID):
        home.submit(home.link(by=home.ward), by=home.ward)
    stranger = Person("stranger")
    home.register(stranger)
    with refused(INVALID):
        home.submit(home.link(), by=stranger)
    with refused(ErrorCode.UNKNOWN_ACCOUNT):
        home.submit(home.link(by=Person()), by=home.ward)


def test_a_child_is_nobodys_guardian(home: Home) -> None:
    home.mark()
    home.mark(who=home.guardian)
    with refused(INVALID):
        home.submit(home.link())


def test_a_child_does_not_change_its_guardian_by_itself(linked: Home) -> None:
    friend = Person("friend")
    linked.register(friend)
    linked.link_id = os.urandom(16)
    with refused(INVALID):
        linked.submit(linked.link(by=friend), by=friend)


def test_a_guardian_who_leaves_makes_room_for_another(linked: Home) -> None:
    granted = consent()
    linked.submit(linked.approval(granted))
    old = linked.link()
    ending = linked.ending(linked.guardian, EndingScope.LINK)
    linked.submit(ending)
    assert linked.submit(ending) == []
    with refused(NEEDED):
        linked.tries(granted)
    with refused(INVALID):
        linked.submit(old)  # replayed
    with refused(INVALID):
        linked.submit(linked.approval(consent()))
    linked.submit(linked.retraction(granted))
    linked.link_id = os.urandom(16)
    linked.submit(linked.link())
    with refused(NEEDED):
        linked.tries(granted)


def test_the_ward_alone_ends_nothing(linked: Home) -> None:
    for scope in EndingScope:
        linked.submit(linked.ending(linked.ward, scope), by=linked.ward)
        assert linked.shows().link is not None
    assert len(linked.shows(linked.guardian).wards[0].endings) == 1
    with refused(INVALID):
        linked.submit(linked.ending(linked.guardian, EndingScope.MARK), by=linked.ward)
    with refused(ErrorCode.BAD_SIGNATURE):
        forged = linked.ending(linked.ward, EndingScope.MARK, KeyPair.make())
        linked.submit(forged, by=linked.ward)


def test_both_together_end_the_mark(linked: Home) -> None:
    linked.submit(linked.ending(linked.guardian, EndingScope.MARK))
    assert linked.shows().mark is not None
    linked.submit(linked.ending(linked.ward, EndingScope.MARK), by=linked.ward)
    assert linked.shows() == Guardianship(1, None, None, (), (), ())
    linked.append(linked.grow(consent()))


def test_a_mark_ends_on_its_day_and_nothing_of_it_is_left(linked: Home) -> None:
    granted = consent()
    linked.submit(linked.approval(granted))
    linked.submit(linked.ending(linked.ward, EndingScope.MARK), by=linked.ward)
    linked.desk.pass_time(100 * DAY_MS / 1000)
    assert linked.shows().mark is None
    assert linked.shows(linked.guardian).wards == ()
    with refused(INVALID):
        linked.submit(linked.retraction(granted), by=linked.ward)
    with linked.desk.turn() as turn:
        assert minors.forget_some(turn.ledger, turn.now_ms) == 1
    left = linked.desk.connection.execute(
        "SELECT (SELECT count(*) FROM minors), (SELECT count(*) FROM guardian_links),"
        " (SELECT count(*) FROM guardian_approvals), (SELECT count(*) FROM guardian_endings)"
    ).fetchone()
    assert left == (0, 0, 0, 0)


def test_an_approval_after_the_mark_is_over_is_refused(linked: Home) -> None:
    linked.desk.pass_time(100 * DAY_MS / 1000)
    linked.now_ms = linked.desk.now_ms
    with refused(INVALID):
        linked.submit(linked.approval(consent()))


def test_the_own_word_makes_a_mark_later_never_earlier(home: Home) -> None:
    home.mark(days=100)
    home.mark(days=50)
    assert home.shows().mark == MinorMark(START_MS + 100 * DAY_MS, MarkedBy.PERSON)
    home.mark(days=200)
    assert home.shows().mark == MinorMark(START_MS + 200 * DAY_MS, MarkedBy.PERSON)
    for days in (0, MAX_MINOR_MS // DAY_MS + 1):
        with refused(INVALID):
            home.mark(days=days)


def test_the_operators_word_replaces_a_mark(home: Home) -> None:
    home.mark()
    with home.desk.turn() as turn:
        stored = accounts.known(turn.ledger, home.ward.account_id)
        minors.mark(turn.ledger, stored.account, START_MS + DAY_MS, MarkedBy.OPERATOR, turn.now_ms)
    assert home.shows().mark == MinorMark(START_MS + DAY_MS, MarkedBy.OPERATOR)


def test_an_account_that_is_closed_is_nobodys_guardian(linked: Home) -> None:
    entry = linked.guardian.entry(AccountClosed())
    linked.append(entry, who=linked.guardian)
    assert linked.shows().link is None
    with refused(NEEDED):
        linked.tries(consent())
    linked.link_id = os.urandom(16)
    with refused(INVALID):
        linked.submit(linked.link(), by=linked.ward)


def test_guardians_wards_and_approvals_are_counted(linked: Home) -> None:
    for _ in range(MAX_GUARDIAN_LINKS - 1):
        linked.submit(linked.ending(linked.guardian, EndingScope.LINK))
        linked.link_id = os.urandom(16)
        linked.submit(linked.link())
    for _ in range(MAX_GUARDIAN_APPROVALS):
        linked.submit(linked.approval(consent()))
    with refused(INVALID):
        linked.submit(linked.approval(consent()))
    linked.desk.pass_time(GUARDIAN_DOCUMENT_MS / 1000 + 1)
    linked.now_ms = linked.desk.now_ms
    last = consent()
    linked.submit(linked.approval(last))
    assert len(linked.shows().approvals) == 1
    linked.append(linked.grow(last))
    for _ in range(MAX_GUARDIAN_APPROVALS - 1):
        linked.submit(linked.approval(consent()))
    linked.append(linked.grow(ConsentWithdrawn(last.consent_id)))
    linked.submit(linked.approval(consent()))
    linked.submit(linked.ending(linked.guardian, EndingScope.LINK))
    linked.link_id = os.urandom(16)
    with refused(INVALID):
        linked.submit(linked.link())


def test_a_guardian_has_a_family_and_not_a_school(home: Home) -> None:
    for number in range(MAX_WARDS + 1):
        child = home.sibling(f"child{number}")
        child.mark()
        if number < MAX_WARDS:
            child.submit(child.link())
        else:
            with refused(INVALID):
                child.submit(child.link())
    assert len(home.shows(home.guardian).wards) == MAX_WARDS


def test_what_is_no_document_is_refused(linked: Home) -> None:
    with linked.desk.turn() as turn, refused(INVALID):
        guardians.submit(turn, linked.ward.account_id, b"\x90", verify, RANDOM)


def test_contacts_learn_nothing_of_a_mark(linked: Home) -> None:
    """What anybody else can ask for is the same with a mark as without."""
    stored = accounts.known(linked.desk.ledger, linked.ward.account_id)
    page = accounts.page(linked.desk.ledger, 1, stored, 0)
    assert page.entries == tuple(one.encode() for one in linked.ward.entries)
    stranger = Person("stranger")
    linked.register(stranger)
    assert linked.shows(stranger) == Guardianship(1, None, None, (), (), ())
