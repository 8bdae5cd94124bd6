"""A member of an MLS group in suite 0xF001, as small as it can be, from the specifications alone.

Shares nothing with the packages of this repository. It knows groups of two, with the ratchet tree
in the Welcome and a commit without proposals; it verifies every signature, tag, hash and key.
"""

from dataclasses import dataclass, field

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tests.vectors.minimal_mls_keys import (
    NH,
    NK,
    NN,
    Reader,
    decrypt_with_label,
    derive_secret,
    epoch_secrets,
    expand_with_label,
    joiner_secret,
    mac,
    opaque,
    ref_hash,
    sha256,
    verify_with_label,
    x_wing_derive,
    x_wing_public,
)

SUITE = 0xF001
PRIVATE_MESSAGE = b"\0\1\0\2"
WELCOME = b"\0\1\0\3"
APPLICATION, COMMIT = 1, 3


# --- structures ----------------------------------------------------------------------------------


@dataclass
class Leaf:
    """A leaf node: its keys, and where its parts are."""

    encoded: bytes
    encryption_key: bytes
    signature_key: bytes
    source: int
    parent_hash: bytes
    unsigned: bytes
    signature: bytes


def read_leaf(reader: Reader) -> Leaf:
    start = reader.at
    encryption_key, signature_key = reader.opaque(), reader.opaque()
    assert reader.number(2) == 1  # basic credential
    reader.opaque()
    for _ in range(5):
        reader.opaque()  # capabilities
    source, parent_hash = reader.number(1), b""
    if source == 1:
        reader.take(16)  # lifetime
    elif source == 3:
        parent_hash = reader.opaque()
    reader.opaque()  # extensions
    unsigned = reader.data[start : reader.at]
    signature = reader.opaque()
    encoded = reader.data[start : reader.at]
    return Leaf(encoded, encryption_key, signature_key, source, parent_hash, unsigned, signature)


def verify_leaf(leaf: Leaf, group_id: bytes, index: int) -> None:
    place = b"" if leaf.source == 1 else opaque(group_id) + index.to_bytes(4)
    verify_with_label(leaf.signature_key, "LeafNodeTBS", leaf.unsigned + place, leaf.signature)


@dataclass
class Context:
    """A GroupContext without extensions."""

    group_id: bytes
    epoch: int
    tree_hash: bytes
    confirmed_hash: bytes

    def encode(self) -> bytes:
        head = b"\0\1" + SUITE.to_bytes(2) + opaque(self.group_id) + self.epoch.to_bytes(8)
        return head + opaque(self.tree_hash) + opaque(self.confirmed_hash) + opaque(b"")


def leaf_hash(index: int, leaf: Leaf) -> bytes:
    return sha256(b"\1" + index.to_bytes(4) + b"\1" + leaf.encoded)


def root_hash(parent: bytes | None, leaves: list[Leaf]) -> bytes:
    left, right = (leaf_hash(index, leaf) for index, leaf in enumerate(leaves))
    node = b"\0" if parent is None else b"\1" + parent
    return sha256(b"\2" + node + opaque(left) + opaque(right))


def tree_secrets(encryption: bytes) -> list[bytes]:
    return [expand_with_label(encryption, "tree", side, NH) for side in (b"left", b"right")]


