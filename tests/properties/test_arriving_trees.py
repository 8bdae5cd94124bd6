"""Nodes that are read by the layout of another are read as they would be alone."""

from hypothesis import given
from hypothesis import strategies as st

from e2ecore.crypto.suites import X25519_AES128
from e2ecore.mls.arriving_tree import ArrivingTree, PathLinks
from e2ecore.mls.codec import Reader, vector
from e2ecore.mls.credentials import BasicCredential
from e2ecore.mls.errors import InvalidTreeError, MlsError
from e2ecore.mls.nodes import (
    Capabilities,
    LeafNode,
    LeafNodeSource,
    Lifetime,
    Node,
    ParentNode,
    read_node,
)
from e2ecore.mls.ratchet_tree import RatchetTree
from e2ecore.mls.tree_base import optional_node
from tests.properties.test_mls_tree import PARENTS, U64, leaf_nodes

KEYS = st.binary(min_size=4, max_size=4)
SOURCES = st.sampled_from(LeafNodeSource)


@st.composite
def alike_leaves(draw: st.DrawFn) -> LeafNode:
    """Leaves of few layouts, as the members of a real group have them."""
    source = draw(SOURCES)
    timed, hashed = source is LeafNodeSource.KEY_PACKAGE, source is LeafNodeSource.COMMIT
    return LeafNode(
        encryption_key=draw(KEYS),
        signature_key=draw(KEYS),
        credential=BasicCredential(draw(st.sampled_from([b"", b"ann", b"bob", bytes(70)]))),
        capabilities=Capabilities(),
        source=source,
        lifetime=draw(st.builds(Lifetime, U64, U64)) if timed else None,
        parent_hash=draw(st.sampled_from([b"", b"hash"])) if hashed else None,
        signature=draw(st.binary(min_size=64, max_size=64)),
    )


ALIKE_PARENTS = st.builds(
    ParentNode, KEYS, st.sampled_from([b"", b"hash"]), st.sampled_from([(), (1,), (1, 3)])
)
LEAVES = st.one_of(st.none(), alike_leaves(), alike_leaves(), leaf_nodes())
PAIRS = st.tuples(LEAVES, st.one_of(st.none(), ALIKE_PARENTS, ALIKE_PARENTS, PARENTS))


@st.composite
def extensions(draw: st.DrawFn) -> bytes:
    """Encoded trees, some of them damaged: nobody has checked how their nodes go together."""
    nodes = [node for pair in draw(st.lists(PAIRS, max_size=6)) for node in pair]
    nodes.append(draw(alike_leaves()))
    encoded = bytearray(
        b"".join(
            optional_node(index, None if node is None else node.encode())
            for index, node in enumerate(nodes)
        )
    )
    for _ in range(draw(st.integers(0, 2))):
        encoded[draw(st.integers(0, len(encoded) - 1))] = draw(st.sampled_from([0, 1, 2, 3, 4, 32]))
    return vector([bytes(encoded)])


def one_by_one(data: bytes) -> dict[int, Node] | None:
    """Decode each node on its own; None if that is no tree."""
    reader = Reader(data)
    try:
        nodes = reader.vector(lambda each: each.optional(read_node))
        reader.done()
    except MlsError:
        return None
    found = {index: node for index, node in enumerate(nodes) if node is not None}
    misplaced = any(isinstance(node, LeafNode) is bool(at & 1) for at, node in found.items())
    return None if misplaced or len(nodes) - 1 not in found else found


@given(extensions())
def test_a_tree_is_what_its_nodes_are_one_by_one(data: bytes) -> None:
    expected = one_by_one(data)
    arriving = ArrivingTree(X25519_AES128, data)
    try:
        leaves = list(arriving.leaves())
    except (MlsError, InvalidTreeError):
        assert expected is None
        return
    assert expected is not None
    assert dict(RatchetTree.of(arriving).nodes()) == expected
    links = PathLinks()
    for index, node in expected.items():
        links.add(index, node)
        assert arriving.encoded[index] == node.encode()
        assert node.encryption_key in arriving.keys
    assert (arriving.links.parents, arriving.links.claims) == (links.parents, links.claims)
    assert arriving.links.unmerged == links.unmerged
    for leaf in leaves:
        node = expected[2 * leaf.leaf_index]
        assert isinstance(node, LeafNode)
        key, signature_key, name, told, signature = leaf.fields
        assert (node.encryption_key, node.signature_key) == (key, signature_key)
        assert node.signature == signature
        assert node.encode()[: leaf.layout.unsigned_size] == node.unsigned()
        assert node.credential.encode().endswith(name)
        if node.parent_hash is not None:
            assert node.parent_hash == told
        elif node.lifetime is not None:
            assert node.lifetime == Lifetime.unpack(told)


def test_layouts_are_used_again() -> None:
    """The property above would hold, too, if every node took the long way."""
    leaf = LeafNode(
        encryption_key=b"key",
        signature_key=b"key",
        credential=BasicCredential(b"ann"),
        capabilities=Capabilities(),
        source=LeafNodeSource.UPDATE,
    )
    nodes: tuple[Node, ...] = (leaf, ParentNode(b"key"), leaf, ParentNode(b"key", b"", (1,)), leaf)
    data = vector(optional_node(index, node.encode()) for index, node in enumerate(nodes))
    first, second, third = ArrivingTree(X25519_AES128, data).leaves()
    assert first.layout is second.layout is third.layout
