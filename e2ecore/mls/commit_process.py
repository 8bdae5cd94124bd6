"""Stages a received commit: checks all that MLS can, computes the next epoch, changes nothing.

Spec: RFC 9420 §12.4.2 (Processing a Commit).
"""

from dataclasses import dataclass
from hmac import compare_digest

from e2ecore.mls.applying import Applied, LifetimePolicy, apply_proposals
from e2ecore.mls.credential_policy import CredentialPolicy, accept_basic, judge_changed
from e2ecore.mls.epoch_change import (
    derive_epoch,
    joined_members,
    known_psks,
    next_epoch,
    own_update_key,
    provisional_context,
)
from e2ecore.mls.errors import ConfirmationError, InvalidCommitError, UnknownProposalError
from e2ecore.mls.external import check_new_key, external_init_secret
from e2ecore.mls.framing import AuthenticatedContent, Sender, SenderType
from e2ecore.mls.group_context import GroupContext
from e2ecore.mls.group_state import GroupState
from e2ecore.mls.judging import judge_applied, judge_newcomer
from e2ecore.mls.key_schedule import CommitSecret, InitSecret
from e2ecore.mls.members import Member
from e2ecore.mls.nodes import LeafNode
from e2ecore.mls.proposal_rules import check_external_list, check_member_list, needs_path
from e2ecore.mls.proposals import Commit, ProposalRef
from e2ecore.mls.psk import PskStore
from e2ecore.mls.staged import NextEpoch, SentProposal, StagedCommit
from e2ecore.mls.treekem import PathKeys, UpdatePath, merge_path, open_path


@dataclass(slots=True)
class _Progress:
    """What is known about a commit while it is being staged."""

    state: GroupState
    authenticated: AuthenticatedContent
    commit: Commit
    proposals: tuple[SentProposal, ...]
    applied: Applied
    committer: int
    external: bool


def stage_commit(
    state: GroupState,
    authenticated: AuthenticatedContent,
    *,
    psks: PskStore,
    lifetimes: LifetimePolicy,
    key: tuple[int, int] | None,
    policy: CredentialPolicy = accept_basic,
) -> StagedCommit:
    """Stage a commit whose signature has been verified.

    Args:
        state: The group.
        authenticated: The message; its body is a Commit.
        psks: External pre-shared keys, and resumption keys of other groups.
        lifetimes: How to judge the lifetimes of added clients.
        key: Leaf and generation of the handshake key it was encrypted with, if it was.
        policy: Asked about new and changed credentials, unless a member removes us.

    Raises:
        InvalidCommitError: It breaks a rule, or leads to another epoch than its sender says.
        PeerError: Something it contains breaks a rule; the sub-class says which.
    """
    progress = _begin(state, authenticated, psks, lifetimes)
    applied, committer = progress.applied, progress.committer
    old = applied.tree.leaf(committer)
    if progress.commit.path is not None:
        merge_path(
            applied.tree,
            committer,
            progress.commit.path,
            context=applied.rules,
            group_id=state.context.group_id,
            added=applied.added_leaves,
        )
    gone = any(member.leaf == state.own_leaf for member in applied.removed)
    following = None if gone else _next_epoch(progress)
    if not gone or progress.external:
        _judge(progress, old, policy)
    return _staged(progress, old, following, key)


def _judge(progress: _Progress, old: LeafNode | None, policy: CredentialPolicy) -> None:
    applied, leaf = progress.applied, progress.committer
    node = applied.tree.member(leaf)
    if progress.external:
        judge_newcomer(policy, applied, node, leaf)
    elif old is not None:
        judge_changed(policy, applied.group_id, Member.of(leaf, old), Member.of(leaf, node))
    judge_applied(policy, applied, progress.state.context.extensions)


