"""Leaf nodes and key packages with one fault, in every message that can bring them."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from e2ecore.mls.credentials import X509Credential
from e2ecore.mls.extensions import Extension, RequiredCapabilities
from e2ecore.mls.key_package import KeyPackage
from e2ecore.mls.nodes import LeafNode, LeafNodeSource, Lifetime
from e2ecore.mls.proposals import Add, GroupContextExtensions, Proposal, Update
from tests.support.mls_forger import Fault, Forger
from tests.support.mls_groups import CONVERSATION, NOW_MS, Device, add
from tests.support.mls_rules import Rules, refused
from tests.support.mls_scene import (
    Capable,
    Scene,
    package_of,
    package_with_leaf,
    signed_package,
    untouched,
    update_of,
)

NOW_S = NOW_MS // 1000
DAY_S = 24 * 3600
LIST_PROPOSAL = 0xF0AA
BOTH = (1, 2)


def capable(credentials: tuple[int, ...] = BOTH) -> Scene:
    names = ("alice", "bob", "carol", "dave")
    devices = [Capable(name, proposals=(LIST_PROPOSAL,), credentials=credentials) for name in names]
    return Scene([*devices])


def forged(signature: bytes) -> bytes:
    return signature[:-1] + bytes([signature[-1] ^ 1])


def wrong_signature() -> KeyPackage:
    eve = Device("eve")
    package = eve.bundle().key_package
    leaf = replace(package.leaf_node, signature=forged(package.leaf_node.signature))
    return signed_package(package, eve, leaf_node=leaf)


def capabilities(**changes: object) -> KeyPackage:
    eve = Device("eve")
    own = replace(eve.capabilities(), **changes)  # type: ignore[arg-type]  # by name
    return package_with_leaf(eve, capabilities=own)


def of_another_purpose() -> KeyPackage:
    return package_with_leaf(Device("eve"), source=LeafNodeSource.UPDATE, lifetime=None)


def lives(first_s: int, last_s: int) -> KeyPackage:
    return package_with_leaf(Device("eve"), lifetime=Lifetime(NOW_S + first_s, NOW_S + last_s))


def one_key_for_two_purposes() -> KeyPackage:
    eve = Device("eve")
    package = eve.bundle().key_package
    return signed_package(package, eve, init_key=package.leaf_node.encryption_key)


def unsigned_package() -> KeyPackage:
    package = Device("eve").bundle().key_package
    return replace(package, signature=forged(package.signature))


UNLISTED = (Extension(0xF0E3, b""),)

PACKAGES = [
    pytest.param(wrong_signature, marks=pytest.mark.rule("7.3-2"), id="signature of leaf"),
    pytest.param(
        lambda: capabilities(versions=(2,)), marks=pytest.mark.rule("7.3-6"), id="version"
    ),
    pytest.param(
        lambda: capabilities(cipher_suites=(3,)),
        marks=pytest.mark.rule("7.3-7"),
        id="no support of the suite",
    ),
    pytest.param(
        lambda: package_with_leaf(Capable("eve", credentials=BOTH), credential=X509Credential(())),
        marks=pytest.mark.rule("7.3-12"),
        id="credential that others lack",
    ),
    pytest.param(
        lambda: capabilities(credentials=()),
        marks=pytest.mark.rule("7.3-14"),
        id="own credential not listed",
    ),
    pytest.param(lambda: lives(-9 * DAY_S, -1), marks=pytest.mark.rule("7.3-16"), id="expired"),
    pytest.param(lambda: lives(60, DAY_S), marks=pytest.mark.rule("7.3-16"), id="not begun"),
    pytest.param(
        lambda: lives(-DAY_S, 400 * DAY_S),
        marks=pytest.mark.rule("7.3-17"),
        id="lives too long",
    ),
    pytest.param(
        lambda: package_with_leaf(Device("eve"), extensions=UNLISTED),
        marks=[pytest.mark.rule("7.3-18"), pytest.mark.rule("10.1-3")],
        id="extension not listed",
    ),
    pytest.param(of_another_purpose, marks=pytest.mark.rule("7.3-19"), id="leaf of an update"),
    pytest.param(
        lambda: package_of(Device("eve"), cipher_suite=3),
        marks=pytest.mark.rule("10.1-1"),
        id="package of another suite",
    ),
    pytest.param(
        lambda: package_of(Device("eve"), version=2),
        marks=pytest.mark.rule("10.1-2"),
        id="package of another version",
    ),
    pytest.param(
        unsigned_package,
        marks=[pytest.mark.rule("10.1-4"), pytest.mark.rule("12.1-1")],
        id="signature of package",
    ),
    pytest.param(one_key_for_two_purposes, marks=pytest.mark.rule("10.1-5"), id="one key for both"),
]


@pytest.mark.spec("RFC 9420 §7.3 (Leaf Node Validation)")
@pytest.mark.spec("RFC 9420 §10.1 (KeyPackage Validation)")
@pytest.mark.parametrize("faulty", PACKAGES)
def test_added_client_with_one_fault_is_refused(
    broken: Rules, faulty: Callable[[], KeyPackage]
) -> None:
    scene, proposal = Scene(), Add(faulty())
    scene.refuses(broken, scene.forger.commit([proposal]))
    with untouched(scene.bob), refused(*broken):
        scene.bob.commit(proposal)


@pytest.mark.rule("7.3-15")
def test_nobody_sends_what_is_out_of_date() -> None:
    scene, package = Scene(), lives(-9 * DAY_S, -1)
    with untouched(scene.alice), refused("7.3-15"):
        scene.alice.commit(Add(package))
    with untouched(scene.alice), refused("7.3-15"):
        scene.alice.group.propose_add(
            package.encode(), signer=scene.alice.signer, rng=scene.alice.rng, now_ms=NOW_MS
        )
    scene.goes_on()


REQUIRED = [
    pytest.param(
        RequiredCapabilities(extension_types=(CONVERSATION,)),
        {"extensions": ()},
        marks=pytest.mark.rule("7.3-8"),
        id="extension",
    ),
    pytest.param(
        RequiredCapabilities(proposal_types=(LIST_PROPOSAL,)),
        {"proposals": ()},
        marks=pytest.mark.rule("7.3-9"),
        id="proposal",
    ),
    pytest.param(
        RequiredCapabilities(credential_types=BOTH),
        {"credentials": (1,)},
        marks=pytest.mark.rule("7.3-10"),
        id="credential",
    ),
]


@pytest.mark.spec("RFC 9420 §11.1 (Required Capabilities)")
@pytest.mark.parametrize(("required", "lacks"), REQUIRED)
@pytest.mark.parametrize("by", ["add", "update", "path"])
def test_leaf_that_lacks_what_the_group_requires_is_refused(
    broken: Rules, required: RequiredCapabilities, lacks: dict[str, tuple[int, ...]], by: str
) -> None:
    scene = capable()
    scene.commit_and_pass_on(GroupContextExtensions((required.to_extension(),)))
    poor = replace(scene.alice.capabilities(), **lacks)
    if by == "path":
        fault = Fault(leaf=lambda leaf: replace(leaf, capabilities=poor))
        scene.refuses(broken, scene.forger.commit(fault=fault))
    elif by == "add":
        eve = Capable("eve", proposals=(LIST_PROPOSAL,), credentials=BOTH)
        scene.refuses(broken, scene.forger.commit([Add(package_with_leaf(eve, capabilities=poor))]))
    else:
        ref = scene.spread(scene.bob, proposed(scene, update_of(scene.bob, capabilities=poor)))
        scene.refuses(broken, scene.forger.commit([ref]), by=[scene.carol, scene.dave])


def proposed(scene: Scene, proposal: Proposal) -> bytes:
    """Let bob send a proposal that no honest member would."""
    return Forger(scene.bob).propose(proposal)


@pytest.mark.spec("RFC 9420 §13.4 (Extensions)")
@pytest.mark.rule("7.3-11")
def test_client_without_the_groups_extensions_is_refused() -> None:
    scene = Scene()
    scene.commit_and_pass_on(GroupContextExtensions((Extension(CONVERSATION, b"title"),)))
    eve = Device("eve", extensions=())
    scene.refuses("7.3-11", scene.forger.commit([add(eve.bundle())]))


@pytest.mark.rule("7.3-13")
def test_client_that_does_not_know_a_credential_in_use_is_refused() -> None:
    scene = capable()
    x509 = Fault(leaf=lambda leaf: replace(leaf, credential=X509Credential((b"a chain",))))
    message = scene.forger.commit(fault=x509)
    scene.merges(message)
    others = scene.without_alice()
    others.refuses("7.3-13", others.forger.commit([add(Device("eve").bundle())]))


def not_its_own_signature(update: Update) -> Update:
    leaf = update.leaf_node
    return Update(replace(leaf, signature=forged(leaf.signature)))


def moved(scene: Scene) -> Update:
    """Bob's update, signed for another place."""
    leaf = update_of(scene.bob).leaf_node
    return Update(leaf.signed(scene.bob.signer, b"conversation", 2))


