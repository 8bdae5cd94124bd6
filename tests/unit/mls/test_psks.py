"""Pre-shared keys: external ones and resumption keys, proposed, committed, missing, wrong."""

import pytest

from e2ecore.crypto.suites import SUITES, CipherSuite
from e2ecore.mls import rows
from e2ecore.mls.errors import (
    ConfirmationError,
    InvalidProposalError,
    UnknownPskError,
)
from e2ecore.mls.group import Group, PendingCommit, StagedCommit
from e2ecore.mls.group_state import PAST_EPOCH_MS, PAST_EPOCHS
from e2ecore.mls.proposals import PreSharedKey, Proposal, Remove
from e2ecore.mls.psk import ExternalPskId, ResumptionPskId, ResumptionUsage
from tests.support.mls_groups import NOW_MS, Device, add, agree, everybody, pass_on

SUITES_TRIED = [SUITES[1], SUITES[5], SUITES[7], SUITES[0xF001]]
KEYS = {b"a key": b"shared before", b"another": b"of any size" * 9}


class Vault(dict[bytes, bytes]):
    """External keys that remember who asked."""

    def __init__(self) -> None:
        super().__init__(KEYS)
        self.asked: list[bytes] = []

    def get(self, name: bytes, *_: object) -> bytes | None:  # type: ignore[override]
        self.asked.append(name)
        return super().get(name)


def commit(
    device: Device, *proposals: Proposal, psks: dict[bytes, bytes] | None = None, path: bool = True
) -> PendingCommit:
    pending = device.group.create_commit(
        proposals,
        signer=device.signer,
        now_ms=NOW_MS,
        rng=device.rng,
        psks=KEYS if psks is None else psks,
        path=path,
    )
    device.save()
    return pending


def stage(device: Device, message: bytes, psks: dict[bytes, bytes]) -> StagedCommit:
    received = device.group.receive(message, now_ms=NOW_MS, psks=psks)
    assert isinstance(received, StagedCommit)
    return received


@pytest.mark.spec("RFC 9420 §8.4 (Pre-Shared Keys)")
@pytest.mark.spec("RFC 9420 §12.1.4 (PreSharedKey)")
@pytest.mark.parametrize("suite", SUITES_TRIED, ids=lambda suite: suite.name)
@pytest.mark.parametrize("path", [True, False])
def test_external_key_is_mixed_in_for_members_and_newcomers(
    suite: CipherSuite, *, path: bool
) -> None:
    alice, bob = everybody("alice", "bob", suite=suite)
    carol = Device("carol", suite)
    bundle = carol.bundle()
    named = [alice.group.psk_proposal(name, rng=alice.rng) for name in KEYS]
    pending = commit(alice, *named, add(bundle), path=path)
    pending = PendingCommit.decode(pending.encode(), alice.reload())
    assert [sent.proposal for sent in pending.staged.proposals[:2]] == named
    bob.reload()
    bob.merge(stage(bob, pending.commit, KEYS))
    alice.merge(pending.staged)
    assert pending.welcome is not None
    with pytest.raises(UnknownPskError):
        Group.join(pending.welcome, bundle, now_ms=NOW_MS, psks={b"a key": KEYS[b"a key"]})
    carol.join(pending.welcome, bundle, psks=KEYS)
    for device in (alice, bob, carol):
        device.reload()
    assert agree([alice, bob, carol])
    assert carol.read(bob.send(b"hello")).data == b"hello"


@pytest.mark.spec("RFC 9420 §8.4 (Pre-Shared Keys)")
def test_each_use_of_a_key_has_a_nonce_of_its_own() -> None:
    (alice,) = everybody("alice")
    first, second = (alice.group.psk_proposal(b"a key", rng=alice.rng) for _ in range(2))
    assert isinstance(first.psk, ExternalPskId)
    assert first != second
    assert len(first.psk.nonce) == alice.suite.nh
    assert len(commit(alice, first, second).staged.proposals) == 2
    with pytest.raises(InvalidProposalError):
        commit(alice, first, first)


def test_only_keys_that_a_commit_names_are_looked_up() -> None:
    alice, bob = everybody("alice", "bob")
    vault = Vault()
    pending = commit(alice, alice.group.psk_proposal(b"another", rng=alice.rng))
    stage(bob, pending.commit, vault)
    assert vault.asked == [b"another"]
    vault.asked.clear()
    stage(bob, commit(alice).commit, vault)
    assert vault.asked == []


def test_missing_key_and_wrong_key_leave_no_trace() -> None:
    alice, bob = everybody("alice", "bob")
    injected = alice.group.psk_proposal(b"a key", rng=alice.rng)
    before = dict(alice.disk.rows)
    with pytest.raises(UnknownPskError):
        commit(alice, injected, psks={})
    alice.save()
    assert alice.disk.rows == before
    pending = commit(alice, injected)
    before = dict(bob.disk.rows)
    with pytest.raises(UnknownPskError):
        stage(bob, pending.commit, {})
    with pytest.raises(ConfirmationError):
        stage(bob, pending.commit, {b"a key": b"wrong"})
    bob.save()
    assert bob.disk.rows == before
    bob.merge(stage(bob, pending.commit, KEYS))
    alice.merge(pending.staged)
    assert agree([alice, bob])


