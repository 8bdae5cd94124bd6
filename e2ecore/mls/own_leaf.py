"""Changing what our own leaf says: a new signature key, a new credential, new capabilities.

Spec: RFC 9420 §7.3 (Leaf Node Validation).
"""

from dataclasses import dataclass, replace
from typing import Final

from e2ecore.crypto.signing import SigningKey
from e2ecore.mls.credentials import Credential
from e2ecore.mls.extensions import Extensions
from e2ecore.mls.leaf_rules import check_among
from e2ecore.mls.nodes import Capabilities, LeafNode
from e2ecore.mls.ratchet_tree import RatchetTree


@dataclass(frozen=True, slots=True, kw_only=True)
class LeafChange:
    """What to change in our leaf; None keeps what it says now.

    Attributes:
        signer: The new signature key. It signs from the next epoch on; until then the old one does.
    """

    signer: SigningKey | None = None
    credential: Credential | None = None
    capabilities: Capabilities | None = None
    extensions: Extensions | None = None

    def apply(self, leaf: LeafNode) -> LeafNode:
        """Return the leaf with the changes, not signed anew."""
        return replace(
            leaf,
            signature_key=leaf.signature_key if self.signer is None else self.signer.public,
            credential=self.credential or leaf.credential,
            capabilities=self.capabilities or leaf.capabilities,
            extensions=leaf.extensions if self.extensions is None else self.extensions,
        )


NO_CHANGE: Final = LeafChange()
"""Keep everything but the encryption key."""


def changed_leaf(change: LeafChange, leaf: LeafNode, tree: RatchetTree, index: int) -> LeafNode:
    """Return our leaf with the changes, if it still goes with the other members.

    Args:
        change: What to change.
        leaf: Our leaf as it is.
        tree: The tree in which it will be.
        index: Our leaf index.

    Raises:
        InvalidLeafNodeError: The signature key is in the tree already.
        UnsupportedError: A member does not support the credential's type.
    """
    if change == NO_CHANGE:
        return leaf
    changed = change.apply(leaf)
    check_among(replace(changed, encryption_key=b""), tree, 2 * index)
    return changed
