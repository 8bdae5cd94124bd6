"""A new group, with its creator as only member. Spec: RFC 9420 §11 (Group Creation)."""

from e2ecore.crypto.rng import Rng
from e2ecore.mls import transcript
from e2ecore.mls.epoch import CurrentEpoch
from e2ecore.mls.extensions import Extensions
from e2ecore.mls.external_senders import check_senders
from e2ecore.mls.group_context import GroupContext
from e2ecore.mls.group_state import GroupState
from e2ecore.mls.key_package import KeyPackageBundle
from e2ecore.mls.key_schedule import EpochSecret, confirmation_tag, epoch_secrets
from e2ecore.mls.leaf_rules import LeafContext
from e2ecore.mls.ratchet_tree import RatchetTree
from e2ecore.mls.staged import NextEpoch


def create_group(
    group_id: bytes,
    bundle: KeyPackageBundle,
    *,
    extensions: Extensions,
    now_ms: int,
    rng: Rng,
) -> GroupState:
    """Begin epoch 0.

    Raises:
        PeerError: The creator's key package does not fit the group's suite or extensions.
    """
    suite = bundle.key_package.suite
    check_senders(suite, extensions)
    bundle.key_package.validate(LeafContext.of(suite, extensions, now_ms=now_ms))
    tree = RatchetTree(suite)
    tree.add_leaf(bundle.key_package.leaf_node)
    context = GroupContext(suite.code, group_id, 0, tree.root_hash(), b"", extensions)
    secrets = epoch_secrets(suite, EpochSecret(rng(suite.nh)))
    tag = confirmation_tag(suite, secrets.confirmation, context.confirmed_transcript_hash)
    current = CurrentEpoch.of(
        secrets,
        epoch=0,
        leaves=tree.leaf_count,
        interim_hash=transcript.interim_hash(suite, context.confirmed_transcript_hash, tag),
        confirmation_tag=tag,
    )
    changed = tree.changes()
    tree.settle()
    keys = {0: bundle.encryption_key}
    first = NextEpoch(context, current, secrets.encryption, tree, changed, keys)
    return GroupState.begin(suite, 0, first)
