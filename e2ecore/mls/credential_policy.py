"""Is a claim true? MLS carries credentials; the application judges them, through one callback.

Whoever gives no policy accepts basic credentials as they are, and no others. A policy is asked
about each new or changed leaf after everything else proved right, and before anything changes.

Spec: RFC 9420 §5.3.1 (Credential Validation).
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum

from e2ecore.mls.credentials import BasicCredential, Credential
from e2ecore.mls.errors import CredentialError
from e2ecore.mls.members import Member
from e2ecore.mls.nodes import LeafNode


class Occasion(Enum):
    """Why a credential is judged."""

    FOUND = "it is in the tree of a group that we join"
    ADDED = "its client is added, or adds itself"
    CHANGED = "a member replaces its credential or its signature key"
    REJOINED = "its client adds itself in place of a member that it says it was"
    EXTERNAL_SENDER = "the group lets its owner propose from outside"


@dataclass(frozen=True, slots=True)
class Claim:
    """A credential that somebody presents.

    Attributes:
        signature_key: The key that the credential must vouch for.
        group_id: The group in which it is presented.
        leaf: Leaf index; None where there is no leaf yet, or never will be.
        before: Who sat there until now, for changes and for clients that come back.
    """

    occasion: Occasion
    credential: Credential
    signature_key: bytes
    group_id: bytes
    leaf: int | None = None
    before: Member | None = None

    @property
    def identity(self) -> bytes:
        """Content of the basic credential; empty for other types of credential."""
        credential = self.credential
        return credential.identity if isinstance(credential, BasicCredential) else b""


CredentialPolicy = Callable[[Claim], None]
"""Returns if the claim is accepted, and raises if it is not: best a ``CredentialError``."""


def accept_basic(claim: Claim, /) -> None:
    """Accept basic credentials unseen, as long as a member keeps its own.

    Raises:
        CredentialError: Of another type, or not the one that the leaf had before.
    """
    if not isinstance(claim.credential, BasicCredential):
        raise CredentialError("no policy was given for credentials of this type")
    if claim.before is not None and claim.before.credential != claim.credential:
        raise CredentialError("the leaf of one client is taken by another")


def judge_found(
    policy: CredentialPolicy,
    group_id: bytes,
    members: Iterable[Member],
    own_leaf: int | None,
) -> None:
    """Ask about the members of a group that we join.

    Raises:
        CredentialError: The policy refuses one; it may raise others.
    """
    for member in members:
        if member.leaf != own_leaf:
            policy(_claim(Occasion.FOUND, group_id, member))


def judge_added(
    policy: CredentialPolicy, group_id: bytes, node: LeafNode, leaf: int | None = None
) -> None:
    """Ask about a new client; ``leaf`` is its place if that is known.

    Raises:
        CredentialError: The policy refuses it; it may raise others.
    """
    policy(Claim(Occasion.ADDED, node.credential, node.signature_key, group_id, leaf))


def judge_changed(policy: CredentialPolicy, group_id: bytes, before: Member, now: Member) -> None:
    """Ask about a replaced leaf, if its credential or key is another one.

    Raises:
        CredentialError: The policy refuses it; it may raise others.
    """
    if before != now:
        policy(_claim(Occasion.CHANGED, group_id, now, before))


def judge_rejoined(policy: CredentialPolicy, group_id: bytes, before: Member, now: Member) -> None:
    """Ask about a client that takes the place of its former self, whether or not it differs.

    Raises:
        CredentialError: The policy refuses it; it may raise others.
    """
    policy(_claim(Occasion.REJOINED, group_id, now, before))


def _claim(
    occasion: Occasion, group_id: bytes, member: Member, before: Member | None = None
) -> Claim:
    return Claim(occasion, member.credential, member.signature_key, group_id, member.leaf, before)
