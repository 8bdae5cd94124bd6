"""What the relay refuses a marked account: one fault at a time, by a client that was changed."""

from dataclasses import replace

import pytest

from e2ecore_protocol.chain.bodies import (
    MULTI_DEVICE_SYNC,
    AccountClosed,
    ConsentWithdrawn,
    DeviceRemoved,
)
from e2ecore_protocol.errors import ErrorCode
from e2ecore_protocol.family_limits import GUARDIAN_DOCUMENT_MS
from e2ecore_protocol.frames.guardians import Guardianship
from e2ecore_protocol.limits import MAX_CLOCK_DIFFERENCE_MS
from e2ecore_relay.domain.errors import RefusedError
from tests.support.families import consent
from tests.support.families_at_desk import DAY_MS, INVALID, NEEDED, Home, refused
from tests.support.raw_client import KeyPair
from tests.support.relay_desk import START_MS

pytestmark = pytest.mark.clause("GB42012-14.1a-g")


def test_without_a_mark_nobody_needs_a_guardian(home: Home) -> None:
    home.append(home.grow(consent()))
    assert home.shows() == Guardianship(1, None, None, (), (), ())


def test_a_marked_account_agrees_to_nothing_without_its_guardian(home: Home) -> None:
    home.mark()
    with pytest.raises(RefusedError) as caught:
        home.tries(consent())
    assert (caught.value.code, caught.value.data) == (NEEDED, "presence")
    home.submit(home.link())
    with refused(NEEDED):
        home.tries(consent())


def test_what_the_guardian_approves_the_chain_takes(linked: Home) -> None:
    granted = consent(expires_ms=START_MS + DAY_MS)
    linked.submit(linked.approval(granted))
    linked.append(linked.grow(granted))
    assert linked.shows().approvals[0].retraction is None


@pytest.mark.parametrize(
    "changed",
    [
        {"purpose": "profiling"},
        {"notice_hash": bytes([1] * 32)},
        {"commitment": bytes(32)},
        {"expires_ms": START_MS + DAY_MS},
        {"consent_id": bytes(16)},
    ],
    ids=lambda one: next(iter(one)),
)
def test_an_approval_is_for_one_consent_in_every_field(
    linked: Home, changed: dict[str, object]
) -> None:
    granted = consent()
    linked.submit(linked.approval(granted))
    with refused(NEEDED):
        linked.tries(replace(granted, **changed))  # type: ignore[arg-type]


def test_an_approval_for_another_ward_is_of_no_use(home: Home) -> None:
    home.mark()
    home.submit(home.link())
    other = home.sibling("sister")
    other.mark()
    other.submit(other.link())
    granted = consent()
    other.submit(other.approval(granted))
    with refused(NEEDED):
        home.tries(granted)
    stolen = home.signed(replace(other.approval(granted), ward=home.ward.account_id))
    with refused(INVALID):
        home.submit(stolen)


def test_an_approval_by_somebody_else_is_forged(linked: Home) -> None:
    granted = consent()
    for key in (linked.ward.identity, KeyPair.make(), linked.guardian.device):
        with refused(ErrorCode.BAD_SIGNATURE):
            linked.submit(linked.approval(granted, key=key))
    with refused(INVALID):
        linked.submit(linked.approval(granted), by=linked.ward)
    with refused(NEEDED):
        linked.tries(granted)


@pytest.mark.parametrize("age_ms", [GUARDIAN_DOCUMENT_MS + 1, -MAX_CLOCK_DIFFERENCE_MS - 1])
def test_documents_of_another_time_are_refused(home: Home, age_ms: int) -> None:
    home.mark()
    with refused(INVALID):
        home.submit(home.link(age_ms=age_ms))
    home.submit(home.link())
    with refused(INVALID):
        home.submit(home.approval(consent(), age_ms=age_ms))


def test_an_approval_that_was_not_used_for_a_week_is_over(linked: Home) -> None:
    granted = consent()
    linked.submit(linked.approval(granted))
    linked.desk.pass_time(GUARDIAN_DOCUMENT_MS / 1000 + 1)
    with refused(NEEDED):
        linked.tries(granted)


def test_the_same_documents_again_change_nothing(linked: Home) -> None:
    granted = consent()
    linked.submit(linked.approval(granted))
    before = linked.shows()
    linked.submit(linked.link(), by=linked.ward)
    linked.submit(linked.approval(granted))
    assert linked.shows() == before
    with refused(INVALID):
        linked.submit(linked.signed(replace(linked.approval(granted), purpose="profiling")))


def test_an_approval_taken_back_is_no_approval_any_more(linked: Home) -> None:
    granted = consent()
    linked.submit(linked.approval(granted))
    linked.submit(linked.retraction(granted))
    assert linked.submit(linked.retraction(granted)) == []
    linked.submit(linked.approval(granted))  # replayed
    with refused(NEEDED):
        linked.tries(granted)
    assert linked.shows().approvals[0].retraction == linked.retraction(granted).encode()


def test_only_the_guardian_takes_an_approval_back(linked: Home) -> None:
    granted = consent()
    linked.submit(linked.approval(granted))
    with refused(INVALID):
        linked.submit(linked.retraction(granted), by=linked.ward)
    with refused(INVALID):
        linked.submit(linked.retraction(consent()))
    with refused(INVALID):
        linked.submit(replace(linked.retraction(granted), link_id=bytes(16)))
    with refused(ErrorCode.BAD_SIGNATURE):
        linked.submit(linked.retraction(granted, KeyPair.make()))


def test_withdrawing_removing_and_closing_need_no_guardian(linked: Home) -> None:
    granted = consent()
    linked.submit(linked.approval(granted))
    linked.append(linked.grow(granted))
    linked.append(linked.grow(ConsentWithdrawn(granted.consent_id)))
    linked.append(linked.grow(DeviceRemoved(linked.ward.device_id)))
    linked.append(linked.grow(AccountClosed()))
    assert linked.shows().mark is None
    assert linked.shows(linked.guardian).wards == ()


@pytest.mark.clause("GB42012-8.1.1d")
def test_a_second_device_goes_when_the_approval_is_taken_back(linked: Home) -> None:
    granted, tablet = consent(MULTI_DEVICE_SYNC), KeyPair.make()
    linked.submit(linked.approval(granted))
    linked.append(linked.grow(granted))
    entry = linked.ward.device_entry(tablet)
    linked.ward.entries.append(entry)
    linked.append(entry)
    assert linked.usable(tablet)
    assert len(linked.submit(linked.retraction(granted))) == 1
    assert not linked.usable(tablet)
    assert linked.usable(linked.ward.device)
    with refused(NEEDED):
        linked.append(linked.ward.device_entry(KeyPair.make()))


def test_consents_from_before_the_mark_do_not_count_any_more(home: Home) -> None:
    tablet = KeyPair.make()
    home.append(home.grow(consent(MULTI_DEVICE_SYNC)))
    entry = home.ward.device_entry(tablet)
    home.ward.entries.append(entry)
    home.append(entry)
    home.mark()
    assert not home.usable(tablet)
