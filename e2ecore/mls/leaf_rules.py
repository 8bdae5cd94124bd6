"""The rules a leaf node must keep, whoever brings it. Spec: RFC 9420 §7.3 (Leaf Node Validation).

Four questions, asked separately because they have different inputs: is the leaf sound in itself
and fit for this group (``check_leaf``), did it come the way it says (``check_source``), is its
signature right (``leaf_signature`` and the suite), does it go with the other members
(``check_among``).

Clocks differ, and members who disagree about a commit are split for good. So ``now_ms`` is whatever
moment the caller wants to judge by: for a key package at hand the own clock, for a received commit
the time the relay gave it, which is the same for all. None leaves a lifetime's ends unchecked, its
length never.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

from e2ecore.crypto.suites import CipherSuite
from e2ecore.mls.errors import ExpiredError, InvalidLeafNodeError, UnsupportedError
from e2ecore.mls.extensions import Extensions, RequiredCapabilities, required_capabilities
from e2ecore.mls.labels import signed_bytes
from e2ecore.mls.nodes import (
    LEAF_LABEL,
    MLS10,
    Capabilities,
    LeafNode,
    LeafNodeSource,
    Lifetime,
)

MAX_LIFETIME_S: Final = 400 * 24 * 3600
"""Longest total lifetime of a key package that we accept: a year, and a month to replace it. Every
application must set one (RFC 9420 §7.2 (Leaf Node Contents))."""


class SignedPart(NamedTuple):
    """A signature still to be verified: who, what, and the signature itself."""

    public: bytes
    message: bytes
    signature: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class LeafContext:
    """What a leaf node is measured against: a group, or only a suite where there is none yet."""

    suite: CipherSuite
    extensions: Extensions = ()
    """Of the GroupContext."""
    required: RequiredCapabilities
    now_ms: int | None = None
    """The moment to judge by, in milliseconds since the Unix epoch; None: do not."""
    max_lifetime_s: int | None = MAX_LIFETIME_S
    """Longest total lifetime; None: no limit."""

    @classmethod
    def of(
        cls,
        suite: CipherSuite,
        extensions: Extensions = (),
        *,
        now_ms: int | None = None,
        max_lifetime_s: int | None = MAX_LIFETIME_S,
    ) -> "LeafContext":
        """Build it from the extensions of a GroupContext.

        Raises:
            MalformedMessageError: Their ``required_capabilities`` do not decode.
        """
        return cls(
            suite=suite,
            extensions=extensions,
            required=required_capabilities(extensions),
            now_ms=now_ms,
            max_lifetime_s=max_lifetime_s,
        )


class Members(Protocol):
    """What ``check_among`` asks about the tree that a leaf is to be part of."""

    def find_encryption_key(self, key: bytes) -> int | None:
        """Return the node index that holds this key, or None."""
        ...

    def find_signature_key(self, key: bytes) -> int | None:
        """Return the node index of the leaf with this key, or None."""
        ...

    def credential_types(self, without: int | None) -> Collection[int]:
        """Return the credential types in use, leaving out one leaf's node index."""
        ...

    def all_support_credential(self, type_: int, without: int | None) -> bool:
        """Tell whether every member, but for one leaf's node index, lists a credential type."""
        ...


def check_leaf(leaf: LeafNode, context: LeafContext) -> None:
    """Check everything that concerns the leaf node alone, but for its signature.

    Raises:
        UnsupportedError: It lacks something the group needs.
        ExpiredError: Its lifetime is too long, over, or has not begun.
        InvalidLeafNodeError: It contradicts itself.
        InvalidKeyError: A key in it is unusable.
    """
    check_content(leaf, context)
    check_capabilities(leaf.capabilities, context)


def check_content(leaf: LeafNode, context: LeafContext) -> None:
    """Check what ``check_leaf`` checks, but for what the leaf's capabilities say by themselves.

    Raises:
        ExpiredError: Its lifetime is too long, over, or has not begun.
        InvalidLeafNodeError: It contradicts itself.
        InvalidKeyError: A key in it is unusable.
    """
    check_own_types(leaf)
    if leaf.lifetime is not None:
        check_lifetime(leaf.lifetime, context)
    context.suite.hpke.check_public(leaf.encryption_key)
    context.suite.signature.check_public(leaf.signature_key)


