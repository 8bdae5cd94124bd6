"""Linking, and somebody lies: another code on the screen, a relay in the middle, wrong clocks."""

from pathlib import Path
from typing import Final

import anyio
import pytest

import e2ecore
from e2ecore import Engine
from e2ecore.crypto.rng import system_rng
from e2ecore.engine.engine import system_clock_ms
from e2ecore.linking.ceremony import ExistingSide, NewSide
from e2ecore.testing import MemoryRelay, devices
from e2ecore.testing.devices import open_device
from e2ecore.testing.memory_channel import Session
from e2ecore_protocol.frames.frame import Frame
from e2ecore_protocol.frames.rendezvous import PassRendezvous, RendezvousMessage
from e2ecore_protocol.limits import RENDEZVOUS_S
from tests.support.engines import PATIENCE_S, agree
from tests.support.linked import link

pytestmark = [pytest.mark.anyio, pytest.mark.clause("GB42012-8.1.1d")]
SYNC: Final = e2ecore.Purpose.MULTI_DEVICE_SYNC
YEAR_MS: Final = 365 * 24 * 3_600_000


def own(engine: Engine) -> e2ecore.Account:
    assert engine.account is not None
    return engine.account


class Clock:
    """Somebody's clock; it can be set."""

    def __init__(self) -> None:
        self.ahead_ms = 0

    def __call__(self) -> int:
        return system_clock_ms() + self.ahead_ms


class Middle:
    """A relay that has read the code off the screen, and speaks with each side in the other's name.

    It does everything right that can be done without being one of the two.
    """

    def __init__(self, relay: MemoryRelay, code: e2ecore.LinkCode, account_id: bytes) -> None:
        name = relay.server_name
        self.to_phone = NewSide(code, name, device_key=bytes(31) + b"m", rng=system_rng)
        self.to_laptop = ExistingSide(
            *(code, name),
            account_id=account_id,
            device_key=bytes(31) + b"m",
            handle="alice",
            rng=system_rng,
        )
        self._heard: list[bool] = []

    def take(self, session: Session, payload: bytes) -> None:
        """Answer what one of them passes to the other."""
        is_phone = session.device is not None
        is_first = is_phone not in self._heard
        self._heard.append(is_phone)
        if is_phone and is_first:
            session.push(RendezvousMessage(self.to_phone.prove(payload)))
        elif is_phone:
            self.to_phone.meet(payload)
        elif is_first:
            session.push(RendezvousMessage(self.to_laptop.greet(payload)))
            assert session.visit is not None
            session.visit.push(RendezvousMessage(self.to_phone.hello()))
        else:
            session.push(RendezvousMessage(self.to_laptop.meet(payload)))


def stand_between(relay: MemoryRelay, middle: Middle, monkeypatch: pytest.MonkeyPatch) -> None:
    lounge = relay._lounge
    pass_on = lounge.take

    def take(session: Session, frame: Frame) -> Frame | None:
        if isinstance(frame, PassRendezvous):
            middle.take(session, frame.payload)
            return None
        return pass_on(session, frame)

    monkeypatch.setattr(lounge, "take", take)


async def test_a_relay_in_the_middle_is_seen_by_the_check_strings_and_gets_no_device(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with devices(tmp_path, "alice") as (relay, (phone,)):
        await agree(phone, SYNC)
        shown: list[str] = []
        async with (
            await open_device(tmp_path / "laptop.db", relay.dial) as laptop,
            phone.devices.link() as linking,
            anyio.create_task_group() as tasks,
        ):
            middle = Middle(relay, linking.code, own(phone).account_id)
            stand_between(relay, middle, monkeypatch)

            async def compare() -> None:
                shown.append((await linking.joined()).check_string)
                await linking.refuse()

            tasks.start_soon(compare)
            with anyio.fail_after(PATIENCE_S):
                async with laptop.devices.join(linking.code.text) as joining:
                    shown.append(joining.check_string)
                    with pytest.raises(e2ecore.RendezvousOverError):
                        await joining.finished()
        assert len(set(shown)) == 2, "the screens show different digits"
        assert {middle.to_phone.check_string, middle.to_laptop.check_string} == set(shown)
        assert laptop.account is None
        assert len(await phone.devices.list()) == 1


async def test_whose_code_was_shown_instead_is_seen_before_anything_is_linked(
    tmp_path: Path,
) -> None:
    """Somebody puts the code of their own account where the person expects theirs."""
    async with devices(tmp_path, "alice", "mallory") as (relay, (phone, hers)):
        for one in (phone, hers):
            await agree(one, SYNC)
        async with (
            await open_device(tmp_path / "laptop.db", relay.dial) as laptop,
            phone.devices.link(),
            hers.devices.link() as swapped,
            anyio.create_task_group() as tasks,
        ):
            tasks.start_soon(swapped.joined)
            async with laptop.devices.join(swapped.code.qr) as joining:
                assert joining.handle == "mallory", "the new device says whose account it is"
            assert laptop.account is None
            tasks.cancel_scope.cancel()
        for one in (phone, hers):
            assert len(await one.devices.list()) == 1


async def test_an_old_code_shown_again_brings_nobody_together(tmp_path: Path) -> None:
    clock = Clock()
    async with devices(tmp_path, "alice", clock_ms=clock) as (relay, (phone,)):
        await agree(phone, SYNC)
        opened = await open_device(tmp_path / "laptop.db", relay.dial, clock_ms=clock)
        async with opened as laptop:
            async with phone.devices.link() as first:
                old = first.code.text
            async with phone.devices.link():
                with pytest.raises((e2ecore.RelayRefusedError, e2ecore.WrongLinkCodeError)):
                    async with laptop.devices.join(old):
                        pass
            async with phone.devices.link() as late:
                clock.ahead_ms = RENDEZVOUS_S * 1000
                with pytest.raises(e2ecore.RelayRefusedError):
                    async with laptop.devices.join(late.code.text):
                        pass
            await link(phone, laptop)
            assert len(await phone.devices.list()) == 2


@pytest.mark.parametrize("ahead_ms", [YEAR_MS, -YEAR_MS])
@pytest.mark.parametrize("whose", ["phone", "laptop"])
async def test_a_clock_that_is_a_year_off_links_nothing_and_later_all_is_well(
    whose: str, ahead_ms: int, tmp_path: Path
) -> None:
    """The times in the chain go on in order, and the code lives by the relay's clock alone."""
    clocks = {"phone": Clock(), "laptop": Clock()}
    relay = MemoryRelay(clock_ms=system_clock_ms)
    opened = [
        await open_device(tmp_path / f"{name}.db", relay.dial, clock_ms=clock)
        for name, clock in clocks.items()
    ]
    async with opened[0] as phone, opened[1] as laptop:
        await phone.register("alice")
        await phone.caught_up()
        await agree(phone, SYNC)
        await phone.consents.settled()
        clocks[whose].ahead_ms = ahead_ms
        relay.disconnect()
        with pytest.raises((e2ecore.TransientError, BaseExceptionGroup)):
            await link(phone, laptop)
        assert laptop.account is None
        clocks[whose].ahead_ms = 0
        await phone.reconnect()
        await phone.caught_up()
        await link(phone, laptop)
        chain = relay.people.accounts[own(phone).account_id].state
        assert len(chain.live_devices()) == 2
        assert abs(chain.head_ms - system_clock_ms()) < YEAR_MS / 2
