"""External commits with one fault."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from e2ecore.mls.framing import Sender, SenderType
from e2ecore.mls.proposals import (
    Commit,
    ExternalInit,
    GroupContextExtensions,
    Proposal,
    ProposalRef,
    ReInit,
    Remove,
)
from tests.support.mls_external import ExternalJoiner, in_clear
from tests.support.mls_groups import Device, add
from tests.support.mls_rules import Rules
from tests.support.mls_scene import Scene, update_of

Listed = Callable[[Scene, ExternalInit], tuple[Proposal, ...]]

LISTS = [
    pytest.param(lambda *_: (), marks=pytest.mark.rule("12.2-13"), id="no external init"),
    pytest.param(
        lambda _, init: (init, init), marks=pytest.mark.rule("12.2-14"), id="two external inits"
    ),
    pytest.param(
        lambda _, init: (init, add(Device("eve").bundle())),
        marks=pytest.mark.rule("12.2-19"),
        id="add",
    ),
    pytest.param(
        lambda scene, init: (init, update_of(scene.carol)),
        marks=pytest.mark.rule("12.2-19"),
        id="update",
    ),
    pytest.param(
        lambda _, init: (init, GroupContextExtensions(())),
        marks=pytest.mark.rule("12.2-19"),
        id="extensions",
    ),
    pytest.param(
        lambda _, init: (init, ReInit(b"next", 1, 1, ())),
        marks=pytest.mark.rule("12.2-19"),
        id="reinit",
    ),
    pytest.param(
        lambda _, init: (init, Remove(1)),
        marks=[pytest.mark.rule("12.2-16"), pytest.mark.rule("H22")],
        id="somebody else removed",
    ),
]


@pytest.mark.spec("RFC 9420 §12.2 (Proposal List Validation)")
@pytest.mark.parametrize("listed", LISTS)
def test_external_commit_whose_list_has_one_fault_is_refused(listed: Listed, broken: Rules) -> None:
    scene = Scene()
    joiner = ExternalJoiner(Device("eve"), scene.alice)
    proposals = listed(scene, joiner.external_init)
    scene.refuses(broken, joiner.commit(proposals=proposals), by=[scene.carol, scene.dave])


@pytest.mark.rule("12.2-15")
def test_external_commit_that_removes_two_old_selves_is_refused(broken: Rules) -> None:
    scene = Scene([Device("alice"), Device("bob"), Device("carol"), twin("carol", "of old")])
    joiner = ExternalJoiner(twin("carol", "reborn"), scene.alice)
    message = joiner.commit(Remove(2), Remove(3))
    scene.refuses(broken, message, by=[scene.bob])


def twin(name: str, seed: str) -> Device:
    """Return another device with the same name."""
    device, other = Device(name), Device(f"{name} {seed}")
    device.rng, device.signer = other.rng, other.signer
    return device


@pytest.mark.rule("12.2-17")
def test_old_self_does_not_come_back_with_its_old_key(broken: Rules) -> None:
    scene = Scene()
    joiner = ExternalJoiner(twin("carol", "reborn"), scene.alice)
    joiner.encryption_key = scene.alice.group.state.tree.member(2).encryption_key
    scene.refuses(broken, joiner.commit(Remove(2)), by=[scene.bob, scene.dave])


def no_path(commit: Commit) -> Commit:
    return replace(commit, path=None)


@pytest.mark.rule("12.4.3.2-1")
def test_external_commit_without_a_path_is_refused(broken: Rules) -> None:
    scene = Scene()
    joiner = ExternalJoiner(Device("eve"), scene.alice)
    scene.refuses(broken, joiner.commit(alter=no_path))


@pytest.mark.rule("12.4.3.2-2")
def test_external_commit_that_names_a_members_proposal_is_refused(broken: Rules) -> None:
    scene = Scene()
    message = scene.bob.group.propose_update(signer=scene.bob.signer, rng=scene.bob.rng)
    scene.bob.save()
    ref = scene.spread(scene.bob, message)

    def naming(commit: Commit) -> Commit:
        return replace(commit, proposals=(*commit.proposals, ProposalRef(ref.hash)))

    joiner = ExternalJoiner(Device("eve"), scene.alice)
    scene.refuses(broken, joiner.commit(alter=naming), by=[scene.bob])


@pytest.mark.rule("12.4.3.2-3")
def test_external_commit_that_another_key_signed_is_refused(broken: Rules) -> None:
    scene = Scene()
    joiner = ExternalJoiner(Device("eve"), scene.alice)
    joiner.content_signer = Device("frank").signer
    scene.refuses(broken, joiner.commit())


@pytest.mark.rule("12.4.3.2-4")
def test_external_commit_with_the_epochs_own_init_secret_is_refused(broken: Rules) -> None:
    scene = Scene()
    joiner = ExternalJoiner(Device("eve"), scene.alice)
    joiner.init = scene.alice.group.state.current.init
    scene.refuses(broken, joiner.commit())


@pytest.mark.rule("12.4.3.2-5")
@pytest.mark.parametrize("kind", [SenderType.EXTERNAL, SenderType.NEW_MEMBER_PROPOSAL])
def test_nobody_else_from_outside_commits(kind: SenderType, broken: Rules) -> None:
    scene = Scene()
    scene.refuses(broken, in_clear(scene.alice, Commit((), None), sender=Sender(kind)))


@pytest.mark.rule("12.4.2-12")
def test_external_committer_gets_the_leftmost_blank_leaf() -> None:
    scene = Scene()
    scene.commit_and_pass_on(Remove(1), Remove(3))
    joiner = ExternalJoiner(Device("eve"), scene.alice)
    message = joiner.commit()
    staged = scene.carol.stage(message)
    assert staged.sender_leaf == 1
    scene.carol.merge(staged)
    assert scene.carol.group.epoch_authenticator == joiner.authenticator
