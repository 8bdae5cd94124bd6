"""Invites the clients that a commit adds.

Spec: RFC 9420 §12.4.3.1 (Joining via Welcome Message).
"""

from e2ecore.crypto.hpke import Sealer
from e2ecore.crypto.signing import SigningKey
from e2ecore.crypto.suites import CipherSuite
from e2ecore.mls.applying import Applied
from e2ecore.mls.epoch_change import Derived
from e2ecore.mls.extensions import Extension, Extensions, ExtensionType
from e2ecore.mls.group_info import EncryptedGroupSecrets, GroupInfo, GroupSecrets, Welcome
from e2ecore.mls.group_state import GroupState
from e2ecore.mls.key_package import KeyPackage
from e2ecore.mls.key_schedule import WelcomeSecret
from e2ecore.mls.labels import expand_with_label, sealer_with_label
from e2ecore.mls.message import encode_message
from e2ecore.mls.treekem import HpkeCiphertext, NewPath

WELCOME_LABEL = "Welcome"
"""Encryption label (RFC 9420 §17.7 (MLS Public Key Encryption Labels))."""


def welcome_keys(suite: CipherSuite, secret: WelcomeSecret) -> tuple[bytes, bytes]:
    """Return key and nonce that encrypt the GroupInfo."""
    return (
        expand_with_label(suite, secret.raw, "key", b"", suite.nk),
        expand_with_label(suite, secret.raw, "nonce", b"", suite.nn),
    )


def create_welcome(
    state: GroupState,
    applied: Applied,
    derived: Derived,
    path: NewPath | None,
    *,
    signer: SigningKey,
    with_tree: bool,
) -> bytes | None:
    """Return one Welcome for all clients that the commit adds, or None if it adds none."""
    if not applied.joined:
        return None
    extensions: Extensions = ()
    if with_tree:
        extensions = (Extension(ExtensionType.RATCHET_TREE, applied.tree.encode()),)
    info = GroupInfo(
        derived.context, extensions, derived.confirmation_tag, state.own_leaf, signature=b""
    ).signed(signer)
    key, nonce = welcome_keys(state.suite, derived.welcome)
    encrypted_info = state.suite.aead.seal(key, nonce, info.encode(), b"")
    psks = tuple(named.id for named in applied.psks)
    secrets = []
    sealer = sealer_with_label(state.suite, WELCOME_LABEL, encrypted_info)
    for leaf, package in applied.joined:
        secret = None if path is None else path.secret_for(state.own_leaf, leaf)
        raw = None if secret is None else secret.raw
        group_secrets = GroupSecrets(derived.joiner, raw, psks)
        secrets.append(_seal_secrets(group_secrets, package, sealer))
    return encode_message(Welcome(state.suite.code, tuple(secrets), encrypted_info))


def _seal_secrets(
    secrets: GroupSecrets, package: KeyPackage, sealer: Sealer
) -> EncryptedGroupSecrets:
    sealed = sealer.seal(package.init_key, secrets.encode())
    return EncryptedGroupSecrets(package.ref(), HpkeCiphertext(*sealed))
