"""Whatever bytes come and whatever happens to a tree, it stays one thing or is refused."""

from collections.abc import Callable
from typing import TypeVar

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from e2ecore.crypto.suites import X25519_AES128
from e2ecore.mls.arriving_tree import ArrivingTree
from e2ecore.mls.codec import Reader, decode_all, length, opaque, vector
from e2ecore.mls.credentials import BasicCredential, X509Credential, read_credential
from e2ecore.mls.errors import InvalidTreeError, MalformedMessageError, MlsError
from e2ecore.mls.extensions import Extension, encode_extensions, read_extensions
from e2ecore.mls.key_package import KeyPackage
from e2ecore.mls.leaf_rules import LeafContext
from e2ecore.mls.nodes import (
    Capabilities,
    LeafNode,
    LeafNodeSource,
    Lifetime,
    ParentNode,
)
from e2ecore.mls.ratchet_tree import RatchetTree
from e2ecore.mls.tree_rules import check_parent_hashes, check_tree, verify_all
from e2ecore.mls.treekem import HpkeCiphertext, UpdatePath, UpdatePathNode
from tests.support.clients import GROUP_ID, TreeGroup

T = TypeVar("T")
U16 = st.integers(0, 0xFFFF)
U16S = st.lists(U16, max_size=4).map(tuple)
SMALL = st.binary(max_size=80)
CREDENTIALS = st.one_of(
    SMALL.map(BasicCredential), st.lists(SMALL, max_size=2).map(tuple).map(X509Credential)
)
EXTENSIONS = st.lists(st.builds(Extension, U16, SMALL), max_size=3, unique_by=lambda e: e.type)
U64 = st.integers(0, 2**64 - 1)
SOURCES = st.one_of(
    st.builds(Lifetime, U64, U64).map(lambda it: (LeafNodeSource.KEY_PACKAGE, it, None)),
    st.just((LeafNodeSource.UPDATE, None, None)),
    SMALL.map(lambda it: (LeafNodeSource.COMMIT, None, it)),
)


@st.composite
def leaf_nodes(draw: st.DrawFn) -> LeafNode:
    source, lifetime, parent_hash = draw(SOURCES)
    return LeafNode(
        encryption_key=draw(SMALL),
        signature_key=draw(SMALL),
        credential=draw(CREDENTIALS),
        capabilities=draw(st.builds(Capabilities, U16S, U16S, U16S, U16S, U16S)),
        source=source,
        lifetime=lifetime,
        parent_hash=parent_hash,
        extensions=tuple(draw(EXTENSIONS)),
        signature=draw(SMALL),
    )


UNMERGED = st.sets(st.integers(0, 2**32 - 1), max_size=4).map(sorted).map(tuple)
PARENTS = st.builds(ParentNode, SMALL, SMALL, UNMERGED)
KEY_PACKAGES = st.builds(
    KeyPackage,
    version=U16,
    cipher_suite=U16,
    init_key=SMALL,
    leaf_node=leaf_nodes(),
    extensions=EXTENSIONS.map(tuple),
    signature=SMALL,
)
CIPHERTEXTS = st.lists(st.builds(HpkeCiphertext, SMALL, SMALL), max_size=3).map(tuple)
PATH_NODES = st.lists(st.builds(UpdatePathNode, SMALL, CIPHERTEXTS), max_size=3).map(tuple)
PATHS = st.builds(UpdatePath, leaf_nodes(), PATH_NODES)


@given(st.one_of(leaf_nodes(), PARENTS, KEY_PACKAGES, PATHS))
def test_structures_are_read_as_they_were_written(
    value: LeafNode | ParentNode | KeyPackage | UpdatePath,
) -> None:
    read = decode_all(type(value).read, value.encode())
    assert read == value
    assert read.encode() == value.encode()


Again = Callable[[bytes], bytes | None]


def again(read: Callable[[Reader], T], write: Callable[[T], bytes]) -> Again:
    """Return what reads and writes again, from the fields alone; None if malformed."""

    def reencode(data: bytes) -> bytes | None:
        try:
            value = decode_all(read, data)
        except MalformedMessageError:
            return None
        if hasattr(value, "_encoded"):
            object.__setattr__(value, "_encoded", None)
        return write(value)

    return reencode


def write_opaques(items: list[bytes]) -> bytes:
    return vector(map(opaque, items))


