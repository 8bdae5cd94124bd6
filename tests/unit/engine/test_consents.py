"""Consents through the engine: given, told to the chain, withdrawn, shown, proven."""

from dataclasses import replace
from pathlib import Path

import anyio
import pytest

import e2ecore
from e2ecore import ConsentNotice, ConsentState, Controller, Engine, Purpose, shipped_notice
from e2ecore.engine.account import agreeing
from e2ecore.engine.arrival.receipts import write_receipts
from e2ecore.engine.engine import system_clock_ms
from e2ecore.testing import MemoryRelay, VirtualClock, devices, open_device, two_devices
from e2ecore_protocol.chain import MULTI_DEVICE_SYNC, ConsentGranted, ConsentWithdrawn, Entry
from e2ecore_protocol.frames.accounts import AppendChain
from e2ecore_protocol.frames.frame import Frame
from e2ecore_protocol.frames.session import Ok
from tests.support.engines import PATIENCE_S, pair, texts, until
from tests.support.lies import consent, grow_chain

pytestmark = [pytest.mark.anyio, pytest.mark.clause("GB42012-8.1.1d")]
OPERATOR = Controller("The Relay's Operator", "privacy@relay.example")
PRESENCE = shipped_notice(Purpose.PRESENCE)


async def grant(engine: Engine, notice: ConsentNotice = PRESENCE) -> e2ecore.Consent:
    return await engine.consents.grant(notice, controller=OPERATOR)


def at_relay(relay: MemoryRelay, engine: Engine, purpose: str) -> bool:
    assert engine.account is not None
    state = relay.people.accounts[engine.account.account_id].state
    return state.has_consent(purpose, system_clock_ms())


async def test_everything_is_off_at_first(tmp_path: Path) -> None:
    async with devices(tmp_path, "alice") as (_, (alice,)):
        assert await alice.consents.list() == ()
        for purpose in Purpose:
            with pytest.raises(e2ecore.ConsentRequiredError, match=purpose):
                await alice.consents.require(purpose)


async def test_a_consent_counts_here_at_once_and_everywhere_when_the_relay_has_it(
    tmp_path: Path,
) -> None:
    async with devices(tmp_path, "alice") as (relay, (alice,)):
        events = alice.events()
        given = await grant(alice)
        assert given.is_in_force
        assert (await alice.consents.require(Purpose.PRESENCE)).consent_id == given.consent_id
        await alice.consents.settled()
        assert at_relay(relay, alice, Purpose.PRESENCE)
        states = [(await until(events, e2ecore.ConsentChanged)).state for _ in range(2)]
        assert states == [ConsentState.GRANTING, ConsentState.GRANTED]
        (one,) = await alice.consents.list()
        assert one.state is ConsentState.GRANTED
        assert one.notice == PRESENCE.text
        assert one.record is not None
        assert one.record.controllers == (OPERATOR,)


async def test_a_contact_sees_a_consent_but_not_what_was_agreed_to(tmp_path: Path) -> None:
    async with two_devices(tmp_path) as (relay, alice, bob):
        await pair(alice, bob)
        await grant(alice, shipped_notice(Purpose.MULTI_DEVICE_SYNC))
        await alice.consents.settled()
        relay.disconnect()
        assert alice.account is not None
        account_id = alice.account.account_id
        with anyio.fail_after(PATIENCE_S):
            while True:
                chain = await bob._core.jobs.run(lambda job: job.state.chain(job.tx, account_id))
                assert chain is not None
                if chain.has_consent(MULTI_DEVICE_SYNC, system_clock_ms()):
                    break
                await anyio.sleep(0.02)
        entries = relay_entries(relay, alice)
        assert not any(b"privacy@relay.example" in entry for entry in entries)


def relay_entries(relay: MemoryRelay, engine: Engine) -> list[bytes]:
    assert engine.account is not None
    return relay.people.accounts[engine.account.account_id].entries


@pytest.mark.clause("GB42012-13.3a-d")
async def test_a_withdrawn_consent_counts_here_at_once_also_without_the_relay(
    tmp_path: Path,
) -> None:
    async with devices(tmp_path, "alice") as (relay, (alice,)):
        await grant(alice)
        await alice.consents.settled()
        relay.faults.offline = True
        relay.disconnect()
        assert await alice.consents.withdraw(Purpose.PRESENCE) == 1
        with pytest.raises(e2ecore.ConsentRequiredError):
            await alice.consents.require(Purpose.PRESENCE)
        (one,) = await alice.consents.list()
        assert one.state is ConsentState.WITHDRAWING
        audit = e2ecore.verify_consents(await alice.consents.export(), now_ms=system_clock_ms())
        assert [paper.record for paper in audit.consents] == [one.record]
        with pytest.raises(e2ecore.TransientError):
            await alice.consents.settled()
        assert at_relay(relay, alice, Purpose.PRESENCE)
        relay.faults.clear()
        await alice.consents.settled()
        assert not at_relay(relay, alice, Purpose.PRESENCE)
        (one,) = await alice.consents.list()
        assert one.state is ConsentState.WITHDRAWN
        assert one.withdrawn_ms is not None
        assert await alice.consents.withdraw(Purpose.PRESENCE) == 0


