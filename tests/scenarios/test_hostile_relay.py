"""A relay that lies about order, epochs and answers.

Dropping, doubling, damaging and exchanging envelopes is tested beside the engine. Here the relay
knows what it is doing: it replays, rewrites and helps others. Each lie is refused with an error or
event that names it, or changes nothing; no text comes to anybody it was not meant for; and once the
relay is honest again, everything flows.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import anyio
import pytest

import e2ecore
from e2ecore import ConversationState
from e2ecore.engine.running.job import Job
from e2ecore.engine.talk.writing import encrypt
from e2ecore.testing import devices, two_devices
from e2ecore.testing.memory_log import delivery
from e2ecore_protocol.content.messages import Text
from e2ecore_protocol.errors import ErrorCode
from e2ecore_protocol.frames.conversations import Committed, DeviceAddress
from e2ecore_protocol.frames.delivery import (
    Accepted,
    Delivery,
    EnvelopeKind,
    Refused,
    RouteChange,
    SubmitResult,
    Submitted,
)
from e2ecore_protocol.frames.frame import Frame
from e2ecore_protocol.limits import MAX_UNACKED_ENVELOPES
from tests.support.engines import PATIENCE_S, group_of, history, pair, texts, until
from tests.support.lies import (
    all_acknowledged,
    deliver,
    keys_of,
    once,
    still_fine,
)

pytestmark = [pytest.mark.anyio, pytest.mark.clause("NPS-5.2.1.4")]


@pytest.mark.parametrize(
    ("last_resort", "error"),
    [
        pytest.param(
            True, "BadConversationError", marks=pytest.mark.rule("12.4.3.1-9"), id="last resort"
        ),
        pytest.param(False, "UnknownKeyPackageError", marks=pytest.mark.rule("H19"), id="one time"),
    ],
)
async def test_an_old_invitation_does_not_lead_into_the_past(
    tmp_path: Path, *, last_resort: bool, error: str
) -> None:
    async with devices(tmp_path, "alice", "bob", "eve") as (relay, (alice, bob, eve)):
        at_bob = bob.events()
        own = await keys_of(bob)
        if last_resort:  # it can be used again
            relay.people._packages[own.device_id].clear()
        welcomes: list[Delivery] = []

        def note(_device: bytes, items: Sequence[Delivery]) -> list[Delivery]:
            welcomes.extend(one for one in items if one.kind == EnvelopeKind.WELCOME)
            return list(items)

        relay.faults.deliveries.append(note)
        group, at_bobs, _ = await group_of((alice, bob, eve))
        await (await group.remove(await alice.contacts.find("bob"))).applied()
        await until(at_bob, e2ecore.RemovedFromConversation)
        relay.faults.clear()
        deliver(relay, relay._inbox(own.device_id), b"", welcomes[0])
        found = await until(at_bob, e2ecore.EnvelopeQuarantined)
        assert found.error == error
        await at_bobs.refresh()
        assert at_bobs.state is ConversationState.REMOVED
        await still_fine(alice, bob)


@pytest.mark.clause("GB42012-8.2", "MPS82-9.5")
async def test_a_removed_member_is_not_heard_even_if_the_relay_helps(tmp_path: Path) -> None:
    async with devices(tmp_path, "alice", "bob", "mallory") as (relay, (alice, bob, mallory)):
        at_alice, at_bob = alice.events(), bob.events()
        group, at_bobs, at_mallorys = await group_of((alice, bob, mallory))
        await (await at_mallorys.send("as a member")).accepted()
        assert await texts(at_bob, 1) == ["as a member"]
        own = await keys_of(mallory)

        def say(job: Job) -> bytes:
            mirror = mallory._core.state.find(job.tx, group.conversation_id)
            assert mirror is not None
            return encrypt(job, mirror, Text(bytes(16), 1, "from the past").encode(), 99)

        message = await mallory._core.jobs.run(say)
        await (await group.remove(await alice.contacts.find("mallory"))).applied()
        log = relay.logs[group.conversation_id]
        draft = delivery(EnvelopeKind.APPLICATION, log.epoch - 1, bytes(16), message)
        deliver(relay, log, own.device_id, draft)
        for reader in (at_alice, at_bob):
            assert (await until(reader, e2ecore.EnvelopeQuarantined)).error == "FormerMemberError"
        await (await group.send("without her")).accepted()
        assert await texts(at_bob, 1) == ["without her"]
        assert await history(at_bobs) == ["as a member", "without her"]


async def test_a_route_that_lies_about_members_changes_no_members(tmp_path: Path) -> None:
    async with devices(tmp_path, "alice", "bob", "eve") as (relay, (alice, bob, eve)):
        at_bob = bob.events()
        group, at_bobs = await group_of((alice, bob))
        eves = await keys_of(eve)
        stranger = DeviceAddress(eves.account_id, eves.device_id)

        def lie(_device: bytes, items: Sequence[Delivery]) -> list[Delivery]:
            change = RouteChange((stranger,), (), stranger)
            return [
                one._replace(extra=change) if one.kind == EnvelopeKind.COMMIT else one
                for one in items
            ]

        relay.faults.deliveries.append(lie)
        await (await group.renew_keys()).applied()
        await (await group.send("only for us")).accepted()
        assert await texts(at_bob, 1) == ["only for us"]
        assert {one.handle for one in await at_bobs.members()} == {"alice", "bob"}
        assert await eve.conversations.list() == []


@pytest.mark.parametrize(
    "lie",
    [
        pytest.param(lambda one: Accepted(one.seq + 10_000, one.time_ms), id="another place"),
        pytest.param(lambda one: Accepted(one.seq, 1), id="another time"),
        pytest.param(lambda _: Refused(ErrorCode.STALE_EPOCH, 0, 99), id="epoch is over"),
        pytest.param(lambda _: Refused(ErrorCode.FUTURE_EPOCH, 0, 0), id="epoch is to come"),
        pytest.param(lambda _: Refused(ErrorCode.RATE_LIMITED, 10, None), id="too fast"),
    ],
)
async def test_a_wrong_answer_to_a_message_neither_loses_nor_doubles_it(
    tmp_path: Path, lie: Callable[[Accepted], SubmitResult]
) -> None:
    def answer(frame: Frame) -> Frame:
        if not isinstance(frame, Submitted):
            return frame
        return replace(frame, results=tuple(lie(Accepted(*one[:2])) for one in frame.results))

    async with two_devices(tmp_path) as (relay, alice, bob):
        at_bob = bob.events()
        chat, other = await pair(alice, bob)
        relay.faults.answers.append(once(answer))
        await chat.send("once")
        assert await texts(at_bob, 1) == ["once"]
        await still_fine(alice, bob)
        with anyio.fail_after(PATIENCE_S):
            assert await history(other) == ["once", "from alice", "from bob"]


@pytest.mark.parametrize(
    "lie",
    [
        pytest.param(lambda frame: replace(frame, results=frame.results * 2), id="too many"),
        pytest.param(lambda frame: replace(frame, request=frame.request + 7), id="to nothing"),
        pytest.param(lambda frame: Committed(frame.request, 1, 1), id="of another kind"),
        pytest.param(lambda _: None, id="none at all"),
    ],
)
async def test_an_answer_that_fits_nothing_ends_the_connection_and_not_the_engine(
    tmp_path: Path, lie: Callable[[Submitted], Frame | None]
) -> None:
    def answer(frame: Frame) -> Frame | None:
        return lie(frame) if isinstance(frame, Submitted) else frame

    async with two_devices(tmp_path) as (relay, alice, bob):
        at_bob = bob.events()
        chat, other = await pair(alice, bob)
        relay.faults.answers.append(once(answer))
        sent = await chat.send("once")
        assert await texts(at_bob, 1) == ["once"]
        relay.disconnect()
        await alice.reconnect()
        await bob.reconnect()
        with anyio.fail_after(PATIENCE_S):
            await sent.accepted()
        assert await history(other) == ["once"]
        await still_fine(alice, bob)


async def test_acknowledgements_that_were_lost_are_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or the window of the next connection would be full for ever with what is stored already."""
    async with two_devices(tmp_path) as (relay, alice, bob):
        at_bob = bob.events()
        chat, _ = await pair(alice, bob)
        await all_acknowledged(relay)
        with monkeypatch.context() as patch:
            patch.setattr(relay, "_acknowledge", lambda *_: None)
            numbers = [str(number) for number in range(MAX_UNACKED_ENVELOPES)]
            await chat.send_many(numbers)
            assert await texts(at_bob, len(numbers)) == numbers
        relay.disconnect()
        await alice.reconnect()
        await bob.reconnect()
        await chat.send("one more")
        assert await texts(at_bob, 1) == ["one more"]
        await still_fine(alice, bob)
