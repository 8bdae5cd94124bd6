"""Commits and submits: one good object, and copies with exactly one fault."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from e2ecore_protocol.errors import ErrorCode
from e2ecore_protocol.frames import (
    Commit,
    Committed,
    ConversationKind,
    DeviceAddress,
    Refused,
    direct_conversation_id,
    group_conversation_id,
    self_conversation_id,
)
from e2ecore_relay.domain import exchange as exchange_module
from e2ecore_relay.domain import membership
from e2ecore_relay.domain.errors import RefusedError
from e2ecore_relay.domain.log import inbox_name
from e2ecore_relay.domain.ports import StoredDevice
from tests.support.relay_desk import Desk


@dataclass
class Scene:
    """A group of alice and bob in epoch 1; carol and dave are outside, gone was revoked."""

    desk: Desk
    group: bytes = field(default_factory=lambda: group_conversation_id(os.urandom(16)))

    def __post_init__(self) -> None:
        self.alice, self.bob, self.carol, self.dave, self.gone = (
            self.desk.device() for _ in range(5)
        )
        with self.desk.turn() as (_, ledger, now_ms):
            ledger.accounts.remove_devices([self.gone.device], now_ms)
        self.desk.commit(self.alice, self.group, 0, create=ConversationKind.GROUP, added=[self.bob])

    def frame(self) -> Commit:
        """A commit by alice that adds carol."""
        return Commit(
            1,
            self.group,
            self.desk.envelope_id(),
            1,
            b"commit",
            None,
            (self.carol.address,),
            (),
            b"welcome",
        )

    def run(self, frame: Commit, sender: StoredDevice | None = None) -> Committed:
        with self.desk.turn() as turn:
            return membership.commit(turn, sender or self.alice, frame)

    def pair(self, other: StoredDevice) -> bytes:
        return direct_conversation_id(self.alice.address.account_id, other.address.account_id, 0)


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    desk = Desk(tmp_path)
    yield Scene(desk)
    desk.close()


def test_the_good_commit_is_carried_out(scene: Scene) -> None:
    assert scene.run(scene.frame()) == Committed(1, 2, scene.desk.now_ms)
    assert [one.payload for one in scene.desk.read(scene.carol)] == [b"welcome"]
    assert [one.payload for one in scene.desk.read(scene.bob)] == [b"welcome", b"commit"]


def alone(frame: Commit, owner: StoredDevice) -> Commit:
    """A commit by alice that begins the conversation of somebody's own devices."""
    uid = self_conversation_id(owner.address.account_id, 0)
    return replace(frame, create_kind=4, epoch=0, conversation=uid, added=(), welcome=None)


def test_an_account_has_one_conversation_of_its_own_devices(scene: Scene) -> None:
    begin = alone(scene.frame(), scene.alice)
    assert scene.run(begin).seq == 1
    with pytest.raises(RefusedError) as refused:
        scene.run(replace(begin, envelope_id=scene.desk.envelope_id()))
    assert refused.value.code is ErrorCode.CONVERSATION_EXISTS
    invite = replace(scene.frame(), conversation=begin.conversation)
    with pytest.raises(RefusedError) as refused:
        scene.run(invite)
    assert refused.value.code is ErrorCode.TOO_MANY_MEMBERS


UNKNOWN = DeviceAddress(bytes(20), bytes(16))
M = ErrorCode.MALFORMED


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        pytest.param(lambda _, f: replace(f, welcome=None), M, id="no Welcome"),
        pytest.param(lambda _, f: replace(f, added=()), M, id="Welcome for nobody"),
        pytest.param(lambda _, f: replace(f, added=f.added * 2), M, id="added twice"),
        pytest.param(lambda s, f: replace(f, removed=(s.bob.address,) * 2), M, id="removed twice"),
        pytest.param(lambda s, f: replace(f, removed=(s.alice.address,)), M, id="removes itself"),
        pytest.param(
            lambda _, f: replace(f, added=(UNKNOWN,)), ErrorCode.UNKNOWN_DEVICE, id="unknown device"
        ),
        pytest.param(
            lambda s, f: replace(f, added=(s.gone.address,)),
            ErrorCode.DEVICE_REVOKED,
            id="revoked device",
        ),
        pytest.param(
            lambda _, f: replace(f, conversation=bytes(16)),
            ErrorCode.UNKNOWN_CONVERSATION,
            id="unknown conversation",
        ),
        pytest.param(
            lambda s, f: replace(f, conversation=inbox_name(s.bob.device)),
            ErrorCode.UNKNOWN_CONVERSATION,
            id="an inbox",
        ),
        pytest.param(lambda _, f: replace(f, epoch=0), ErrorCode.STALE_EPOCH, id="old epoch"),
        pytest.param(lambda _, f: replace(f, epoch=2), ErrorCode.FUTURE_EPOCH, id="future epoch"),
        pytest.param(
            lambda _, f: replace(f, create_kind=2, epoch=0),
            ErrorCode.CONVERSATION_EXISTS,
            id="exists",
        ),
        pytest.param(
            lambda _, f: replace(f, create_kind=2, conversation=bytes(16)), M, id="begins late"
        ),
        pytest.param(
            lambda s, f: replace(
                f, create_kind=2, conversation=bytes(16), epoch=0, added=(s.alice.address,)
            ),
            M,
            id="adds itself",
        ),
        pytest.param(
            lambda s, f: replace(
                f,
                create_kind=1,
                epoch=0,
                conversation=s.pair(s.carol),
                added=(s.carol.address, s.dave.address),
            ),
            ErrorCode.TOO_MANY_MEMBERS,
            id="three in a direct conversation",
        ),
        pytest.param(
            lambda s, f: replace(
                f, create_kind=1, epoch=0, conversation=s.pair(s.carol), added=(), welcome=None
            ),
            M,
            id="alone in a direct conversation",
        ),
        pytest.param(
            lambda s, f: replace(f, create_kind=1, epoch=0, conversation=s.pair(s.dave)),
            M,
            id="the id of another pair",
        ),
        pytest.param(
            lambda s, f: replace(f, create_kind=2, epoch=0, conversation=s.pair(s.carol)),
            M,
            id="a group with the id of a pair",
        ),
        pytest.param(
            lambda s, f: replace(
                f,
                create_kind=1,
                epoch=0,
                conversation=group_conversation_id(s.pair(s.carol)),
            ),
            M,
            id="a direct conversation with the id of a group",
        ),
        pytest.param(
            lambda s, f: alone(f, s.bob),
            M,
            id="own devices of somebody else",
        ),
        pytest.param(
            lambda s, f: replace(alone(f, s.alice), conversation=bytes(16)),
            M,
            id="own devices with the id of a group",
        ),
        pytest.param(
            lambda s, f: replace(alone(f, s.alice), added=(s.carol.address,), welcome=b"welcome"),
            ErrorCode.TOO_MANY_MEMBERS,
            id="somebody else among own devices",
        ),
    ],
)
def test_a_commit_with_one_fault_is_refused_and_changes_nothing(
    scene: Scene, fault: Callable[[Scene, Commit], Commit], code: ErrorCode
) -> None:
    with pytest.raises(RefusedError) as refused:
        scene.run(fault(scene, scene.frame()))
    assert refused.value.code is code
    assert scene.desk.read(scene.carol) == []
    assert scene.run(scene.frame()) == Committed(1, 2, scene.desk.now_ms)


