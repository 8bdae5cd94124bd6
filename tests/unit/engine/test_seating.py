"""A device comes into many conversations: by keys of its own, and at nobody else's cost."""

from contextlib import AsyncExitStack
from pathlib import Path

import pytest

import e2ecore
from e2ecore import Engine
from e2ecore.engine.errors import NoKeyPackageError
from e2ecore.engine.membership import claiming
from e2ecore.mls.key_package import KeyPackage
from e2ecore.testing import devices
from e2ecore.testing.devices import PASSPHRASE, open_device
from e2ecore.testing.memory_relay import MemoryRelay
from e2ecore_protocol.errors import ErrorCode
from e2ecore_protocol.frames.frame import Frame
from e2ecore_protocol.frames.key_packages import DeviceKeyPackage, KeyPackages
from e2ecore_protocol.frames.session import Failed
from tests.support.engines import agree, group_of
from tests.support.linked import comes_true, link, phone_laptop_bob, seated, settled

pytestmark = [pytest.mark.anyio, pytest.mark.clause("GB42012-8.1.1d")]
CONVERSATIONS = 12


class Answers:
    """What a relay handed out for claims, by device."""

    def __init__(self, relay: MemoryRelay) -> None:
        self.claims: list[tuple[DeviceKeyPackage, ...]] = []
        relay.faults.answers.append(self._note)

    def _note(self, _device: bytes, frame: Frame) -> Frame:
        if isinstance(frame, KeyPackages):
            self.claims.append(frame.packages)
        return frame

    @property
    def packages(self) -> list[DeviceKeyPackage]:
        return [one for claim in self.claims for one in claim]

    def last_resorts(self) -> int:
        return sum(KeyPackage.decode(one.key_package).last_resort for one in self.packages)


def own(engine: Engine) -> e2ecore.Account:
    assert engine.account is not None
    return engine.account


async def test_a_device_is_seated_by_few_claims_and_its_siblings_lose_no_keys(
    tmp_path: Path,
) -> None:
    async with AsyncExitStack() as opened:
        enter = opened.enter_async_context
        relay, (phone, bob) = await enter(devices(tmp_path, "alice", "bob"))
        for _ in range(CONVERSATIONS):
            await group_of([phone, bob])
        await agree(phone, e2ecore.Purpose.MULTI_DEVICE_SYNC)
        laptop = await enter(await open_device(tmp_path / "laptop.db", relay.dial))
        await link(phone, laptop)
        await seated(phone, 2)
        await settled(phone)
        had = relay.people.packages_left(own(laptop).device_id)
        seen = Answers(relay)
        tablet = await enter(await open_device(tmp_path / "tablet.db", relay.dial))
        device_id = await link(phone, tablet)
        await seated(phone, 3)
        await settled(phone)
        assert {one.device_id for one in seen.packages} == {device_id}
        assert len({one.key_package for one in seen.packages}) == len(seen.packages)
        assert seen.last_resorts() == 0
        assert len([one for one in seen.claims if one]) < CONVERSATIONS
        assert relay.people.packages_left(own(laptop).device_id) == had


async def test_a_last_resort_serves_a_few_conversations_before_another_claim(
    tmp_path: Path,
) -> None:
    """What a device that is offline has left: it is asked for again, and comes into all."""
    async with devices(tmp_path, "alice", "bob") as (relay, (phone, bob)):
        for _ in range(CONVERSATIONS):
            await group_of([phone, bob])
        await agree(phone, e2ecore.Purpose.MULTI_DEVICE_SYNC)
        claims: list[int] = []

        def spare(_device: bytes, frame: Frame) -> Frame:
            if not isinstance(frame, KeyPackages):
                return frame
            claims.append(len(frame.packages))
            address = frame.packages[0][:2]
            last = DeviceKeyPackage(*address, relay.people._last_resorts[address[1]])
            return KeyPackages(frame.request, (last,))

        relay.faults.answers.append(spare)
        async with await open_device(tmp_path / "laptop.db", relay.dial) as laptop:
            await link(phone, laptop)
            await seated(phone, 2)
            await settled(phone)
        assert 1 < len(claims) < CONVERSATIONS


async def test_a_device_without_keys_is_waited_for_once_and_comes_in_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claiming, "_PUBLISHING_S", 0.2)
    async with devices(tmp_path, "alice", "bob") as (relay, (phone, bob)):
        await group_of([phone, bob])
        await agree(phone, e2ecore.Purpose.MULTI_DEVICE_SYNC)
        refused: list[bytes] = []

        def none_left(device: bytes, frame: Frame) -> Frame:
            if isinstance(frame, KeyPackages):
                refused.append(device)
                return Failed(frame.request, ErrorCode.NO_KEY_PACKAGE, "", 0, bytes(20))
            return frame

        async def tried_again() -> bool:
            return len(refused) > 8

        relay.faults.answers.append(none_left)
        async with await open_device(tmp_path / "laptop.db", relay.dial) as laptop:
            await link(phone, laptop)
            await comes_true(tried_again)
            relay.faults.clear()
            await seated(phone, 2)
            await settled(phone)


async def test_a_relay_that_names_another_device_gets_the_key_to_nobody(tmp_path: Path) -> None:
    async with phone_laptop_bob(tmp_path) as (relay, phone, laptop, _bob):
        await seated(phone, 2)
        await seated(laptop, 2)

        def swap(_device: bytes, frame: Frame) -> Frame:
            if isinstance(frame, KeyPackages):
                own_id = own(phone).device_id
                others = tuple(one._replace(device_id=own_id) for one in frame.packages)
                return KeyPackages(frame.request, others)
            return frame

        relay.faults.answers.append(swap)
        with pytest.raises(NoKeyPackageError):
            await phone.devices.confirm(own(laptop).device_id, PASSPHRASE, override=True)
