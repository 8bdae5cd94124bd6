"""Joins a group by a Welcome: believes nothing, checks everything, then begins.

Spec: RFC 9420 §12.4.3.1 (Joining via Welcome Message).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hmac import compare_digest

from e2ecore.crypto.hpke import HpkePrivateKey
from e2ecore.crypto.suites import CipherSuite
from e2ecore.mls import transcript
from e2ecore.mls.codec import decode_all
from e2ecore.mls.credential_policy import CredentialPolicy
from e2ecore.mls.epoch import CurrentEpoch
from e2ecore.mls.errors import ConfirmationError, InvalidWelcomeError, UnknownPskError
from e2ecore.mls.group_info import GroupInfo, GroupSecrets, Welcome
from e2ecore.mls.group_info_rules import checked_tree, judge_group
from e2ecore.mls.group_state import GroupState
from e2ecore.mls.key_package import KeyPackageBundle
from e2ecore.mls.key_schedule import (
    EpochSecrets,
    confirmation_tag,
    epoch_secret,
    epoch_secrets,
    welcome_secret,
)
from e2ecore.mls.labels import decrypt_with_label
from e2ecore.mls.leaf_rules import LeafContext
from e2ecore.mls.message import decode_message
from e2ecore.mls.psk import NamedPsk, PskStore, psk_secret
from e2ecore.mls.ratchet_tree import RatchetTree
from e2ecore.mls.staged import NextEpoch
from e2ecore.mls.succession import Identify, check_succession
from e2ecore.mls.treekem import PathSecret, join_path
from e2ecore.mls.welcome_create import WELCOME_LABEL, welcome_keys


@dataclass(slots=True)
class _Opened:
    """What a Welcome contains, decrypted and not yet believed."""

    suite: CipherSuite
    secrets: GroupSecrets
    info: GroupInfo
    epoch: EpochSecrets


def join_group(
    message: bytes,
    bundle: KeyPackageBundle,
    *,
    ratchet_tree: bytes | None,
    psks: Mapping[bytes, bytes],
    groups: Sequence[GroupState],
    now_ms: int | None,
    max_lifetime_s: int | None,
    policy: CredentialPolicy,
    identify: Identify,
) -> GroupState:
    """Join. That the group id is new here is for the caller to check.

    ``now_ms`` is the moment by which to judge the members' lifetimes; None leaves their ends
    unchecked, which is right for old members of a long-lived group.

    Raises:
        InvalidWelcomeError: Not for this key package, or not what it should be.
        UnknownPskError: It wants a pre-shared key that is not at hand.
        PeerError: Something in it breaks a rule; the sub-class says which.
    """
    opened = _open(_decode(message), bundle, PskStore(psks, groups))
    suite, info = opened.suite, opened.info
    context = info.context
    rules = LeafContext.of(suite, context.extensions, now_ms=now_ms, max_lifetime_s=max_lifetime_s)
    tree = checked_tree(info, ratchet_tree, rules)
    own_leaf = _own_leaf(tree, bundle)
    check_succession(opened.secrets.psks, context, tree, groups, identify)
    judge_group(policy, context, tree, own_leaf)
    if info.signer == own_leaf:
        raise InvalidWelcomeError("the Welcome claims to be signed by ourselves")
    keys = _node_keys(opened, tree, own_leaf, bundle)
    confirmed = context.confirmed_transcript_hash
    tag = confirmation_tag(suite, opened.epoch.confirmation, confirmed)
    if not compare_digest(tag, info.confirmation_tag):
        raise ConfirmationError
    current = CurrentEpoch.of(
        opened.epoch,
        epoch=context.epoch,
        leaves=tree.leaf_count,
        interim_hash=transcript.interim_hash(suite, confirmed, tag),
        confirmation_tag=tag,
    )
    first = NextEpoch(context, current, opened.epoch.encryption, tree, tree.encoded_nodes(), keys)
    return GroupState.begin(suite, own_leaf, first)


def _decode(message: bytes) -> Welcome:
    welcome = decode_message(message)
    if not isinstance(welcome, Welcome):
        raise InvalidWelcomeError("the message is not a Welcome")
    return welcome


def _open(welcome: Welcome, bundle: KeyPackageBundle, psks: PskStore) -> _Opened:
    suite = bundle.key_package.suite
    if welcome.cipher_suite != suite.code:
        raise InvalidWelcomeError("the Welcome is for another cipher suite")
    ref = bundle.ref
    sealed = next((item.secrets for item in welcome.secrets if item.new_member == ref), None)
    if sealed is None:
        raise InvalidWelcomeError("the Welcome is not for this key package")
    plain = decrypt_with_label(
        suite,
        bundle.init_key,
        WELCOME_LABEL,
        welcome.encrypted_group_info,
        sealed.kem_output,
        sealed.ciphertext,
    )
    secrets = decode_all(GroupSecrets.read, plain)
    psk = psk_secret(suite, _named(secrets, psks, suite))
    key, nonce = welcome_keys(suite, welcome_secret(suite, secrets.joiner, psk))
    info = decode_all(
        GroupInfo.read, suite.aead.open(key, nonce, welcome.encrypted_group_info, b"")
    )
    if info.context.cipher_suite != suite.code:
        raise InvalidWelcomeError("the group has another cipher suite than the key package")
    epoch = epoch_secrets(suite, epoch_secret(suite, secrets.joiner, psk, info.context.encode()))
    return _Opened(suite, secrets, info, epoch)


def _named(secrets: GroupSecrets, psks: PskStore, suite: CipherSuite) -> list[NamedPsk]:
    """Look up the pre-shared keys of the Welcome."""
    if len(set(secrets.psks)) != len(secrets.psks):
        raise InvalidWelcomeError("a pre-shared key is named twice")
    named = []
    for psk_id in secrets.psks:
        if len(psk_id.nonce) != suite.nh:
            raise InvalidWelcomeError("the nonce of a pre-shared key has a wrong size")
        psk = psks.find(psk_id)
        if psk is None:
            raise UnknownPskError
        named.append(NamedPsk(psk_id, psk))
    return named


def _own_leaf(tree: RatchetTree, bundle: KeyPackageBundle) -> int:
    """Find our leaf: the one identical to the key package's."""
    leaf_node = bundle.key_package.leaf_node
    node = tree.find_encryption_key(leaf_node.encryption_key)
    if node is None or tree.leaf(node // 2) != leaf_node or node % 2:
        raise InvalidWelcomeError("we are not in the tree")
    return node // 2


def _node_keys(
    opened: _Opened, tree: RatchetTree, own_leaf: int, bundle: KeyPackageBundle
) -> dict[int, HpkePrivateKey]:
    keys = {2 * own_leaf: bundle.encryption_key}
    if opened.secrets.path_secret is not None:
        secret = PathSecret(opened.secrets.path_secret)
        keys |= join_path(tree, opened.info.signer, own_leaf, secret)
    return keys
