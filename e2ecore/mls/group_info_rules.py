"""What a new member checks before it believes a GroupInfo, however it came.

Spec: RFC 9420 §12.4.3 (Adding Members to the Group) and RFC 9420 §12.4.3.1 (Joining via Welcome
Message). The confirmation tag is proven by those who have the epoch's secrets, and by nobody else.
"""

from typing import Final

from e2ecore.crypto.suites import SUITES, CipherSuite
from e2ecore.mls.credential_policy import CredentialPolicy, judge_found
from e2ecore.mls.errors import InvalidGroupInfoError, InvalidTreeError, UnsupportedError
from e2ecore.mls.extensions import ExtensionType, find_extension
from e2ecore.mls.external_senders import check_senders, judge_senders
from e2ecore.mls.group_context import GroupContext
from e2ecore.mls.group_info import GROUP_INFO_LABEL, GroupInfo
from e2ecore.mls.labels import verify_with_label
from e2ecore.mls.leaf_rules import LeafContext
from e2ecore.mls.members import Member
from e2ecore.mls.message import decode_message
from e2ecore.mls.ratchet_tree import RatchetTree
from e2ecore.mls.tree_rules import check_tree, verify_all

MAX_EPOCH: Final = 1 << 53
"""Last epoch that we join in. Nobody commits that often; rows and their numbers stay far from their
limits."""


def read_group_info(message: bytes) -> tuple[CipherSuite, GroupInfo]:
    """Decode a published GroupInfo, not believing it yet.

    Raises:
        InvalidGroupInfoError: It is another kind of message.
        UnsupportedError: Of a cipher suite or version that this library lacks.
    """
    info = decode_message(message)
    if not isinstance(info, GroupInfo):
        raise InvalidGroupInfoError("the message is not a GroupInfo")
    return known_suite(info.context.cipher_suite), info


def known_suite(code: int) -> CipherSuite:
    """Return a group's cipher suite by its number.

    Raises:
        UnsupportedError: We do not have it.
    """
    suite = SUITES.get(code)
    if suite is None:
        raise UnsupportedError("the group has a cipher suite that this library lacks")
    return suite


def find_tree(suite: CipherSuite, info: GroupInfo, given: bytes | None) -> RatchetTree:
    """Return the tree that comes with a GroupInfo, or else the ``given`` one.

    Raises:
        InvalidGroupInfoError: There is neither.
        PeerError: It does not decode; other sub-classes say why.
    """
    inside = find_extension(info.extensions, ExtensionType.RATCHET_TREE)
    data = given if inside is None else inside
    if data is None:
        raise InvalidGroupInfoError("no tree came with the group's state, and none was given")
    return RatchetTree.decode(suite, data)


def check_group_info(info: GroupInfo, tree: RatchetTree, rules: LeafContext) -> None:
    """Check that a member of this tree signed it, and that the tree is what they agreed on.

    Raises:
        InvalidGroupInfoError: Its epoch is impossible, or its signer is no member.
        InvalidTreeError: The tree is another one, or breaks a rule.
        PeerError: A signature is wrong, or a leaf breaks a rule; other sub-classes say which.
    """
    suite, context = rules.suite, info.context
    if context.epoch > MAX_EPOCH:
        raise InvalidGroupInfoError("the group's epoch is beyond any that is possible")
    if tree.root_hash() != context.tree_hash:
        raise InvalidTreeError("the tree does not have the hash that the group agreed on")
    signer = tree.leaf(info.signer)
    if signer is None:
        raise InvalidGroupInfoError("the signer of the group's state is no member")
    verify_with_label(
        suite, signer.signature_key, GROUP_INFO_LABEL, info.signed_part(), info.signature
    )
    check_senders(suite, context.extensions)
    verify_all(suite, check_tree(tree, rules, context.group_id))


def judge_group(
    policy: CredentialPolicy, context: GroupContext, tree: RatchetTree, own_leaf: int | None
) -> None:
    """Ask about everybody in a group that we join, but for ourselves.

    Raises:
        CredentialError: The policy refuses one; it may raise others.
    """
    members = (Member.of(leaf, node) for leaf, node in tree.members())
    judge_found(policy, context.group_id, members, own_leaf)
    judge_senders(policy, context.group_id, (), context.extensions)
