"""The verbs that propose a change and leave it to a later commit."""

from e2ecore.crypto.hpke import HpkePrivateKey
from e2ecore.crypto.rng import Rng
from e2ecore.crypto.signing import SigningKey
from e2ecore.mls.errors import UnknownPskError
from e2ecore.mls.extensions import Extensions
from e2ecore.mls.group_beginning import BeginningGroup
from e2ecore.mls.key_package import KeyPackage
from e2ecore.mls.private_message import bucketed
from e2ecore.mls.proposals import GroupContextExtensions, Proposal
from e2ecore.mls.sending import checked_add, checked_remove, fresh_update, propose


class ProposingGroup(BeginningGroup):
    """A group to which changes can be proposed. Proposals are kept until a commit names them."""

    __slots__ = ()

    def propose_add(
        self,
        key_package: bytes,
        *,
        signer: SigningKey,
        rng: Rng,
        now_ms: int,
        authenticated_data: bytes = b"",
    ) -> bytes:
        """Propose to add the client with this key package, and keep the proposal.

        Raises:
            PeerError: The key package breaks a rule; the sub-class says which.
            UsageError: We may not send; sub-classes say why.
        """
        add = checked_add(self._state, KeyPackage.decode(key_package), now_ms)
        return self._propose(add, signer, rng, authenticated_data)

    def propose_remove(
        self, leaf: int, *, signer: SigningKey, rng: Rng, authenticated_data: bytes = b""
    ) -> bytes:
        """Propose to remove a member, and keep the proposal. With our own leaf: ask to leave.

        Raises:
            InvalidProposalError: There is no member at this leaf.
            UsageError: We may not send; sub-classes say why.
        """
        remove = checked_remove(self._state, leaf)
        return self._propose(remove, signer, rng, authenticated_data)

    def propose_update(
        self, *, signer: SigningKey, rng: Rng, authenticated_data: bytes = b""
    ) -> bytes:
        """Propose a fresh key for our leaf, and keep the proposal and the key.

        Raises:
            UsageError: We may not send; sub-classes say why.
        """
        update, key = fresh_update(self._state, signer, rng)
        return self._propose(update, signer, rng, authenticated_data, key)

    def propose_extensions(
        self,
        extensions: Extensions,
        *,
        signer: SigningKey,
        rng: Rng,
        authenticated_data: bytes = b"",
    ) -> bytes:
        """Propose to replace all extensions of the group, and keep the proposal.

        Raises:
            UsageError: We may not send; sub-classes say why.
        """
        replaced = GroupContextExtensions(extensions)
        return self._propose(replaced, signer, rng, authenticated_data)

    def propose_psk(
        self, psk_id: bytes, *, signer: SigningKey, rng: Rng, authenticated_data: bytes = b""
    ) -> bytes:
        """Propose to mix in an external pre-shared key, and keep the proposal.

        Spec: RFC 9420 §12.1.4 (PreSharedKey).

        Raises:
            UsageError: We may not send; sub-classes say why.
        """
        return self._propose(self.psk_proposal(psk_id, rng=rng), signer, rng, authenticated_data)

    def propose_resumption(
        self, epoch: int, *, signer: SigningKey, rng: Rng, authenticated_data: bytes = b""
    ) -> bytes:
        """Propose to mix in the resumption key of an epoch of this group, and keep the proposal.

        Raises:
            UnknownPskError: That epoch's key is not kept.
            UsageError: We may not send; sub-classes say why.
        """
        if self._state.resumption_psk(self.group_id, epoch) is None:
            raise UnknownPskError
        injected = self.resumption_proposal(epoch, rng=rng)
        return self._propose(injected, signer, rng, authenticated_data)

    def _propose(
        self,
        proposal: Proposal,
        signer: SigningKey,
        rng: Rng,
        authenticated_data: bytes,
        key: HpkePrivateKey | None = None,
    ) -> bytes:
        return propose(
            self._state,
            proposal,
            signer=signer,
            rng=rng,
            padding=bucketed,
            authenticated_data=authenticated_data,
            key=key,
        )

    def discard_proposals(self) -> None:
        """Forget all proposals that wait. A commit that names one of them is then refused."""
        self._state.pending.clear()
