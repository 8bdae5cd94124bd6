"""What a new member checks before it believes a tree: one good tree, copies with one fault."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from e2ecore.crypto.errors import InvalidKeyError, SignatureError
from e2ecore.errors import PeerError
from e2ecore.mls.arriving_tree import ArrivingTree
from e2ecore.mls.credentials import X509Credential
from e2ecore.mls.errors import InvalidLeafNodeError, InvalidTreeError, UnsupportedError
from e2ecore.mls.extensions import Extension, RequiredCapabilities
from e2ecore.mls.leaf_rules import LeafContext
from e2ecore.mls.nodes import LeafNode, ParentNode
from e2ecore.mls.ratchet_tree import RatchetTree
from e2ecore.mls.tree_rules import check_parent_hashes, check_tree, verify_all
from tests.support.clients import GROUP_ID, TreeGroup


def history() -> TreeGroup:
    """Seven members; every parent has a key; members 3 and 7 joined after the last commits.

    Node 7 is the root, 3 and 11 its children, 5 the parent of leaves 2 and 3.
    """
    group = TreeGroup()
    group.add(7)
    for leaf in range(8):
        group.commit(leaf)
    group.commit(0, removed=[3, 7])
    group.commit(4)
    group.commit(2)
    assert group.add(2) == [3, 7]
    return group


GROUP = history()
SUITE = GROUP.suite
CONTEXT = LeafContext.of(SUITE)


def received() -> RatchetTree:
    return RatchetTree.decode(SUITE, GROUP.tree.encode())


def check(tree: RatchetTree, context: LeafContext = CONTEXT, group_id: bytes = GROUP_ID) -> None:
    verify_all(SUITE, check_tree(ArrivingTree(SUITE, tree.encode()), context, group_id))


def parent(tree: RatchetTree, index: int) -> ParentNode:
    node = tree.parent_node(index)
    assert node is not None
    return node


def change_leaf(leaf: int, **changes: object) -> Callable[[RatchetTree], None]:
    """Change fields of a leaf and sign it again, as its hostile owner can."""

    def change(tree: RatchetTree) -> None:
        changed: LeafNode = replace(tree.member(leaf), **changes)  # type: ignore[arg-type]  # by name
        signer = GROUP.members[leaf].signer
        tree.set_leaf(leaf, changed.signed(signer, GROUP_ID, leaf))

    return change


def change_parent(index: int, **changes: object) -> Callable[[RatchetTree], None]:
    def change(tree: RatchetTree) -> None:
        tree.set_parent(index, replace(parent(tree, index), **changes))  # type: ignore[arg-type]  # by name

    return change


def same_encryption_key(tree: RatchetTree) -> None:
    change_leaf(6, encryption_key=tree.member(7).encryption_key)(tree)


def parent_with_a_leafs_key(tree: RatchetTree) -> None:
    change_parent(3, encryption_key=tree.member(7).encryption_key)(tree)


def same_signature_key(tree: RatchetTree) -> None:
    changed = replace(tree.member(7), signature_key=tree.member(6).signature_key)
    tree.set_leaf(7, changed.signed(GROUP.members[6].signer, GROUP_ID, 7))


def outsider_at_a_parent(tree: RatchetTree) -> None:
    tree.set_parent(13, ParentNode(GROUP.suite.hpke.generate(GROUP.rng).public))


@pytest.mark.spec("RFC 9420 §12.4.3.1 (Joining via Welcome Message)")
def test_a_tree_with_history_is_accepted() -> None:
    tree = received()
    assert parent(tree, 7).unmerged_leaves == (3, 7)
    assert tree.is_blank(13)
    check(tree)


@pytest.mark.spec("RFC 9420 §12.4.3.1 (Joining via Welcome Message)")
@pytest.mark.spec("RFC 9420 §7.9.2 (Verifying Parent Hashes)")
@pytest.mark.spec("RFC 9420 §16.7 (Uniqueness of Ratchet Tree Key Pairs)")
@pytest.mark.parametrize(
    ("fault", "error"),
    [
        pytest.param(same_encryption_key, InvalidTreeError, id="two leaves, one encryption key"),
        pytest.param(same_signature_key, InvalidTreeError, id="two leaves, one signature key"),
        pytest.param(parent_with_a_leafs_key, InvalidTreeError, id="a parent has a leaf's key"),
        pytest.param(
            change_leaf(7, credential=X509Credential(())),
            InvalidLeafNodeError,
            id="own credential type not supported",
        ),
        pytest.param(
            change_leaf(
                7,
                credential=X509Credential(()),
                capabilities=replace(GROUP.tree.member(7).capabilities, credentials=(1, 2)),
            ),
            UnsupportedError,
            id="credential type that others do not support",
        ),
        pytest.param(
            change_leaf(7, extensions=(Extension(0xF0E3, b""),)),
            InvalidLeafNodeError,
            id="leaf extension not listed",
        ),
        pytest.param(
            change_leaf(7, encryption_key=bytes(32)), InvalidKeyError, id="leaf key of low order"
        ),
        pytest.param(
            change_parent(7, encryption_key=bytes(32)), InvalidKeyError, id="key of low order"
        ),
        pytest.param(
            change_parent(7, unmerged_leaves=(3, 7, 8)), InvalidTreeError, id="unmerged, no leaf"
        ),
        pytest.param(
            change_parent(3, unmerged_leaves=(3, 7)), InvalidTreeError, id="unmerged, not below"
        ),
        pytest.param(
            change_parent(3, unmerged_leaves=()), InvalidTreeError, id="unmerged above only"
        ),
        pytest.param(
            change_parent(7, unmerged_leaves=(3,)), InvalidTreeError, id="unmerged below only"
        ),
        pytest.param(
            change_parent(7, unmerged_leaves=()), InvalidTreeError, id="merged without a path"
        ),
        pytest.param(
            change_parent(9, unmerged_leaves=(5,)), InvalidTreeError, id="unmerged too early"
        ),
        pytest.param(
            change_parent(3, parent_hash=bytes(32)), InvalidTreeError, id="parent hash of a parent"
        ),
        pytest.param(
            change_leaf(2, parent_hash=bytes(32)), InvalidTreeError, id="parent hash of a leaf"
        ),
        pytest.param(
            change_parent(11, encryption_key=GROUP.client()[0].key_package.init_key),
            InvalidTreeError,
            id="key that nobody vouches for",
        ),
        pytest.param(outsider_at_a_parent, InvalidTreeError, id="parent that nobody made"),
        pytest.param(
            lambda tree: tree.set_leaf(7, replace(tree.member(7), signature=bytes(64))),
            SignatureError,
            id="signature",
        ),
    ],
)
def test_a_tree_with_one_fault_is_refused(
    fault: Callable[[RatchetTree], None], error: type[PeerError]
) -> None:
    tree = received()
    fault(tree)
    with pytest.raises(error):
        check(tree)


def test_blank_unmerged_leaves_are_refused() -> None:
    tree = RatchetTree.decode(SUITE, history().tree.encode())
    tree._put(6, None)
    with pytest.raises(InvalidTreeError):
        check(tree)


def test_a_tree_belongs_to_one_group() -> None:
    with pytest.raises(SignatureError):
        check(received(), group_id=b"another group")
    required = RequiredCapabilities((0xF0E2,)).to_extension()
    with pytest.raises(UnsupportedError):
        check(received(), LeafContext.of(SUITE, (required,)))


def test_leaf_signatures_are_handed_out_for_callers_with_threads() -> None:
    parts = list(check_tree(ArrivingTree(SUITE, GROUP.tree.encode()), CONTEXT, GROUP_ID))
    assert len(parts) == 8
    for part in parts:
        SUITE.signature.verify(part.public, part.message, part.signature)


def test_trees_of_many_histories_are_accepted() -> None:
    group = TreeGroup(seed=2)
    group.add(12)
    for leaf, removed, added in (
        (3, [], 0),
        (0, [5], 2),
        (12, [1, 2], 0),
        (6, [], 1),
        (6, [11, 12], 4),
        (4, [3], 1),
    ):
        group.commit(leaf, removed=removed)
        check_parent_hashes(group.tree)
        group.add(added)
        check(group.tree)