def test_outsiders_and_revoked_devices_cannot_commit(scene: Scene) -> None:
    with pytest.raises(RefusedError) as refused:
        scene.run(scene.frame(), scene.dave)
    assert refused.value.code is ErrorCode.NOT_A_MEMBER
    begin = replace(scene.frame(), conversation=bytes(16), create_kind=2, epoch=0)
    with pytest.raises(RefusedError) as refused:
        scene.run(begin, scene.gone)
    assert refused.value.code is ErrorCode.DEVICE_REVOKED


@pytest.mark.parametrize(
    ("limit", "most", "code"),
    [
        ("MAX_MEMBERS", 2, ErrorCode.TOO_MANY_MEMBERS),
        ("MAX_MEMBER_DEVICES", 2, ErrorCode.TOO_MANY_DEVICES),
        ("MAX_CONVERSATIONS", 0, ErrorCode.QUOTA_EXCEEDED),
    ],
)
def test_conversations_and_their_members_are_bounded(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, limit: str, most: int, code: ErrorCode
) -> None:
    scene.desk.commit(
        scene.alice, group_conversation_id(b"\x01" * 16), 0, create=2, added=[scene.carol]
    )
    monkeypatch.setattr(membership, limit, most)
    with pytest.raises(RefusedError) as refused:
        scene.run(scene.frame())
    assert refused.value.code is code
    begin = replace(
        scene.frame(), conversation=bytes(16), create_kind=2, epoch=0, added=(), welcome=None
    )
    assert scene.run(begin) == Committed(1, 1, scene.desk.now_ms)


def test_a_device_that_is_removed_and_added_at_once_stays_and_gets_a_welcome(scene: Scene) -> None:
    frame = replace(scene.frame(), added=(scene.bob.address,), removed=(scene.bob.address,))
    scene.run(frame)
    got = [one.payload for one in scene.desk.read(scene.bob)]
    assert got == [b"welcome", b"welcome", b"commit"]
    (answer,) = scene.desk.submit(scene.bob, scene.desk.envelope(scene.group, epoch=2))
    assert answer == (3, scene.desk.now_ms)


def test_leaving_an_unknown_conversation_or_an_inbox_is_refused(scene: Scene) -> None:
    for name in (bytes(16), inbox_name(scene.bob.device)):
        with pytest.raises(RefusedError) as refused, scene.desk.turn() as turn:
            membership.leave(turn, scene.bob.device, name)
        assert refused.value.code is ErrorCode.UNKNOWN_CONVERSATION


def test_inboxes_and_commits_are_closed_to_submits(scene: Scene) -> None:
    inbox = scene.desk.envelope(inbox_name(scene.bob.device))
    assert scene.desk.submit(scene.bob, inbox) == [Refused(ErrorCode.UNKNOWN_CONVERSATION, 0, None)]
    commit = scene.desk.envelope(scene.group, kind=3)
    assert scene.desk.submit(scene.alice, commit) == [Refused(ErrorCode.MALFORMED, 0, None)]


def test_a_mirror_that_grew_too_large_is_dropped_and_nothing_is_lost(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange_module, "_MAX_MIRRORED", 1)
    for seq in range(2, 6):
        (answer,) = scene.desk.submit(scene.alice, scene.desk.envelope(scene.group))
        assert answer == (seq, scene.desk.now_ms)
        for unread in scene.desk.unread(scene.bob):
            scene.desk.acknowledge(scene.bob, {unread.lid: unread.head})
    assert scene.desk.read(scene.bob) == []


def test_acknowledgements_of_forgotten_readers_change_nothing(scene: Scene) -> None:
    unread = scene.desk.unread(scene.bob)
    with scene.desk.turn() as turn:
        membership.leave(turn, scene.bob.device, scene.group)
    scene.desk.acknowledge(scene.bob, {one.lid: one.head for one in unread} | {999: 5})
    assert scene.desk.read(scene.bob) == []