def as_key_package(scene: Scene) -> Update:
    lifetime = Lifetime(NOW_S, NOW_S + DAY_S)
    return update_of(scene.bob, source=LeafNodeSource.KEY_PACKAGE, lifetime=lifetime)


@pytest.mark.parametrize(
    "faulty",
    [
        pytest.param(
            lambda scene: not_its_own_signature(update_of(scene.bob)),
            marks=pytest.mark.rule("7.3-3"),
            id="signature",
        ),
        pytest.param(moved, marks=pytest.mark.rule("7.3-3"), id="other place"),
        pytest.param(as_key_package, marks=pytest.mark.rule("7.3-20"), id="source"),
    ],
)
def test_update_with_one_fault_is_not_even_kept(
    broken: Rules, faulty: Callable[[Scene], Update]
) -> None:
    scene = Scene()
    message = proposed(scene, faulty(scene))
    scene.refuses(broken, message, by=[scene.carol, scene.dave])
    assert scene.carol.group.pending_proposals == ()


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param(
            lambda scene: {"encryption_key": scene.bob.group.state.tree.member(1).encryption_key},
            marks=pytest.mark.rule("7.3-21"),
            id="its old key",
        ),
        pytest.param(
            lambda scene: {"encryption_key": scene.bob.group.state.tree.member(3).encryption_key},
            marks=[pytest.mark.rule("7.3-24"), pytest.mark.rule("H17")],
            id="another member's encryption key",
        ),
    ],
)
def test_committed_update_with_one_fault_is_refused(
    broken: Rules, changes: Callable[[Scene], dict[str, object]]
) -> None:
    scene = Scene()
    ref = scene.spread(scene.bob, proposed(scene, update_of(scene.bob, **changes(scene))))
    scene.refuses(broken, scene.forger.commit([ref]), by=[scene.carol, scene.dave])


