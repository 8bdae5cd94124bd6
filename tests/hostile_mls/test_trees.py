"""Trees with one fault, in invitations whose tree hash and confirmation tag are right."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from e2ecore.mls.codec import Reader, decode_all
from e2ecore.mls.extensions import Extension
from e2ecore.mls.nodes import ParentNode
from e2ecore.mls.ratchet_tree import RatchetTree
from e2ecore.mls.tree_hash import parent_hash
from tests.support.mls_inviter import Invited, Twist, invitation, parent
from tests.support.mls_rules import Rules, refused

Change = Callable[[RatchetTree], None]


def same_signature_key(invited: Invited) -> Change:
    """Alice and grace are in league and share a key."""
    return invited.change_leaf(0, signer=5, signature_key=invited.signer(5).public)


def same_encryption_key(invited: Invited) -> Change:
    return invited.change_leaf(0, encryption_key=invited.tree().member(5).encryption_key)


def unlisted_extension(invited: Invited) -> Change:
    return invited.change_leaf(0, extensions=(Extension(0xF0E3, b""),))


def unsigned(invited: Invited) -> Change:
    leaf = invited.tree().member(0)
    forged = leaf.signature[:-1] + bytes([leaf.signature[-1] ^ 1])
    return lambda tree: tree.set_leaf(0, replace(leaf, signature=forged))


def blank_unmerged(invited: Invited) -> Change:
    """Dave is not there, and the parents above his leaf say that he was added."""

    def change(tree: RatchetTree) -> None:
        tree.remove_leaf(3)
        invited.commit(tree, 0, {})
        for index in (3, 7):
            tree.set_parent(index, replace(parent(tree, index), unmerged_leaves=(3,)))

    return change


def unmerged_elsewhere(_: Invited) -> Change:
    """The left half lists eve, who is in the right half."""

    def change(tree: RatchetTree) -> None:
        tree.set_parent(3, replace(parent(tree, 3), unmerged_leaves=(7,)))

    return change


def unmerged_above_only(_: Invited) -> Change:
    def change(tree: RatchetTree) -> None:
        tree.set_parent(11, replace(parent(tree, 11), unmerged_leaves=()))

    return change


def key_of_a_leaf(invited: Invited) -> Change:
    def change(tree: RatchetTree) -> None:
        invited.commit(tree, 0, {3: tree.member(6).encryption_key})

    return change


def parent_hash_of_a_leaf(invited: Invited) -> Change:
    return lambda tree: invited.vouch(tree, 0, bytes(32))


def parent_hash_of_a_parent(invited: Invited) -> Change:
    def change(tree: RatchetTree) -> None:
        node = replace(parent(tree, 1), parent_hash=bytes(32))
        tree.set_parent(1, node)
        above = parent_hash(tree.suite, node.encryption_key, bytes(32), tree.tree_hash(2))
        invited.vouch(tree, 0, above)

    return change


def neighbours_passed_over(invited: Invited) -> Change:
    """Frank sets the root, and no key for those who sit between him and it."""

    def change(tree: RatchetTree) -> None:
        tree.blank_direct_path(4)
        key = invited.fresh_key()
        tree.set_parent(7, ParentNode(key))
        invited.vouch(tree, 4, parent_hash(tree.suite, key, b"", tree.tree_hash(3)))

    return change


def parent_of_nobody(invited: Invited) -> Change:
    """The relay puts a key of its own above carol and dave, and alice goes along."""

    def change(tree: RatchetTree) -> None:
        tree.blank_direct_path(2)
        tree.set_parent(5, ParentNode(invited.fresh_key()))
        invited.commit(tree, 0, {})

    return change


def other_key(invited: Invited) -> Change:
    """The key of a parent is replaced, by somebody who hopes to read along."""

    def change(tree: RatchetTree) -> None:
        tree.set_parent(1, replace(parent(tree, 1), encryption_key=invited.fresh_key()))

    return change


def low_order(invited: Invited) -> Change:
    return lambda tree: invited.commit(tree, 0, {3: bytes(32)})


TREES = [
    pytest.param(unsigned, marks=pytest.mark.rule("7.3-5"), id="signature of a leaf"),
    pytest.param(
        unlisted_extension, marks=pytest.mark.rule("12.4.3.1-14"), id="extension of a leaf"
    ),
    pytest.param(
        same_signature_key, marks=pytest.mark.rule("12.4.3.1-15"), id="same signature key"
    ),
    pytest.param(
        same_encryption_key, marks=pytest.mark.rule("12.4.3.1-15"), id="same encryption key"
    ),
    pytest.param(blank_unmerged, marks=pytest.mark.rule("12.4.3.1-16"), id="unmerged and blank"),
    pytest.param(
        unmerged_elsewhere, marks=pytest.mark.rule("12.4.3.1-17"), id="unmerged elsewhere"
    ),
    pytest.param(
        unmerged_above_only, marks=pytest.mark.rule("12.4.3.1-18"), id="unmerged above only"
    ),
    pytest.param(key_of_a_leaf, marks=pytest.mark.rule("12.4.3.1-19"), id="a leaf's key above"),
    pytest.param(
        parent_hash_of_a_leaf,
        marks=[pytest.mark.rule("7.9.2-1"), pytest.mark.rule("12.4.3.1-13")],
        id="parent hash of a leaf",
    ),
    pytest.param(
        parent_hash_of_a_parent, marks=pytest.mark.rule("7.9.2-2"), id="parent hash of a parent"
    ),
    pytest.param(
        neighbours_passed_over, marks=pytest.mark.rule("7.9.2-3"), id="neighbours passed over"
    ),
    pytest.param(
        parent_of_nobody,
        marks=[pytest.mark.rule("7.9.2-4"), pytest.mark.rule("H11")],
        id="parent of nobody",
    ),
    pytest.param(other_key, marks=pytest.mark.rule("7.9.2-4"), id="other key"),
    pytest.param(low_order, marks=pytest.mark.rule("H25"), id="low order"),
]


@pytest.mark.spec("RFC 9420 §12.4.3.1 (Joining via Welcome Message)")
@pytest.mark.spec("RFC 9420 §7.9.2 (Verifying Parent Hashes)")
@pytest.mark.parametrize("change", TREES)
def test_tree_with_one_fault_is_refused(change: Callable[[Invited], Change], broken: Rules) -> None:
    invited = invitation()
    invited.refuses(broken, invited.forge(Twist(tree=change(invited))))


@pytest.mark.rule("H10")
@pytest.mark.parametrize("leaves", [(7, 6), (7, 7)], ids=["wrong order", "twice"])
def test_unmerged_leaves_are_listed_once_and_in_order(
    leaves: tuple[int, ...], broken: Rules
) -> None:
    invited = invitation()

    def disorder(tree: RatchetTree) -> None:
        tree.set_parent(11, replace(parent(tree, 11), unmerged_leaves=leaves))

    invited.refuses(broken, invited.forge(Twist(tree=disorder)))
    node = ParentNode(invited.fresh_key(), b"", leaves).encode()
    with refused(*broken):
        decode_all(ParentNode.read, node)
    assert Reader(node).opaque()