def check_own_types(leaf: LeafNode) -> None:
    """Check that a leaf's own credential and extensions are among its capabilities.

    Raises:
        InvalidLeafNodeError: One is not.
    """
    capabilities = leaf.capabilities
    if leaf.credential.type not in capabilities.credentials:
        raise InvalidLeafNodeError("the leaf's credential type is not among its capabilities")
    for extension in leaf.extensions:
        if not capabilities.supports_extension(extension.type):
            raise InvalidLeafNodeError("a leaf's extension is not among its capabilities")


def check_capabilities(capabilities: Capabilities, context: LeafContext) -> None:
    """Check what a client announces; the same for all members who announce the same.

    Raises:
        UnsupportedError: It lacks something the group needs.
        InvalidLeafNodeError: It names something twice.
    """
    for numbers in capabilities.lists():
        if len(set(numbers)) != len(numbers):
            raise InvalidLeafNodeError("a capability is listed twice")
    if MLS10 not in capabilities.versions:
        raise UnsupportedError("the client does not support MLS 1.0")
    if context.suite.code not in capabilities.cipher_suites:
        raise UnsupportedError("the client does not support the cipher suite")
    for extension in context.extensions:
        if not capabilities.supports_extension(extension.type):
            raise UnsupportedError("the client does not support an extension of the group")
    check_required(capabilities, context.required)


def check_required(capabilities: Capabilities, required: RequiredCapabilities) -> None:
    """Check what a group requires of every member. Spec: RFC 9420 §11.1 (Required Capabilities).

    Raises:
        UnsupportedError: Something is missing.
    """
    if not (
        all(map(capabilities.supports_extension, required.extension_types))
        and all(map(capabilities.supports_proposal, required.proposal_types))
        and set(required.credential_types) <= set(capabilities.credentials)
    ):
        raise UnsupportedError("the client does not support what the group requires")


def check_lifetime(lifetime: Lifetime, context: LeafContext) -> None:
    """Check length and ends of a lifetime.

    Raises:
        ExpiredError: Too long, over, or not begun.
    """
    total = lifetime.not_after - lifetime.not_before
    if total < 0 or (context.max_lifetime_s is not None and total > context.max_lifetime_s):
        raise ExpiredError("the lifetime is longer than allowed, or negative")
    if context.now_ms is None:
        return
    if not lifetime.not_before <= context.now_ms // 1000 <= lifetime.not_after:
        raise ExpiredError("the lifetime is over or has not begun")


def check_source(leaf: LeafNode, source: LeafNodeSource) -> None:
    """Check that a leaf node came the way it says.

    Raises:
        InvalidLeafNodeError: It was made for another purpose.
    """
    if leaf.source is not source:
        raise InvalidLeafNodeError("the leaf node was made for another purpose")


def leaf_signature(leaf: LeafNode, group_id: bytes, leaf_index: int) -> SignedPart:
    """Return the leaf's signature for verification.

    Args:
        leaf: The signed leaf node.
        group_id: The group; ignored for key packages.
        leaf_index: The leaf's place there; ignored for key packages.
    """
    message = signed_bytes(LEAF_LABEL, leaf.tbs(group_id, leaf_index))
    return SignedPart(leaf.signature_key, message, leaf.signature)


def check_among(leaf: LeafNode, members: Members, replaced: int | None) -> None:
    """Check a leaf node against the members of the tree it is to join.

    Args:
        leaf: The new leaf node.
        members: The tree, before the leaf is put into it.
        replaced: The node index of the leaf it takes the place of; None for a new member.

    Raises:
        InvalidLeafNodeError: One of its keys is in the tree already.
        UnsupportedError: Its credential and the members' capabilities do not go together.
    """
    if members.find_encryption_key(leaf.encryption_key) is not None:
        raise InvalidLeafNodeError("the encryption key is in the tree already")
    if members.find_signature_key(leaf.signature_key) not in {None, replaced}:
        raise InvalidLeafNodeError("the signature key is in the tree already")
    if not set(members.credential_types(replaced)) <= set(leaf.capabilities.credentials):
        raise UnsupportedError("the client does not support a credential type in use")
    if not members.all_support_credential(leaf.credential.type, replaced):
        raise UnsupportedError("a member does not support the client's credential type")
