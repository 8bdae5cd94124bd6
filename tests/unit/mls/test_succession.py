"""Groups that continue others: reinit and branch."""

from dataclasses import replace

import pytest

from e2ecore.crypto.suites import SUITES, CipherSuite
from e2ecore.mls.errors import (
    InvalidWelcomeError,
    MembershipError,
    PendingChangeError,
    RemovedFromGroupError,
    UnknownPskError,
    UnsupportedError,
)
from e2ecore.mls.extensions import Extension
from e2ecore.mls.group import Group, PendingCommit
from e2ecore.mls.key_package import KeyPackageBundle
from e2ecore.mls.proposals import ReInit
from e2ecore.mls.psk import ResumptionPskId, ResumptionUsage
from e2ecore.mls.succession import by_credential, check_succession
from tests.support.mls_groups import CONVERSATION, NOW_MS, Device, add, agree, everybody, pass_on

TITLE = (Extension(CONVERSATION, b"title"),)


def again(device: Device, suite: CipherSuite | None = None, name: str = "") -> Device:
    """Return the same client, ready for another group."""
    twin = Device(f"{device.name} again", suite or device.suite)
    twin.name = name or device.name
    return twin


def closed(members: list[Device], suite: CipherSuite, extensions: tuple[Extension, ...]) -> None:
    """End a group by a reinit."""
    first = members[0]
    reinit = first.group.reinit_proposal(b"next group", suite=suite, extensions=extensions)
    pending = PendingCommit.decode(first.commit(reinit).encode(), first.reload())
    pass_on(pending, first, members[1:])


def successor(old: Device, new: Device, bundles: list[KeyPackageBundle]) -> tuple[Group, bytes]:
    return old.group.begin_successor(
        [bundle.message for bundle in bundles],
        new.signer,
        new.name.encode(),
        capabilities=new.capabilities(),
        now_ms=NOW_MS,
        rng=new.rng,
    )


def follow(old: Device, new: Device, welcome: bytes, bundle: KeyPackageBundle) -> Group:
    new._group = Group.join(welcome, bundle, groups=[old.group], now_ms=NOW_MS)
    new.save()
    return new.group


@pytest.mark.spec("RFC 9420 §11.2 (Reinitialization)")
@pytest.mark.spec("RFC 9420 §12.1.5 (ReInit)")
@pytest.mark.parametrize(
    ("before", "after"),
    [(1, 0xF001), (1, 2), (5, 6)],
    ids=["to X-Wing", "to P-256", "from P-521 to X448"],
)
def test_group_moves_to_another_suite(before: int, after: int) -> None:
    members = everybody("alice", "bob", "carol", suite=SUITES[before])
    closed(members, SUITES[after], TITLE)
    for device in members:
        device.reload()
        assert device.group.successor == ReInit(b"next group", 1, after, TITLE)
        with pytest.raises(PendingChangeError):
            device.send(b"too late")
    new = [again(device, SUITES[after]) for device in members]
    bundles = [device.bundle() for device in new]
    group, welcome = successor(members[1], new[1], [bundles[0], bundles[2]])
    new[1]._group = group
    for index in (0, 2):
        follow(members[index], new[index], welcome, bundles[index])
    for device in new:
        device.reload()
    assert agree(new)
    assert new[0].group.epoch == 1
    assert new[0].group.extensions == TITLE
    assert new[2].read(new[0].send(b"here we are")).data == b"here we are"
    pass_on(new[0].commit(), new[0], new[1:])
    assert agree(new)


def test_closed_group_is_forgotten_without_a_trace() -> None:
    members = everybody("alice", "bob")
    for _ in range(4):
        pass_on(members[0].commit(), members[0], members[1:])
    closed(members, SUITES[1], ())
    group = members[0].reload()
    group.forget()
    members[0].save()
    assert members[0].disk.rows == {}
    assert not group.is_member
    with pytest.raises(RemovedFromGroupError):
        group.forget()


@pytest.mark.spec("RFC 9420 §12.1.5 (ReInit)")
def test_reinit_is_proposed_by_one_and_committed_by_another() -> None:
    alice, bob = everybody("alice", "bob")
    message = bob.group.propose_reinit(
        b"next group", suite=SUITES[3], signer=bob.signer, rng=bob.rng
    )
    bob.reload()
    alice.take(message)
    alice.reload()
    pass_on(alice.commit(), alice, [bob])
    assert bob.group.is_closed
    assert alice.group.successor == ReInit(b"next group", 1, 3, ())


@pytest.mark.spec("RFC 9420 §12.2 (Proposal List Validation)")
def test_reinit_waits_for_other_proposals() -> None:
    alice, bob = everybody("alice", "bob")
    for message in (
        bob.group.propose_update(signer=bob.signer, rng=bob.rng),
        bob.group.propose_reinit(b"next", suite=SUITES[1], signer=bob.signer, rng=bob.rng),
    ):
        alice.take(message)
    bob.save()
    pending = alice.commit()
    assert len(pending.staged.proposals) == 1
    pass_on(pending, alice, [bob])
    assert not bob.group.is_closed