def _begin(
    state: GroupState,
    authenticated: AuthenticatedContent,
    psks: PskStore,
    lifetimes: LifetimePolicy,
) -> _Progress:
    """Resolve, check and apply the proposals."""
    content, suite = authenticated.content, state.suite
    commit, sender = content.body, content.sender
    if not isinstance(commit, Commit) or state.current.suspended:
        raise InvalidCommitError("the group was closed by a reinit")
    external = sender.type is SenderType.NEW_MEMBER_COMMIT
    proposals = _resolve(state, commit, sender)
    if external:
        check_external_list(proposals, suite)
    else:
        check_member_list(proposals, sender.index, suite)
    path = commit.path
    if path is None and needs_path(proposals):
        raise InvalidCommitError("the commit needs an update path and has none")
    applied = apply_proposals(
        state.tree, state.context, proposals, psks=known_psks(state, psks), lifetimes=lifetimes
    )
    committer = sender.index
    if external and path is not None:
        committer = applied.tree.next_leaf()
        check_new_key(state.tree, applied.removed, path.leaf_node)
    return _Progress(state, authenticated, commit, proposals, applied, committer, external)


def _resolve(state: GroupState, commit: Commit, sender: Sender) -> tuple[SentProposal, ...]:
    """Replace names of proposals by the proposals."""
    known, found = state.pending.by_ref, []
    for item in commit.proposals:
        if not isinstance(item, ProposalRef):
            found.append(SentProposal(item, sender, None))
        elif item.hash in known:
            found.append(known[item.hash].sent)
        else:
            raise UnknownProposalError("the commit names a proposal that is not here")
    return tuple(found)


def _next_epoch(progress: _Progress) -> NextEpoch:
    state, applied = progress.state, progress.applied
    provisional = provisional_context(state.context, applied)
    own_key = own_update_key(state, progress.proposals)
    if progress.commit.path is None:
        keys = PathKeys(CommitSecret(bytes(state.suite.nh)), {})
    else:
        keys = _open(progress, progress.commit.path, provisional)
    derived = derive_epoch(
        applied,
        provisional,
        progress.authenticated,
        interim_hash=state.current.interim_hash,
        init=_init_secret(progress),
        commit_secret=keys.commit_secret,
    )
    sent_tag = progress.authenticated.confirmation_tag or b""
    if not compare_digest(derived.confirmation_tag, sent_tag):
        raise ConfirmationError
    return next_epoch(state, applied, derived, own_key=own_key, path_keys=keys.private_keys)


def _open(progress: _Progress, path: UpdatePath, provisional: GroupContext) -> PathKeys:
    state, applied = progress.state, progress.applied
    own_key = own_update_key(state, progress.proposals)
    own_keys = dict(state.node_keys)
    if own_key is not None:
        own_keys[2 * state.own_leaf] = own_key
    return open_path(
        applied.tree,
        progress.committer,
        path,
        own_leaf=state.own_leaf,
        private_key=own_keys.get,
        context=provisional.encode(),
        added=applied.added_leaves,
    )


def _init_secret(progress: _Progress) -> InitSecret:
    state, kem_output = progress.state, progress.applied.kem_output
    if kem_output is None:
        return state.current.init
    return external_init_secret(state.suite, state.current.external, kem_output)


def _staged(
    progress: _Progress,
    old: LeafNode | None,
    following: NextEpoch | None,
    key: tuple[int, int] | None,
) -> StagedCommit:
    applied, leaf = progress.applied, progress.committer
    new = applied.tree.member(leaf)
    committer = Member.of(leaf, new)
    added, updated = joined_members(applied), list(applied.updated)
    if progress.external:
        added = (*added, committer)
    elif progress.commit.path is not None and old is not None:
        updated.append((Member.of(leaf, old), committer))
    return StagedCommit(
        epoch=progress.state.epoch,
        committer=committer,
        external=progress.external,
        proposals=progress.proposals,
        added=added,
        removed=tuple(applied.removed),
        updated=tuple(updated),
        new_extensions=applied.new_extensions,
        self_removed=following is None,
        next=following,
        key=key,
    )
