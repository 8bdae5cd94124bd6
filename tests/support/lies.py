"""What a lying relay does, for tests that show that it gets nowhere."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import anyio

from e2ecore import Engine
from e2ecore.crypto.rng import system_rng
from e2ecore.crypto.signing import ED25519, SigningKey
from e2ecore.crypto.suites import DEFAULT_SUITE
from e2ecore.engine.engine import system_clock_ms
from e2ecore.engine.running.state import Own
from e2ecore.mls.key_package import KeyPackageBundle
from e2ecore.mls.nodes import Capabilities
from e2ecore.testing import MemoryRelay
from e2ecore.testing.memory_log import MemoryLog
from e2ecore_protocol.chain import MULTI_DEVICE_SYNC, ConsentGranted, DeviceAdded, extend
from e2ecore_protocol.chain.bodies import Body
from e2ecore_protocol.chain.entry import device_id_of
from e2ecore_protocol.chain.state import Device
from e2ecore_protocol.content.conversation import CONVERSATION_EXTENSION
from e2ecore_protocol.frames.conversations import DeviceAddress
from e2ecore_protocol.frames.delivery import (
    Delivery,
)
from e2ecore_protocol.frames.frame import Frame
from e2ecore_protocol.frames.key_packages import PublishKeyPackages
from tests.support.engines import PATIENCE_S, pair, texts


async def keys_of(engine: Engine) -> Own:
    return await engine._core.jobs.run(lambda job: job.own)


async def grow_chain(relay: MemoryRelay, engine: Engine, body: Body) -> None:
    """Put an allowed entry behind the head of somebody's chain, as its owner would."""
    own = await keys_of(engine)
    account = relay.people.accounts[own.account_id]
    entry = account.state.next_entry(body, now_ms=1, sign=own.identity.sign)
    account.state = extend(account.state, [entry], ED25519.verify)
    account.entries.append(entry.encode())


def consent(number: int = 1) -> ConsentGranted:
    return ConsentGranted(
        bytes(15) + bytes((number,)), MULTI_DEVICE_SYNC, bytes(32), bytes(32), None
    )


async def add_device(relay: MemoryRelay, engine: Engine, identity: SigningKey) -> bytes:
    """Have the relay serve a second device of an account, whatever the rules of chains say.

    Returns:
        The device id. There is a key package of it, too.
    """
    own = await keys_of(engine)
    account = relay.people.accounts[own.account_id]
    state = account.state
    signer = ED25519.generate(system_rng)
    message = state.next_possession_message(signer.public)
    body = DeviceAdded(signer.public, signer.sign(message))
    entry = state.next_entry(body, now_ms=1, sign=identity.sign)
    device_id = device_id_of(signer.public)
    device = Device(device_id, signer.public, entry.seq, entry.created_ms)
    account.entries.append(entry.encode())
    account.state = replace(
        state,
        devices={**state.devices, device_id: device},
        head_seq=entry.seq,
        head_hash=entry.hash(),
    )
    relay.people.publish(
        DeviceAddress(own.account_id, device_id),
        PublishKeyPackages(0, (key_package(signer, own.account_id + device_id),), None),
    )
    return device_id


def key_package(signer: SigningKey, identity: bytes) -> bytes:
    bundle = KeyPackageBundle.generate(
        DEFAULT_SUITE,
        signer,
        identity,
        now_ms=system_clock_ms(),
        rng=system_rng,
        capabilities=Capabilities(
            cipher_suites=(DEFAULT_SUITE.code,), extensions=(CONVERSATION_EXTENSION,)
        ),
    )
    return bundle.message


def deliver(relay: MemoryRelay, log: MemoryLog, sender: bytes, draft: Delivery) -> None:
    """Put an envelope into a log without asking whether that is allowed."""
    log.append(sender, draft, system_clock_ms(), 1_000)
    relay._stream()


def once(lie: Callable[[Frame], Frame | None]) -> Callable[[bytes, Frame], Frame | None]:
    """Tell a lie the first time that it changes an answer."""
    done = False

    def apply(_device: bytes, answer: Frame) -> Frame | None:
        nonlocal done
        told = answer if done else lie(answer)
        done = done or told is not answer
        return told

    return apply


async def still_fine(alice: Engine, bob: Engine) -> None:
    """Both write and read as if nothing had happened."""
    at_alice, at_bob = alice.events(), bob.events()
    chat, other = await pair(alice, bob)
    await (await chat.send("from alice")).accepted()
    while await texts(at_bob, 1) != ["from alice"]:
        continue
    await (await other.send("from bob")).accepted()
    while await texts(at_alice, 1) != ["from bob"]:
        continue


async def all_acknowledged(relay: MemoryRelay) -> None:
    """Wait until nothing that was sent waits for its acknowledgement: every window is empty."""
    with anyio.fail_after(PATIENCE_S):
        while any(any(one.unacked.values()) for one in relay._sessions):  # noqa: ASYNC110 - a relay tells nobody
            await anyio.sleep(0.02)


def kinds_delivered(relay: MemoryRelay) -> set[int]:
    """Return the kinds of all envelopes that are delivered from now on; the set keeps growing."""
    kinds: set[int] = set()

    def note(_device: bytes, items: Sequence[Delivery]) -> list[Delivery]:
        kinds.update(one.kind for one in items)
        return list(items)

    relay.faults.deliveries.append(note)
    return kinds
