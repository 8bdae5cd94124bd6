"""Joining: a Welcome with one fault is refused, whoever sealed it."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from e2ecore.crypto.errors import DecryptionError, SignatureError
from e2ecore.crypto.signing import SigningKey
from e2ecore.crypto.suites import SUITES
from e2ecore.errors import PeerError
from e2ecore.mls.codec import decode_all
from e2ecore.mls.errors import (
    ConfirmationError,
    ExpiredError,
    InvalidTreeError,
    InvalidUpdatePathError,
    InvalidWelcomeError,
    MalformedMessageError,
    UnknownPskError,
    UnsupportedError,
)
from e2ecore.mls.extensions import Extension, ExtensionType
from e2ecore.mls.group import Group
from e2ecore.mls.group_info import EncryptedGroupSecrets, GroupInfo, GroupSecrets, Welcome
from e2ecore.mls.key_package import KeyPackageBundle
from e2ecore.mls.key_schedule import welcome_secret
from e2ecore.mls.labels import decrypt_with_label, encrypt_with_label, sign_with_label
from e2ecore.mls.message import decode_message, encode_message
from e2ecore.mls.proposals import GroupContextExtensions, Remove
from e2ecore.mls.psk import ExternalPskId, ResumptionPskId, ResumptionUsage, psk_secret
from e2ecore.mls.treekem import HpkeCiphertext
from e2ecore.mls.welcome_create import welcome_keys
from tests.support.mls_groups import CONVERSATION, NOW_MS, Device, add, agree, everybody, pass_on

NONCE = bytes(32)


@dataclass
class Invited:
    """Bob invited carol to the group of alice and himself."""

    def __post_init__(self) -> None:
        self.alice, self.bob = everybody("alice", "bob")
        self.carol = Device("carol")
        self.bundle = self.carol.bundle()
        pending = self.bob.commit(add(self.bundle))
        pass_on(pending, self.bob, [self.alice])
        assert pending.welcome is not None
        self.message = pending.welcome

    def open(self) -> tuple[Welcome, GroupSecrets, GroupInfo]:
        """Decrypt the Welcome, as a hostile committer knows it."""
        welcome = decode_message(self.message)
        assert isinstance(welcome, Welcome)
        (sealed,) = welcome.secrets
        suite, context = self.bundle.key_package.suite, welcome.encrypted_group_info
        plain = decrypt_with_label(
            suite, self.bundle.init_key, "Welcome", context, *_parts(sealed.secrets)
        )
        secrets = decode_all(GroupSecrets.read, plain)
        key, nonce = welcome_keys(
            suite, welcome_secret(suite, secrets.joiner, psk_secret(suite, []))
        )
        info = decode_all(GroupInfo.read, suite.aead.open(key, nonce, context, b""))
        return welcome, secrets, info

    def forge(
        self,
        alter_info: Callable[[GroupInfo], GroupInfo] = lambda info: info,
        alter_secrets: Callable[[GroupSecrets], GroupSecrets] = lambda secrets: secrets,
        signer: SigningKey | None = None,
    ) -> bytes:
        """Change the Welcome, sign and seal it again."""
        welcome, secrets, info = self.open()
        suite = self.bundle.key_package.suite
        info = alter_info(info)
        key = signer or self.bob.signer
        info = replace(info, signature=sign_with_label(key, "GroupInfoTBS", info.signed_part()))
        secret = welcome_secret(suite, secrets.joiner, psk_secret(suite, []))
        encrypted = suite.aead.seal(*welcome_keys(suite, secret), info.encode(), b"")
        package = self.bundle.key_package
        sealed = encrypt_with_label(
            suite, package.init_key, "Welcome", encrypted, alter_secrets(secrets).encode()
        )
        entry = EncryptedGroupSecrets(package.ref(), HpkeCiphertext(*sealed))
        return encode_message(replace(welcome, secrets=(entry,), encrypted_group_info=encrypted))

    def refuses(self, message: bytes, error: type[PeerError]) -> None:
        """Carol refuses the message, and joins by the genuine one."""
        with pytest.raises(error):
            Group.join(message, self.bundle, now_ms=NOW_MS)
        self.carol.join(self.message, self.bundle)
        assert agree([self.alice, self.bob, self.carol])


def _parts(sealed: HpkeCiphertext) -> tuple[bytes, bytes]:
    return sealed.kem_output, sealed.ciphertext


@pytest.fixture
def invited() -> Invited:
    return Invited()


def altered_context(**changes: object) -> Callable[[GroupInfo], GroupInfo]:
    def alter(info: GroupInfo) -> GroupInfo:
        context = info.context
        return replace(
            info,
            context=replace(
                context,
                cipher_suite=int(str(changes.get("cipher_suite", context.cipher_suite))),
                epoch=int(str(changes.get("epoch", context.epoch))),
                tree_hash=bytes(32) if "tree_hash" in changes else context.tree_hash,
                confirmed_transcript_hash=bytes(32)
                if "transcript" in changes
                else context.confirmed_transcript_hash,
            ),
        )

    return alter


def tree_of(invited: Invited, alter: Callable[[bytes], bytes]) -> Callable[[GroupInfo], GroupInfo]:
    def changed(info: GroupInfo) -> GroupInfo:
        data = alter(invited.bob.group.ratchet_tree)
        return replace(info, extensions=(Extension(ExtensionType.RATCHET_TREE, data),))

    return changed


@pytest.mark.spec("RFC 9420 §12.4.3.1 (Joining via Welcome Message)")
def test_resealed_but_unchanged_welcome_is_accepted(invited: Invited) -> None:
    invited.carol.join(invited.forge(), invited.bundle)
    assert agree([invited.alice, invited.bob, invited.carol])


@pytest.mark.spec("RFC 9420 §12.4.3.1 (Joining via Welcome Message)")
@pytest.mark.parametrize(
    ("alter", "error"),
    [
        pytest.param(altered_context(cipher_suite=3), InvalidWelcomeError, id="other suite"),
        pytest.param(altered_context(epoch=1 << 60), InvalidWelcomeError, id="absurd epoch"),
        pytest.param(altered_context(epoch=9), ConfirmationError, id="other epoch"),
        pytest.param(altered_context(tree_hash=1), InvalidTreeError, id="other tree hash"),
        pytest.param(altered_context(transcript=1), ConfirmationError, id="other transcript"),
        pytest.param(
            lambda info: replace(info, confirmation_tag=bytes(32)), ConfirmationError, id="tag"
        ),
        pytest.param(
            lambda info: replace(info, confirmation_tag=b""), ConfirmationError, id="none"
        ),
        pytest.param(lambda info: replace(info, signer=0), SignatureError, id="other signer"),
        pytest.param(lambda info: replace(info, signer=3), InvalidWelcomeError, id="blank signer"),
        pytest.param(lambda info: replace(info, signer=99), InvalidWelcomeError, id="no signer"),
        pytest.param(lambda info: replace(info, extensions=()), InvalidWelcomeError, id="no tree"),
    ],
)
def test_group_info_with_one_fault_is_refused(
    invited: Invited, alter: Callable[[GroupInfo], GroupInfo], error: type[PeerError]
) -> None:
    invited.refuses(invited.forge(alter), error)


@pytest.mark.spec("RFC 9420 §12.4.3 (Adding Members to the Group)")
def test_group_info_is_signed_by_its_signer_only(invited: Invited) -> None:
    invited.refuses(invited.forge(signer=invited.alice.signer), SignatureError)


def test_welcome_signed_by_ourselves_is_refused(invited: Invited) -> None:
    forged = invited.forge(lambda info: replace(info, signer=2), signer=invited.carol.signer)
    invited.refuses(forged, InvalidWelcomeError)


@pytest.mark.spec("RFC 9420 §12.4.3.3 (Ratchet Tree Extension)")
@pytest.mark.parametrize(
    ("alter", "error"),
    [
        pytest.param(lambda data: data[:-1], MalformedMessageError, id="cut"),
        pytest.param(lambda data: data + b"\0", MalformedMessageError, id="longer"),
        pytest.param(lambda _: b"\0", InvalidTreeError, id="empty"),
    ],
)
def test_tree_with_one_fault_is_refused(
    invited: Invited, alter: Callable[[bytes], bytes], error: type[PeerError]
) -> None:
    invited.refuses(invited.forge(tree_of(invited, alter)), error)


@pytest.mark.spec("RFC 9420 §12.4.3.3 (Ratchet Tree Extension)")
def test_tree_may_come_by_another_way(invited: Invited) -> None:
    bare = invited.forge(lambda info: replace(info, extensions=()))
    tree = invited.bob.group.ratchet_tree
    group = Group.join(bare, invited.bundle, ratchet_tree=tree, now_ms=NOW_MS)
    assert group.epoch_authenticator == invited.bob.group.epoch_authenticator
    other = everybody("x", "y", "z")[0].group.ratchet_tree
    with pytest.raises(InvalidTreeError):
        Group.join(bare, invited.bundle, ratchet_tree=other, now_ms=NOW_MS)


@pytest.mark.parametrize(
    ("alter", "error"),
    [
        pytest.param(
            lambda secrets: replace(secrets, path_secret=bytes(32)),
            InvalidUpdatePathError,
            id="path",
        ),
        pytest.param(
            lambda secrets: replace(secrets, path_secret=b"short"),
            InvalidUpdatePathError,
            id="short path",
        ),
        pytest.param(
            lambda secrets: replace(secrets, psks=(ExternalPskId(b"unknown", NONCE),)),
            UnknownPskError,
            id="unknown key",
        ),
        pytest.param(
            lambda secrets: replace(secrets, psks=(ExternalPskId(b"a", NONCE),) * 2),
            (UnknownPskError, InvalidWelcomeError),
            id="key twice",
        ),
        pytest.param(
            lambda secrets: replace(secrets, psks=(ExternalPskId(b"a", b""),)),
            InvalidWelcomeError,
            id="nonce",
        ),
        pytest.param(
            lambda secrets: replace(
                secrets, psks=(ResumptionPskId(ResumptionUsage.BRANCH, b"g", 1, NONCE),)
            ),
            UnknownPskError,
            id="branch",
        ),
    ],
)
@pytest.mark.spec("RFC 9420 §12.4.3.1 (Joining via Welcome Message)")
def test_group_secrets_with_one_fault_are_refused(
    invited: Invited, alter: Callable[[GroupSecrets], GroupSecrets], error: type[PeerError]
) -> None:
    invited.refuses(invited.forge(alter_secrets=alter), error)


def test_welcome_for_somebody_else_is_refused(invited: Invited) -> None:
    with pytest.raises(InvalidWelcomeError):
        Group.join(invited.message, invited.carol.bundle(), now_ms=NOW_MS)
    other_suite = Device("carol", SUITES[3]).bundle()
    with pytest.raises(InvalidWelcomeError):
        Group.join(invited.message, other_suite, now_ms=NOW_MS)


def test_group_without_our_leaf_is_refused(invited: Invited) -> None:
    good, other = invited.bundle, invited.carol.bundle()
    package = replace(good.key_package, leaf_node=other.key_package.leaf_node)
    mixed = KeyPackageBundle(package, good.init_key, good.encryption_key)
    welcome = decode_message(invited.message)
    assert isinstance(welcome, Welcome)
    renamed = replace(welcome.secrets[0], new_member=package.ref())
    forged = encode_message(replace(welcome, secrets=(renamed,)))
    with pytest.raises(InvalidWelcomeError):
        Group.join(forged, mixed, now_ms=NOW_MS)


def test_wrong_init_key_does_not_open(invited: Invited) -> None:
    good, other = invited.bundle, invited.carol.bundle()
    mixed = KeyPackageBundle(good.key_package, other.init_key, good.encryption_key)
    with pytest.raises(DecryptionError):
        Group.join(invited.message, mixed, now_ms=NOW_MS)


def test_other_messages_are_no_welcome(invited: Invited) -> None:
    with pytest.raises(InvalidWelcomeError):
        Group.join(invited.alice.send(b"hello"), invited.bundle, now_ms=NOW_MS)


@pytest.mark.spec("RFC 9420 §7.3 (Leaf Node Validation)")
def test_lifetimes_of_members_are_judged_by_the_given_moment(invited: Invited) -> None:
    later = NOW_MS + 200 * 24 * 3600 * 1000
    with pytest.raises(ExpiredError):
        Group.join(invited.message, invited.bundle, now_ms=later)
    assert Group.join(invited.message, invited.bundle, now_ms=None).epoch == 2


def test_damaged_welcome_is_refused_everywhere(invited: Invited) -> None:
    message = invited.message
    for position in range(0, len(message), 7):
        damaged = bytearray(message)
        damaged[position] ^= 0x11
        with pytest.raises(PeerError):
            Group.join(bytes(damaged), invited.bundle, now_ms=NOW_MS)


@pytest.mark.spec("RFC 9420 §13.4 (Extensions)")
def test_nobody_is_invited_to_a_group_whose_extensions_it_lacks() -> None:
    alice = Device("alice")
    alice.begin()
    title = GroupContextExtensions((Extension(CONVERSATION, b"title"),))
    pass_on(alice.commit(title), alice, [])
    eve = Device("eve", extensions=())
    with pytest.raises(UnsupportedError):
        alice.commit(add(eve.bundle()))


def test_last_resort_package_is_good_for_two_groups() -> None:
    carol = Device("carol")
    bundle = carol.bundle(last_resort=True)
    for name in ("one", "two"):
        alice = Device("alice")
        alice.begin(name.encode())
        pending = alice.commit(add(bundle))
        alice.merge(pending.staged)
        assert pending.welcome is not None
        carol.join(pending.welcome, bundle)
        assert agree([alice, carol])


def test_member_added_again_after_removal_starts_afresh() -> None:
    alice, bob, carol = everybody("alice", "bob", "carol")
    pass_on(alice.commit(Remove(2)), alice, [bob, carol])
    bundle = carol.bundle()
    pending = bob.commit(add(bundle))
    pass_on(pending, bob, [alice])
    assert pending.welcome is not None
    carol.join(pending.welcome, bundle)
    assert agree([alice, bob, carol])
    assert carol.read(alice.send(b"welcome back")).data == b"welcome back"