AGAIN: dict[str, Again] = {
    "LeafNode": again(LeafNode.read, LeafNode.encode),
    "ParentNode": again(ParentNode.read, ParentNode.encode),
    "KeyPackage": again(KeyPackage.read, KeyPackage.encode),
    "UpdatePath": again(UpdatePath.read, UpdatePath.encode),
    "Credential": again(read_credential, lambda credential: credential.encode()),
    "extensions": again(read_extensions, encode_extensions),
    "vector": again(lambda reader: reader.vector(Reader.opaque), write_opaques),
}


@pytest.mark.parametrize("name", AGAIN)
@given(data=st.binary(max_size=400))
@example(data=b"")
@example(data=b"\xff" * 8)
@example(data=b"\x40\x01\x00")
def test_any_bytes_are_refused_or_are_the_one_encoding_of_a_value(name: str, data: bytes) -> None:
    assert AGAIN[name](data) in {None, data}


@given(st.one_of(leaf_nodes(), PARENTS, KEY_PACKAGES, PATHS), st.data())
def test_a_damaged_structure_is_refused_or_is_the_one_encoding_of_another(
    value: LeafNode | ParentNode | KeyPackage | UpdatePath, data: st.DataObject
) -> None:
    encoded = bytearray(value.encode())
    at = data.draw(st.integers(0, len(encoded) - 1))
    match data.draw(st.sampled_from(["change", "cut", "grow"])):
        case "change":
            encoded[at] = data.draw(st.integers(0, 255))
        case "cut":
            del encoded[at:]
        case _:
            encoded.insert(at, data.draw(st.integers(0, 255)))
    changed = bytes(encoded)
    assert AGAIN[type(value).__name__](changed) in {None, changed}


@given(st.integers(0, (1 << 30) - 1))
def test_lengths_are_read_as_they_were_written(size: int) -> None:
    reader = Reader(length(size))
    reader._end += size
    assert reader.length() == size


@given(st.binary(max_size=300))
def test_any_bytes_are_a_tree_or_are_refused(data: bytes) -> None:
    for encoded in (data, opaque(data)):
        try:
            tree = RatchetTree.decode(X25519_AES128, encoded)
        except (MalformedMessageError, InvalidTreeError):
            continue
        assert tree.encode() == encoded


NAMES = st.sampled_from(["add", "commit", "remove", "update"])


@given(st.lists(st.tuples(NAMES, st.integers(0, 40)), max_size=14))
def test_a_changed_tree_is_the_tree_that_is_read_from_its_encoding(
    story: list[tuple[str, int]],
) -> None:
    """Caches of hashes, keys and counts never say anything else than a fresh tree."""
    group = TreeGroup()
    for verb, number in story:
        leaf = sorted(group.members)[number % len(group.members)]
        if verb == "add":
            group.add(1 + number % 3)
        elif verb == "commit":
            group.commit(leaf)
        elif len(group.members) > 1 and verb == "remove":
            other = next(member for member in group.members if member != leaf)
            group.commit(other, removed=[leaf])
        tree = group.tree
        fresh = RatchetTree.decode(tree.suite, tree.encode())
        assert fresh.encode() == tree.encode()
        assert fresh.root_hash() == tree.root_hash()
        assert fresh.leaf_count == tree.leaf_count
        assert list(fresh.credential_types(None)) == list(tree.credential_types(None))
        for index, node in fresh.nodes():
            assert tree.find_encryption_key(node.encryption_key) == index
        arriving = ArrivingTree(tree.suite, tree.encode())
        verify_all(tree.suite, check_tree(arriving, LeafContext.of(tree.suite), GROUP_ID))


WITNESS = TreeGroup()
WITNESS.add(5)
for committer in (0, 3, 5):
    WITNESS.commit(committer)
WITNESS.add(1)
ENCODED = WITNESS.tree.encode()


@given(st.integers(0, len(ENCODED) - 1), st.integers(1, 255))
def test_no_changed_byte_of_a_tree_goes_unnoticed(at: int, difference: int) -> None:
    changed = bytearray(ENCODED)
    changed[at] ^= difference
    try:
        tree = RatchetTree.decode(X25519_AES128, bytes(changed))
    except MlsError:
        return
    assert tree.root_hash() != WITNESS.tree.root_hash()
    try:
        check_parent_hashes(tree)
    except InvalidTreeError:
        return
