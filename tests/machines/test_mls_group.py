"""Two to eight members do everything in any order; whatever happens, they agree.

A delivery service keeps one ordered log of handshakes and takes a handshake only from members who
are up to date. Application messages reach their readers in any order, late, twice, or never.
Members go astray by merging a commit that nobody else sees, and come back by an external commit.
Who was removed goes on listening with all that it had. Each key that seals is noted: none is used
twice.
"""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from e2ecore.crypto.aead import Aead
from e2ecore.crypto.suites import SUITES
from e2ecore.mls.errors import (
    DuplicateMessageError,
    EpochInFutureError,
    EpochTooOldError,
    GenerationTooOldError,
    PendingChangeError,
    RemovedFromGroupError,
    StaleCommitError,
)
from e2ecore.mls.group import Group, PendingCommit, ReceivedProposal, StagedCommit
from e2ecore.mls.group_state import PAST_EPOCHS
from e2ecore.mls.pending_join import PendingJoin
from e2ecore.mls.proposals import PreSharedKey, Proposal, Remove
from e2ecore.mls.psk import ExternalPskId
from e2ecore.mls.secret_tree import WINDOW_BACK
from tests.support.mls_groups import Device, add, everybody
from tests.support.mls_model import Outsider, Reader, Text, ghost, refused

MAX_MEMBERS = 8
KEYS = {b"a key": b"shared before"}
PICK = st.integers(0, 1000)


