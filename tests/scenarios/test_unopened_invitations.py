"""An invitation that cannot be opened: the device asks to be added again, and all converge.

Told over the relay in memory and over the real one.
"""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import anyio
import pytest

import e2ecore
from e2ecore import ConversationState, Engine
from e2ecore.engine.membership.healing import ASK_AGAIN_MS
from e2ecore.engine.membership.joining import UnknownKeyPackageError
from e2ecore.engine.membership.unopened import ask_anew
from e2ecore.testing import VirtualClock, devices, drop, flip_a_bit
from e2ecore.transport.login import Dial
from e2ecore_protocol.frames.delivery import Delivery, EnvelopeKind
from tests.contracts.test_relays_and_engine import everybody, in_memory, real
from tests.support.engines import PATIENCE_S, authenticator, group_of, same, texts, until

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


@pytest.fixture
def anyio_backend() -> str:
    """The relay's HTTP side runs on trio only."""
    return "trio"


@pytest.fixture(params=[in_memory, real])
async def relay(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Dial]:
    """Each relay in turn."""
    async with request.param(tmp_path / "relay") as connect:
        yield connect


async def lose_key_packages(engine: Engine) -> None:
    """Forget the private parts of all that the relay hands out."""
    await engine._core.jobs.run(lambda job: job.tx.execute("DELETE FROM key_packages"))


async def agree(views: Sequence[tuple[Engine, e2ecore.Conversation]]) -> None:
    """Wait until all are in one state."""
    with anyio.fail_after(PATIENCE_S):
        while len({await authenticator(*one) for one in views}) > 1:  # noqa: ASYNC110 - a group tells nobody
            await anyio.sleep(0.02)


async def test_two_people_meet_although_the_invitation_cannot_be_opened(
    tmp_path: Path, relay: Dial
) -> None:
    async with everybody(tmp_path, relay, "alice", "bob") as (alice, bob):
        at_alice, at_bob = alice.events(), bob.events()
        await lose_key_packages(bob)
        chat = await alice.conversations.direct(await alice.contacts.find("bob"))
        await chat.send("lost on its way")
        healing = await until(at_bob, e2ecore.ConversationHealing)
        assert healing.error == UnknownKeyPackageError.__name__
        added = await until(at_bob, e2ecore.ConversationAdded)
        assert added.conversation_id == healing.conversation_id == chat.conversation_id
        await until(at_bob, e2ecore.ConversationHealed)
        other = await same(bob, chat)
        assert alice.account is not None
        assert (other.state, other.peer) == (ConversationState.ACTIVE, alice.account.account_id)
        await (await chat.send("hello")).accepted()
        await (await other.send("and hello")).accepted()
        assert (await texts(at_bob, 1))[0] == "hello"
        assert await texts(at_alice, 1) == ["and hello"]
        await agree([(alice, chat), (bob, other)])


async def test_who_writes_while_the_invitation_is_awaited_is_heard_afterwards(
    tmp_path: Path, relay: Dial
) -> None:
    async with everybody(tmp_path, relay, "alice", "bob") as (alice, bob):
        at_alice, at_bob = alice.events(), bob.events()
        await lose_key_packages(bob)
        known = await bob.contacts.find("alice")
        await (await alice.conversations.direct(await alice.contacts.find("bob"))).ready()
        await until(at_bob, e2ecore.ConversationHealing)
        mine = await bob.conversations.direct(known)
        assert alice.account is not None
        assert mine.peer == alice.account.account_id
        await mine.send("I am here")
        assert await texts(at_alice, 1) == ["I am here"]
        assert len(await bob.conversations.list()) == 1


