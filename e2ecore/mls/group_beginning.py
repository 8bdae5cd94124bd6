"""The verbs that begin a group: found it, load it, or become a member."""

from collections.abc import Mapping, Sequence
from typing import Self

from e2ecore.crypto.rng import Rng
from e2ecore.crypto.signing import SigningKey
from e2ecore.crypto.suites import CipherSuite
from e2ecore.mls.applying import LifetimePolicy
from e2ecore.mls.creation import create_group
from e2ecore.mls.credential_policy import CredentialPolicy, accept_basic
from e2ecore.mls.credentials import Credential, as_credential
from e2ecore.mls.extensions import Extensions
from e2ecore.mls.external_join import JoinOptions, Newcomer, join_by_commit
from e2ecore.mls.group_state import GroupState
from e2ecore.mls.group_view import NO_PSKS, GroupView, states
from e2ecore.mls.key_package import DEFAULT_LIFETIME_S, KeyPackageBundle
from e2ecore.mls.leaf_rules import MAX_LIFETIME_S
from e2ecore.mls.nodes import Capabilities
from e2ecore.mls.pending_join import PendingJoin
from e2ecore.mls.rows import RowSource
from e2ecore.mls.succession import Identify, by_credential
from e2ecore.mls.welcome import join_group


class BeginningGroup(GroupView):
    """A group that begins, here or altogether."""

    __slots__ = ()

    @classmethod
    def create(
        cls,
        suite: CipherSuite,
        group_id: bytes,
        signer: SigningKey,
        identity: bytes | Credential,
        *,
        extensions: Extensions = (),
        capabilities: Capabilities | None = None,
        lifetime_s: int = DEFAULT_LIFETIME_S,
        now_ms: int,
        rng: Rng,
    ) -> Self:
        """Begin a group with ourselves as only member.

        Args:
            suite: Its cipher suite, for good.
            group_id: Its name; never used before.
            signer: The device's key.
            identity: Our credential, or only the content of a basic one.
            extensions: Of the GroupContext. Our capabilities must list their types.
            capabilities: What we announce; the suite and nothing else if None.
            lifetime_s: How long our first leaf is valid, in seconds.
            now_ms: Begin of that, in milliseconds since the Unix epoch.
            rng: Source of the keys.

        Raises:
            PeerError: Capabilities and extensions do not go together.
        """
        bundle = KeyPackageBundle.generate(
            suite,
            signer,
            identity,
            now_ms=now_ms,
            rng=rng,
            capabilities=capabilities,
            lifetime_s=lifetime_s,
        )
        return cls(create_group(group_id, bundle, extensions=extensions, now_ms=now_ms, rng=rng))

    @classmethod
    def load(cls, source: RowSource) -> Self:
        """Open a stored group. Reads three rows; the rest is read when it is needed.

        Raises:
            CorruptStateError: Rows are missing, damaged, or of a newer version.
        """
        return cls(GroupState.load(source))

    @classmethod
    def join(
        cls,
        welcome: bytes,
        bundle: KeyPackageBundle,
        *,
        ratchet_tree: bytes | None = None,
        psks: Mapping[bytes, bytes] = NO_PSKS,
        groups: Sequence[GroupView] = (),
        now_ms: int | None,
        max_lifetime_s: int | None = MAX_LIFETIME_S,
        policy: CredentialPolicy = accept_basic,
        identify: Identify = by_credential,
    ) -> Self:
        """Join by a Welcome, after all checks of RFC 9420 §12.4.3.1 (Joining via Welcome Message).

        That no other group of ours has this id, and that the members are who they claim to be, is
        for the caller to check before anything is stored.

        Args:
            welcome: The MLSMessage.
            bundle: The key package it is for. Delete it afterwards, unless it is the last resort.
            ratchet_tree: The tree, if it does not come with the Welcome.
            psks: External pre-shared keys by their ids.
            groups: Groups of ours that the new one may continue, or whose resumption keys the
                Welcome may name.
            now_ms: The moment to judge the members' lifetimes by; None leaves their ends unchecked,
                which suits groups older than the key packages their members came with.
            max_lifetime_s: Longest total lifetime of a member's leaf; None: no limit.
            policy: Asked about the credential of each member.
            identify: Says who of the old group is who, where the new one continues it.

        Raises:
            PeerError: It breaks a rule; the sub-class says which.
        """
        state = join_group(
            welcome,
            bundle,
            ratchet_tree=ratchet_tree,
            psks=psks,
            groups=states(groups),
            now_ms=now_ms,
            max_lifetime_s=max_lifetime_s,
            policy=policy,
            identify=identify,
        )
        return cls(state)

    @classmethod
    def join_by_commit(
        cls,
        group_info: bytes,
        signer: SigningKey,
        identity: bytes | Credential,
        *,
        resync: bool = False,
        ratchet_tree: bytes | None = None,
        capabilities: Capabilities | None = None,
        leaf_extensions: Extensions = (),
        inject: Sequence[bytes] = (),
        proof: GroupView | None = None,
        psks: Mapping[bytes, bytes] = NO_PSKS,
        authenticated_data: bytes = b"",
        now_ms: int | None,
        max_lifetime_s: int | None = MAX_LIFETIME_S,
        policy: CredentialPolicy = accept_basic,
        rng: Rng,
    ) -> PendingJoin:
        """Make the commit that adds us to a group that did not invite us.

        Spec: RFC 9420 §12.4.3.2 (Joining via External Commits). Once the relay has accepted the
        commit, ``enter`` begins the group. A GroupInfo serves one join; if another commit came
        first, the members refuse ours, and we need a newer GroupInfo.

        Args:
            group_info: The MLSMessage that a member published with ``group_info``.
            signer: The device's key.
            identity: Our credential, or only the content of a basic one.
            resync: Take the place of our former self: of the leaf with our key, or else of the only
                leaf with our credential.
            ratchet_tree: The tree, if it does not come with the GroupInfo.
            capabilities: What we announce; the suite and our credential's type if None.
            leaf_extensions: Of our leaf; their types must be in ``capabilities``.
            inject: Ids of external pre-shared keys to mix in.
            proof: An earlier state of this group: its resumption key proves that we were there.
            psks: External pre-shared keys by their ids.
            authenticated_data: What the relay sees too, and nobody can change.
            now_ms: The moment to judge the members' lifetimes by; None leaves their ends unchecked.
            max_lifetime_s: Longest total lifetime of a member's leaf; None: no limit.
            policy: Asked about the credential of each member.
            rng: Source of our keys.

        Raises:
            InvalidGroupInfoError: The GroupInfo is not what it should be.
            MembershipError: There is no former self, or more than one.
            PeerError: Something breaks a rule; the sub-class says which.
        """
        newcomer = Newcomer(
            signer=signer,
            credential=as_credential(identity),
            capabilities=capabilities,
            leaf_extensions=leaf_extensions,
        )
        options = JoinOptions(
            lifetimes=LifetimePolicy(now_ms, max_lifetime_s),
            policy=policy,
            ratchet_tree=ratchet_tree,
            resync=resync,
            inject=inject,
            proof=None if proof is None else proof.state,
            psks=psks,
            authenticated_data=authenticated_data,
        )
        return join_by_commit(group_info, newcomer, rng=rng, options=options)

    @classmethod
    def enter(cls, pending: PendingJoin) -> Self:
        """Begin the group whose external commit was accepted. All of it is still to be stored."""
        return cls(GroupState.begin(pending.suite, pending.own_leaf, pending.first))
