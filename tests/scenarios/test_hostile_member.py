"""A member of a group who breaks the rules, with the keys of a member and a client of its own.

The relay cannot see what a commit does, so it takes it. Every other member refuses it, and says so.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

import e2ecore
from e2ecore import Conversation, Engine
from e2ecore.crypto.rng import system_rng
from e2ecore.crypto.signing import ED25519
from e2ecore.engine.engine import system_clock_ms
from e2ecore.engine.running.job import Job
from e2ecore.engine.talk.writing import encrypt
from e2ecore.messaging.identity import encode_identity
from e2ecore.mls.extensions import Extension
from e2ecore.mls.group import Group
from e2ecore.mls.key_package import KeyPackage
from e2ecore.mls.proposals import Add, GroupContextExtensions, Proposal, Remove
from e2ecore.testing import MemoryRelay, devices
from e2ecore.testing.memory_log import delivery
from e2ecore_protocol.content.conversation import (
    CONVERSATION_EXTENSION,
    ConversationInfo,
    InfoKind,
    Role,
    RoleOf,
)
from e2ecore_protocol.content.messages import Text
from e2ecore_protocol.frames.conversations import Commit, Committed, DeviceAddress
from e2ecore_protocol.frames.delivery import EnvelopeKind, make_envelope_id
from tests.support.engines import group_of, history, texts, until
from tests.support.lies import deliver, key_package, keys_of, kinds_delivered

pytestmark = [pytest.mark.anyio, pytest.mark.clause("GB42012-8.2")]

Wish = Callable[[Group, bytes, bytes], Proposal]
"""What the hostile member wants: from its group, its account id and its identity in the tree."""


async def in_group(engine: Engine, group: Conversation, act: Callable[[Group], bytes]) -> bytes:
    """Do something with a member's MLS group, past everything that the engine checks."""

    def work(job: Job) -> bytes:
        mirror = engine._core.state.find(job.tx, group.conversation_id)
        assert mirror is not None
        assert mirror.group is not None
        return act(mirror.group)

    return await engine._core.jobs.run(work)


def submit_commit(
    relay: MemoryRelay, sender: DeviceAddress, conversation: bytes, payload: bytes
) -> None:
    """Have the relay take a commit, as it would from any member's client."""
    log = relay.logs[conversation]
    envelope_id = make_envelope_id(system_clock_ms(), system_rng(10))
    frame = Commit(1, conversation, envelope_id, log.epoch, payload, None, (), (), None)
    assert isinstance(relay._commit(sender, frame), Committed)
    relay._stream()


def terms(group: Group, change: Callable[[ConversationInfo], ConversationInfo]) -> Proposal:
    """Return the proposal to change the terms that all have agreed on."""
    changed = []
    for extension in group.extensions:
        data = extension.data
        if extension.type == CONVERSATION_EXTENSION:
            data = change(ConversationInfo.decode(data)).encode()
        changed.append(Extension(extension.type, data))
    return GroupContextExtensions(tuple(changed))


def rename(group: Group, _account: bytes, _identity: bytes) -> Proposal:
    return terms(group, lambda info: replace(info, title="mine"))


def become_owner(group: Group, account: bytes, _identity: bytes) -> Proposal:
    roles = (RoleOf(account, Role.OWNER),)
    return terms(group, lambda info: replace(info, roles=tuple(sorted((*info.roles, *roles)))))


def make_direct(group: Group, _account: bytes, _identity: bytes) -> Proposal:
    return terms(group, lambda _: ConversationInfo(InfoKind.DIRECT))


def remove_the_owner(_group: Group, _account: bytes, _identity: bytes) -> Proposal:
    return Remove(0)


def add_a_friend(_group: Group, _account: bytes, _identity: bytes) -> Proposal:
    friend = ED25519.generate(system_rng)
    identity = encode_identity(system_rng(20), system_rng(16))
    return Add(KeyPackage.decode(key_package(friend, identity)))


def add_own_second_device(_group: Group, account: bytes, _identity: bytes) -> Proposal:
    device = ED25519.generate(system_rng)
    identity = encode_identity(account, system_rng(16))
    return Add(KeyPackage.decode(key_package(device, identity)))


