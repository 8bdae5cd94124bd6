"""Youth mode through the engine: what it closes, and the way out."""

from pathlib import Path

import pytest

import e2ecore
from e2ecore import Engine, Purpose
from e2ecore.consent.youth import CLOSED, FIRST_PAUSE_MS, FREE_TRIES
from e2ecore.engine.family import youth
from e2ecore.testing import two_devices
from e2ecore.testing.devices import PASSPHRASE, devices
from tests.support.engines import agree

pytestmark = [pytest.mark.anyio, pytest.mark.clause("GB42012-14.1a-g")]
CODE = "582047"


async def wrong(engine: Engine, times: int) -> None:
    for number in range(times):
        with pytest.raises(e2ecore.WrongPasscodeError):
            await engine.youth_mode.turn_off(f"wrong {number}")


async def test_what_it_closes_is_withdrawn_for_all_and_cannot_be_agreed_to(tmp_path: Path) -> None:
    async with two_devices(tmp_path) as (_, alice, bob):
        assert await alice.youth_mode.status() is None
        before = {one.data_class.sensitivity for one in alice.my_data.inventory()}
        for purpose in (Purpose.PRESENCE, Purpose.READ_RECEIPTS):
            await agree(alice, purpose)
        await alice.consents.settled()
        await alice.youth_mode.turn_on(CODE)
        await alice.consents.settled()
        contact = await bob.contacts.find("alice")
        await contact.refresh()
        seen = {one.purpose: one.withdrawn_ms is None for one in contact._chain.consents.values()}
        assert seen == {Purpose.PRESENCE: False, Purpose.READ_RECEIPTS: True}
        for purpose in CLOSED:
            with pytest.raises(e2ecore.YouthModeError):
                await agree(alice, purpose)
            with pytest.raises(e2ecore.ConsentRequiredError):
                await alice.consents.require(purpose)
        await agree(alice, Purpose.READ_RECEIPTS)
        now = {one.data_class.sensitivity for one in alice.my_data.inventory()}
        assert before - now == {"general"}
        await alice.youth_mode.turn_off(CODE)
        await agree(alice, Purpose.PRESENCE)
        assert {one.data_class.sensitivity for one in alice.my_data.inventory()} == before


async def test_it_is_left_by_its_passcode_alone(tmp_path: Path) -> None:
    now_ms = 1_800_000_000_000
    async with devices(tmp_path, "alice", clock_ms=lambda: now_ms) as (_, (alice,)):
        await alice.youth_mode.turn_off("nothing to leave")
        for passcode in ("123456", PASSPHRASE):
            with pytest.raises(e2ecore.UnusablePasscodeError):
                await alice.youth_mode.turn_on(passcode)
        await alice.youth_mode.turn_on(CODE)
        with pytest.raises(e2ecore.YouthModeError):
            await alice.youth_mode.turn_on("another 1")
        await wrong(alice, FREE_TRIES)
        for passcode in ("once more", CODE):
            with pytest.raises(e2ecore.PasscodePauseError) as caught:
                await alice.youth_mode.turn_off(passcode)
            assert caught.value.pause_ms == FIRST_PAUSE_MS
        now_ms += FIRST_PAUSE_MS
        status = await alice.youth_mode.status()
        assert status is not None
        assert (status.failures, status.pause_ms) == (FREE_TRIES, 0)
        await alice.youth_mode.turn_off(CODE)
        assert await alice.youth_mode.status() is None


async def test_a_try_counts_also_if_the_engine_dies_before_it_was_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class KilledError(Exception):
        pass

    def killed(_passcode: str, _salt: bytes) -> bytes:
        raise KilledError

    async with devices(tmp_path, "alice") as (_, (alice,)):
        await alice.youth_mode.turn_on(CODE)
        monkeypatch.setattr(youth, "_hashed", killed)
        for _ in range(FREE_TRIES):
            with pytest.raises(KilledError):
                await alice.youth_mode.turn_off("a guess")
        monkeypatch.undo()
        with pytest.raises(e2ecore.PasscodePauseError):
            await alice.youth_mode.turn_off(CODE)
