"""A child and a parent through two engines: asked, approved, refused, taken back, ended."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

import e2ecore
from e2ecore import ApprovalState, BondState, ConsentState, Purpose
from e2ecore_protocol.frames.guardians import MarkedBy
from tests.support.engines import agree
from tests.support.family_engines import CONTROLLER, DAY_MS, Home, homes

pytestmark = [pytest.mark.anyio, pytest.mark.clause("GB42012-14.1a-g")]


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[Home]:
    async with homes(tmp_path) as home:
        yield home


async def test_a_child_agrees_only_together_with_the_parent(home: Home) -> None:
    await agree(home.child, Purpose.TYPING)
    await home.mark()
    assert await home.child.consents.in_force(Purpose.TYPING) is None
    with pytest.raises(e2ecore.GuardianRequiredError) as needed:
        await agree(home.child, Purpose.READ_RECEIPTS)
    assert needed.value.purpose == Purpose.READ_RECEIPTS
    await home.link()
    with pytest.raises(e2ecore.GuardianRequiredError):
        await agree(home.child, Purpose.READ_RECEIPTS)
    consent_id = await home.ask()
    assert await home.child.consents.in_force(Purpose.READ_RECEIPTS) is None
    asked = await home.request(home.parent, ApprovalState.OPEN)
    assert (asked.is_ours, asked.record.scope, asked.consent_id) == (False, "family", consent_id)
    assert asked.notice == e2ecore.shipped_notice(Purpose.READ_RECEIPTS, "zh-CN").text
    await home.parent.guardians.approve(consent_id)
    given = await home.consent(ConsentState.GRANTED)
    assert (given.consent_id, given.purpose) == (consent_id, Purpose.READ_RECEIPTS)
    assert given.record == asked.record


async def test_what_the_parent_refuses_is_not_agreed_to(home: Home) -> None:
    await home.mark()
    await home.link()
    consent_id = await home.ask()
    await home.parent.guardians.refuse(consent_id)
    assert (await home.request(home.child, ApprovalState.REFUSED)).is_ours
    assert await home.child.consents.in_force(Purpose.READ_RECEIPTS) is None
    for decide in (home.parent.guardians.approve, home.parent.guardians.take_back):
        with pytest.raises(e2ecore.UnknownRequestError):
            await decide(consent_id)


async def test_what_the_parent_takes_back_ends_for_all(home: Home) -> None:
    await home.mark()
    await home.link()
    consent_id = await home.ask()
    await home.parent.guardians.approve(consent_id)
    await home.consent(ConsentState.GRANTED)
    await home.parent.guardians.take_back(consent_id)
    await home.consent(ConsentState.WITHDRAWN)
    assert (await home.request(home.child, ApprovalState.TAKEN_BACK)).consent_id == consent_id


async def test_a_child_withdraws_without_asking(home: Home) -> None:
    await home.mark()
    await home.link()
    await home.parent.guardians.approve(await home.ask())
    await home.consent(ConsentState.GRANTED)
    assert await home.child.consents.withdraw(Purpose.READ_RECEIPTS) == 1
    await home.consent(ConsentState.WITHDRAWN)


async def test_an_invitation_can_be_declined_and_made_anew(home: Home) -> None:
    contact = await home.child.contacts.find("parent")
    with pytest.raises(e2ecore.NotMarkedError):
        await home.child.guardians.invite(contact)
    await home.mark()
    with pytest.raises(e2ecore.NoGuardianError):
        await home.child.guardians.ask(
            e2ecore.shipped_notice(Purpose.TYPING), controller=CONTROLLER
        )
    await home.child.guardians.invite(contact)
    first = await home.bond(home.parent, BondState.INVITED)
    assert first.notice == e2ecore.shipped_notice(e2ecore.GUARDIAN_NOTICE).text
    assert not first.is_ward
    await home.parent.guardians.decline(first.link_id)
    await home.bond(home.child, BondState.DECLINED)
    with pytest.raises(e2ecore.UnknownBondError):
        await home.parent.guardians.accept(first.link_id)
    await home.link()
    with pytest.raises(e2ecore.HasGuardianError):
        await home.child.guardians.invite(contact)


async def test_the_mark_ends_when_both_say_so(home: Home) -> None:
    await home.mark()
    link_id = await home.link()
    await home.child.guardians.release(link_id)
    await home.child.guardians.settled()
    status = await home.child.guardians.status()
    assert status is not None
    assert status.guardian is not None
    assert (status.guardian.ward_wants_end, status.guardian.guardian_wants_end) == (True, False)
    await home.parent.guardians.release(link_id)
    await home.bond(home.child, BondState.OVER)
    assert await home.child.guardians.status() is None
    await agree(home.child, Purpose.TYPING)
    await home.child.consents.settled()


async def test_a_child_cannot_end_it_alone_and_a_parent_can_leave(home: Home) -> None:
    await home.mark()
    link_id = await home.link()
    await home.child.guardians.leave(link_id)
    await home.child.guardians.settled()
    status = await home.child.guardians.status()
    assert status is not None
    assert status.guardian is not None
    assert status.guardian.state is BondState.HOLDS
    await home.ask()
    await home.parent.guardians.leave(link_id)
    await home.bond(home.child, BondState.OVER)
    assert (await home.request(home.child, ApprovalState.VOID)).is_ours
    status = await home.child.guardians.status()
    assert status is not None
    assert status.guardian is None


async def test_a_mark_is_made_later_but_not_earlier(home: Home) -> None:
    for days in (-1, 14 * 366 + 1):
        with pytest.raises(e2ecore.BadMarkError):
            await home.mark(days)
    await home.mark(100)
    await home.mark(50)
    status = await home.child.guardians.status()
    assert status is not None
    assert status.until_ms == home.now_ms + 100 * DAY_MS
    assert not status.by_operator


async def test_the_operators_word_is_heard(home: Home) -> None:
    account = home.child.account
    assert account is not None
    guardians = home.relay.people.guardians
    guardians.mark(account.account_id, home.now_ms + DAY_MS, MarkedBy.OPERATOR)
    await home.child.guardians.settled()
    status = await home.child.guardians.status()
    assert status is not None
    assert status.by_operator
    guardians.unmark(account.account_id)
    await home.child.guardians.settled()
    assert await home.child.guardians.status() is None


async def test_data_of_a_child_are_sensitive_all_of_them(home: Home) -> None:
    await home.mark()
    classes = {one.data_class.sensitivity for one in home.child.my_data.inventory()}
    assert "general" not in classes
    assert "general" in {one.data_class.sensitivity for one in home.parent.my_data.inventory()}


async def test_contacts_see_nothing_of_it(home: Home) -> None:
    await home.mark()
    await home.link()
    contact = await home.parent.contacts.find("child")
    await contact.refresh()
    assert contact._chain.consents == {}
    assert contact._chain.head_seq == 1