@pytest.mark.parametrize(
    ("wish", "error"),
    [
        pytest.param(rename, "CommitNotAllowedError", id="a title"),
        pytest.param(become_owner, "CommitNotAllowedError", id="a role"),
        pytest.param(make_direct, "CommitNotAllowedError", id="the kind"),
        pytest.param(remove_the_owner, "CommitNotAllowedError", id="the owner"),
        pytest.param(add_a_friend, "CommitNotAllowedError", id="a stranger"),
        pytest.param(
            add_own_second_device,
            "ForeignLeafError",
            id="a hidden device",
            marks=pytest.mark.clause("GB42012-8.1.1d"),
        ),
    ],
)
async def test_a_commit_beyond_the_role_of_its_sender_is_refused_by_all(
    tmp_path: Path, wish: Wish, error: str
) -> None:
    async with devices(tmp_path, "alice", "bob", "mallory") as (relay, (alice, bob, mallory)):
        readers = [one.events() for one in (alice, bob)]
        views = await group_of((alice, bob, mallory))
        before = [(view.title, await view.members()) for view in views[:2]]
        own = await keys_of(mallory)

        def commit(group: Group) -> bytes:
            proposal = wish(group, own.account_id, own.leaf_identity)
            pending = group.create_commit(
                (proposal,), signer=own.signer, now_ms=system_clock_ms(), rng=system_rng
            )
            return pending.commit

        payload = await in_group(mallory, views[0], commit)
        sender = DeviceAddress(own.account_id, own.device_id)
        submit_commit(relay, sender, views[0].conversation_id, payload)
        for reader in readers:
            assert (await until(reader, e2ecore.EnvelopeQuarantined)).error == error
        for view, (title, members) in zip(views[:2], before, strict=True):
            await view.refresh()
            assert (view.title, await view.members()) == (title, members)


async def test_a_proposal_against_somebody_else_is_refused_and_all_go_on(tmp_path: Path) -> None:
    async with devices(tmp_path, "alice", "bob", "mallory") as (relay, (alice, bob, mallory)):
        at_alice, at_bob = alice.events(), bob.events()
        group, at_bobs, _ = await group_of((alice, bob, mallory))
        own = await keys_of(mallory)
        payload = await in_group(
            mallory, group, lambda one: one.propose_remove(0, signer=own.signer, rng=system_rng)
        )
        log = relay.logs[group.conversation_id]
        draft = delivery(EnvelopeKind.PROPOSAL, log.epoch, bytes(16), payload)
        deliver(relay, log, own.device_id, draft)
        refused = await until(at_alice, e2ecore.EnvelopeQuarantined)
        assert refused.error == "CommitNotAllowedError"
        await (await group.send("we are all here")).accepted()
        assert await texts(at_bob, 1) == ["we are all here"]
        assert {one.handle for one in await at_bobs.members()} == {"alice", "bob", "mallory"}


async def test_a_message_of_an_epoch_that_nobody_made_stops_nobody(tmp_path: Path) -> None:
    """Members wait only for commits that the relay says there are."""
    async with devices(tmp_path, "alice", "bob", "mallory") as (relay, (alice, bob, mallory)):
        at_alice, at_bob = alice.events(), bob.events()
        group, at_bobs, _ = await group_of((alice, bob, mallory))
        own = await keys_of(mallory)

        def say(job: Job) -> bytes:
            mirror = mallory._core.state.find(job.tx, group.conversation_id)
            assert mirror is not None
            return encrypt(job, mirror, Text(bytes(16), 1, "from tomorrow").encode(), 1)

        message = await mallory._core.jobs.run(say)
        log = relay.logs[group.conversation_id]
        epoch = log.epoch.to_bytes(8, "big")
        assert message.count(epoch) == 1
        kinds = kinds_delivered(relay)
        forged = message.replace(epoch, (log.epoch + 1).to_bytes(8, "big"))
        draft = delivery(EnvelopeKind.APPLICATION, log.epoch, bytes(16), forged)
        deliver(relay, log, own.device_id, draft)
        for reader in (at_alice, at_bob):
            refused = await until(reader, e2ecore.EnvelopeQuarantined)
            assert refused.error == "EpochInFutureError"
        await (await group.send("today")).accepted()
        assert await texts(at_bob, 1) == ["today"]
        assert await history(at_bobs) == ["today"]
        await (await at_bobs.renew_keys()).applied()
        assert EnvelopeKind.READD_REQUEST not in kinds, "somebody gave up waiting"
