"""Commits of members with one fault outside of their lists."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from e2ecore.mls.framing import AuthenticatedContent
from e2ecore.mls.proposals import (
    GroupContextExtensions,
    PreSharedKey,
    ProposalOrRef,
    ProposalRef,
    ReInit,
    Remove,
)
from e2ecore.mls.psk import ExternalPskId, ResumptionPskId, ResumptionUsage
from e2ecore.mls.treekem import UpdatePath
from tests.support.mls_forger import Fault, same
from tests.support.mls_groups import Device, agree, pass_on
from tests.support.mls_rules import Rules, refused
from tests.support.mls_scene import Scene, untouched

NONCE = bytes(32)


def other_epoch(epoch: int) -> Fault:
    return Fault(content=lambda content: replace(content, epoch=epoch), public=same)


def tagged(tag: bytes) -> Fault:
    return Fault(sent=lambda sent: replace(sent, confirmation_tag=tag))


def untagged(tag: bytes) -> Fault:
    return Fault(public=lambda message: replace(message, membership_tag=tag))


MESSAGES = [
    pytest.param(
        lambda _: other_epoch(3),
        marks=pytest.mark.rule("12.4.2-1"),
        id="of the next epoch",
    ),
    pytest.param(
        lambda _: other_epoch(1), marks=pytest.mark.rule("12.4.2-2"), id="of the epoch before"
    ),
    pytest.param(
        lambda _: untagged(bytes(32)), marks=pytest.mark.rule("12.4.2-3"), id="membership tag"
    ),
    pytest.param(
        lambda _: untagged(b""), marks=pytest.mark.rule("12.4.2-3"), id="no membership tag"
    ),
    pytest.param(
        lambda scene: Fault(signer=scene.carol.signer),
        marks=[pytest.mark.rule("12.4.2-5"), pytest.mark.rule("H5")],
        id="signed by another member",
    ),
    pytest.param(
        lambda _: tagged(bytes(32)),
        marks=[pytest.mark.rule("12.4.2-22"), pytest.mark.rule("H13")],
        id="confirmation tag",
    ),
    pytest.param(
        lambda _: tagged(b""), marks=pytest.mark.rule("12.4.2-22"), id="empty confirmation tag"
    ),
    pytest.param(
        lambda _: Fault(sent=lambda sent: replace(sent, confirmation_tag=cut(sent))),
        marks=pytest.mark.rule("12.4.2-22"),
        id="shortened confirmation tag",
    ),
]


def cut(sent: AuthenticatedContent) -> bytes:
    return (sent.confirmation_tag or b"")[:-1]


def full_tree() -> Scene:
    """Every parent has a key, and the group is in epoch 2."""
    scene = Scene()
    scene.commit_and_pass_on()
    return scene


@pytest.mark.spec("RFC 9420 §12.4.2 (Processing a Commit)")
@pytest.mark.parametrize("fault", MESSAGES)
def test_commit_that_does_not_prove_itself_is_refused(
    fault: Callable[[Scene], Fault], broken: Rules
) -> None:
    scene = full_tree()
    scene.refuses(broken, scene.forger.commit(fault=fault(scene)))


@pytest.mark.rule("12.4.2-4")
def test_commit_that_was_changed_on_its_way_is_refused() -> None:
    scene = full_tree()
    message = scene.forger.commit()
    scene.refuses("12.4.2-4", message[:-1] + bytes([message[-1] ^ 1]))


@pytest.mark.rule("12.4.2-6")
def test_commit_that_names_what_nobody_proposed_is_refused() -> None:
    scene = full_tree()
    fault = Fault(listed=lambda _: (ProposalRef(bytes(32)),))
    scene.refuses("12.4.2-6", scene.forger.commit(fault=fault))


@pytest.mark.rule("12.4.2-7")
@pytest.mark.parametrize(
    "psk",
    [
        pytest.param(ExternalPskId(b"a key", NONCE), id="external"),
        pytest.param(
            ResumptionPskId(ResumptionUsage.APPLICATION, b"elsewhere", 1, NONCE), id="other group"
        ),
        pytest.param(
            ResumptionPskId(ResumptionUsage.APPLICATION, b"conversation", 9, NONCE), id="future"
        ),
    ],
)
def test_key_that_is_not_at_hand_is_never_replaced_by_a_default(
    psk: ExternalPskId | ResumptionPskId, broken: Rules
) -> None:
    scene = full_tree()
    scene.forger.psks = {b"a key": b""}
    applied = [PreSharedKey(psk)] if isinstance(psk, ExternalPskId) else []
    fault = Fault(applied=applied)
    scene.refuses(broken, scene.forger.commit([PreSharedKey(psk)], fault))


PATHLESS = [
    pytest.param(lambda _: [], marks=pytest.mark.rule("12.4.2-8"), id="nothing"),
    pytest.param(
        lambda scene: [scene.spread(scene.bob, propose_update(scene.bob))],
        marks=pytest.mark.rule("12.4.2-9"),
        id="update",
    ),
    pytest.param(lambda _: [Remove(1)], marks=pytest.mark.rule("12.4.2-10"), id="removal"),
    pytest.param(
        lambda _: [GroupContextExtensions(())],
        marks=pytest.mark.rule("12.4.2-11"),
        id="extensions",
    ),
]


def propose_update(device: Device) -> bytes:
    message = device.group.propose_update(signer=device.signer, rng=device.rng)
    device.save()
    return message


@pytest.mark.spec("RFC 9420 §12.4 (Commit)")
@pytest.mark.parametrize("listed", PATHLESS)
def test_commit_without_the_path_it_needs_is_refused(
    listed: Callable[[Scene], Sequence[ProposalOrRef]], broken: Rules
) -> None:
    scene = full_tree()
    message = scene.forger.commit(listed(scene), path=False)
    scene.refuses(broken, message, by=[scene.carol, scene.dave])


def lower_key(key: Callable[[Scene], bytes]) -> Callable[[Scene], Fault]:
    """Replace the key of the lowest parent, which only bob could derive."""
    return lambda scene: Fault(keys=lambda keys: [key(scene), *keys[1:]])


def upper_key(scene: Scene) -> Fault:
    """Replace the key that carol and dave derive."""
    other = scene.alice.suite.hpke.generate(scene.alice.rng).public
    return Fault(keys=lambda keys: [*keys[:-1], other])


def in_path(change: Callable[[UpdatePath], UpdatePath]) -> Callable[[Scene], Fault]:
    return lambda _: Fault(path=change)


def one_node_less(path: UpdatePath) -> UpdatePath:
    return replace(path, nodes=path.nodes[:-1])


def one_node_more(path: UpdatePath) -> UpdatePath:
    return replace(path, nodes=(*path.nodes, path.nodes[-1]))


def one_secret_more(path: UpdatePath) -> UpdatePath:
    """To bob, whom carol and dave do not care about."""
    first, *rest = path.nodes
    doubled = first._replace(encrypted_path_secret=first.encrypted_path_secret * 2)
    return replace(path, nodes=(doubled, *rest))


def one_secret_less(path: UpdatePath) -> UpdatePath:
    first, *rest = path.nodes
    return replace(path, nodes=(first._replace(encrypted_path_secret=()), *rest))


def broken_secret(path: UpdatePath) -> UpdatePath:
    """Every secret of the topmost node."""
    *rest, last = path.nodes
    sealed = [
        each._replace(ciphertext=each.ciphertext[:-1] + bytes([each.ciphertext[-1] ^ 1]))
        for each in last.encrypted_path_secret
    ]
    return replace(path, nodes=(*rest, last._replace(encrypted_path_secret=tuple(sealed))))


PATHS = [
    pytest.param(
        lambda _: Fault(leaf=lambda leaf: replace(leaf, parent_hash=bytes(32))),
        marks=pytest.mark.rule("7.9.2-5"),
        id="parent hash",
    ),
    pytest.param(
        lower_key(lambda scene: scene.carol.group.state.tree.member(3).encryption_key),
        marks=pytest.mark.rule("12.4.2-15"),
        id="a leaf's key",
    ),
    pytest.param(
        lower_key(lambda scene: scene.carol.group.state.tree.encryption_key(1)),
        marks=pytest.mark.rule("12.4.2-15"),
        id="the old key",
    ),
    pytest.param(
        lambda _: Fault(keys=lambda keys: [keys[-1]] * len(keys)),
        marks=pytest.mark.rule("12.4.2-16"),
        id="one key twice",
    ),
    pytest.param(in_path(one_node_less), marks=pytest.mark.rule("12.4.2-17"), id="node missing"),
    pytest.param(in_path(one_node_more), marks=pytest.mark.rule("12.4.2-17"), id="one node more"),
    pytest.param(
        in_path(one_secret_more), marks=pytest.mark.rule("12.4.2-18"), id="one secret more"
    ),
    pytest.param(
        in_path(one_secret_less), marks=pytest.mark.rule("12.4.2-18"), id="one secret less"
    ),
    pytest.param(
        in_path(broken_secret),
        marks=[pytest.mark.rule("12.4.2-19"), pytest.mark.rule("H18")],
        id="secret does not open",
    ),
    pytest.param(upper_key, marks=pytest.mark.rule("12.4.2-20"), id="other public key"),
]


@pytest.mark.spec("RFC 9420 §7.5 (Synchronizing Views of the Tree)")
@pytest.mark.parametrize("fault", PATHS)
def test_path_with_one_fault_is_refused(fault: Callable[[Scene], Fault], broken: Rules) -> None:
    scene = full_tree()
    message = scene.forger.commit(fault=fault(scene))
    scene.refuses(broken, message, by=[scene.carol, scene.dave])


@pytest.mark.rule("12.4.2-21")
def test_path_secret_of_another_size_is_refused() -> None:
    scene = full_tree()
    rng, sizes = scene.alice.rng, []

    def short(size: int, /) -> bytes:
        sizes.append(size)
        return rng(size if len(sizes) != 2 else size // 2)

    scene.alice.rng = short  # type: ignore[assignment]  # a liar of its own kind
    message = scene.forger.commit()
    scene.alice.rng = rng
    scene.refuses("12.4.2-21", message, by=[scene.bob])


def closed() -> Scene:
    scene = full_tree()
    scene.commit_and_pass_on(ReInit(b"next", 1, 1, ()))
    return scene


@pytest.mark.rule("12.4.2-23")
@pytest.mark.rule("H23")
def test_closed_group_is_not_used_any_more(broken: Rules) -> None:
    scene = closed()
    for device in scene.devices:
        with untouched(device):
            with refused(*broken):
                device.send(b"hello")
            with refused(*broken):
                device.commit()
            with refused(*broken):
                device.group.propose_update(signer=device.signer, rng=device.rng)


@pytest.mark.rule("12.4.2-24")
def test_closed_group_follows_no_commit() -> None:
    scene = closed()
    message = scene.forger.commit()
    for device in scene.others:
        with untouched(device), refused("12.4.2-24"):
            device.stage(message)


@pytest.mark.rule("12.4.2-25")
def test_who_was_removed_sends_nothing_and_keeps_nothing() -> None:
    scene = full_tree()
    pending = scene.alice.commit(Remove(2))
    pass_on(pending, scene.alice, scene.others)
    assert scene.carol.disk.rows == {}
    with refused("12.4.2-25"):
        scene.carol.send(b"hello")
    with refused("12.4.2-25"):
        scene.carol.commit()
    with refused("12.4.2-25"):
        scene.carol.group.receive(scene.bob.send(b"hello"), now_ms=None)
    assert agree([scene.alice, scene.bob, scene.dave])


@pytest.mark.rule("H14")
def test_staged_commit_is_not_merged_in_another_epoch() -> None:
    scene = full_tree()
    lost = scene.bob.commit()
    staged = scene.carol.stage(lost.commit)
    scene.commit_and_pass_on()
    for device, stale in ((scene.bob, lost.staged), (scene.carol, staged)):
        with untouched(device), refused("H14"):
            device.merge(stale)
    scene.goes_on()