async def test_what_was_decided_without_the_relay_is_told_by_itself_later(tmp_path: Path) -> None:
    relay = MemoryRelay(clock_ms=system_clock_ms)
    path = tmp_path / "alice.db"
    async with await open_device(path, relay.dial) as alice:
        await alice.register("alice")
    async with await open_device(path, None) as alice:
        await grant(alice)
        with pytest.raises(e2ecore.NoRelayError):
            await alice.consents.settled()
    async with await open_device(path, relay.dial) as alice:
        with anyio.fail_after(PATIENCE_S):
            while not at_relay(relay, alice, Purpose.PRESENCE):  # noqa: ASYNC110 - a relay tells nobody
                await anyio.sleep(0.02)


async def test_a_lost_answer_leaves_one_consent(tmp_path: Path) -> None:
    async with devices(tmp_path, "alice") as (relay, (alice,)):
        lost: list[Frame] = []

        def lose(_device: bytes, answer: Frame) -> Frame | None:
            if isinstance(answer, Ok) and at_relay(relay, alice, Purpose.PRESENCE) and not lost:
                lost.append(answer)
                relay.disconnect()
                return None
            return answer

        relay.faults.answers.append(lose)
        await grant(alice)
        with anyio.fail_after(PATIENCE_S):
            while not lost or (await alice.consents.list())[0].state is not ConsentState.GRANTED:  # noqa: ASYNC110 - told above
                await anyio.sleep(0.02)
        kinds = [type(one) for one in chain_bodies(relay, alice)]
        assert kinds.count(ConsentGranted) == 1


def chain_bodies(relay: MemoryRelay, engine: Engine) -> list[object]:
    return [Entry.decode(one).parse_body() for one in relay_entries(relay, engine)]


async def test_another_device_that_is_faster_is_no_hindrance(tmp_path: Path) -> None:
    async with devices(tmp_path, "alice") as (relay, (alice,)):
        await grow_chain(relay, alice, consent(7))
        await grant(alice)
        await alice.consents.settled()
        listed = {one.purpose: one for one in await alice.consents.list()}
        assert listed[Purpose.MULTI_DEVICE_SYNC].record is None
        assert listed[Purpose.PRESENCE].state is ConsentState.GRANTED
        assert await alice.consents.covers(shipped_notice(Purpose.MULTI_DEVICE_SYNC))
        assert await alice.consents.withdraw(Purpose.MULTI_DEVICE_SYNC) == 1
        await alice.consents.settled()
        assert not at_relay(relay, alice, Purpose.MULTI_DEVICE_SYNC)
        assert at_relay(relay, alice, Purpose.PRESENCE)


async def test_agreeing_again_replaces_the_older_consent(tmp_path: Path) -> None:
    async with devices(tmp_path, "alice") as (relay, (alice,)):
        first = await grant(alice)
        await alice.consents.settled()
        newer = ConsentNotice(Purpose.PRESENCE, 2, "en", "Now it is about something else.")
        assert await alice.consents.covers(PRESENCE)
        assert await alice.consents.covers(shipped_notice(Purpose.PRESENCE, "zh-CN"))
        assert not await alice.consents.covers(newer)
        reworded = replace(PRESENCE, text=PRESENCE.text + "Besides, we sell it.")
        assert not await alice.consents.covers(reworded), "other words under the same version"
        second = await grant(alice, newer)
        assert await alice.consents.covers(newer)
        await alice.consents.settled()
        states = {one.consent_id: one.state for one in await alice.consents.list()}
        assert states == {
            first.consent_id: ConsentState.WITHDRAWN,
            second.consent_id: ConsentState.GRANTED,
        }
        *_, last_but_one, last = chain_bodies(relay, alice)
        assert isinstance(last_but_one, ConsentGranted)
        assert isinstance(last, ConsentWithdrawn)


async def test_a_consent_ends_with_its_time(tmp_path: Path) -> None:
    clock = VirtualClock()
    async with devices(tmp_path, "alice", clock_ms=clock) as (_, (alice,)):
        one = await alice.consents.grant(PRESENCE, controller=OPERATOR, expires_ms=clock() + 60_000)
        await alice.consents.settled()
        found = await alice.consents.require(Purpose.PRESENCE)
        assert found.consent_id == one.consent_id
        clock.advance(ms=60_000)
        with pytest.raises(e2ecore.ConsentRequiredError):
            await alice.consents.require(Purpose.PRESENCE)
        (over,) = await alice.consents.list()
        assert over.state is ConsentState.EXPIRED
        await alice.consents.settled()


