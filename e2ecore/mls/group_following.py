"""The verbs that begin a group out of another one: its successor, or a branch of it."""

from collections.abc import Sequence
from typing import Self

from e2ecore.crypto.rng import Rng
from e2ecore.crypto.signing import SigningKey
from e2ecore.mls.credential_policy import CredentialPolicy, accept_basic
from e2ecore.mls.credentials import Credential
from e2ecore.mls.errors import PendingChangeError
from e2ecore.mls.extensions import Extensions
from e2ecore.mls.group_beginning import BeginningGroup
from e2ecore.mls.group_info_rules import known_suite
from e2ecore.mls.key_package import DEFAULT_LIFETIME_S, KeyPackage, KeyPackageBundle
from e2ecore.mls.nodes import Capabilities
from e2ecore.mls.succession import (
    Founding,
    Identify,
    by_credential,
    found_branch,
    found_successor,
)


class FollowedGroup(BeginningGroup):
    """A group that others can continue."""

    __slots__ = ()

    def begin_successor(
        self,
        key_packages: Sequence[bytes],
        signer: SigningKey,
        identity: bytes | Credential,
        *,
        capabilities: Capabilities | None = None,
        lifetime_s: int = DEFAULT_LIFETIME_S,
        policy: CredentialPolicy = accept_basic,
        identify: Identify = by_credential,
        now_ms: int,
        rng: Rng,
    ) -> tuple[Self, bytes]:
        """Begin the group that a committed reinit announced. Any member can; the first one counts.

        Spec: RFC 9420 §11.2 (Reinitialization). Each of the others joins by the Welcome, giving
        this group as one of ``groups``.

        Args:
            key_packages: One of each other member, for the new cipher suite.
            signer: Our signature key in the new group; it must be of the new suite.
            identity: Our credential, or only the content of a basic one.
            capabilities: What we announce; the suite and our credential's type if None.
            lifetime_s: How long our first leaf is valid, in seconds.
            policy: Asked about the credential of each of the others.
            identify: Says who of the old group is who.
            now_ms: The moment to judge lifetimes by.
            rng: Source of the keys.

        Returns:
            The new group, all of it still to be stored, and the Welcome for the others.

        Raises:
            PendingChangeError: No reinit was committed.
            MembershipError: Somebody is missing.
            PeerError: A key package breaks a rule; the sub-class says which.
        """
        self._state.check_member()
        reinit = self.successor
        if reinit is None:
            raise PendingChangeError("no reinit was committed")
        bundle = KeyPackageBundle.generate(
            known_suite(reinit.cipher_suite),
            signer,
            identity,
            capabilities=capabilities,
            lifetime_s=lifetime_s,
            now_ms=now_ms,
            rng=rng,
        )
        founding = Founding(
            bundle=bundle,
            packages=[KeyPackage.decode(each) for each in key_packages],
            signer=signer,
            now_ms=now_ms,
            identify=identify,
            policy=policy,
        )
        state, welcome = found_successor(self._state, reinit, founding, rng)
        return type(self)(state), welcome

    def branch(
        self,
        group_id: bytes,
        key_packages: Sequence[bytes],
        signer: SigningKey,
        identity: bytes | Credential,
        *,
        extensions: Extensions | None = None,
        capabilities: Capabilities | None = None,
        lifetime_s: int = DEFAULT_LIFETIME_S,
        policy: CredentialPolicy = accept_basic,
        identify: Identify = by_credential,
        now_ms: int,
        rng: Rng,
    ) -> tuple[Self, bytes]:
        """Begin a group of some of the members, tied to this one, which goes on.

        Spec: RFC 9420 §11.3 (Subgroup Branching). Each of the others joins by the Welcome, giving
        this group as one of ``groups``.

        Args:
            group_id: The new group's name; never used before.
            key_packages: One of each other member that is to be in it.
            signer: Our signature key in the new group.
            identity: Our credential, or only the content of a basic one.
            extensions: Of the new GroupContext; this group's if None.
            capabilities: What we announce; the suite and our credential's type if None.
            lifetime_s: How long our first leaf is valid, in seconds.
            policy: Asked about the credential of each of the others.
            identify: Says who of the old group is who.
            now_ms: The moment to judge lifetimes by.
            rng: Source of the keys.

        Returns:
            The new group, all of it still to be stored, and the Welcome for the others.

        Raises:
            MembershipError: Somebody is not a member here.
            PeerError: A key package breaks a rule; the sub-class says which.
        """
        self._state.check_member()
        bundle = KeyPackageBundle.generate(
            self.suite,
            signer,
            identity,
            capabilities=capabilities,
            lifetime_s=lifetime_s,
            now_ms=now_ms,
            rng=rng,
        )
        founding = Founding(
            bundle=bundle,
            packages=[KeyPackage.decode(each) for each in key_packages],
            signer=signer,
            now_ms=now_ms,
            identify=identify,
            policy=policy,
        )
        terms = self.extensions if extensions is None else extensions
        state, welcome = found_branch(self._state, founding, group_id, terms, rng)
        return type(self)(state), welcome
