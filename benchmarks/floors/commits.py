"""What a commit costs in primitives: seals, key pairs, signatures, hashes and HMACs, in the number
and over the sizes that RFC 9420 demands, and nothing else.

Spec: RFC 9420 §12.4.1 (Creating a Commit), RFC 9420 §12.4.2 (Processing a Commit). The tree is
full: each node of the copath has one key.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from itertools import starmap
from operator import add
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from nacl import bindings

from benchmarks.floors.primitives import (
    HASH_BYTES,
    KEMS,
    KEY_BYTES,
    NONCE_BYTES,
    SIGNATURE_BYTES,
    SecretChain,
    expander,
    hmac,
    sign,
    vector,
)

EPOCH_SECRETS: Final = 9
"""RFC 9420 §8 (Key Schedule): sender data, encryption, exporter, external, confirmation,
membership, resumption, authentication, init."""

CONTEXT_BYTES: Final = 100
"""A GroupContext without extensions."""

LEAF_BYTES: Final = 60
"""A leaf node without keys and signature: credential, capabilities, source, parent hash."""

_SEAL_HEAD: Final = vector(b"MLS 1.0 UpdatePathNode")
_WELCOME_HEAD: Final = vector(b"MLS 1.0 Welcome")


@dataclass(frozen=True, slots=True)
class Added:
    """What the commit has to do for one new member.

    Attributes:
        init_key: Where its group secrets are sealed to.
        tree: The encoded ratchet tree that its Welcome carries.
    """

    init_key: bytes
    tree: bytes


@dataclass(frozen=True, slots=True)
class Sealed:
    """A commit as its receivers get it."""

    content: bytes
    signature: bytes
    path_secret: bytes
    info: bytes


class CommitFloor:
    """One committer and one receiver."""

    def __init__(self, suite: int, depth: int) -> None:
        self._kem = KEMS[suite]
        self._depth = depth
        self._public, self._key = bindings.crypto_sign_keypair()
        self._long_key = Ed25519PrivateKey.generate()
        self._open, self._receiver = self._kem.derive(os.urandom(HASH_BYTES))
        self._copath = [self._kem.derive(os.urandom(HASH_BYTES))[1] for _ in range(depth)]
        self._copath[0] = self._receiver
        leaf = self._receiver + bytes(LEAF_BYTES)
        self._package = (
            bindings.crypto_sign(leaf, self._key),
            bindings.crypto_sign(self._receiver + leaf, self._key),
        )
        self._node = expander(b"node", HASH_BYTES)
        self._path = expander(b"path", HASH_BYTES)
        self._keys = (
            expander(b"key", KEY_BYTES),
            expander(b"nonce", NONCE_BYTES),
            expander(b"secret", HASH_BYTES),
        )

    def create(self, added: Added | None = None) -> Sealed:
        """Do the primitives of a commit with path; with those of a Welcome if somebody is added."""
        secret = os.urandom(HASH_BYTES)
        leaf = self._kem.derive(os.urandom(HASH_BYTES))[1]
        secrets, keys = [], []
        for _ in range(self._depth):
            secrets.append(secret)
            keys.append(self._kem.derive(self._node(secret, b""))[1])
            secret = self._path(secret, b"")
        if added is not None:
            self._check_package()
        self._hash_tree(leaf, keys)
        info = _SEAL_HEAD + vector(os.urandom(CONTEXT_BYTES))
        paths = zip(self._copath, secrets, strict=True)
        sealed = list(starmap(self._kem.sealing(info), paths))
        content = b"".join(map(add, keys, sealed))
        content += leaf + bytes(LEAF_BYTES) + sign(self._key, leaf + bytes(LEAF_BYTES))
        signature = sign(self._key, content)
        self._key_schedule(content, secret)
        if added is not None:
            self._welcome(added)
        self._encrypt(content)
        return Sealed(content, signature, sealed[0], info)

    def process(self, sealed: Sealed, *, added: bool = False) -> None:
        """Do the primitives of a receiver that shares all nodes of the path."""
        self._encrypt(sealed.content)
        bindings.crypto_sign_open(sealed.signature + sealed.content, self._public)
        bindings.crypto_sign_open(self._package[0], self._public)
        if added:
            self._check_package()
        secret = self._open(sealed.info, sealed.path_secret)
        keys = []
        for _ in range(self._depth):
            keys.append(self._kem.derive(self._node(secret, b""))[1])
            secret = self._path(secret, b"")
        self._hash_tree(self._receiver, keys)
        self._key_schedule(sealed.content, secret)

    def _check_package(self) -> None:
        """Two signatures of a key package and its reference."""
        for signed in self._package:
            bindings.crypto_sign_open(signed, self._public)
        hashlib.sha256(self._package[1]).digest()

    def _hash_tree(self, leaf: bytes, keys: list[bytes]) -> None:
        """Parent hashes from the root down, then tree hashes from the leaf up."""
        above = os.urandom(HASH_BYTES)
        for key in reversed(keys):
            above = hashlib.sha256(vector(key) + vector(above) + vector(above)).digest()
        below = hashlib.sha256(leaf + bytes(LEAF_BYTES + SIGNATURE_BYTES) + above).digest()
        for key in keys:
            node = vector(key) + vector(above) + b"\0"
            below = hashlib.sha256(node + vector(below) + vector(below)).digest()

    def _key_schedule(self, content: bytes, secret: bytes) -> None:
        """Transcript hashes, joiner, epoch and welcome secret, nine secrets, confirmation tag."""
        transcript = hashlib.sha256(bytes(HASH_BYTES) + content).digest()
        joiner = hmac(hmac(transcript, secret), bytes(CONTEXT_BYTES))
        member = hmac(joiner, bytes(HASH_BYTES))
        hmac(member, b"welcome")
        epoch = hmac(member, bytes(CONTEXT_BYTES))
        for number in range(EPOCH_SECRETS):
            secret = hmac(epoch, bytes((number,)))
        tag = hmac(secret, transcript)
        hashlib.sha256(transcript + vector(tag)).digest()

    def _welcome(self, added: Added) -> None:
        """Sign and encrypt the GroupInfo with its tree, seal the secrets of one member."""
        info = bytes(CONTEXT_BYTES) + added.tree
        info += self._long_key.sign(info)
        secret = os.urandom(HASH_BYTES)
        sealed = AESGCM(self._keys[0](secret, b"")).encrypt(self._keys[1](secret, b""), info, b"")
        head = _WELCOME_HEAD + vector(sealed)
        self._kem.sealing(head)(added.init_key, bytes(2 * HASH_BYTES + 4))

    def _encrypt(self, content: bytes) -> None:
        """The first handshake of a sender in its epoch: its keys, its sender data."""
        secret = SecretChain(self._depth).secret
        key, nonce, following = self._keys
        following(secret, bytes(4))
        sealed = AESGCM(key(secret, bytes(4))).encrypt(nonce(secret, bytes(4)), content, b"")
        sample = sealed[:HASH_BYTES]
        AESGCM(key(secret, sample)).encrypt(nonce(secret, sample), bytes(12), b"")
