"""Key packages: once each, the last resort when none is left, a word before that."""

import anyio
import pytest

from e2ecore_protocol.errors import ErrorCode
from e2ecore_protocol.frames import (
    ClaimKeyPackages,
    DeviceKeyPackage,
    EnvelopeKind,
    Failed,
    KeyPackages,
    KeyPackagesLow,
    Ok,
    PublishKeyPackages,
)
from e2ecore_protocol.limits import KEY_PACKAGES_LOW
from e2ecore_relay.server.relay import Relay
from tests.support.raw_client import Person, RawClient, online
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
