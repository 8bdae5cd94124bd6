"""Nodes, credentials and extensions: their encodings, and what is not one."""

from dataclasses import replace

import pytest

from e2ecore.mls.codec import Reader, decode_all, opaque, u8, u16, u32, vector
from e2ecore.mls.credentials import (
    BasicCredential,
    Credential,
    CredentialType,
    X509Credential,
    read_credential,
)
from e2ecore.mls.errors import MalformedMessageError
from e2ecore.mls.extensions import (
    Extension,
    RequiredCapabilities,
    encode_extensions,
    find_extension,
    read_extensions,
    required_capabilities,
)
from e2ecore.mls.nodes import (
    Capabilities,
    LeafNode,
    LeafNodeSource,
    Lifetime,
    ParentNode,
    read_node,
)

CAPABILITIES = Capabilities((1,), (1, 0x0A0A), (0xF0E2,), (0x1A1A,), (1, 2))
LEAF = LeafNode(
    encryption_key=b"encryption",
    signature_key=b"signature key",
    credential=BasicCredential(b"alice"),
    capabilities=CAPABILITIES,
    source=LeafNodeSource.KEY_PACKAGE,
    lifetime=Lifetime(1, 2),
    extensions=(Extension(0xF0E2, b"data"),),
    signature=b"signature",
)
UPDATE = replace(LEAF, source=LeafNodeSource.UPDATE, lifetime=None)
COMMIT = replace(LEAF, source=LeafNodeSource.COMMIT, lifetime=None, parent_hash=b"hash")
LEAVES = [
    pytest.param(LEAF, id="key package"),
    pytest.param(UPDATE, id="update"),
    pytest.param(COMMIT, id="commit"),
]


@pytest.mark.spec("RFC 9420 §7.2 (Leaf Node Contents)")
@pytest.mark.parametrize("leaf", LEAVES)
def test_leaf_nodes_are_read_as_they_were_written(leaf: LeafNode) -> None:
    read = decode_all(LeafNode.read, leaf.encode())
    assert read == leaf
    assert read.encode() == leaf.encode()
    assert read.unsigned() == leaf.unsigned() == leaf.encode()[: -len(opaque(b"signature"))]
    assert decode_all(read_node, u8(1) + leaf.encode()) == leaf


@pytest.mark.spec("RFC 9420 §7.2 (Leaf Node Contents)")
def test_group_and_place_are_signed_where_they_are_known() -> None:
    assert LEAF.tbs(b"group", 3) == LEAF.unsigned()
    for leaf in (UPDATE, COMMIT):
        assert leaf.tbs(b"group", 3) == leaf.unsigned() + opaque(b"group") + u32(3)


def test_a_changed_leaf_does_not_keep_its_old_encoding() -> None:
    LEAF.encode()
    assert replace(LEAF, signature=b"other").encode() != LEAF.encode()


@pytest.mark.parametrize("source", [0, 4, 255])
def test_unknown_sources_are_refused(source: int) -> None:
    head = opaque(b"") + opaque(b"") + LEAF.credential.encode() + CAPABILITIES.encode()
    with pytest.raises(MalformedMessageError):
        decode_all(LeafNode.read, head + u8(source) + vector([]) + opaque(b""))


@pytest.mark.spec("RFC 9420 §7.1 (Parent Node Contents)")
def test_parent_nodes_are_read_as_they_were_written() -> None:
    node = ParentNode(b"key", b"hash", (1, 2, 7))
    read = decode_all(ParentNode.read, node.encode())
    assert read == node
    assert read.encode() == node.encode()
    assert decode_all(read_node, u8(2) + node.encode()) == node


@pytest.mark.spec("RFC 9420 §7.1 (Parent Node Contents)")
@pytest.mark.parametrize("unmerged", [(2, 1), (1, 1), (0, 5, 5), (3, 4, 0)])
def test_unmerged_leaves_are_in_increasing_order(unmerged: tuple[int, ...]) -> None:
    with pytest.raises(MalformedMessageError):
        decode_all(ParentNode.read, ParentNode(b"key", b"", unmerged).encode())


@pytest.mark.parametrize("type_", [0, 3, 255])
def test_unknown_types_of_node_are_refused(type_: int) -> None:
    with pytest.raises(MalformedMessageError):
        decode_all(read_node, u8(type_) + LEAF.encode())


@pytest.mark.spec("RFC 9420 §5.3 (Credentials)")
@pytest.mark.parametrize(
    "credential", [BasicCredential(b"alice"), X509Credential((b"own", b"issuer"))]
)
def test_credentials_are_read_as_they_were_written(credential: Credential) -> None:
    read = decode_all(read_credential, credential.encode())
    assert read == credential
    assert read.type is credential.type
    assert read.type in CredentialType


@pytest.mark.parametrize("type_", [0, 3, 0x0A0A])
def test_unknown_types_of_credential_are_refused(type_: int) -> None:
    with pytest.raises(MalformedMessageError):
        decode_all(read_credential, u16(type_) + opaque(b""))


@pytest.mark.spec("RFC 9420 §13.4 (Extensions)")
def test_extensions_are_unique_by_type_and_unknown_ones_are_kept() -> None:
    extensions = (Extension(0x0A0A, b"grease"), Extension(1, b""))
    assert decode_all(read_extensions, encode_extensions(extensions)) == extensions
    assert find_extension(extensions, 0x0A0A) == b"grease"
    assert find_extension(extensions, 2) is None
    with pytest.raises(MalformedMessageError):
        decode_all(read_extensions, encode_extensions((*extensions, Extension(1, b"again"))))


@pytest.mark.spec("RFC 9420 §11.1 (Required Capabilities)")
def test_a_group_requires_what_its_extension_says() -> None:
    required = RequiredCapabilities((0xF0E2,), (8,), (1,))
    assert required_capabilities((Extension(1, b"x"), required.to_extension())) == required
    assert required_capabilities(()) == RequiredCapabilities()
    for bad in (b"", required.encode() + b"\0"):
        with pytest.raises(MalformedMessageError):
            required_capabilities((Extension(3, bad),))


@pytest.mark.spec("RFC 9420 §7.2 (Leaf Node Contents)")
def test_everybody_supports_the_default_types_and_nobody_lists_them() -> None:
    bare = Capabilities()
    assert all(map(bare.supports_extension, range(1, 6)))
    assert all(map(bare.supports_proposal, range(1, 8)))
    assert not any(map(bare.supports_extension, (0, 6, 0xF0E2)))
    assert not any(map(bare.supports_proposal, (0, 8)))
    assert CAPABILITIES.supports_extension(0xF0E2)
    assert CAPABILITIES.supports_proposal(0x1A1A)


def test_reading_a_node_stops_where_it_ends() -> None:
    reader = Reader(LEAF.encode() + b"more")
    LeafNode.read(reader)
    assert reader.rest() == b"more"
