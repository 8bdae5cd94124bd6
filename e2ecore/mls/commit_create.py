"""Makes a commit, and the Welcome for those it adds.

The group stays in its epoch until the commit is merged; only our handshake ratchet moves on.

Spec: RFC 9420 §12.4.1 (Creating a Commit).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from e2ecore.crypto.rng import Rng
from e2ecore.crypto.signing import SigningKey
from e2ecore.mls.applying import Applied, LifetimePolicy, apply_proposals
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
from e2ecore.mls.group_context import GroupContext
from e2ecore.mls.group_state import GroupState
from e2ecore.mls.key_schedule import CommitSecret
from e2ecore.mls.members import Member
from e2ecore.mls.pending_commit import PendingCommit
from e2ecore.mls.private_message import PaddingPolicy
from e2ecore.mls.proposal_rules import check_member_list, needs_path
from e2ecore.mls.proposals import Commit, Proposal, ProposalRef
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
        include_pending: Commit the proposals that members sent, as far as they still fit.
        path: Refresh our own keys even where the proposals do not demand it.
        with_tree: Put the ratchet tree into the Welcome.
        psks: External pre-shared keys, and other groups with resumption keys.
    """

    now_ms: int
    padding: PaddingPolicy
    authenticated_data: bytes = b""
    include_pending: bool = True
    path: bool = True
    with_tree: bool = True
    psks: PskStore = field(default_factory=lambda: PskStore({}))


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
    old = state.tree.member(state.own_leaf)
    new: NewPath | None = None
    if options.path or needs_path(sent):
        new = new_path(
            applied.tree,
            state.own_leaf,
            old,
            group_id=state.context.group_id,
            signer=signer,
            rng=rng,
        )
    provisional = provisional_context(state.context, applied)
    path = _seal_path(applied, new, provisional)
    listed = tuple(item.proposal if item.ref is None else ProposalRef(item.ref) for item in sent)
    authenticated = sign_handshake(state, Commit(listed, path), signer, options.authenticated_data)
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
        state, applied, derived, new, signer=signer, with_tree=options.with_tree
    )
    authenticated = replace(authenticated, confirmation_tag=derived.confirmation_tag)
    message = seal_handshake(state, authenticated, options.padding, rng)
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
    for item in reversed(waiting):
        try:
            applied = _apply(state, [item, *chosen], options)
        except MlsError:
            continue
        chosen = [item, *chosen]
    return chosen, applied


def _apply(state: GroupState, sent: Sequence[SentProposal], options: CommitOptions) -> Applied:
    check_member_list(sent, state.own_leaf, state.suite)
    psks = known_psks(state, options.psks)
    return apply_proposals(
        state.tree, state.context, sent, psks=psks, lifetimes=LifetimePolicy(options.now_ms)
    )


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
