"""A hostile member that invites: it makes up a group's whole state, right but for one thing."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache

from e2ecore.crypto.signing import SigningKey
from e2ecore.mls.extensions import Extension, ExtensionType
from e2ecore.mls.group import Group
from e2ecore.mls.group_context import GroupContext
from e2ecore.mls.group_info import EncryptedGroupSecrets, GroupInfo, GroupSecrets, Welcome
from e2ecore.mls.group_view import GroupView
from e2ecore.mls.key_package import KeyPackageBundle
from e2ecore.mls.key_schedule import (
    JoinerSecret,
    confirmation_tag,
    epoch_secret,
    epoch_secrets,
    welcome_secret,
)
from e2ecore.mls.labels import encrypt_with_label
from e2ecore.mls.message import encode_message
from e2ecore.mls.nodes import LeafNode, LeafNodeSource, ParentNode
from e2ecore.mls.psk import NamedPsk, psk_secret
from e2ecore.mls.ratchet_tree import RatchetTree
from e2ecore.mls.treekem import HpkeCiphertext
from e2ecore.mls.welcome_create import welcome_keys
from tests.support.mls_forger import same, set_parents
from tests.support.mls_groups import NOW_MS, Device, add, agree, pass_on
from tests.support.mls_rules import Rules, refused
from tests.support.mls_scene import assemble

GROUP_ID = b"conversation"
NAMES = ("alice", "bob", "carol", "dave", "frank", "grace", "judy")


@dataclass(frozen=True, kw_only=True)
class Twist:
    """Where an invitation departs from the rules.

    Attributes:
        tree: Changes the tree; everything that follows from it is right.
        encoded_tree: Changes the tree's encoding, and nothing follows from that.
        context: The group's state.
        info: What is signed.
        signer: Signs instead of judy.
        signed_info: What is encrypted.
        sealed_info: What stands in the Welcome.
        secrets: What only the new member reads.
        psks: Pre-shared keys that are mixed in, and named.
        welcome: The message.
    """

    tree: Callable[[RatchetTree], None] = lambda _: None
    encoded_tree: Callable[[bytes], bytes] = same
    context: Callable[[GroupContext], GroupContext] = same
    info: Callable[[GroupInfo], GroupInfo] = same
    signer: SigningKey | None = None
    signed_info: Callable[[GroupInfo], GroupInfo] = same
    sealed_info: Callable[[bytes], bytes] = same
    secrets: Callable[[GroupSecrets], GroupSecrets] = same
    psks: Sequence[NamedPsk] = ()
    welcome: Callable[[Welcome], Welcome] = same


@dataclass
class Invited:
    """Seven members with a full tree; then eve was added, to leaf 7, and is unmerged.

    Node 7 is the root, 3 and 11 are its children. Alice (leaf 0) committed last, so no parent hash
    but her own depends on what is in her leaf.
    """

    devices: list[Device] = field(default_factory=lambda: [Device(name) for name in NAMES])

    def __post_init__(self) -> None:
        assemble(self.devices)
        for device in reversed(self.devices):
            others = [other for other in self.devices if other is not device]
            pass_on(device.commit(), device, others)
        self.alice, self.eve = self.devices[0], Device("eve")
        self.suite = self.alice.suite
        self.bundle = self.eve.bundle()
        pending = self.alice.commit(add(self.bundle), path=False)
        pass_on(pending, self.alice, self.devices[1:])
        assert pending.welcome is not None
        self.genuine = pending.welcome

    def signer(self, leaf: int) -> SigningKey:
        return [*self.devices, self.eve][leaf].signer

    def tree(self) -> RatchetTree:
        """Return a copy of the tree, to be changed."""
        return RatchetTree.decode(self.suite, self.alice.group.ratchet_tree)

    def forge(self, twist: Twist) -> bytes:
        """Make an invitation for eve from nothing."""
        suite, package, tree = self.suite, self.bundle.key_package, self.tree()
        twist.tree(tree)
        transcript, joiner = self.alice.rng(32), JoinerSecret(self.alice.rng(suite.nh))
        context = GroupContext(suite.code, GROUP_ID, 9, tree.root_hash(), transcript, ())
        context = twist.context(context)
        psk = psk_secret(suite, twist.psks)
        secrets = epoch_secrets(suite, epoch_secret(suite, joiner, psk, context.encode()))
        tag = confirmation_tag(suite, secrets.confirmation, transcript)
        encoded = twist.encoded_tree(tree.encode())
        extensions = (Extension(ExtensionType.RATCHET_TREE, encoded),)
        info = twist.info(GroupInfo(context, extensions, tag, 6, b""))
        info = twist.signed_info(info.signed(twist.signer or self.signer(6)))
        keys = welcome_keys(suite, welcome_secret(suite, joiner, psk))
        encrypted = twist.sealed_info(suite.aead.seal(*keys, info.encode(), b""))
        plain = twist.secrets(
            GroupSecrets(joiner, None, tuple(each.id for each in twist.psks))
        ).encode()
        sealed = encrypt_with_label(suite, package.init_key, "Welcome", encrypted, plain)
        entry = EncryptedGroupSecrets(package.ref(), HpkeCiphertext(*sealed))
        return encode_message(twist.welcome(Welcome(suite.code, (entry,), encrypted)))

    def refuses(
        self,
        rules: Rules,
        message: bytes,
        bundle: KeyPackageBundle | None = None,
        groups: Sequence[GroupView] = (),
    ) -> None:
        """Eve refuses an invitation, and joins by the genuine one."""
        with refused(*rules):
            Group.join(message, bundle or self.bundle, groups=groups, now_ms=NOW_MS)
        self.eve.join(self.genuine, self.bundle)
        assert agree([*self.devices, self.eve])

    def change_leaf(
        self, leaf: int, *, signer: int | None = None, **changes: object
    ) -> Callable[[RatchetTree], None]:
        """Change fields of a leaf, signed again by its owner, or by an accomplice."""

        def change(tree: RatchetTree) -> None:
            node: LeafNode = replace(tree.member(leaf), **changes)  # type: ignore[arg-type]  # by name
            key = self.signer(leaf if signer is None else signer)
            tree.set_leaf(leaf, node.signed(key, GROUP_ID, leaf))

        return change

    def commit(self, tree: RatchetTree, leaf: int, keys: dict[int, bytes]) -> None:
        """Have a member set its path, with some keys of its choice, by node index."""
        path = [index for index, _ in tree.filtered_direct_path(leaf)]
        fresh = [keys.get(index) or self.fresh_key() for index in path]
        tree.blank_direct_path(leaf)
        self.vouch(tree, leaf, set_parents(tree, leaf, fresh))

    def vouch(self, tree: RatchetTree, leaf: int, above: bytes) -> None:
        """Give a leaf a parent hash, signed by its owner."""
        self.change_leaf(leaf, parent_hash=above, source=LeafNodeSource.COMMIT, lifetime=None)(tree)

    def fresh_key(self) -> bytes:
        return self.suite.hpke.generate(self.alice.rng).public


@cache
def invitation() -> Invited:
    """Return one invitation for all tests: forging and refusing change nothing in it."""
    return Invited()


def parent(tree: RatchetTree, index: int) -> ParentNode:
    """Return a parent that is not blank."""
    node = tree.parent_node(index)
    assert node is not None
    return node
