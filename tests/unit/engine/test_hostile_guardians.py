"""A relay that lies about guardians, a guardian who is curious, strangers who want to decide."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

import e2ecore
from e2ecore import ApprovalState, ConsentState, Purpose
from e2ecore.crypto.signing import ED25519
from e2ecore.engine.family.guardian_notes import GuardianNote, GuardianNoteError, take_note
from e2ecore.engine.running.job import Job
from e2ecore.storage import guardians
from e2ecore.testing.memory_guardians import Approved
from e2ecore_protocol.chain.record import ConsentRecord
from e2ecore_protocol.content.guardians import (
    GuardianInvitation,
    GuardianRefusal,
    GuardianRequest,
)
from e2ecore_protocol.errors import MalformedError
from e2ecore_protocol.guardians import (
    NOT_SIGNED,
    GuardianApproval,
    GuardianLink,
    GuardianRetraction,
)
from tests.support.engines import pair
from tests.support.family_engines import Home, homes

pytestmark = [pytest.mark.anyio, pytest.mark.clause("GB42012-14.1a-g")]


@pytest.fixture
def anyio_backend() -> str:
    """Once is enough: what differs between event loops is tested elsewhere."""
    return "trio"


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[Home]:
    async with homes(tmp_path) as home:
        await home.mark()
        yield home


def account_of(engine: e2ecore.Engine) -> bytes:
    assert engine.account is not None
    return engine.account.account_id


async def asked(home: Home) -> tuple[bytes, GuardianApproval]:
    """A request, and the approval that would fit, signed by nobody."""
    consent_id = await home.ask()

    def work(job: Job) -> GuardianApproval:
        row = guardians.request(job.tx, consent_id)
        assert row is not None
        granted = ConsentRecord.decode(row.record).granted(row.salt)
        return GuardianApproval(
            row.link_id, account_of(home.child), consent_id, granted.purpose,
            granted.notice_hash, granted.commitment, granted.expires_ms, job.now_ms, NOT_SIGNED,
        )  # fmt: skip

    return consent_id, await home.child._core.jobs.run(work)


async def test_a_relay_cannot_invent_a_guardians_yes(home: Home) -> None:
    await home.link()
    consent_id, approval = await asked(home)
    stranger = ED25519.generate(home.child._core.rng)
    forged = replace(approval, signature=stranger.sign(approval.signed_message()))
    lies = home.relay.people.guardians
    lies.minors[account_of(home.child)].approvals[consent_id] = Approved(forged, b"", 0)
    await home.child.guardians.settled()
    assert await home.child.consents.in_force(Purpose.READ_RECEIPTS) is None
    assert (await home.request(home.child, ApprovalState.OPEN)).consent_id == consent_id


async def test_an_approval_of_something_else_approves_nothing(home: Home) -> None:
    """Signed by the guardian, for this very request, and with other limits than the child's."""
    await home.link()
    consent_id, approval = await asked(home)
    other = replace(approval, expires_ms=approval.approved_ms + 1_000_000)
    mum = await home.parent._core.jobs.run(lambda job: job.own.identity)
    lies = home.relay.people.guardians.minors[account_of(home.child)].approvals
    signed = replace(other, signature=mum.sign(other.signed_message()))
    lies[consent_id] = Approved(signed, b"", 0)
    await home.child.guardians.settled()
    assert await home.child.consents.in_force(Purpose.READ_RECEIPTS) is None
    assert (await home.request(home.child, ApprovalState.OPEN)).consent_id == consent_id
    signed = replace(approval, signature=mum.sign(approval.signed_message()))
    lies[consent_id] = Approved(signed, b"", 0)
    await home.child.guardians.settled()
    assert await home.child.consents.in_force(Purpose.READ_RECEIPTS) is not None


