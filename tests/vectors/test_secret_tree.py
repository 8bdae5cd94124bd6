"""The secret tree and sender data against the published vectors."""

import pytest

from e2ecore.crypto.suites import SUITES
from e2ecore.mls.key_schedule import SenderDataSecret
from e2ecore.mls.private_message import MessageKeys
from e2ecore.mls.rows import Rows
from e2ecore.mls.secret_tree import APPLICATION, HANDSHAKE, SecretTree
from tests.support.cases import Case, cases

CASES = cases("mls/secret-tree.json")


@pytest.mark.spec("RFC 9420 §9 (Secret Tree)")
@pytest.mark.spec("RFC 9420 §9.1 (Encryption Keys)")
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{len(case.tables('leaves'))} leaves")
def test_each_leaf_gets_the_published_keys(case: Case) -> None:
    suite = SUITES[case.number("cipher_suite")]
    leaves = case.tables("leaves")
    tree = SecretTree(suite, 7, len(leaves), Rows())
    tree.start(case.hex("encryption_secret"))
    for leaf, generations in enumerate(leaves):
        for item in generations:
            for name, content in (("handshake", HANDSHAKE), ("application", APPLICATION)):
                step = tree.step(leaf, content, item.number("generation"))
                assert step.key == item.hex(f"{name}_key")
                assert step.nonce == item.hex(f"{name}_nonce")
                tree.consume(step)


@pytest.mark.spec("RFC 9420 §6.3.2 (Sender Data Encryption)")
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{len(case.tables('leaves'))} leaves")
def test_sender_data_keys_come_from_a_sample_of_the_ciphertext(case: Case) -> None:
    suite = SUITES[case.number("cipher_suite")]
    data = case.one("sender_data")
    secret = SenderDataSecret(data.hex("sender_data_secret"))
    tree = SecretTree(suite, 7, 1, Rows())
    keys = MessageKeys(
        suite, group_id=b"group", epoch=7, context=b"", sender_data=secret, tree=tree
    )
    expected = data.hex("key"), data.hex("nonce")
    assert keys.sender_data_keys(data.hex("ciphertext")) == expected
