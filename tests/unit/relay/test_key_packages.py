"""Key packages: once each, the last resort when none is left, a word before that."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import pytest

from e2ecore_protocol.chain.bodies import MULTI_DEVICE_SYNC, ConsentGranted
from e2ecore_protocol.chain.entry import device_id_of
from e2ecore_protocol.errors import ErrorCode
from e2ecore_protocol.frames import (
    AppendChain,
    ClaimDeviceKeyPackages,
    ClaimKeyPackages,
    DeviceAddress,
    DeviceKeyPackage,
    EnvelopeKind,
    Failed,
    KeyPackages,
    KeyPackagesLow,
    Ok,
    PublishKeyPackages,
    Ready,
)
from e2ecore_protocol.limits import KEY_PACKAGES_LOW
from e2ecore_relay.server.relay import Relay
from tests.support.raw_client import KeyPair, Person, RawClient, online, stranger
from tests.support.relay import where

pytestmark = pytest.mark.anyio


async def _publish(client: RawClient, *packages: bytes, last: bytes | None = b"last") -> None:
    assert await client.ask(PublishKeyPackages(1, packages, last), Ok) == Ok(1)


async def _claim(client: RawClient, person: Person) -> bytes | ErrorCode:
    answer = await client.ask(ClaimKeyPackages(2, (person.account_id,)), KeyPackages)
    if isinstance(answer, Failed):
        assert answer.data == person.account_id
        return answer.code
    assert answer.packages == (DeviceKeyPackage(*person.address, answer.packages[0].key_package),)
    return answer.packages[0].key_package


async def test_each_package_is_handed_out_once_then_the_last_resort(relay: Relay) -> None:
    bob = Person()
    async with online(*where(relay)) as alice, online(*where(relay), bob) as b:
        assert await _claim(alice, bob) is ErrorCode.NO_KEY_PACKAGE
        await _publish(b, b"one", b"two")
        assert [await _claim(alice, bob) for _ in range(4)] == [b"one", b"two", b"last", b"last"]
        await _publish(b, b"three", last=b"newer")
        assert [await _claim(alice, bob) for _ in range(2)] == [b"three", b"newer"]


async def test_two_who_claim_at_once_never_get_the_same_package(relay: Relay) -> None:
    bob = Person()
    got: list[bytes | ErrorCode] = []

    async def claim_some(client: RawClient) -> None:
        got.extend([await _claim(client, bob) for _ in range(20)])

    async with (
        online(*where(relay)) as alice,
        online(*where(relay)) as carol,
        online(*where(relay), bob) as b,
    ):
        await _publish(b, *[b"package %d" % n for n in range(40)])
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(claim_some, alice)
            tasks.start_soon(claim_some, carol)
    assert sorted(map(str, got)) == sorted(str(b"package %d" % n) for n in range(40))


async def test_the_owner_is_told_once_when_few_and_once_when_none_are_left(relay: Relay) -> None:
    bob = Person()
    async with online(*where(relay)) as alice, online(*where(relay), bob) as b:
        await _publish(b, *[b"%d" % n for n in range(KEY_PACKAGES_LOW + 1)])
        for _ in range(KEY_PACKAGES_LOW + 3):
            await _claim(alice, bob)
        notices = await b.wait_for(2)
        assert [one.kind for one in notices] == [EnvelopeKind.NOTICE] * 2
        left = [KeyPackagesLow.decode(one.payload).left for one in notices]
        assert left == [KEY_PACKAGES_LOW, 0]


async def test_a_device_learns_at_ready_how_many_packages_are_left(relay: Relay) -> None:
    bob = Person()
    async with online(*where(relay), bob) as b:
        await _publish(b, b"one", b"two")
    async with online(*where(relay), bob) as b:
        await b.channel.aclose()
    async with online(*where(relay)) as alice:
        assert await _claim(alice, bob) == b"one"
        unknown = await alice.ask(ClaimKeyPackages(3, (bytes(20),)), KeyPackages)
        assert isinstance(unknown, Failed)
        assert (unknown.code, unknown.data) == (ErrorCode.UNKNOWN_ACCOUNT, bytes(20))


async def test_a_failed_claim_takes_nothing(relay: Relay) -> None:
    bob, carol = Person(), Person()
    async with (
        online(*where(relay)) as alice,
        online(*where(relay), bob) as b,
        online(*where(relay), carol),
    ):
        await _publish(b, b"one")
        both = ClaimKeyPackages(2, (bob.account_id, carol.account_id))
        refused = await alice.ask(both, KeyPackages)
        assert isinstance(refused, Failed)
        assert (refused.code, refused.data) == (ErrorCode.NO_KEY_PACKAGE, carol.account_id)
        assert await _claim(alice, bob) == b"one"


CONSENT = ConsentGranted(bytes(16), MULTI_DEVICE_SYNC, bytes(32), bytes(32), None)


async def _claim_some(client: RawClient, address: DeviceAddress, count: int) -> list[bytes]:
    answer = await client.ask(ClaimDeviceKeyPackages(2, *address, count), KeyPackages)
    if isinstance(answer, Failed):
        assert (answer.code, answer.data) == (ErrorCode.NO_KEY_PACKAGE, address.account_id)
        return []
    assert all(one[:2] == address for one in answer.packages)
    return [one.key_package for one in answer.packages]


@asynccontextmanager
async def _two_devices(
    relay: Relay, person: Person
) -> AsyncIterator[tuple[RawClient, RawClient, DeviceAddress]]:
    """Both devices of one account, and the address of the second one."""
    laptop = KeyPair.make()
    async with online(*where(relay), person) as first:
        person.entries.append(person.entry(CONSENT))
        person.entries.append(person.device_entry(laptop))
        added = tuple([one.encode() for one in person.entries[-2:]])
        assert await first.ask(AppendChain(2, added), Ok) == Ok(2)
        async with stranger(*where(relay), person) as second:
            await second.send(second.proof(laptop))
            assert isinstance(await second.next(), Ready)
            yield first, second, DeviceAddress(person.account_id, device_id_of(laptop.public))


async def test_many_are_claimed_of_one_device_and_none_of_its_siblings(relay: Relay) -> None:
    async with _two_devices(relay, Person()) as (phone, laptop, address):
        await _publish(phone, b"of the phone")
        await _publish(laptop, b"one", b"two", b"three")
        assert await _claim_some(phone, address, 2) == [b"one", b"two"]
        assert await _claim_some(phone, address, 2) == [b"three"], "never with the last resort"
        assert await _claim_some(phone, address, 100) == [b"last"], "and that once"
        phones = DeviceAddress(address.account_id, phone.person.device_id)
        assert await _claim_some(laptop, phones, 9) == [b"of the phone"]


async def test_of_a_device_of_somebody_else_one_is_claimed_at_a_time(relay: Relay) -> None:
    async with (
        _two_devices(relay, Person()) as (phone, laptop, address),
        online(*where(relay)) as b,
    ):
        assert await _claim_some(b, address, 1) == []
        await _publish(phone, b"of the phone")
        await _publish(laptop, b"one", b"two")
        assert await _claim_some(b, address, 100) == [b"one"]
        assert await _claim_some(b, address, 1) == [b"two"]
        assert await _claim_some(b, address, 1) == [b"last"]
        assert await _claim_some(b, DeviceAddress(address.account_id, bytes(16)), 1) == []
        unknown = await b.ask(ClaimDeviceKeyPackages(3, bytes(20), bytes(16), 1), KeyPackages)
        assert isinstance(unknown, Failed)
        assert (unknown.code, unknown.data) == (ErrorCode.UNKNOWN_ACCOUNT, bytes(20))


@pytest.mark.parametrize(
    ("count", "told"), [(1, [KEY_PACKAGES_LOW]), (9, [KEY_PACKAGES_LOW - 8]), (100, [0])]
)
async def test_a_claim_of_several_tells_the_owner_once(
    relay: Relay, count: int, told: list[int]
) -> None:
    async with _two_devices(relay, Person()) as (phone, laptop, address):
        await _publish(laptop, *[b"%d" % n for n in range(KEY_PACKAGES_LOW + 1)])
        await _claim_some(phone, address, count)
        await _claim_some(phone, address, 1)
        (first,) = await laptop.wait_for(1)
        assert [KeyPackagesLow.decode(first.payload).left] == told