@dataclass
class Member:
    """The second member of a group of two."""

    own_key: bytes
    leaves: list[Leaf]
    parent: bytes | None
    context: Context
    secrets: dict[str, bytes]
    interim_hash: bytes
    used: set[tuple[int, int, int]] = field(default_factory=set)

    @property
    def epoch_authenticator(self) -> bytes:
        return self.secrets["authentication"]

    # Messages

    def read(self, message: bytes) -> tuple[bytes, bytes]:
        """Decrypt and verify an application message: authenticated data and plaintext."""
        sender, header, body, encoded = self._open(message, APPLICATION)
        plaintext = Reader(encoded).opaque()
        signature = body.opaque()
        self._verify(sender, header, APPLICATION, encoded, signature)
        assert not any(body.take(len(body.data) - body.at))  # padding
        return header, plaintext

    def _open(self, message: bytes, kind: int) -> tuple[int, bytes, Reader, bytes]:
        reader = Reader(message)
        assert reader.take(4) == PRIVATE_MESSAGE
        assert reader.opaque() == self.context.group_id
        assert reader.number(8) == self.context.epoch
        assert reader.number(1) == kind
        head = message[4 : reader.at]
        header = reader.opaque()
        with_data = message[4 : reader.at]
        sender_data, ciphertext = reader.opaque(), reader.opaque()
        assert not reader.more
        sample, secret = ciphertext[:NH], self.secrets["sender data"]
        key = expand_with_label(secret, "key", sample, NK)
        nonce = expand_with_label(secret, "nonce", sample, NN)
        who = Reader(AESGCM(key).decrypt(nonce, sender_data, head))
        sender, generation, guard = who.number(4), who.number(4), who.take(4)
        assert (sender, generation, kind) not in self.used
        self.used.add((sender, generation, kind))
        key, nonce = self._message_key(sender, generation, kind)
        nonce = bytes(a ^ b for a, b in zip(nonce, guard.ljust(NN, b"\0"), strict=True))
        body = Reader(AESGCM(key).decrypt(nonce, ciphertext, with_data))
        return sender, header, body, self._content(body, kind)

    def _content(self, body: Reader, kind: int) -> bytes:
        start = body.at
        if kind == APPLICATION:
            body.opaque()
        else:
            assert body.opaque() == b""  # no proposals
            assert body.number(1) == 1  # with a path
            read_leaf(body)
            body.opaque()
        return body.data[start : body.at]

    def _message_key(self, sender: int, generation: int, kind: int) -> tuple[bytes, bytes]:
        leaf = tree_secrets(self.secrets["encryption"])[sender]
        name = "application" if kind == APPLICATION else "handshake"
        ratchet = expand_with_label(leaf, name, b"", NH)
        for step in range(generation):
            ratchet = expand_with_label(ratchet, "secret", step.to_bytes(4), NH)
        place = generation.to_bytes(4)
        return (
            expand_with_label(ratchet, "key", place, NK),
            expand_with_label(ratchet, "nonce", place, NN),
        )

    def _framed(self, sender: int, header: bytes, kind: int, encoded: bytes) -> bytes:
        head = opaque(self.context.group_id) + self.context.epoch.to_bytes(8)
        member = b"\1" + sender.to_bytes(4)
        return head + member + opaque(header) + bytes((kind,)) + encoded

    def _verify(
        self, sender: int, header: bytes, kind: int, encoded: bytes, signature: bytes
    ) -> None:
        framed = self._framed(sender, header, kind, encoded)
        signed = PRIVATE_MESSAGE + framed + self.context.encode()
        key = self.leaves[sender].signature_key
        verify_with_label(key, "FramedContentTBS", signed, signature)

    # Commits

    def follow(self, message: bytes) -> None:
        """Process a commit of the first member that has a path and no proposals."""
        sender, header, body, encoded = self._open(message, COMMIT)
        assert sender == 0
        signature = body.opaque()
        self._verify(sender, header, COMMIT, encoded, signature)
        tag = body.opaque()
        assert not any(body.take(len(body.data) - body.at))
        path = Reader(encoded)
        path.take(2)
        leaf, nodes = read_leaf(path), path.items()
        node_key, sealed = nodes.opaque(), nodes.items()
        enc, ciphertext = sealed.opaque(), sealed.opaque()
        assert not sealed.more
        assert not nodes.more
        context = self._next_context(leaf, node_key, sender, header, encoded, signature)
        provisional = Context(
            context.group_id, context.epoch, context.tree_hash, self.context.confirmed_hash
        ).encode()
        secret = decrypt_with_label(self.own_key, "UpdatePathNode", provisional, enc, ciphertext)
        assert x_wing_public(x_wing_derive(derive_secret(secret, "node"))) == node_key
        commit_secret = derive_secret(secret, "path")
        encoded_context = context.encode()
        joiner = joiner_secret(self.secrets["init"], commit_secret, encoded_context)
        self.secrets = epoch_secrets(joiner, bytes(NH), encoded_context)
        assert mac(self.secrets["confirm"], context.confirmed_hash) == tag
        self.interim_hash = sha256(context.confirmed_hash + opaque(tag))
        self.context = context
        self.used.clear()

    def _next_context(  # noqa: PLR0917 - all that the next epoch hangs on
        self,
        leaf: Leaf,
        node_key: bytes,
        sender: int,
        header: bytes,
        encoded: bytes,
        signature: bytes,
    ) -> Context:
        verify_leaf(leaf, self.context.group_id, sender)
        original_sibling = leaf_hash(1, self.leaves[1])
        parent_hash_input = opaque(node_key) + opaque(b"") + opaque(original_sibling)
        assert leaf.source == 3
        assert leaf.parent_hash == sha256(parent_hash_input)
        self.leaves[0] = leaf
        self.parent = opaque(node_key) + opaque(b"") + opaque(b"")
        framed = self._framed(sender, header, COMMIT, encoded)
        confirmed = sha256(self.interim_hash + b"\0\2" + framed + opaque(signature))
        tree_hash = root_hash(self.parent, self.leaves)
        return Context(self.context.group_id, self.context.epoch + 1, tree_hash, confirmed)


