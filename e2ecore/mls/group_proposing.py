"""The verbs that propose a change and leave it to a later commit."""

from e2ecore.crypto.hpke import HpkePrivateKey
from e2ecore.crypto.rng import Rng
from e2ecore.crypto.signing import SigningKey
from e2ecore.crypto.suites import CipherSuite
from e2ecore.mls.credential_policy import CredentialPolicy, accept_basic
from e2ecore.mls.errors import UnknownPskError
from e2ecore.mls.extensions import Extensions
from e2ecore.mls.framing_choice import PRIVATE, HandshakeFraming
from e2ecore.mls.group_following import FollowedGroup
from e2ecore.mls.key_package import KeyPackage
from e2ecore.mls.own_leaf import NO_CHANGE, LeafChange
from e2ecore.mls.proposals import GroupContextExtensions, Proposal
from e2ecore.mls.sending import checked_add, checked_remove, fresh_update, propose


class ProposingGroup(FollowedGroup):
    """A group to which changes can be proposed. Proposals are kept until a commit names them."""

    __slots__ = ()

    def propose_add(
        self,
        key_package: bytes,
        *,
        signer: SigningKey,
        rng: Rng,
        now_ms: int,
        policy: CredentialPolicy = accept_basic,
        authenticated_data: bytes = b"",
        framing: HandshakeFraming = PRIVATE,
    ) -> bytes:
        """Propose to add the client with this key package, and keep the proposal.

        Raises:
            PeerError: The key package breaks a rule; the sub-class says which.
            UsageError: We may not send; sub-classes say why.
        """
        add = checked_add(self._state, KeyPackage.decode(key_package), now_ms, policy)
        return self._propose(add, signer, rng, authenticated_data, framing=framing)

    def propose_remove(
        self,
        leaf: int,
        *,
        signer: SigningKey,
        rng: Rng,
        authenticated_data: bytes = b"",
        framing: HandshakeFraming = PRIVATE,
    ) -> bytes:
        """Propose to remove a member, and keep the proposal. With our own leaf: ask to leave.

        Raises:
            InvalidProposalError: There is no member at this leaf.
            UsageError: We may not send; sub-classes say why.
        """
        remove = checked_remove(self._state, leaf)
        return self._propose(remove, signer, rng, authenticated_data, framing=framing)

    def propose_update(
        self,
        *,
        leaf: LeafChange = NO_CHANGE,
        signer: SigningKey,
        rng: Rng,
        authenticated_data: bytes = b"",
        framing: HandshakeFraming = PRIVATE,
    ) -> bytes:
        """Propose a fresh key for our leaf, and keep the proposal and the key.

        A new signature key in ``leaf`` counts from the epoch on that a commit of it begins.

        Raises:
            PeerError: The group cannot take the changed leaf; the sub-class says why.
            UsageError: We may not send; sub-classes say why.
        """
        update, key = fresh_update(self._state, signer, rng, leaf)
        return self._propose(update, signer, rng, authenticated_data, framing=framing, key=key)

    def propose_extensions(
        self,
        extensions: Extensions,
        *,
        signer: SigningKey,
        rng: Rng,
        authenticated_data: bytes = b"",
        framing: HandshakeFraming = PRIVATE,
    ) -> bytes:
        """Propose to replace all extensions of the group, and keep the proposal.

        Raises:
            UsageError: We may not send; sub-classes say why.
        """
        replaced = GroupContextExtensions(extensions)
        return self._propose(replaced, signer, rng, authenticated_data, framing=framing)

    def propose_psk(
        self,
        psk_id: bytes,
        *,
        signer: SigningKey,
        rng: Rng,
        authenticated_data: bytes = b"",
        framing: HandshakeFraming = PRIVATE,
    ) -> bytes:
        """Propose to mix in an external pre-shared key, and keep the proposal.

        Spec: RFC 9420 §12.1.4 (PreSharedKey).

        Raises:
            UsageError: We may not send; sub-classes say why.
        """
        injected = self.psk_proposal(psk_id, rng=rng)
        return self._propose(injected, signer, rng, authenticated_data, framing=framing)

    def propose_resumption(
        self,
        epoch: int,
        *,
        signer: SigningKey,
        rng: Rng,
        authenticated_data: bytes = b"",
        framing: HandshakeFraming = PRIVATE,
    ) -> bytes:
        """Propose to mix in the resumption key of an epoch of this group, and keep the proposal.

        Raises:
            UnknownPskError: That epoch's key is not kept.
            UsageError: We may not send; sub-classes say why.
        """
        if self._state.resumption_psk(self.group_id, epoch) is None:
            raise UnknownPskError
        injected = self.resumption_proposal(epoch, rng=rng)
        return self._propose(injected, signer, rng, authenticated_data, framing=framing)

    def propose_reinit(
        self,
        group_id: bytes,
        *,
        suite: CipherSuite,
        extensions: Extensions = (),
        signer: SigningKey,
        rng: Rng,
        authenticated_data: bytes = b"",
        framing: HandshakeFraming = PRIVATE,
    ) -> bytes:
        """Propose to end this group in favour of another one, and keep the proposal.

        Spec: RFC 9420 §12.1.5 (ReInit).

        Raises:
            MembershipError: The name is this group's.
            UsageError: We may not send; sub-classes say why.
        """
        reinit = self.reinit_proposal(group_id, suite=suite, extensions=extensions)
        return self._propose(reinit, signer, rng, authenticated_data, framing=framing)

    def _propose(
        self,
        proposal: Proposal,
        signer: SigningKey,
        rng: Rng,
        authenticated_data: bytes,
        *,
        framing: HandshakeFraming,
        key: HpkePrivateKey | None = None,
    ) -> bytes:
        return propose(
            self._state,
            proposal,
            signer=signer,
            rng=rng,
            framing=framing,
            authenticated_data=authenticated_data,
            key=key,
        )

    def discard_proposals(self) -> None:
        """Forget all proposals that wait. A commit that names one of them is then refused."""
        self._state.pending.clear()
