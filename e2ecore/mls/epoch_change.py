"""What creating and processing a commit have in common: from the new tree to the next epoch.

Spec: RFC 9420 §12.4.1 (Creating a Commit), RFC 9420 §12.4.2 (Processing a Commit).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from e2ecore.crypto.hpke import HpkePrivateKey
from e2ecore.mls import transcript
from e2ecore.mls.applying import Applied
from e2ecore.mls.epoch import CurrentEpoch
from e2ecore.mls.framing import AuthenticatedContent
from e2ecore.mls.group_context import GroupContext
from e2ecore.mls.group_state import GroupState
from e2ecore.mls.key_schedule import (
    CommitSecret,
    EpochSecrets,
    InitSecret,
    JoinerSecret,
    WelcomeSecret,
    confirmation_tag,
    epoch_secret,
    epoch_secrets,
    joiner_secret,
    welcome_secret,
)
from e2ecore.mls.members import Member
from e2ecore.mls.proposals import Update
from e2ecore.mls.psk import PskStore, psk_secret
from e2ecore.mls.staged import NextEpoch, SentProposal


def provisional_context(old: GroupContext, applied: Applied) -> GroupContext:
    """Return the next epoch's GroupContext, still with the old transcript hash."""
    extensions = old.extensions if applied.new_extensions is None else applied.new_extensions
    return GroupContext(
        old.cipher_suite,
        old.group_id,
        old.epoch + 1,
        applied.tree.root_hash(),
        old.confirmed_transcript_hash,
        extensions,
    )


@dataclass(frozen=True, slots=True, repr=False)
class Derived:
    """The next epoch's secrets."""

    context: GroupContext
    joiner: JoinerSecret
    welcome: WelcomeSecret
    secrets: EpochSecrets
    confirmation_tag: bytes


def derive_epoch(
    applied: Applied,
    provisional: GroupContext,
    authenticated: AuthenticatedContent,
    *,
    interim_hash: bytes,
    init: InitSecret,
    commit_secret: CommitSecret,
) -> Derived:
    """Run transcript hash and key schedule. The commit's own confirmation tag is not read.

    ``interim_hash`` is the interim transcript hash of the epoch that the commit ends.
    """
    suite = applied.tree.suite
    confirmed = transcript.confirmed_hash(suite, interim_hash, authenticated.confirmed_input())
    context = provisional.confirmed(confirmed)
    encoded, psk = context.encode(), psk_secret(suite, applied.psks)
    joiner = joiner_secret(suite, init, commit_secret, encoded)
    secrets = epoch_secrets(suite, epoch_secret(suite, joiner, psk, encoded))
    tag = confirmation_tag(suite, secrets.confirmation, confirmed)
    return Derived(context, joiner, welcome_secret(suite, joiner, psk), secrets, tag)


def next_epoch(
    state: GroupState,
    applied: Applied,
    derived: Derived,
    *,
    own_key: HpkePrivateKey | None,
    path_keys: Mapping[int, HpkePrivateKey],
) -> NextEpoch:
    """Collect what a merge installs. ``own_key`` belongs to our leaf if our update was applied."""
    tree, context = applied.tree, derived.context
    current = current_epoch(applied, derived)
    changed = tree.changes()
    void = tree.rekeyed()
    keys = {index: key for index, key in state.node_keys.items() if index not in void}
    if 2 * state.own_leaf not in keys:
        keys[2 * state.own_leaf] = own_key or state.node_keys[2 * state.own_leaf]
    keys |= path_keys
    return NextEpoch(context, current, derived.secrets.encryption, tree, changed, keys)


def current_epoch(applied: Applied, derived: Derived) -> CurrentEpoch:
    """Return what is kept of the new epoch besides the tree."""
    context, tree = derived.context, applied.tree
    return CurrentEpoch.of(
        derived.secrets,
        epoch=context.epoch,
        leaves=tree.leaf_count,
        interim_hash=transcript.interim_hash(
            tree.suite, context.confirmed_transcript_hash, derived.confirmation_tag
        ),
        confirmation_tag=derived.confirmation_tag,
        reinit=applied.reinit,
    )


def own_update_key(state: GroupState, proposals: Sequence[SentProposal]) -> HpkePrivateKey | None:
    """Return the private key of our own update, if the list contains one."""
    for sent in proposals:
        if isinstance(sent.proposal, Update) and sent.sender.index == state.own_leaf:
            pending = state.pending.by_ref.get(sent.ref or b"")
            return None if pending is None else pending.key
    return None


def joined_members(applied: Applied) -> tuple[Member, ...]:
    """Return the members that the list adds."""
    return tuple(Member.of(leaf, package.leaf_node) for leaf, package in applied.joined)


def known_psks(state: GroupState, given: PskStore) -> PskStore:
    """Return the pre-shared keys at hand: the caller's, and this group's resumption keys."""
    return PskStore(given.external, (state, *given.groups))