@pytest.mark.spec("RFC 9420 §12.1.4 (PreSharedKey)")
def test_proposed_key_is_committed_by_another() -> None:
    alice, bob, carol = everybody("alice", "bob", "carol")
    message = bob.group.propose_psk(b"a key", signer=bob.signer, rng=bob.rng)
    bob.reload()
    for device in (alice, carol):
        device.take(message)
        device.reload()
    assert commit(carol, psks={}).staged.proposals == ()
    pending = commit(alice)
    (sent,) = pending.staged.proposals
    assert sent.ref is not None
    for device in (bob, carol):
        device.merge(stage(device, pending.commit, KEYS))
    alice.merge(pending.staged)
    assert agree([alice, bob, carol])


@pytest.mark.spec("RFC 9420 §8.6 (Resumption PSK)")
def test_resumption_key_of_a_past_epoch_is_mixed_in() -> None:
    alice, bob, carol = everybody("alice", "bob", "carol")
    pass_on(bob.commit(), bob, [alice, carol])
    message = alice.group.propose_resumption(1, signer=alice.signer, rng=alice.rng)
    alice.reload()
    for device in (bob, carol):
        device.take(message)
        device.reload()
    pending = bob.commit(bob.group.resumption_proposal(2, rng=bob.rng))
    assert len(pending.staged.proposals) == 2
    pending = PendingCommit.decode(pending.encode(), bob.reload())
    pass_on(pending, bob, [alice, carol])
    assert agree([alice, bob, carol])


@pytest.mark.spec("RFC 9420 §8.6 (Resumption PSK)")
def test_resumption_keys_are_kept_for_three_epochs_whatever_the_time() -> None:
    alice, bob = everybody("alice", "bob")
    for _ in range(5):
        pass_on(alice.commit(), alice, [bob])
    alice.group.drop_past_epochs(NOW_MS + 2 * PAST_EPOCH_MS)
    alice.reload()
    kept = [epoch for kind, epoch, _ in alice.disk.rows if kind == rows.RESUMPTION]
    oldest = alice.group.epoch - PAST_EPOCHS
    assert sorted(kept) == list(range(oldest, alice.group.epoch))
    with pytest.raises(UnknownPskError):
        alice.group.propose_resumption(oldest - 1, signer=alice.signer, rng=alice.rng)
    with pytest.raises(UnknownPskError):
        alice.commit(alice.group.resumption_proposal(oldest - 1, rng=alice.rng))
    pass_on(alice.commit(alice.group.resumption_proposal(oldest, rng=alice.rng)), alice, [bob])
    assert agree([alice, bob])


@pytest.mark.spec("RFC 9420 §8.6 (Resumption PSK)")
def test_who_joined_later_has_no_keys_from_before() -> None:
    alice, bob = everybody("alice", "bob")
    carol = Device("carol")
    bundle = carol.bundle()
    pending = alice.commit(add(bundle))
    pass_on(pending, alice, [bob])
    assert pending.welcome is not None
    carol.join(pending.welcome, bundle)
    pending = alice.commit(alice.group.resumption_proposal(1, rng=alice.rng))
    bob.stage(pending.commit)
    with pytest.raises(UnknownPskError):
        carol.stage(pending.commit)


@pytest.mark.spec("RFC 9420 §8.6 (Resumption PSK)")
def test_resumption_key_of_another_group_ties_two_groups_together() -> None:
    alice, bob = everybody("alice", "bob")
    first = {"alice": alice.group, "bob": bob.group}
    other = [Device("alice"), Device("bob")]
    other[0].begin(b"another conversation")
    bundle = other[1].bundle()
    pending = other[0].commit(add(bundle))
    other[0].merge(pending.staged)
    assert pending.welcome is not None
    other[1].join(pending.welcome, bundle)
    group, device = other[0].group, other[0]
    tie = group.resumption_proposal(1, rng=device.rng, group_id=b"conversation")
    with pytest.raises(UnknownPskError):
        device.commit(tie)
    pending = group.create_commit(
        [tie], signer=device.signer, now_ms=NOW_MS, rng=device.rng, groups=[first["alice"]]
    )
    with pytest.raises(UnknownPskError):
        other[1].stage(pending.commit)
    staged = other[1].group.receive(pending.commit, now_ms=NOW_MS, groups=[first["bob"]])
    assert isinstance(staged, StagedCommit)
    other[1].merge(staged)
    other[0].merge(pending.staged)
    assert agree(other)


def test_keys_of_a_group_are_gone_with_the_membership() -> None:
    alice, bob, carol = everybody("alice", "bob", "carol")
    pass_on(alice.commit(), alice, [bob, carol])
    pass_on(alice.commit(Remove(2)), alice, [bob, carol])
    assert carol.disk.rows == {}
    assert carol.group.state.resumption_psk(b"conversation", 1) is None


@pytest.mark.spec("RFC 9420 §11.2 (Reinitialization)")
@pytest.mark.spec("RFC 9420 §11.3 (Subgroup Branching)")
@pytest.mark.parametrize("usage", [ResumptionUsage.REINIT, ResumptionUsage.BRANCH])
def test_keys_for_a_new_group_are_not_mixed_into_this_one(usage: ResumptionUsage) -> None:
    alice, _ = everybody("alice", "bob")
    named = ResumptionPskId(usage, b"conversation", 1, bytes(32))
    with pytest.raises(InvalidProposalError):
        alice.commit(PreSharedKey(named))
