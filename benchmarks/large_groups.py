"""Groups of a thousand members within a second: the public tree is made by one program that plays
all members.

Every other member makes an update path, as in a group that has been alive for a while, so no node
of the tree is blank and nobody is unmerged: RFC 9420 §7.4 (Ratchet Tree Evolution). Paths are made
by the library itself; what is left out is sealing them to members who are not measured.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from e2ecore.crypto.rng import system_rng
from e2ecore.mls import transcript
from e2ecore.mls.epoch import CurrentEpoch
from e2ecore.mls.group import Group
from e2ecore.mls.group_context import GroupContext
from e2ecore.mls.group_state import GroupState
from e2ecore.mls.key_package import KeyPackageBundle
from e2ecore.mls.key_schedule import EpochSecret, confirmation_tag, epoch_secrets
from e2ecore.mls.ratchet_tree import RatchetTree
from e2ecore.mls.staged import NextEpoch
from e2ecore.mls.tree_math import contains
from e2ecore.mls.treekem import new_path

if TYPE_CHECKING:
    from e2ecore.crypto.hpke import HpkePrivateKey
    from e2ecore.crypto.signing import SigningKey
    from e2ecore.crypto.suites import CipherSuite

GROUP_ID: Final = bytes(range(16))


def now_ms() -> int:
    """Return the time in milliseconds since the Unix epoch."""
    return time.time_ns() // 1_000_000


def client(suite: CipherSuite, name: str) -> tuple[SigningKey, KeyPackageBundle]:
    """Return a new client's signature key and key package."""
    signer = suite.signature.generate(system_rng)
    bundle = KeyPackageBundle.generate(
        suite, signer, name.encode(), now_ms=now_ms(), rng=system_rng
    )
    return signer, bundle


@dataclass(slots=True)
class LargeGroup:
    """A group with all its members' keys.

    Attributes:
        tree: The public tree, shared: take a `member` for each state of its own.
        signers: By leaf index.
        keys: Private keys by node index.
    """

    suite: CipherSuite
    tree: RatchetTree
    signers: list[SigningKey]
    keys: dict[int, HpkePrivateKey] = field(default_factory=dict)
    root: bytes = field(default_factory=lambda: system_rng(32))

    @classmethod
    def of(cls, suite: CipherSuite, members: int, *, full: bool = True) -> LargeGroup:
        """Make a group.

        Args:
            suite: Its cipher suite.
            members: How many.
            full: Give every parent a key; else all of them are blank, as right after an Add.
        """
        tree = RatchetTree(suite)
        group = cls(suite, tree, [])
        for number in range(members):
            signer, bundle = client(suite, f"member {number}")
            leaf = tree.add_leaf(bundle.key_package.leaf_node)
            group.signers.append(signer)
            group.keys[2 * leaf] = bundle.encryption_key
        tree.settle()
        if full:
            group.refresh(range(0, members, 2))
        return group

    def refresh(self, leaves: range) -> None:
        """Let members update their paths, one after another."""
        for leaf in leaves:
            path = new_path(
                self.tree,
                leaf,
                self.tree.member(leaf),
                group_id=GROUP_ID,
                signer=self.signers[leaf],
                rng=system_rng,
            )
            self.keys |= path.keys.private_keys
            self.tree.settle()

    def member(self, leaf: int) -> Group:
        """Return one member's view, independent of all others, in epoch 1."""
        suite, tree = self.suite, RatchetTree.decode(self.suite, self.tree.encode())
        context = GroupContext(suite.code, GROUP_ID, 1, tree.root_hash(), bytes(suite.nh), ())
        secrets = epoch_secrets(suite, EpochSecret(self.root[: suite.nh]))
        confirmed = context.confirmed_transcript_hash
        tag = confirmation_tag(suite, secrets.confirmation, confirmed)
        current = CurrentEpoch.of(
            secrets,
            epoch=context.epoch,
            leaves=tree.leaf_count,
            interim_hash=transcript.interim_hash(suite, confirmed, tag),
            confirmation_tag=tag,
        )
        encoded = {index: node.encode() for index, node in tree.nodes()}
        keys = {index: key for index, key in self.keys.items() if contains(index, 2 * leaf)}
        first = NextEpoch(context, current, secrets.encryption, tree, encoded, keys)
        return Group(GroupState.begin(suite, leaf, first))