class MlsGroup(RuleBasedStateMachine):
    """The whole group and its delivery service."""

    suite_code = 1

    def __init__(self) -> None:
        super().__init__()
        self.door = pytest.MonkeyPatch()
        keys: set[bytes] = set()
        aead = type(SUITES[self.suite_code].aead)
        seal = aead.seal

        def seal_once(own: Aead, key: bytes, nonce: bytes, plaintext: bytes, aad: bytes) -> bytes:
            assert key not in keys
            keys.add(key)
            return seal(own, key, nonce, plaintext, aad)

        self.door.setattr(aead, "seal", seal_once)

    @initialize(size=st.integers(2, 4))
    def begin(self, size: int) -> None:
        names = [f"device {number}" for number in range(size)]
        self.created = size
        self.readers = [
            Reader(device, 1, 0) for device in everybody(*names, suite=SUITES[self.suite_code])
        ]
        self.epoch = 1
        self.log: list[tuple[str, bytes, PendingCommit | None]] = []
        self.states: dict[int, tuple[bytes, bytes]] = {}
        self.sent: dict[tuple[int, str], int] = {}
        self.commit_keys: dict[tuple[int, int, int], bytes] = {}
        self.texts: list[Text] = []
        self.removed: list[Outsider] = []
        self.astray: list[Outsider] = []

    def pick(self, number: int, *, current: bool) -> Reader | None:
        """Choose a member; with ``current`` one that has read the whole log."""
        able = [
            reader
            for reader in self.readers
            if not reader.removed and (not current or reader.cursor == len(self.log))
        ]
        return able[number % len(able)] if able else None

    @rule(who=PICK, size=st.integers(0, 300))
    def send(self, who: int, size: int) -> None:
        reader = self.pick(who, current=False)
        if reader is None:
            return
        if reader.device.group.pending_proposals:
            with pytest.raises(PendingChangeError):
                reader.device.send(bytes(size))
            return
        key = (reader.epoch, reader.device.name)
        text = Text(reader.device.name, reader.epoch, self.sent.get(key, 0), b"")
        text = Text(text.sender, text.epoch, text.generation, reader.device.send(bytes(size)))
        self.sent[key] = text.generation + 1
        self.texts.append(text)
        for other in self.readers:
            if other is not reader and not other.removed:
                other.mailbox.append(text)

    @rule(who=PICK, which=PICK)
    def deliver(self, who: int, which: int) -> None:
        reader = self.pick(who, current=False)
        if reader is None or not reader.mailbox:
            return
        text = reader.mailbox[which % len(reader.mailbox)]
        key = (text.epoch, text.sender)
        late = reader.heads.get(key, 0) - text.generation
        if text.epoch > reader.epoch:
            with pytest.raises(EpochInFutureError):
                reader.device.read(text.message)
            return
        reader.mailbox.remove(text)
        if text.epoch < max(reader.joined_epoch, reader.epoch - PAST_EPOCHS):
            with pytest.raises(EpochTooOldError):
                reader.device.read(text.message)
        elif late > WINDOW_BACK:
            with pytest.raises(GenerationTooOldError):
                reader.device.read(text.message)
        else:
            received = reader.device.read(text.message)
            assert received.generation == text.generation
            assert received.sender.identity == text.sender.encode()
            reader.heads[key] = max(reader.heads.get(key, 0), text.generation)
            reader.done.append(text)

    @rule(who=PICK, which=PICK)
    def deliver_again(self, who: int, which: int) -> None:
        reader = self.pick(who, current=False)
        if reader is None or not reader.done:
            return
        text = reader.done[which % len(reader.done)]
        before = dict(reader.device.disk.rows)
        with pytest.raises((DuplicateMessageError, GenerationTooOldError, EpochTooOldError)):
            reader.device.read(text.message)
        assert reader.device.disk.rows == before

    @rule(who=PICK, which=PICK)
    def lose(self, who: int, which: int) -> None:
        reader = self.pick(who, current=False)
        if reader is not None and reader.mailbox:
            del reader.mailbox[which % len(reader.mailbox)]

    @rule(who=PICK, which=PICK)
    def overhear(self, who: int, which: int) -> None:
        """Somebody who was removed, or went astray, gets hold of a message of the others."""
        outside = [*self.removed, *self.astray]
        later = [
            text
            for text in self.texts
            if outside and text.epoch > outside[who % len(outside)].epoch
        ]
        if later:
            refused(outside[who % len(outside)].device, later[which % len(later)].message)

    @rule(who=PICK)
    def go_astray(self, who: int) -> None:
        """A member merges a commit that nobody else will ever see."""
        reader = self.pick(who, current=True)
        if reader is not None and sum(not each.removed for each in self.readers) > 2:
            self.readers.remove(reader)
            epoch = reader.epoch
            reader.device.merge(reader.device.commit().staged)
            self.astray.append(Outsider(reader.device, epoch))

    @rule(who=PICK)
    def speak_from_astray(self, who: int) -> None:
        if self.astray:
            message = self.astray[who % len(self.astray)].device.send(b"where is everybody?")
            for reader in self.readers:
                if not reader.removed:
                    refused(reader.device, message)

    @rule(who=PICK, whom=PICK)
    def come_in_from_outside(self, who: int, whom: int) -> None:
        """Somebody new, or somebody who went astray, joins by an external commit."""
        reader = self.pick(who, current=True)
        if reader is None or len(reader.device.group.members()) >= MAX_MEMBERS:
            return
        device = Device(f"device {self.created}", SUITES[self.suite_code])
        self.created += 1
        if self.astray and whom % 3:
            lost = self.astray.pop(whom % len(self.astray)).device
            device.name, device.signer = lost.name, lost.signer
        known = {member.signature_key for member in reader.device.group.members()}
        pending = Group.join_by_commit(
            reader.device.group.group_info(signer=reader.device.signer),
            device.signer,
            device.name.encode(),
            capabilities=device.capabilities(),
            resync=device.signer.public in known,
            now_ms=device.now_ms,
            rng=device.rng,
        )
        self.log.append(("", pending.commit, None))
        self.epoch += 1
        device.enter(PendingJoin.decode(pending.encode()))
        self.readers.append(Reader(device, self.epoch, len(self.log)))

    @rule(who=PICK)
    def restart(self, who: int) -> None:
        reader = self.pick(who, current=False)
        if reader is not None:
            reader.device.reload()

    @rule(who=PICK, steps=st.integers(1, 3))
    def catch_up(self, who: int, steps: int) -> None:
        reader = self.pick(who, current=False)
        for _ in range(steps):
            if reader is not None and reader.cursor < len(self.log) and not reader.removed:
                self.process_next(reader)

    @rule(who=PICK, whom=PICK)
    def propose(self, who: int, whom: int) -> None:
        reader = self.pick(who, current=True)
        if reader is None:
            return
        device = reader.device
        members = device.group.members()
        if whom % 3 == 0 and len(members) > 2:
            leaf = members[whom % len(members)].leaf
            message = device.group.propose_remove(leaf, signer=device.signer, rng=device.rng)
        else:
            message = device.group.propose_update(signer=device.signer, rng=device.rng)
        device.save()
        self.log.append((device.name, message, None))
        reader.cursor += 1

    @rule(
        who=PICK, rivals=st.integers(0, 2), kind=st.sampled_from(["empty", "add", "remove", "psk"])
    )
    def commit(self, who: int, rivals: int, kind: str) -> None:
        reader = self.pick(who, current=True)
        if reader is None:
            return
        others = [
            each
            for each in self.readers
            if each is not reader and not each.removed and each.cursor == len(self.log)
        ]
        losers = [(rival, rival.device.commit()) for rival in others[:rivals]]
        for _, lost in losers:
            self.use_key(reader.device.stage(lost.commit), lost.commit)
        members = reader.device.group.members()
        proposals: list[Proposal] = []
        new, bundle = Device(f"device {self.created}", SUITES[self.suite_code]), None
        if kind == "add" and len(members) < MAX_MEMBERS:
            bundle = new.bundle()
            proposals.append(add(bundle))
        elif kind == "remove" and len(members) > 2:
            gone = [
                member.leaf for member in members if member.leaf != reader.device.group.own_leaf
            ]
            proposals.append(Remove(gone[who % len(gone)]))
        elif kind == "psk":
            nonce = reader.device.rng(reader.device.suite.nh)
            proposals.append(PreSharedKey(ExternalPskId(b"a key", nonce)))
        pending = reader.device.group.create_commit(
            proposals,
            signer=reader.device.signer,
            now_ms=reader.device.now_ms,
            rng=reader.device.rng,
            psks=KEYS,
        )
        stored = pending.encode()
        pending = PendingCommit.decode(stored, reader.device.reload())
        self.log.append((reader.device.name, pending.commit, pending))
        self.epoch += 1
        self.process_next(reader)
        if bundle is not None and pending.welcome is not None:
            new.join(pending.welcome, bundle)
            self.created += 1
            self.readers.append(Reader(new, self.epoch, len(self.log)))
        for rival, lost in losers:
            self.process_next(rival)
            expected = RemovedFromGroupError if rival.removed else StaleCommitError
            with pytest.raises(expected):
                rival.device.group.merge(lost.staged, now_ms=0)

    def process_next(self, reader: Reader) -> None:
        """Let one device process the next handshake of the log."""
        name, message, pending = self.log[reader.cursor]
        reader.cursor += 1
        device = reader.device
        if pending is not None and name == device.name:
            device.merge(pending.staged)
            return
        received = device.group.receive(message, now_ms=device.now_ms, psks=KEYS)
        assert isinstance(received, ReceivedProposal | StagedCommit)
        if isinstance(received, StagedCommit):
            self.use_key(received, message)
            if received.self_removed:
                self.removed.append(ghost(device))
            device.merge(received)
            reader.removed = received.self_removed
        device.save()

    def use_key(self, staged: StagedCommit, message: bytes) -> None:
        """Check that no two commits were encrypted with the same key."""
        if staged.external:
            return
        assert staged.key is not None
        key = (staged.epoch, *staged.key)
        assert self.commit_keys.setdefault(key, message) == message

    @precondition(lambda self: hasattr(self, "readers"))
    @invariant()
    def members_of_an_epoch_agree(self) -> None:
        for reader in self.readers:
            if reader.removed:
                assert reader.device.disk.rows == {}
                continue
            group = reader.device.group
            state = (group.epoch_authenticator, group.tree_hash)
            assert self.states.setdefault(group.epoch, state) == state

    def teardown(self) -> None:
        try:
            self.finish()
        finally:
            self.door.undo()

    def finish(self) -> None:
        for reader in getattr(self, "readers", []):
            while reader.cursor < len(self.log) and not reader.removed:
                self.process_next(reader)
        if hasattr(self, "readers"):
            self.members_of_an_epoch_agree()


class ChaChaGroup(MlsGroup):
    suite_code = 3


class HybridGroup(MlsGroup):
    suite_code = 0xF001


@pytest.mark.slow
@pytest.mark.rule("H4")
@pytest.mark.spec("RFC 9420 §14 (Sequencing of State Changes)")
@pytest.mark.parametrize(("machine", "share"), [(MlsGroup, 1), (ChaChaGroup, 4), (HybridGroup, 4)])
def test_members_agree_whatever_happens(machine: type[MlsGroup], share: int) -> None:
    examples = max(10, settings().max_examples // share)
    budget = settings(stateful_step_count=40, max_examples=examples)
    run_state_machine_as_test(machine, settings=budget)