async def test_what_cannot_be_a_consent_is_refused(tmp_path: Path) -> None:
    async with devices(tmp_path, "alice") as (_, (alice,)):
        with pytest.raises(e2ecore.BadConsentError, match="over already"):
            await alice.consents.grant(PRESENCE, controller=OPERATOR, expires_ms=1)
        with pytest.raises(e2ecore.BadConsentError):
            await alice.consents.grant(PRESENCE, controller=Controller("", ""))
        with pytest.raises(e2ecore.BadConsentError):
            await alice.consents.grant(PRESENCE, controller=OPERATOR, scope="x" * 257)
        own = ConsentNotice("stickers", 1, "en", "May we count your stickers?")
        with pytest.raises(e2ecore.BadConsentError, match="terms"):
            await grant(alice, own)
        await alice.consents.grant(
            own, controller=OPERATOR, terms=e2ecore.Terms(("stickers",), ("here",))
        )
        assert len(await alice.consents.list()) == 1


async def test_without_an_account_nobody_can_agree(tmp_path: Path) -> None:
    async with await open_device(tmp_path / "a.db", None) as engine:
        with pytest.raises(e2ecore.NotRegisteredError):
            await grant(engine)
        with pytest.raises(e2ecore.NotRegisteredError):
            await engine.consents.export()


async def test_the_papers_prove_what_was_agreed_to(tmp_path: Path) -> None:
    async with devices(tmp_path, "alice") as (_, (alice,)):
        await grant(alice)
        await grant(alice, shipped_notice(Purpose.READ_RECEIPTS, "zh-CN"))
        await alice.consents.settled()
        await alice.consents.withdraw(Purpose.PRESENCE)
        await alice.consents.settled()
        audit = e2ecore.verify_consents(await alice.consents.export(), now_ms=system_clock_ms())
        assert alice.account is not None
        assert audit.account_id == alice.account.account_id
        assert audit.live_devices == 1
        found = {one.purpose: one for one in audit.consents}
        assert found[Purpose.PRESENCE].state is ConsentState.WITHDRAWN
        assert found[Purpose.READ_RECEIPTS].state is ConsentState.GRANTED
        assert found[Purpose.READ_RECEIPTS].notice.startswith("让对方知道您已读")


async def test_a_crash_before_the_relay_is_told_loses_no_decision(tmp_path: Path) -> None:
    """What is committed is told later; what is not was never decided."""
    relay = MemoryRelay(clock_ms=system_clock_ms)
    path = tmp_path / "alice.db"
    async with await open_device(path, relay.dial) as alice:
        await alice.register("alice")
        await grant(alice)
        await alice.consents.settled()
        # The relay takes the withdrawal, and the process ends before it notes that.
        await alice._core.jobs.run(lambda job: agreeing.withdraw(job, agreeing.listed(job)[0]))
        entries = await alice._core.jobs.run(agreeing.missing_entries)
        assert len(entries) == 1
        await alice._core.need_link().request(AppendChain(0, entries), Ok)
    async with await open_device(path, relay.dial) as alice:
        await alice.consents.settled()
        (one,) = await alice.consents.list()
        assert one.state is ConsentState.WITHDRAWN


async def test_chatting_goes_on_beside_consents(tmp_path: Path) -> None:
    async with two_devices(tmp_path) as (_, alice, bob):
        at_bob = bob.events()
        chat, _view = await pair(alice, bob)
        for purpose in Purpose:
            await grant(alice, shipped_notice(purpose))
        await chat.send("still here")
        await alice.consents.settled()
        assert await texts(at_bob, 1) == ["still here"]


async def test_read_receipts_end_with_their_consent(tmp_path: Path) -> None:
    async with two_devices(tmp_path) as (_, alice, bob):
        _, view = await pair(alice, bob)
        await grant(bob, shipped_notice(Purpose.READ_RECEIPTS))
        await view.share_reading(on=True)
        assert await view.shares_reading()
        await grant(bob, shipped_notice(Purpose.READ_RECEIPTS, "zh-CN"))  # replaces the first
        assert await view.shares_reading()
        await bob.consents.withdraw(Purpose.READ_RECEIPTS)
        assert not await view.shares_reading()
        with pytest.raises(e2ecore.ConsentRequiredError):
            await view.share_reading(on=True)
        await view.share_reading(on=False)
        await grant(bob, shipped_notice(Purpose.READ_RECEIPTS))
        assert not await view.shares_reading()  # agreeing to it again does not turn it on


async def test_a_consent_that_ended_lets_nobody_know_what_is_read_from_then_on(
    tmp_path: Path,
) -> None:
    clock = VirtualClock()
    async with devices(tmp_path, "alice", "bob", clock_ms=clock) as (_, (alice, bob)):
        at_alice, at_bob = alice.events(), bob.events()
        chat, view = await pair(alice, bob)
        await bob.consents.grant(
            shipped_notice(Purpose.READ_RECEIPTS), controller=OPERATOR, expires_ms=clock() + 1_000
        )
        await view.share_reading(on=True)
        clock.advance(ms=1_000)
        await chat.send("read me")
        assert await texts(at_bob, 1) == ["read me"]
        await view.mark_read()
        await bob._core.jobs.run(lambda job: write_receipts(job, [view.local_number]))
        await (await view.send("done")).accepted()
        assert await texts(at_alice, 1) == ["done"]
        (shown, _) = await chat.messages()
        assert shown.read_by == ()
