"""A commit between being verified and being merged: typed, so that others can judge it first."""

from collections.abc import Mapping
from dataclasses import dataclass

from e2ecore.crypto.hpke import HpkePrivateKey
from e2ecore.mls.epoch import CurrentEpoch
from e2ecore.mls.extensions import Extensions
from e2ecore.mls.framing import Sender
from e2ecore.mls.group_context import GroupContext
from e2ecore.mls.key_schedule import EncryptionSecret
from e2ecore.mls.members import Member
from e2ecore.mls.proposals import Proposal
from e2ecore.mls.ratchet_tree import RatchetTree


@dataclass(frozen=True, slots=True)
class SentProposal:
    """A proposal with its origin.

    Attributes:
        ref: Names it if it was sent on its own; None if the commit contains it.
    """

    proposal: Proposal
    sender: Sender
    ref: bytes | None


@dataclass(frozen=True, slots=True, repr=False)
class NextEpoch:
    """Everything a merge installs.

    Attributes:
        changed: Encoded nodes that differ from the old tree, by node index; None is blank.
        keys: The private keys on our direct path in the new tree, by node index.
    """

    context: GroupContext
    current: CurrentEpoch
    encryption: EncryptionSecret
    tree: RatchetTree
    changed: Mapping[int, bytes | None]
    keys: Mapping[int, HpkePrivateKey]


@dataclass(frozen=True, slots=True, repr=False)
class StagedCommit:
    """A commit that is valid by the rules of MLS. Check policy and credentials, then merge it.

    Attributes:
        epoch: The epoch it ends.
        committer: Who sent it, as of the new epoch; for an external commit the new member.
        external: The committer was not a member, and added itself.
        removed: As they were in the old epoch, with the old leaf indices.
        updated: Old and new state of leaves that were replaced, the committer's included.
        new_extensions: The group's extensions, if the commit replaces them.
        self_removed: We are not in the next epoch. Merging deletes the group's secrets.
        next: What a merge installs; None if we are removed.
        key: Leaf and generation of the handshake key that the commit was encrypted with.
    """

    epoch: int
    committer: Member
    external: bool
    proposals: tuple[SentProposal, ...]
    added: tuple[Member, ...]
    removed: tuple[Member, ...]
    updated: tuple[tuple[Member, Member], ...]
    new_extensions: Extensions | None
    self_removed: bool
    next: NextEpoch | None
    key: tuple[int, int] | None

    @property
    def sender_leaf(self) -> int:
        """The committer's leaf index."""
        return self.committer.leaf
