"""The ratchet tree against the published vectors: arithmetic, operations, validation, TreeKEM."""

from dataclasses import replace
from typing import TYPE_CHECKING, cast

import pytest

from e2ecore.crypto.hpke import HpkePrivateKey
from e2ecore.crypto.suites import P384_AES256, SUITES, CipherSuite
from e2ecore.errors import UsageError
from e2ecore.mls import tree_math
from e2ecore.mls.arriving_tree import ArrivingTree
from e2ecore.mls.codec import decode_all, opaque, u16, u64, vector
from e2ecore.mls.labels import derive_secret
from e2ecore.mls.leaf_rules import LeafContext
from e2ecore.mls.proposals import Add, Remove, Update, read_proposal
from e2ecore.mls.ratchet_tree import RatchetTree
from e2ecore.mls.tree_rules import check_tree, verify_all
from e2ecore.mls.treekem import (
    PathKeys,
    PathSecret,
    UpdatePath,
    join_path,
    merge_path,
    new_path,
    open_path,
)
from tests.support.cases import Case, cases
from tests.support.rng import SeededRng

if TYPE_CHECKING:
    from collections.abc import Callable


def suite_of(case: Case) -> CipherSuite:
    return SUITES[case.number("cipher_suite")]


def tree_of(case: Case, name: str) -> RatchetTree:
    tree = RatchetTree.decode(suite_of(case), case.hex(name))
    assert tree.encode() == case.hex(name)
    return tree


def numbered(case: Case) -> str:
    return f"suite {case.number('cipher_suite')}"


@pytest.mark.spec("RFC 9420 §C (Array-Based Trees)")
@pytest.mark.parametrize("case", cases("mls/tree-math.json"), ids=lambda c: c.number("n_leaves"))
def test_arithmetic_on_node_indices(case: Case) -> None:
    leaves = case.number("n_leaves")
    assert tree_math.node_width(leaves) == case.number("n_nodes")
    assert tree_math.root(leaves) == case.number("root")
    functions: dict[str, Callable[[int], int]] = {
        "left": tree_math.left,
        "right": tree_math.right,
        "parent": lambda node: tree_math.parent(node, leaves),
        "sibling": lambda node: tree_math.sibling(node, leaves),
    }
    for name, function in functions.items():
        for node, expected in enumerate(cast("list[int | None]", case.fields[name])):
            if expected is None:
                with pytest.raises(UsageError):
                    function(node)
            else:
                assert function(node) == expected


@pytest.mark.spec("RFC 9420 §12.1.1 (Add)")
@pytest.mark.spec("RFC 9420 §12.1.2 (Update)")
@pytest.mark.spec("RFC 9420 §12.1.3 (Remove)")
@pytest.mark.spec("RFC 9420 §7.7 (Adding and Removing Leaves)")
@pytest.mark.parametrize("case", cases("mls/tree-operations.json"), ids=range(5))
def test_proposals_change_the_tree_as_published(case: Case) -> None:
    tree = tree_of(case, "tree_before")
    assert tree.root_hash() == case.hex("tree_hash_before")
    match decode_all(read_proposal, case.hex("proposal")):
        case Add(key_package):
            tree.add_leaf(key_package.leaf_node)
        case Update(leaf_node):
            tree.update_leaf(case.number("proposal_sender"), leaf_node)
        case Remove(removed):
            tree.remove_leaf(removed)
        case _:
            pytest.fail("a proposal that changes no tree")
    assert tree.encode() == case.hex("tree_after")
    assert tree.root_hash() == case.hex("tree_hash_after")


@pytest.mark.spec("RFC 9420 §7.8 (Tree Hashes)")
@pytest.mark.spec("RFC 9420 §7.9.2 (Verifying Parent Hashes)")
@pytest.mark.spec("RFC 9420 §7.3 (Leaf Node Validation)")
@pytest.mark.spec("RFC 9420 §12.4.3.3 (Ratchet Tree Extension)")
@pytest.mark.parametrize("case", cases("mls/tree-validation.json"), ids=numbered)
def test_published_trees_are_valid(case: Case) -> None:
    tree = tree_of(case, "tree")
    hashes = [tree.tree_hash(node) for node in range(len(case.hexes("tree_hashes")))]
    assert hashes == case.hexes("tree_hashes")
    resolutions = cast("list[list[int]]", case.fields["resolutions"])
    assert [tree.resolution(node) for node in range(len(resolutions))] == resolutions
    context = LeafContext.of(tree.suite, max_lifetime_s=None)
    arriving = ArrivingTree(tree.suite, case.hex("tree"))
    verify_all(tree.suite, check_tree(arriving, context, case.hex("group_id")))