# --- joining -------------------------------------------------------------------------------------


def join(
    welcome: bytes, key_package: bytes, init_private: bytes, encryption_private: bytes
) -> Member:
    """Join as the second member by a Welcome that carries the ratchet tree."""
    reader = Reader(welcome)
    assert reader.take(4) == WELCOME
    assert reader.number(2) == SUITE
    entries, sealed_info = reader.items(), reader.opaque()
    assert not reader.more
    assert entries.opaque() == ref_hash("MLS 1.0 KeyPackage Reference", key_package)
    enc, ciphertext = entries.opaque(), entries.opaque()
    assert not entries.more
    secrets = Reader(decrypt_with_label(init_private, "Welcome", sealed_info, enc, ciphertext))
    joiner = secrets.opaque()
    if secrets.number(1):
        secrets.opaque()  # a path secret: used for nothing here, the next commit replaces it
    assert secrets.opaque() == b""  # pre-shared keys
    welcome_secret = derive_secret(mac(joiner, bytes(NH)), "welcome")
    key = expand_with_label(welcome_secret, "key", b"", NK)
    nonce = expand_with_label(welcome_secret, "nonce", b"", NN)
    return _enter(Reader(AESGCM(key).decrypt(nonce, sealed_info, b"")), joiner, encryption_private)


def _enter(info: Reader, joiner: bytes, own_key: bytes) -> Member:
    assert info.take(4) == b"\0\1" + SUITE.to_bytes(2)
    context = Context(info.opaque(), info.number(8), info.opaque(), info.opaque())
    assert info.opaque() == b""  # extensions of the context
    assert info.data[: info.at] == context.encode()
    extensions, tag = info.items(), info.opaque()
    signer = info.number(4)
    signed = info.data[: info.at]
    signature = info.opaque()
    assert extensions.number(2) == 2  # ratchet_tree
    tree = Reader(extensions.opaque()).items()
    leaves, parent = _read_tree(tree, context.group_id)
    verify_with_label(leaves[signer].signature_key, "GroupInfoTBS", signed, signature)
    assert leaves[1].encryption_key == x_wing_public(own_key)
    assert root_hash(parent, leaves) == context.tree_hash
    secrets = epoch_secrets(joiner, bytes(NH), context.encode())
    assert mac(secrets["confirm"], context.confirmed_hash) == tag
    interim = sha256(context.confirmed_hash + opaque(tag))
    return Member(own_key, leaves, parent, context, secrets, interim)


def _read_tree(tree: Reader, group_id: bytes) -> tuple[list[Leaf], bytes | None]:
    assert tree.take(2) == b"\1\1"
    first = read_leaf(tree)
    parent = None
    if tree.number(1):
        assert tree.number(1) == 2
        start = tree.at
        for _ in range(3):
            tree.opaque()
        parent = tree.data[start : tree.at]
    assert tree.take(2) == b"\1\1"
    second = read_leaf(tree)
    assert not tree.more
    for index, leaf in enumerate((first, second)):
        verify_leaf(leaf, group_id, index)
    return [first, second], parent
