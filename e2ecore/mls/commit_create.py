"""Makes a commit, and the Welcome for those it adds.

The group stays in its epoch until the commit is merged; only our handshake ratchet moves on.

Spec: RFC 9420 §12.4.1 (Creating a Commit).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from e2ecore.crypto.rng import Rng
from e2ecore.crypto.signing import SigningKey
from e2ecore.mls.applying import Applied, LifetimePolicy, apply_proposals
from e2ecore.mls.credential_policy import CredentialPolicy, accept_basic
from e2ecore.mls.epoch_change import (
    Derived,
    derive_epoch,
    joined_members,
    known_psks,
    next_epoch,
    provisional_context,
)
from e2ecore.mls.errors import MlsError
from e2ecore.mls.framing import Sender, SenderType
from e2ecore.mls.framing_choice import PRIVATE, HandshakeFraming
from e2ecore.mls.group_context import GroupContext
from e2ecore.mls.group_state import GroupState
from e2ecore.mls.judging import judge_applied
from e2ecore.mls.key_schedule import CommitSecret
from e2ecore.mls.leaf_rules import check_leaf
from e2ecore.mls.members import Member
from e2ecore.mls.own_leaf import NO_CHANGE, LeafChange, changed_leaf
from e2ecore.mls.pending_commit import PendingCommit
from e2ecore.mls.proposal_rules import check_member_list, needs_path
from e2ecore.mls.proposals import Commit, PreSharedKey, Proposal, ProposalRef, ReInit
from e2ecore.mls.psk import PskStore
from e2ecore.mls.sending import check_sender, seal_handshake, sign_handshake
from e2ecore.mls.staged import SentProposal, StagedCommit
from e2ecore.mls.treekem import NewPath, UpdatePath, new_path
from e2ecore.mls.welcome_create import create_welcome


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitOptions:
    """How to make a commit.

    Attributes:
        now_ms: The moment to judge lifetimes by, in milliseconds since the Unix epoch.
        framing: How the commit travels.
        include_pending: Commit the proposals that members sent, as far as they still fit.
        path: Refresh our own keys even where the proposals do not demand it.
        with_tree: Put the ratchet tree into the Welcome.
        psks: External pre-shared keys, and other groups with resumption keys.
        leaf: What to change in our own leaf.
        policy: Asked about the credentials that the proposals bring.
        link: The proposal that ties a new group to the one that it continues. Its first commit is
            the only place for such a one.
    """

    now_ms: int
    framing: HandshakeFraming = PRIVATE
    authenticated_data: bytes = b""
    include_pending: bool = True
    path: bool = True
    with_tree: bool = True
    psks: PskStore = field(default_factory=lambda: PskStore({}))
    leaf: LeafChange = NO_CHANGE
    policy: CredentialPolicy = accept_basic
    link: PreSharedKey | None = None


def create_commit(
    state: GroupState,
    proposals: Sequence[Proposal],
    *,
    signer: SigningKey,
    rng: Rng,
    options: CommitOptions,
) -> PendingCommit:
    """Make a commit of these proposals and of those that wait.

    Raises:
        UsageError: We may not send; sub-classes say why.
        PeerError: A proposal breaks a rule; the sub-class says which.
    """
    check_sender(state, signer)
    sent, applied = _select(state, proposals, options)
    new = None
    if options.path or options.leaf != NO_CHANGE or needs_path(sent):
        new = _new_path(state, applied, signer=signer, rng=rng, change=options.leaf)
    provisional = provisional_context(state.context, applied)
    path = _seal_path(applied, new, provisional)
    listed = tuple(item.proposal if item.ref is None else ProposalRef(item.ref) for item in sent)
    authenticated = sign_handshake(
        state, Commit(listed, path), signer, options.authenticated_data, options.framing
    )
    secret = CommitSecret(bytes(state.suite.nh)) if new is None else new.keys.commit_secret
    derived = derive_epoch(
        applied,
        provisional,
        authenticated,
        interim_hash=state.current.interim_hash,
        init=state.current.init,
        commit_secret=secret,
    )
    staged = _stage(state, sent, applied, derived, new)
    welcome = create_welcome(
        state,
        applied,
        derived,
        new,
        signer=options.leaf.signer or signer,
        with_tree=options.with_tree,
    )
    confirmed = authenticated.confirmed(derived.confirmation_tag)
    message = seal_handshake(state, confirmed, options.framing.padding, rng)
    return PendingCommit(message, welcome, staged)


def _select(
    state: GroupState, proposals: Sequence[Proposal], options: CommitOptions
) -> tuple[list[SentProposal], Applied]:
    """Return the list to commit: ours by value, and each waiting one that goes with the rest."""
    own = Sender(SenderType.MEMBER, state.own_leaf)
    ours = [SentProposal(proposal, own, None) for proposal in proposals]
    waiting = [item.sent for item in state.pending.by_ref.values()]
    if not options.include_pending or not waiting:
        return ours, _apply(state, ours, options)
    try:
        everything = [*waiting, *ours]
        return everything, _apply(state, everything, options)
    except MlsError:
        applied = _apply(state, ours, options)
    chosen: list[SentProposal] = ours
    for item in _by_preference(waiting):
        try:
            applied = _apply(state, [item, *chosen], options)
        except MlsError:
            continue
        chosen = [item, *chosen]
    return chosen, applied


def _by_preference(waiting: Sequence[SentProposal]) -> list[SentProposal]:
    """Return the newest first, but a reinit last: it goes with nothing else, and can wait."""
    newest = list(reversed(waiting))
    newest.sort(key=lambda sent: isinstance(sent.proposal, ReInit))
    return newest


def _apply(state: GroupState, sent: Sequence[SentProposal], options: CommitOptions) -> Applied:
    judged = [each for each in sent if each.proposal is not options.link]
    check_member_list(judged, state.own_leaf, state.suite)
    psks = known_psks(state, options.psks)
    applied = apply_proposals(
        state.tree, state.context, sent, psks=psks, lifetimes=LifetimePolicy(options.now_ms)
    )
    judge_applied(options.policy, applied, state.context.extensions)
    return applied


def _new_path(
    state: GroupState, applied: Applied, *, signer: SigningKey, rng: Rng, change: LeafChange
) -> NewPath:
    """Replace our leaf and the keys above it."""
    tree, index = applied.tree, state.own_leaf
    path = new_path(
        tree,
        index,
        changed_leaf(change, tree.member(index), tree, index),
        group_id=applied.group_id,
        signer=change.signer or signer,
        rng=rng,
    )
    if change != NO_CHANGE:
        check_leaf(path.leaf_node, applied.rules)
    return path


def _seal_path(
    applied: Applied, new: NewPath | None, provisional: GroupContext
) -> UpdatePath | None:
    if new is None:
        return None
    return new.seal(applied.tree, provisional.encode(), applied.added_leaves)


def _stage(
    state: GroupState,
    sent: Sequence[SentProposal],
    applied: Applied,
    derived: Derived,
    new: NewPath | None,
) -> StagedCommit:
    path_keys = {} if new is None else new.keys.private_keys
    updated = list(applied.updated)
    committer = Member.of(state.own_leaf, applied.tree.member(state.own_leaf))
    if new is not None:
        updated.append((Member.of(state.own_leaf, state.tree.member(state.own_leaf)), committer))
    return StagedCommit(
        epoch=state.epoch,
        committer=committer,
        external=False,
        proposals=tuple(sent),
        added=joined_members(applied),
        removed=tuple(applied.removed),
        updated=tuple(updated),
        new_extensions=applied.new_extensions,
        self_removed=False,
        next=next_epoch(state, applied, derived, own_key=None, path_keys=path_keys),
        key=None,
    )
