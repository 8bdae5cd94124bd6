"""What both sides of an external commit compute: new members who add themselves.

Spec: RFC 9420 §12.4.3.2 (Joining via External Commits).
"""

from collections.abc import Iterable
from typing import Final

from e2ecore.crypto.suites import CipherSuite
from e2ecore.mls.errors import InvalidCommitError
from e2ecore.mls.key_schedule import ExternalSecret, InitSecret
from e2ecore.mls.members import Member
from e2ecore.mls.nodes import LeafNode
from e2ecore.mls.ratchet_tree import RatchetTree

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


def check_new_key(tree: RatchetTree, removed: Iterable[Member], node: LeafNode) -> None:
    """Check that a client does not come back with the encryption key that it had before.

    Spec: RFC 9420 §12.2 (Proposal List Validation).

    Args:
        tree: As it was before the commit.
        removed: Whom the external commit removes: the client's former self.
        node: The client's new leaf.

    Raises:
        InvalidCommitError: It does.
    """
    for member in removed:
        if tree.member(member.leaf).encryption_key == node.encryption_key:
            raise InvalidCommitError("an external commit brings its old encryption key back")
