"""What a new member checks before it believes a GroupInfo, however it came.

Spec: RFC 9420 §12.4.3 (Adding Members to the Group) and RFC 9420 §12.4.3.1 (Joining via Welcome
Message). The confirmation tag is proven by those who have the epoch's secrets, and by nobody else.
"""

from collections.abc import Iterator
from typing import Final

from e2ecore.crypto.suites import SUITES, CipherSuite
from e2ecore.mls.arriving_tree import ArrivingTree
from e2ecore.mls.credential_policy import CredentialPolicy, accept_basic, judge_found
from e2ecore.mls.credentials import CredentialType
from e2ecore.mls.errors import InvalidGroupInfoError, InvalidTreeError, UnsupportedError
from e2ecore.mls.extensions import ExtensionType, find_extension
from e2ecore.mls.external_senders import check_senders, judge_senders
from e2ecore.mls.group_context import GroupContext
from e2ecore.mls.group_info import GroupInfo
from e2ecore.mls.leaf_rules import LeafContext, SignedPart
from e2ecore.mls.message import decode_message
from e2ecore.mls.ratchet_tree import RatchetTree
from e2ecore.mls.tree_rules import check_leaves, check_nodes, verify_all

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


def checked_tree(info: GroupInfo, given: bytes | None, rules: LeafContext) -> RatchetTree:
    """Return the tree that comes with a GroupInfo, or else the ``given`` one.

    A member of this tree signed the GroupInfo, the tree is what the members agreed on, and it keeps
    all rules.

    Raises:
        InvalidGroupInfoError: Its epoch is impossible, its signer is no member, or there is no
            tree.
        InvalidTreeError: The tree is another one, or breaks a rule.
        PeerError: A signature is wrong, or a leaf breaks a rule; other sub-classes say which.
    """
    if info.context.epoch > MAX_EPOCH:
        raise InvalidGroupInfoError("the group's epoch is beyond any that is possible")
    inside = find_extension(info.extensions, ExtensionType.RATCHET_TREE)
    data = given if inside is None else inside
    if data is None:
        raise InvalidGroupInfoError("no tree came with the group's state, and none was given")
    received: list[RatchetTree] = []
    arriving = ArrivingTree(rules.suite, data)
    verify_all(rules.suite, _check(info, arriving, rules, received))
    return received.pop()


def _check(
    info: GroupInfo, arriving: ArrivingTree, rules: LeafContext, received: list[RatchetTree]
) -> Iterator[SignedPart]:
    """Check everything but signatures, and return each of those as soon as it is known."""
    context = info.context
    yield from check_leaves(arriving, rules, context.group_id)
    tree = RatchetTree.of(arriving)
    if tree.root_hash() != context.tree_hash:
        raise InvalidTreeError("the tree does not have the hash that the group agreed on")
    signer = tree.leaf(info.signer)
    if signer is None:
        raise InvalidGroupInfoError("the signer of the group's state is no member")
    yield SignedPart(signer.signature_key, info.signed_bytes(), info.signature)
    check_senders(rules.suite, context.extensions)
    check_nodes(arriving, tree)
    received.append(tree)


def judge_group(
    policy: CredentialPolicy, context: GroupContext, tree: RatchetTree, own_leaf: int | None
) -> None:
    """Ask about everybody in a group that we join, but for ourselves.

    ``accept_basic`` would look at their types and at nothing else: those are counted.

    Raises:
        CredentialError: The policy refuses one; it may raise others.
    """
    if policy is not accept_basic or set(tree.credential_types(None)) != {CredentialType.BASIC}:
        judge_found(policy, context.group_id, tree.listed(), own_leaf)
    judge_senders(policy, context.group_id, (), context.extensions)