def claimed(suite: CipherSuite) -> CipherSuite:
    """The suite whose support is looked for in the leaves of treekem.json.

    Those leaves name suites 1 to 6 as what their clients support, in the trees of suite 7 as well.
    Everything else about them is checked as usual.
    """
    return replace(suite, code=1) if suite is P384_AES256 else suite


class TreeKemCase:
    """One published tree, with the private keys of its members."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.tree = tree_of(case, "ratchet_tree")
        self.suite = self.tree.suite
        self.group_id = case.hex("group_id")
        self.rules = LeafContext.of(claimed(self.suite), max_lifetime_s=None)
        self.keys = {
            leaf.number("index"): self._keys_of(leaf) for leaf in case.many("leaves_private")
        }

    def _keys_of(self, leaf: Case) -> dict[int, HpkePrivateKey]:
        keys = {2 * leaf.number("index"): leaf.hpke_key("encryption_priv", self.suite)}
        for item in leaf.many("path_secrets"):
            secret = derive_secret(self.suite, item.hex("path_secret"), "node")
            pair = self.suite.hpke.derive_key_pair(secret)
            node = self.tree.node(item.number("node"))
            assert node is not None
            assert node.encryption_key == pair.public
            keys[item.number("node")] = pair.private
        return keys

    def context(self, tree: RatchetTree) -> bytes:
        return b"".join(
            (
                u16(1),
                u16(self.suite.code),
                opaque(self.group_id),
                u64(self.case.number("epoch")),
                opaque(tree.root_hash()),
                opaque(self.case.hex("confirmed_transcript_hash")),
                vector([]),
            )
        )

    def merged(self, sender: int, path: UpdatePath) -> RatchetTree:
        fork = self.tree.fork()
        merge_path(fork, sender, path, context=self.rules, group_id=self.group_id, added=())
        return fork

    def open(self, fork: RatchetTree, sender: int, path: UpdatePath, own: int) -> PathKeys:
        return open_path(
            fork,
            sender,
            path,
            own_leaf=own,
            private_key=self.keys[own].get,
            context=self.context(fork),
            added=(),
        )


@pytest.mark.spec("RFC 9420 §7.5 (Synchronizing Views of the Tree)")
@pytest.mark.parametrize("case", cases("mls/treekem.json"), ids=numbered)
def test_published_paths_lead_every_member_to_the_published_secret(case: Case) -> None:
    group = TreeKemCase(case)
    for update in case.many("update_paths"):
        sender = update.number("sender")
        path = decode_all(UpdatePath.read, update.hex("update_path"))
        assert path.encode() == update.hex("update_path")
        fork = group.merged(sender, path)
        assert fork.root_hash() == update.hex("tree_hash_after")
        secrets = cast("list[str | None]", update.fields["path_secrets"])
        for own in group.keys.keys() - {sender}:
            keys = group.open(fork, sender, path, own)
            assert keys.commit_secret.raw == update.hex("commit_secret")
            published = PathSecret(bytes.fromhex(secrets[own] or ""))
            assert join_path(fork, sender, own, published).keys() == keys.private_keys.keys()


@pytest.mark.spec("RFC 9420 §7.4 (Ratchet Tree Evolution)")
@pytest.mark.spec("RFC 9420 §7.6 (Update Paths)")
@pytest.mark.parametrize("case", cases("mls/treekem.json"), ids=numbered)
def test_paths_of_ours_lead_every_member_of_published_trees_to_one_secret(case: Case) -> None:
    group, rng = TreeKemCase(case), SeededRng(1)
    for leaf in case.many("leaves_private"):
        sender = leaf.number("index")
        fork = group.tree.fork()
        signer = leaf.signing_key("signature_priv", group.suite)
        new = new_path(
            fork,
            sender,
            fork.member(sender),
            group_id=group.group_id,
            signer=signer,
            rng=rng,
        )
        path = new.seal(fork, group.context(fork), ())
        received = group.merged(sender, path)
        assert received.encode() == fork.encode()
        for own in group.keys.keys() - {sender}:
            keys = group.open(received, sender, path, own)
            assert keys.commit_secret.matches(new.keys.commit_secret)
        arriving = ArrivingTree(group.suite, fork.encode())
        verify_all(group.suite, check_tree(arriving, group.rules, group.group_id))
