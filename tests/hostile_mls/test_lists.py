"""Lists of proposals with one fault, in commits of members."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from e2ecore.mls.codec import opaque, u8, u16
from e2ecore.mls.extensions import Extension, RequiredCapabilities
from e2ecore.mls.framing import FramedContent
from e2ecore.mls.key_schedule import InitSecret
from e2ecore.mls.proposals import (
    Add,
    ExternalInit,
    GroupContextExtensions,
    PreSharedKey,
    Proposal,
    ProposalOrRef,
    ReInit,
    Remove,
)
from e2ecore.mls.psk import ExternalPskId, ResumptionPskId, ResumptionUsage
from tests.support.mls_forger import Fault, Forger
from tests.support.mls_groups import CONVERSATION, Device, add
from tests.support.mls_rules import Rules, refused
from tests.support.mls_scene import Capable, Scene, signed_package, untouched, update_of

KEY = {b"a key": b"its value"}
NONCE = bytes(32)
EXTERNAL = PreSharedKey(ExternalPskId(b"a key", NONCE))


def resumption(usage: ResumptionUsage) -> Proposal:
    return PreSharedKey(ResumptionPskId(usage, b"conversation", 1, NONCE))


def one_init_key() -> list[Proposal]:
    eve, frank = Device("eve"), Device("frank")
    first, second = eve.bundle().key_package, frank.bundle().key_package
    return [Add(first), Add(signed_package(second, frank, init_key=first.init_key))]


def one_client() -> list[Proposal]:
    eve = Device("eve")
    return [add(eve.bundle()), add(eve.bundle())]


LISTS = [
    pytest.param(
        lambda _: [PreSharedKey(ExternalPskId(b"a key", bytes(31)))],
        marks=[pytest.mark.rule("12.1-4"), pytest.mark.rule("12.2-1")],
        id="nonce",
    ),
    pytest.param(
        lambda _: [resumption(ResumptionUsage.REINIT)],
        marks=pytest.mark.rule("12.1-5"),
        id="key for a reinit",
    ),
    pytest.param(
        lambda _: [resumption(ResumptionUsage.BRANCH)],
        marks=pytest.mark.rule("12.1-6"),
        id="key for a branch",
    ),
    pytest.param(
        lambda _: [ReInit(b"next", 0, 1, ())], marks=pytest.mark.rule("12.1-7"), id="older version"
    ),
    pytest.param(
        lambda scene: [update_of(scene.alice)], marks=pytest.mark.rule("12.2-2"), id="own update"
    ),
    pytest.param(lambda _: [Remove(0)], marks=pytest.mark.rule("12.2-3"), id="own removal"),
    pytest.param(lambda _: one_client(), marks=pytest.mark.rule("12.2-5"), id="same client"),
    pytest.param(lambda _: one_init_key(), marks=pytest.mark.rule("12.2-5"), id="same init key"),
    pytest.param(
        lambda _: [EXTERNAL, EXTERNAL], marks=pytest.mark.rule("12.2-7"), id="pre-shared key twice"
    ),
    pytest.param(
        lambda _: [GroupContextExtensions(())] * 2,
        marks=pytest.mark.rule("12.2-8"),
        id="extensions twice",
    ),
    pytest.param(
        lambda _: [ReInit(b"next", 1, 1, ()), Remove(2)],
        marks=pytest.mark.rule("12.2-9"),
        id="reinit not alone",
    ),
]


@pytest.mark.spec("RFC 9420 §12.2 (Proposal List Validation)")
@pytest.mark.parametrize("listed", LISTS)
def test_list_with_one_fault_is_refused_by_both_sides(
    listed: Callable[[Scene], Sequence[Proposal]], broken: Rules
) -> None:
    scene = Scene()
    proposals = listed(scene)
    with untouched(scene.alice), refused(*broken):
        scene.alice.commit(*proposals)
    scene.forger.psks = dict(KEY)
    by = [device for device in scene.others if Remove(device.group.own_leaf) not in proposals]
    scene.refuses(broken, scene.forger.commit(proposals), by=by, psks=KEY)


@pytest.mark.rule("12.2-4")
@pytest.mark.rule("H16")
@pytest.mark.parametrize("kinds", ["two updates", "update and removal"])
def test_two_changes_of_one_leaf_are_refused(kinds: str, broken: Rules) -> None:
    scene = Scene()
    listed: list[ProposalOrRef] = [scene.spread(scene.bob, propose_update(scene.bob))]
    if kinds == "two updates":
        listed.append(scene.spread(scene.bob, propose_update(scene.bob)))
    else:
        listed.append(Remove(1))
    scene.refuses(broken, scene.forger.commit(listed), by=[scene.carol, scene.dave])


def propose_update(device: Device) -> bytes:
    message = device.group.propose_update(signer=device.signer, rng=device.rng)
    device.save()
    return message


@pytest.mark.rule("12.1-3")
@pytest.mark.parametrize("leaf", [4, 77, 0xFFFFFFFF])
def test_removal_of_a_blank_leaf_is_refused(leaf: int, broken: Rules) -> None:
    scene = Scene()
    fault = Fault(applied=())
    scene.refuses(broken, scene.forger.commit([Remove(leaf)], fault))
    scene.refuses(broken, Forger(scene.bob).propose(Remove(leaf)), by=[scene.carol, scene.dave])


@pytest.mark.rule("12.1-2")
def test_update_of_a_leaf_that_is_blank_by_then_is_refused() -> None:
    """Its sender was removed by the very commit that names the update."""
    scene = Scene()
    ref = scene.spread(scene.bob, propose_update(scene.bob))
    sent = scene.carol.group.state.pending.by_ref[ref.hash]
    gone = replace(sent, sent=replace(sent.sent, sender=replace(sent.sent.sender, index=7)))
    scene.carol.group.state.pending.by_ref[ref.hash] = gone
    with refused("12.1-2"):
        scene.carol.stage(scene.forger.commit([ref]))


@pytest.mark.rule("12.2-10")
def test_external_init_of_a_member_is_refused() -> None:
    scene = Scene()
    state = scene.alice.group.state
    external = state.suite.hpke.derive_key_pair(state.current.external.raw)
    sealed, secret = state.suite.hpke.export_sender(
        external.public, b"", b"MLS 1.0 external init secret", state.suite.nh
    )
    with untouched(scene.alice), refused("12.2-10"):
        scene.alice.commit(ExternalInit(sealed))
    fault = Fault(init=InitSecret(secret))
    scene.refuses("12.2-10", scene.forger.commit([ExternalInit(sealed)], fault))


@pytest.mark.rule("12.2-11")
@pytest.mark.parametrize("number", [0, 8, 0x0A0A, 0xF0AA])
def test_proposal_of_an_unknown_type_is_refused(number: int, broken: Rules) -> None:
    scene = Scene()

    def unknown(content: FramedContent) -> FramedContent:
        listed = opaque(u8(1) + u16(number) + opaque(b"what nobody knows"))
        return replace(content, encoded=listed + content.encoded[1:])

    scene.refuses(broken, scene.forger.commit(fault=Fault(content=unknown)))


def poor_carol() -> Scene:
    """Of four members one does not know conversations."""
    devices = [
        Device("alice"),
        Device("bob"),
        Device("carol", extensions=()),
        Device("dave"),
    ]
    return Scene([*devices])


@pytest.mark.rule("12.1-8")
@pytest.mark.rule("12.2-12")
def test_extensions_that_ask_too_much_of_a_member_are_refused(broken: Rules) -> None:
    scene = poor_carol()
    required = RequiredCapabilities(extension_types=(CONVERSATION,)).to_extension()
    proposal = GroupContextExtensions((required,))
    with untouched(scene.alice), refused(*broken):
        scene.alice.commit(proposal)
    scene.refuses(broken, scene.forger.commit([proposal]))


@pytest.mark.rule("12.1-9")
def test_extensions_that_a_member_does_not_know_are_refused() -> None:
    scene = poor_carol()
    proposal = GroupContextExtensions((Extension(CONVERSATION, b"title"),))
    with untouched(scene.alice), refused("12.1-9"):
        scene.alice.commit(proposal)
    scene.refuses("12.1-9", scene.forger.commit([proposal]))


@pytest.mark.rule("12.2-12")
def test_new_rules_of_the_group_hold_for_who_is_added_with_them() -> None:
    names = ("alice", "bob", "carol", "dave")
    scene = Scene([Capable(name, proposals=(0xF0AA,)) for name in names])
    required = RequiredCapabilities(proposal_types=(0xF0AA,)).to_extension()
    listed: list[Proposal] = [add(Device("eve").bundle()), GroupContextExtensions((required,))]
    scene.refuses("12.2-12", scene.forger.commit(listed))
