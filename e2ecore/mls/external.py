"""What both sides of an external commit compute: new members who add themselves.

Spec: RFC 9420 §12.4.3.2 (Joining via External Commits).
"""

from typing import Final

from e2ecore.crypto.suites import CipherSuite
from e2ecore.mls.applying import Applied
from e2ecore.mls.errors import InvalidCommitError
from e2ecore.mls.key_schedule import ExternalSecret, InitSecret
from e2ecore.mls.members import Member
from e2ecore.mls.nodes import LeafNode

EXTERNAL_INIT_LABEL: Final = b"MLS 1.0 external init secret"
"""Spec: RFC 9420 §8.3 (External Initialization)."""


def external_init_secret(
    suite: CipherSuite, external: ExternalSecret, kem_output: bytes
) -> InitSecret:
    """Return the init secret that a new member chose.

    Spec: RFC 9420 §8.3 (External Initialization).

    Raises:
        DecryptionError: ``kem_output`` is not an encapsulated key.
    """
    pair = suite.hpke.derive_key_pair(external.raw)
    return InitSecret(
        suite.hpke.export_receiver(kem_output, pair.private, b"", EXTERNAL_INIT_LABEL, suite.nh)
    )


def external_committer(applied: Applied, leaf_node: LeafNode) -> int:
    """Return the leaf index that the new member gets.

    Raises:
        InvalidCommitError: It removes somebody else than its old self.
    """
    leaf = applied.tree.next_leaf()
    new = Member.of(leaf, leaf_node)
    if any(old.identity != new.identity for old in applied.removed):
        raise InvalidCommitError("an external commit removes somebody else")
    return leaf