@pytest.mark.spec("RFC 9420 §11.2 (Reinitialization)")
def test_successor_needs_a_reinit_everybody_and_the_right_suite() -> None:
    members = everybody("alice", "bob", "carol")
    new = [again(device) for device in members]
    bundles = [device.bundle() for device in new]
    with pytest.raises(PendingChangeError):
        successor(members[0], new[0], bundles[1:])
    with pytest.raises(MembershipError):
        members[0].group.reinit_proposal(b"conversation", suite=SUITES[1])
    closed(members, SUITES[1], ())
    with pytest.raises(MembershipError):
        successor(members[0], new[0], bundles[1:2])
    with pytest.raises(MembershipError):
        successor(members[0], again(new[0], name="eve"), bundles[1:])
    other = again(members[2], SUITES[3])
    with pytest.raises(UnsupportedError):
        members[0].group.begin_successor(
            [bundles[1].message, other.bundle().message],
            new[0].signer,
            b"alice",
            capabilities=replace(new[0].capabilities(), cipher_suites=()),
            now_ms=NOW_MS,
            rng=new[0].rng,
        )
    assert members[0].group.take_changes() == {}
    members[0]._group = members[0].reload()
    assert successor(members[0], new[0], bundles[1:])[0].epoch == 1


def test_suite_that_this_library_lacks_cannot_be_followed() -> None:
    members = everybody("alice", "bob")
    pass_on(members[0].commit(ReInit(b"next", 1, 0xFEED, ())), members[0], members[1:])
    new = again(members[0])
    with pytest.raises(UnsupportedError):
        successor(members[0], new, [again(members[1]).bundle()])


def test_version_that_this_library_lacks_cannot_be_followed() -> None:
    members = everybody("alice", "bob")
    pass_on(members[0].commit(ReInit(b"next", 2, 1, ())), members[0], members[1:])
    with pytest.raises(UnsupportedError):
        successor(members[0], again(members[0]), [again(members[1]).bundle()])


class Continued:
    """Alice and bob ended their group; what alice began may not be what bob expects."""

    def __init__(self, extensions: tuple[Extension, ...] = ()) -> None:
        self.old = everybody("alice", "bob", "carol")
        closed(self.old, SUITES[1], extensions)
        self.new = [again(device) for device in self.old]
        self.bundles = [device.bundle() for device in self.new]

    def lie(self, reinit: ReInit, *, without: int | None = None) -> bytes:
        """Let alice begin another successor than the announced one."""
        alice = self.old[0]
        state = alice.group.state
        state.current = replace(state.current, reinit=reinit)
        bundles = [each for each in self.bundles[1:] if each is not self.bundles[without or 0]]
        if without is not None:
            state.tree = state.tree.fork()
            state.tree.remove_leaf(without)
        return successor(alice, self.new[0], bundles)[1]

    def refuses(self, welcome: bytes) -> None:
        with pytest.raises(InvalidWelcomeError):
            follow(self.old[1], self.new[1], welcome, self.bundles[1])


@pytest.mark.spec("RFC 9420 §11.2 (Reinitialization)")
@pytest.mark.spec("RFC 9420 §12.4.3.1 (Joining via Welcome Message)")
def test_successor_must_be_what_was_announced() -> None:
    announced = ReInit(b"next group", 1, 1, ())
    for other in (
        replace(announced, group_id=b"another"),
        replace(announced, extensions=TITLE),
    ):
        continued = Continued()
        continued.refuses(continued.lie(other))
    continued = Continued()
    continued.refuses(continued.lie(announced, without=2))


@pytest.mark.spec("RFC 9420 §11.2 (Reinitialization)")
def test_successor_of_a_group_that_was_not_closed_is_refused() -> None:
    old = everybody("alice", "bob")
    new = [again(device) for device in old]
    bundle = new[1].bundle()
    state = old[0].group.state
    state.current = replace(state.current, reinit=ReInit(b"next group", 1, 1, ()))
    _, welcome = successor(old[0], new[0], [bundle])
    with pytest.raises(InvalidWelcomeError):
        follow(old[1], new[1], welcome, bundle)
    closed(old[1:], SUITES[1], ())
    with pytest.raises(InvalidWelcomeError):
        follow(old[1], new[1], welcome, bundle)


@pytest.mark.spec("RFC 9420 §11.2 (Reinitialization)")
def test_successor_that_is_not_tied_to_the_old_group_is_refused() -> None:
    continued = Continued()
    impostor = continued.new[0]
    impostor.begin(b"next group")
    pending = impostor.commit(*map(add, continued.bundles[1:]))
    assert pending.welcome is not None
    continued.refuses(pending.welcome)


@pytest.mark.spec("RFC 9420 §8.4 (Pre-Shared Keys)")
def test_successor_needs_the_old_group() -> None:
    continued = Continued()
    _, welcome = successor(continued.old[0], continued.new[0], continued.bundles[1:])
    with pytest.raises(UnknownPskError):
        Group.join(welcome, continued.bundles[1], now_ms=NOW_MS)
    unrelated = Device("bob")
    unrelated.begin(b"unrelated")
    with pytest.raises(UnknownPskError):
        follow(unrelated, continued.new[1], welcome, continued.bundles[1])
    follow(continued.old[1], continued.new[1], welcome, continued.bundles[1])


@pytest.mark.spec("RFC 9420 §12.4.3.1 (Joining via Welcome Message)")
@pytest.mark.parametrize("usage", [ResumptionUsage.REINIT, ResumptionUsage.BRANCH])
def test_tie_counts_once_and_in_the_first_epoch(usage: ResumptionUsage) -> None:
    members = everybody("alice", "bob")
    state = members[0].group.state
    link = ResumptionPskId(usage, b"conversation", 1, bytes(32))
    context = replace(state.context, group_id=b"branch")
    for epoch, named in ((2, [link]), (0, [link]), (1, [link, replace(link, nonce=b"1" * 32)])):
        with pytest.raises(InvalidWelcomeError):
            check_succession(
                named, replace(context, epoch=epoch), state.tree, [state], by_credential
            )