async def test_a_relay_cannot_take_back_what_the_guardian_approves(home: Home) -> None:
    await home.link()
    consent_id = await home.ask()
    await home.parent.guardians.approve(consent_id)
    await home.consent(ConsentState.GRANTED)
    held = home.relay.people.guardians.minors[account_of(home.child)].approvals[consent_id]
    forged = GuardianRetraction(
        held.approval.link_id, account_of(home.child), consent_id, NOT_SIGNED
    )
    held.retraction = forged.encode()
    await home.child.guardians.settled()
    assert await home.child.consents.in_force(Purpose.READ_RECEIPTS) is not None


async def test_a_relay_cannot_give_a_child_another_guardian(home: Home) -> None:
    account_id = account_of(home.child)
    bare = GuardianLink(
        bytes(16), account_id, account_of(home.parent), 0, bytes(32), NOT_SIGNED, NOT_SIGNED
    )
    home.relay.people.guardians.minors[account_id].link = bare
    await home.child.guardians.settled()
    assert await home.child.guardians.bonds() == ()


async def test_without_the_relays_help_the_childs_device_refuses_as_well(home: Home) -> None:
    home.relay.people.guardians.minors.clear()
    with pytest.raises(e2ecore.GuardianRequiredError):
        await home.child.consents.grant(
            e2ecore.shipped_notice(Purpose.TYPING),
            controller=e2ecore.Controller("The Operator", "privacy@relay.example"),
        )


async def test_a_guardian_gets_no_key_of_the_child(home: Home) -> None:
    """Nothing that the two have said to each other is a secret of the child, or opens anything."""
    chat, _ = await pair(home.child, home.parent)
    await chat.send("of the family")
    await home.link()
    await home.parent.guardians.approve(await home.ask())
    await home.consent(ConsentState.GRANTED)

    def secrets(job: Job) -> set[bytes]:
        return {job.own.identity.private, job.own.signer.private}

    def held(job: Job) -> bytes:
        links = [one.document for one in guardians.links(job.tx)]
        asked = [one.record + one.salt for one in guardians.requests(job.tx)]
        return b"".join((*links, *asked))

    keys = await home.child._core.jobs.run(secrets)
    known = await home.parent._core.jobs.run(held)
    assert known
    assert not any(key in known for key in keys)
    assert [one.conversation_id for one in await home.parent.conversations.list()] == [
        chat.conversation_id
    ]


async def test_notes_that_do_not_fit_are_dropped(home: Home) -> None:
    link_id = await home.link()
    chat, _ = await pair(home.child, home.parent)
    await home.ask()
    parent, child = account_of(home.parent), account_of(home.child)
    known = (await home.parent.guardians.requests())[0]
    record = known.record.encode()
    link = GuardianLink(bytes(16), child, parent, 0, bytes(32), NOT_SIGNED, NOT_SIGNED)
    wrong: list[GuardianNote] = [
        GuardianInvitation(link.encode(), "a text with another hash"),
        GuardianInvitation(replace(link, ward=bytes(20)).encode(), "x"),
        GuardianInvitation(b"\x90", "x"),
        GuardianRequest(bytes(16), record, bytes(32), known.notice),
        GuardianRequest(link_id, record, bytes(32), "another text"),
        GuardianRequest(link_id, b"\x90", bytes(32), known.notice),
        GuardianRefusal(bytes(16)),
    ]
    before = await home.parent.guardians.bonds(), await home.parent.guardians.requests()
    for note in wrong:

        def work(job: Job, note: GuardianNote = note) -> None:
            take_note(job, job.mirror(chat.local_number), child, note)

        with pytest.raises((GuardianNoteError, MalformedError)):
            await home.parent._core.jobs.run(work)

    def elsewhere(job: Job) -> None:
        take_note(job, job.mirror(chat.local_number), bytes(20), GuardianRefusal(link_id))

    with pytest.raises(GuardianNoteError):
        await home.parent._core.jobs.run(elsewhere)
    assert (await home.parent.guardians.bonds(), await home.parent.guardians.requests()) == before
