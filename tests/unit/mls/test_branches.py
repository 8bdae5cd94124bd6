"""Groups of some of the members, tied to the group that they come from."""

from collections.abc import Hashable

import pytest

from e2ecore.crypto.suites import SUITES, CipherSuite
from e2ecore.mls.errors import (
    CredentialError,
    InvalidWelcomeError,
    MembershipError,
    RemovedFromGroupError,
)
from e2ecore.mls.extensions import Extension
from e2ecore.mls.group import Group
from e2ecore.mls.key_package import KeyPackageBundle
from e2ecore.mls.members import Member
from e2ecore.mls.proposals import GroupContextExtensions, Remove
from tests.support.mls_groups import CONVERSATION, NOW_MS, Device, add, agree, everybody, pass_on

TITLE = (Extension(CONVERSATION, b"title"),)


def again(device: Device, suite: CipherSuite | None = None, name: str = "") -> Device:
    """Return the same client, ready for another group."""
    twin = Device(f"{device.name} again", suite or device.suite)
    twin.name = name or device.name
    return twin


def branch(
    old: Device, new: Device, bundles: list[KeyPackageBundle], name: bytes = b"branch"
) -> tuple[Group, bytes]:
    return old.group.branch(
        name,
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


@pytest.mark.spec("RFC 9420 §11.3 (Subgroup Branching)")
@pytest.mark.parametrize("suite", [SUITES[1], SUITES[2], SUITES[0xF001]], ids=lambda s: s.name)
def test_some_members_branch_off(suite: CipherSuite) -> None:
    members = everybody("alice", "bob", "carol", suite=suite)
    new = [again(device) for device in members[:2]]
    bundle = new[1].bundle()
    group, welcome = branch(members[0], new[0], [bundle])
    new[0]._group = group
    pass_on(members[2].commit(), members[2], members[:2])
    follow(members[1], new[1], welcome, bundle)
    for device in new:
        device.reload()
    assert agree(new)
    assert new[1].group.group_id == b"branch"
    assert new[1].read(new[0].send(b"between us")).data == b"between us"
    assert members[2].read(members[0].send(b"to all")).data == b"to all"


@pytest.mark.spec("RFC 9420 §11.3 (Subgroup Branching)")
def test_branch_has_the_terms_of_its_group_unless_it_says_otherwise() -> None:
    members = everybody("alice", "bob")
    pass_on(members[0].commit(GroupContextExtensions(TITLE)), members[0], members[1:])
    bundle = again(members[1]).bundle()
    assert branch(members[0], again(members[0]), [bundle])[0].extensions == TITLE
    new = again(members[0])
    group, _ = members[0].group.branch(
        b"branch",
        [bundle.message],
        new.signer,
        b"alice",
        extensions=(),
        now_ms=NOW_MS,
        rng=new.rng,
    )
    assert group.extensions == ()


@pytest.mark.spec("RFC 9420 §11.3 (Subgroup Branching)")
@pytest.mark.spec("RFC 9420 §12.4.3.1 (Joining via Welcome Message)")
def test_branch_contains_members_only() -> None:
    members = everybody("alice", "bob", "carol")
    new = [again(device) for device in members]
    eve = Device("eve").bundle()
    with pytest.raises(MembershipError):
        branch(members[0], new[0], [new[1].bundle(), eve])
    with pytest.raises(MembershipError):
        branch(members[0], new[0], [])
    with pytest.raises(MembershipError):
        branch(members[0], new[0], [new[1].bundle()], b"conversation")
    bundle = new[1].bundle()

    def anybody(_: Member) -> Hashable:
        return "somebody"

    _, welcome = members[0].group.branch(
        b"branch",
        [bundle.message, eve.message],
        new[0].signer,
        b"alice",
        capabilities=new[0].capabilities(),
        identify=anybody,
        now_ms=NOW_MS,
        rng=new[0].rng,
    )
    with pytest.raises(InvalidWelcomeError):
        follow(members[1], new[1], welcome, bundle)
    group = Group.join(welcome, bundle, groups=[members[1].group], identify=anybody, now_ms=NOW_MS)
    assert group.epoch == 1


@pytest.mark.spec("RFC 9420 §11.3 (Subgroup Branching)")
def test_branch_of_another_suite_is_refused() -> None:
    members = everybody("alice", "bob")
    members[0].group.state.suite = SUITES[3]
    new = [again(device, SUITES[3]) for device in members]
    bundle = new[1].bundle()
    _, welcome = branch(members[0], new[0], [bundle])
    with pytest.raises(InvalidWelcomeError):
        follow(members[1], new[1], welcome, bundle)


@pytest.mark.spec("RFC 9420 §11.3 (Subgroup Branching)")
def test_branch_is_joined_at_its_beginning_only() -> None:
    """Whoever comes later is invited without the tie, and cannot be fooled with it."""
    members = everybody("alice", "bob", "carol")
    new = [again(device) for device in members]
    bundles = [device.bundle() for device in new]
    group, welcome = branch(members[0], new[0], [bundles[1]])
    new[0]._group = group
    follow(members[1], new[1], welcome, bundles[1])
    pending = new[0].commit(add(bundles[2]))
    pass_on(pending, new[0], [new[1]])
    assert pending.welcome is not None
    follow(members[2], new[2], pending.welcome, bundles[2])
    assert agree(new)


def test_who_was_removed_begins_nothing() -> None:
    members = everybody("alice", "bob", "carol")
    pass_on(members[0].commit(Remove(2)), members[0], members[1:])
    with pytest.raises(RemovedFromGroupError):
        branch(members[2], again(members[2]), [again(members[1]).bundle()])


def test_credentials_are_judged_when_a_group_is_continued() -> None:
    members = everybody("alice", "bob")
    new = again(members[0])

    def nobody(_: object) -> None:
        raise CredentialError("nobody is trusted")

    with pytest.raises(CredentialError):
        members[0].group.branch(
            b"branch",
            [again(members[1]).bundle().message],
            new.signer,
            b"alice",
            capabilities=new.capabilities(),
            policy=nobody,
            now_ms=NOW_MS,
            rng=new.rng,
        )