def changed_leaf(alter: Callable[[LeafNode, Scene], LeafNode]) -> Callable[[Scene], Fault]:
    return lambda scene: Fault(leaf=lambda leaf: alter(leaf, scene))


def with_key_of(leaf: LeafNode, scene: Scene) -> LeafNode:
    return replace(leaf, signature_key=scene.carol.signer.public)


PATHS = [
    pytest.param(
        lambda _: Fault(signed_leaf=lambda leaf: replace(leaf, signature=forged(leaf.signature))),
        marks=pytest.mark.rule("7.3-4"),
        id="signature",
    ),
    pytest.param(
        changed_leaf(lambda leaf, _: replace(leaf, source=LeafNodeSource.UPDATE, parent_hash=None)),
        marks=pytest.mark.rule("7.3-22"),
        id="source",
    ),
    pytest.param(
        lambda scene: Fault(
            leaf=lambda leaf: with_key_of(leaf, scene), leaf_signer=scene.carol.signer
        ),
        marks=pytest.mark.rule("7.3-23"),
        id="a friend's signature key",
    ),
    pytest.param(
        changed_leaf(
            lambda leaf, scene: replace(
                leaf, encryption_key=scene.alice.group.state.tree.member(2).encryption_key
            )
        ),
        marks=pytest.mark.rule("7.3-24"),
        id="another member's encryption key",
    ),
    pytest.param(
        changed_leaf(
            lambda leaf, _: replace(
                leaf, capabilities=replace(leaf.capabilities, cipher_suites=(3,))
            )
        ),
        marks=pytest.mark.rule("12.4.2-13"),
        id="no support of the suite",
    ),
    pytest.param(
        changed_leaf(
            lambda leaf, scene: replace(
                leaf, encryption_key=scene.alice.group.state.tree.member(0).encryption_key
            )
        ),
        marks=pytest.mark.rule("12.4.2-14"),
        id="its old encryption key",
    ),
]


@pytest.mark.spec("RFC 9420 §12.4.2 (Processing a Commit)")
@pytest.mark.parametrize("fault", PATHS)
def test_path_whose_leaf_has_one_fault_is_refused(
    broken: Rules, fault: Callable[[Scene], Fault]
) -> None:
    scene = Scene()
    scene.refuses(broken, scene.forger.commit(fault=fault(scene)))


@pytest.mark.rule("7.3-23")
@pytest.mark.rule("12.2-6")
def test_member_is_not_added_a_second_time() -> None:
    scene = Scene()
    scene.refuses(("7.3-23", "12.2-6"), scene.forger.commit([add(scene.carol.bundle())]))
