"""Applies a list of proposals to a fork of the tree, and checks what that makes of it.

Spec: RFC 9420 §12.3 (Applying a Proposal List).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from e2ecore.mls.errors import InvalidProposalError, UnknownPskError
from e2ecore.mls.extensions import Extensions
from e2ecore.mls.external_senders import check_senders
from e2ecore.mls.group_context import GroupContext
from e2ecore.mls.key_package import KeyPackage
from e2ecore.mls.leaf_rules import (
    MAX_LIFETIME_S,
    LeafContext,
    check_among,
    check_leaf,
    check_required,
    check_source,
    leaf_signature,
)
from e2ecore.mls.members import Member
from e2ecore.mls.nodes import LeafNode, LeafNodeSource
from e2ecore.mls.proposals import (
    Add,
    ExternalInit,
    GroupContextExtensions,
    PreSharedKey,
    Proposal,
    ReInit,
    Remove,
    Update,
)
from e2ecore.mls.psk import NamedPsk, PskStore
from e2ecore.mls.ratchet_tree import RatchetTree
from e2ecore.mls.staged import SentProposal


@dataclass(frozen=True, slots=True)
class LifetimePolicy:
    """How to judge lifetimes.

    Attributes:
        now_ms: The moment to judge by, in milliseconds since the Unix epoch; None: do not.
        max_lifetime_s: Longest total lifetime; None: no limit.
    """

    now_ms: int | None
    max_lifetime_s: int | None = MAX_LIFETIME_S


@dataclass(slots=True)
class Applied:
    """The tree after the proposals, and what they did.

    Attributes:
        joined: Leaf index and key package of each added client, in the order of the list.
        removed: As they were before.
        updated: Old and new state of each updated leaf.
        rules: What every leaf of the new epoch is measured against.
    """

    tree: RatchetTree
    rules: LeafContext
    group_id: bytes
    joined: list[tuple[int, KeyPackage]] = field(default_factory=list)
    removed: list[Member] = field(default_factory=list)
    updated: list[tuple[Member, Member]] = field(default_factory=list)
    psks: list[NamedPsk] = field(default_factory=list)
    new_extensions: Extensions | None = None
    kem_output: bytes | None = None
    reinit: ReInit | None = None

    @property
    def added_leaves(self) -> frozenset[int]:
        """The leaf indices of the new members."""
        return frozenset(leaf for leaf, _ in self.joined)


def apply_proposals(
    tree: RatchetTree,
    context: GroupContext,
    proposals: Sequence[SentProposal],
    *,
    psks: PskStore,
    lifetimes: LifetimePolicy,
) -> Applied:
    """Apply a list that obeys ``proposal_rules``. The given tree is left alone.

    Raises:
        UnknownPskError: A pre-shared key is not at hand.
        PeerError: A leaf or key package breaks a rule; the sub-class says which.
    """
    replaced = _new_extensions(proposals)
    extensions = context.extensions if replaced is None else replaced
    rules = LeafContext.of(
        tree.suite,
        extensions,
        now_ms=lifetimes.now_ms,
        max_lifetime_s=lifetimes.max_lifetime_s,
    )
    applied = Applied(tree.fork(), rules, context.group_id, new_extensions=replaced)
    for sent in proposals:
        if isinstance(sent.proposal, Update):
            _update(applied, sent.sender.index, sent.proposal.leaf_node)
    for sent in proposals:
        if isinstance(sent.proposal, Remove):
            _remove(applied, sent.proposal.removed)
    for sent in proposals:
        _apply_other(applied, sent.proposal, psks)
    if replaced is not None:
        check_senders(tree.suite, replaced)
        _check_everybody(applied)
    return applied


def check_alone(tree: RatchetTree, group_id: bytes, sent: SentProposal) -> None:
    """Check a proposal on its arrival, by what no other proposal of the epoch can change.

    Raises:
        PeerError: No commit could ever contain it; the sub-class says why.
    """
    match sent.proposal:
        case Add(key_package):
            key_package.validate(LeafContext.of(tree.suite, max_lifetime_s=None))
        case Update(leaf_node):
            check_source(leaf_node, LeafNodeSource.UPDATE)
            signature = leaf_signature(leaf_node, group_id, sent.sender.index)
            tree.suite.signature.verify(*signature)
        case Remove(removed):
            if tree.leaf(removed) is None:
                raise InvalidProposalError("a removal of a leaf that is blank")
        case _:
            return


def _new_extensions(proposals: Sequence[SentProposal]) -> Extensions | None:
    for sent in proposals:
        if isinstance(sent.proposal, GroupContextExtensions):
            return sent.proposal.extensions
    return None


def _apply_other(applied: Applied, proposal: Proposal, psks: PskStore) -> None:
    """Apply what comes after updates and removals."""
    if isinstance(proposal, Add):
        _add(applied, proposal.key_package)
    elif isinstance(proposal, PreSharedKey):
        psk = psks.find(proposal.psk)
        if psk is None:
            raise UnknownPskError
        applied.psks.append(NamedPsk(proposal.psk, psk))
    elif isinstance(proposal, ExternalInit):
        applied.kem_output = proposal.kem_output
    elif isinstance(proposal, ReInit):
        applied.reinit = proposal


def _update(applied: Applied, leaf: int, node: LeafNode) -> None:
    old = applied.tree.leaf(leaf)
    if old is None:
        raise InvalidProposalError("an update for a leaf that is blank")
    rules = applied.rules
    check_source(node, LeafNodeSource.UPDATE)
    check_leaf(node, rules)
    check_among(node, applied.tree, 2 * leaf)
    rules.suite.signature.verify(*leaf_signature(node, applied.group_id, leaf))
    applied.tree.update_leaf(leaf, node)
    applied.updated.append((Member.of(leaf, old), Member.of(leaf, node)))


def _remove(applied: Applied, leaf: int) -> None:
    old = applied.tree.leaf(leaf)
    if old is None:
        raise InvalidProposalError("a removal of a leaf that is blank")
    applied.tree.remove_leaf(leaf)
    applied.removed.append(Member.of(leaf, old))


def _add(applied: Applied, package: KeyPackage) -> None:
    package.validate(applied.rules)
    check_among(package.leaf_node, applied.tree, None)
    leaf = applied.tree.add_leaf(package.leaf_node)
    applied.joined.append((leaf, package))


def _check_everybody(applied: Applied) -> None:
    """Check that all members support the group's new extensions."""
    rules = applied.rules
    for _, node in applied.tree.members():
        check_required(node.capabilities, rules.required)
        for extension in rules.extensions:
            if not node.capabilities.supports_extension(extension.type):
                raise InvalidProposalError("a member does not support a new extension")
