"""Our vectors of cipher suite 0xF001, read by ``e2ecore.mls`` and by a reader that shares nothing
with it. That the file is what the generator makes is tested with the other files.
"""

import ast
import json
from pathlib import Path
from types import ModuleType

import pytest

from e2ecore.crypto.hpke import HpkePrivateKey
from e2ecore.crypto.suites import XWING_AES128 as SUITE
from e2ecore.mls.group import Group
from e2ecore.mls.key_package import KeyPackage, KeyPackageBundle
from e2ecore.mls.labels import decrypt_with_label
from e2ecore.mls.received import ApplicationMessage
from e2ecore.mls.staged import StagedCommit
from tests.support.cases import Case
from tests.vectors import minimal_mls, minimal_mls_keys

FILE = Path(__file__).parents[2] / "protocol/vectors/suite_f001.json"
VECTORS = [Case(vector) for vector in json.loads(FILE.read_text())["vectors"]]
LABELS = {
    "sender_data_secret": "sender data",
    "encryption_secret": "encryption",
    "exporter_secret": "exporter",
    "external_secret": "external",
    "confirmation_key": "confirm",
    "membership_key": "membership",
    "resumption_psk": "resumption",
    "epoch_authenticator": "authentication",
    "next_init_secret": "init",
    "welcome_secret": "welcome",
}


def each(what: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(
        "vector", [vector for vector in VECTORS if vector.text("what") == what], ids=lambda _: ""
    )


@pytest.mark.parametrize("module", [minimal_mls, minimal_mls_keys], ids=lambda it: it.__name__)
def test_the_independent_reader_is_independent(module: ModuleType) -> None:
    tree = ast.parse(Path(str(module.__file__)).read_text())
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom | ast.Import)]
    names = {str(getattr(node, "module", "")) or node.names[0].name for node in nodes}
    assert all(
        name in {"hashlib", "hmac", "dataclasses", minimal_mls_keys.__name__}
        or name.startswith("cryptography.")
        for name in names
    )


@each("encryption")
def test_encryption(vector: Case) -> None:
    seed = minimal_mls_keys.x_wing_derive(vector.hex("ikm"))
    assert seed == vector.hex("private")
    assert minimal_mls_keys.x_wing_public(seed) == vector.hex("public")
    sealed = vector.hex("kem_output"), vector.hex("ciphertext")
    label, context = vector.text("label"), vector.hex("context")
    found = minimal_mls_keys.decrypt_with_label(seed, label, context, *sealed)
    assert found == vector.hex("plaintext")
    pair = SUITE.hpke.derive_key_pair(vector.hex("ikm"))
    assert (pair.private.raw, pair.public) == (seed, vector.hex("public"))
    assert decrypt_with_label(SUITE, pair.private, label, context, *sealed) == found


@each("key schedule")
def test_key_schedule(vector: Case) -> None:
    context = minimal_mls.Context(
        vector.hex("group_id"),
        vector.number("epoch"),
        vector.hex("tree_hash"),
        vector.hex("confirmed_transcript_hash"),
    ).encode()
    assert context == vector.hex("group_context")
    init, commit = vector.hex("init_secret"), vector.hex("commit_secret")
    joiner = minimal_mls_keys.joiner_secret(init, commit, context)
    assert joiner == vector.hex("joiner_secret")
    secrets = minimal_mls_keys.epoch_secrets(joiner, vector.hex("psk_secret"), context)
    for name, label in LABELS.items():
        assert secrets[label] == vector.hex(name)
    exported = minimal_mls_keys.export(secrets["exporter"], "label", b"context", 48)
    assert exported == vector.hex("exported")
    seed = minimal_mls_keys.x_wing_derive(secrets["external"])
    assert minimal_mls_keys.x_wing_public(seed) == vector.hex("external_pub")


@each("member")
def test_the_independent_reader_joins_and_follows(vector: Case) -> None:
    member = minimal_mls.join(
        vector.hex("welcome"),
        vector.hex("key_package"),
        vector.hex("init_priv"),
        vector.hex("encryption_priv"),
    )
    assert member.epoch_authenticator == vector.hex("epoch_authenticator")
    for message in vector.many("messages"):
        if message.text("kind") == "commit":
            member.follow(message.hex("message"))
            assert member.epoch_authenticator == message.hex("epoch_authenticator")
        else:
            header, plaintext = member.read(message.hex("message"))
            assert header == message.hex("authenticated_data")
            assert plaintext == message.hex("plaintext")


@each("member")
def test_a_member_joins_and_follows(vector: Case) -> None:
    package = KeyPackage.decode(vector.hex("key_package"))
    init, own = (HpkePrivateKey(vector.hex(name)) for name in ("init_priv", "encryption_priv"))
    bundle = KeyPackageBundle(package, init, own)
    group = Group.join(vector.hex("welcome"), bundle, now_ms=None)
    assert group.epoch_authenticator == vector.hex("epoch_authenticator")
    *others, own_message = vector.many("messages")
    for message in others:
        received = group.receive(message.hex("message"), now_ms=None)
        if isinstance(received, StagedCommit):
            group.merge(received, now_ms=0)
            assert group.epoch_authenticator == message.hex("epoch_authenticator")
        else:
            assert isinstance(received, ApplicationMessage)
            assert received.data == message.hex("plaintext")
            assert received.authenticated_data == message.hex("authenticated_data")
    signer = SUITE.signature.load(vector.hex("signature_priv"))
    assert signer.public == package.leaf_node.signature_key
    assert own_message.text("kind") == "application"