async def test_a_member_whose_invitation_cannot_be_opened_joins_the_group(
    tmp_path: Path, relay: Dial
) -> None:
    async with everybody(tmp_path, relay, "alice", "bob", "carol") as (alice, bob, carol):
        at_carol = carol.events()
        group, at_bobs = await group_of((alice, bob), "team")
        await lose_key_packages(carol)
        await (await group.add(await alice.contacts.find("carol"))).applied()
        await until(at_carol, e2ecore.ConversationHealed)
        at_carols = await same(carol, group)
        assert at_carols.title == "team"
        assert len(await at_carols.members()) == 3
        await (await at_carols.send("here")).accepted()
        await (await group.send("welcome")).accepted()
        assert await texts(at_carol, 1) == ["welcome"]
        await agree([(alice, group), (bob, at_bobs), (carol, at_carols)])


async def test_who_is_removed_while_waiting_waits_no_longer(tmp_path: Path) -> None:
    async with devices(tmp_path, "alice", "bob", "carol") as (relay, (alice, bob, carol)):
        at_carol = carol.events()
        group, _ = await group_of((alice, bob))
        await lose_key_packages(carol)
        relay.faults.deliveries.append(drop(EnvelopeKind.READD_REQUEST, 9))
        await (await group.add(await alice.contacts.find("carol"))).applied()
        await until(at_carol, e2ecore.ConversationHealing)
        await (await group.remove(await alice.contacts.find("carol"))).applied()
        gone = await until(at_carol, e2ecore.RemovedFromConversation)
        assert alice.account is not None
        assert gone.by == alice.account.account_id
        assert (await same(carol, group)).state is ConversationState.REMOVED


async def test_invitations_damaged_again_and_again_are_asked_for_with_growing_pauses(
    tmp_path: Path,
) -> None:
    clock = VirtualClock()

    async def tick(waiting: Engine) -> None:
        """Only pauses pass quickly, so that how fast the machine is changes nothing."""
        while True:
            await anyio.sleep(0.01)
            clock.advance(ms=500 if waiting._core.state.asking else 10)

    async with (
        devices(tmp_path, "alice", "bob", clock_ms=clock) as (relay, (alice, bob)),
        anyio.create_task_group() as tasks,
    ):
        at_bob, damage, times = bob.events(), flip_a_bit(3, EnvelopeKind.WELCOME), list[int]()

        def note(device: bytes, items: Sequence[Delivery]) -> list[Delivery]:
            times.extend(clock() for one in items if one.kind == EnvelopeKind.WELCOME)
            return damage(device, items)

        relay.faults.deliveries.append(note)
        chat = await alice.conversations.direct(await alice.contacts.find("bob"))
        tasks.start_soon(tick, bob)
        for _ in range(3):
            await until(at_bob, e2ecore.EnvelopeQuarantined)
        await until(at_bob, e2ecore.ConversationHealed)
        _, second, third, last = times
        assert third - second > ASK_AGAIN_MS  # 30 s after the request, and a slow machine only adds
        assert last - third > 3 * ASK_AGAIN_MS  # 60 s
        tasks.cancel_scope.cancel()
        await chat.send("at last")
        assert await texts(at_bob, 1) == ["at last"]


async def test_a_used_invitation_does_not_wake_a_conversation_that_is_over(tmp_path: Path) -> None:
    async with devices(tmp_path, "alice", "bob", "carol") as (relay, (alice, bob, carol)):
        at_carol = carol.events()
        kept: list[Delivery] = []

        def keep(_device: bytes, items: Sequence[Delivery]) -> list[Delivery]:
            kept.extend(one for one in items if one.kind == EnvelopeKind.WELCOME)
            return list(items)

        relay.faults.deliveries.append(keep)
        group, _, at_carols = await group_of((alice, bob, carol))
        await (await group.remove(await alice.contacts.find("carol"))).applied()
        await until(at_carol, e2ecore.RemovedFromConversation)
        repeated = next(one for one in reversed(kept) if one.extra == group.conversation_id)
        await carol._core.jobs.run(lambda job: ask_anew(job, repeated, UnknownKeyPackageError()))
        await at_carols.refresh()
        assert at_carols.state is ConversationState.REMOVED
