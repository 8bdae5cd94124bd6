"""One MLS group: the verbs that an application calls.

Each verb computes first and assigns last: if it raises, nothing has changed. After it,
``take_changes`` returns the rows to store, in the transaction that also stores what the verb
returned. Bytes leave the device only after that::

    message = group.protect(data, signer=device_key, rng=system_rng)
    changes = group.take_changes()
"""

from collections.abc import Mapping, Sequence

from e2ecore.crypto.rng import Rng
from e2ecore.crypto.signing import SigningKey
from e2ecore.mls.applying import LifetimePolicy
from e2ecore.mls.commit_create import CommitOptions, create_commit
from e2ecore.mls.credential_policy import CredentialPolicy, accept_basic
from e2ecore.mls.framing_choice import PRIVATE, HandshakeFraming
from e2ecore.mls.group_proposing import ProposingGroup
from e2ecore.mls.group_view import NO_PSKS, GroupView, states
from e2ecore.mls.leaf_rules import MAX_LIFETIME_S
from e2ecore.mls.own_leaf import NO_CHANGE, LeafChange
from e2ecore.mls.pending_commit import PendingCommit
from e2ecore.mls.private_message import PaddingPolicy, bucketed
from e2ecore.mls.proposals import Proposal
from e2ecore.mls.psk import PskStore
from e2ecore.mls.received import ApplicationMessage, OutsideProposal, Received, ReceivedProposal
from e2ecore.mls.rows import RowKey
from e2ecore.mls.sending import seal_application
from e2ecore.mls.staged import StagedCommit
from e2ecore.mls.taking import TakeOptions, take_message

__all__ = [
    "NO_PSKS",
    "ApplicationMessage",
    "Group",
    "OutsideProposal",
    "PendingCommit",
    "Received",
    "ReceivedProposal",
    "StagedCommit",
]


class Group(ProposingGroup):
    """A member's view of one group."""

    __slots__ = ()

    def take_changes(self) -> dict[RowKey, bytes | None]:
        """Return the rows to write, None to delete, since the last call.

        One per application message; after a commit the changed nodes and a few more.
        """
        return self._state.rows.take_changes()

    # Messages

    def protect(
        self,
        data: bytes,
        *,
        authenticated_data: bytes = b"",
        signer: SigningKey,
        rng: Rng,
        padding: PaddingPolicy = bucketed,
    ) -> bytes:
        """Encrypt application data for the group. One row changes.

        Args:
            data: What members see.
            authenticated_data: What the relay sees too, and nobody can change.
            signer: The key of our leaf.
            rng: Source of the reuse guard.
            padding: Says how many zero bytes to append.

        Raises:
            PendingChangeError: Proposals wait, or the group is closed. Commit or discard them.
            UsageError: We may not send; other sub-classes say why.
        """
        return seal_application(
            self._state,
            data,
            authenticated_data=authenticated_data,
            signer=signer,
            padding=padding,
            rng=rng,
        )

    def receive(
        self,
        message: bytes,
        *,
        now_ms: int | None,
        psks: Mapping[bytes, bytes] = NO_PSKS,
        groups: Sequence[GroupView] = (),
        max_lifetime_s: int | None = MAX_LIFETIME_S,
        policy: CredentialPolicy = accept_basic,
        join_requests: bool = False,
    ) -> Received:
        """Decrypt and verify one message. Nothing changes unless it is genuine and valid.

        A commit is staged only: judge it, then ``merge``. Until then its key can be used again.

        Args:
            message: The MLSMessage.
            now_ms: The moment to judge lifetimes in a commit by, the same for all members: the
                relay's time of the message. None leaves their ends unchecked.
            psks: External pre-shared keys by their ids, for commits. Only those are looked up that
                the commit names.
            groups: Other groups of ours whose resumption keys a commit may name.
            max_lifetime_s: Longest total lifetime of an added client's leaf; None: no limit.
            policy: Asked about each new or changed credential.
            join_requests: Take proposals of clients that ask to be added, if the policy accepts
                them. All members should do the same, or they cannot follow commits of such.

        Raises:
            DuplicateMessageError: It was received before.
            EpochInFutureError: Keep it until the commits before it came.
            EpochTooOldError: Its keys are deleted.
            PeerError: It was refused; other sub-classes say why.
        """
        options = TakeOptions(
            lifetimes=LifetimePolicy(now_ms, max_lifetime_s),
            psks=PskStore(psks, states(groups)),
            policy=policy,
            join_requests=join_requests,
        )
        return take_message(self._state, message, options)

    # Changes

    def create_commit(
        self,
        proposals: Sequence[Proposal] = (),
        *,
        signer: SigningKey,
        now_ms: int,
        rng: Rng,
        authenticated_data: bytes = b"",
        include_pending: bool = True,
        path: bool = True,
        with_tree: bool = True,
        leaf: LeafChange = NO_CHANGE,
        framing: HandshakeFraming = PRIVATE,
        psks: Mapping[bytes, bytes] = NO_PSKS,
        groups: Sequence[GroupView] = (),
        policy: CredentialPolicy = accept_basic,
    ) -> PendingCommit:
        """Make a commit. The epoch stays until it is merged; one row changes.

        Args:
            proposals: Our own, which the commit contains. None at all refreshes our keys.
            signer: The key of our leaf.
            now_ms: The moment to judge lifetimes by.
            rng: Source of the new keys.
            authenticated_data: What the relay sees too, and nobody can change.
            include_pending: Commit the waiting proposals too, as far as they fit.
            path: Refresh our keys even where the proposals do not demand it.
            with_tree: Put the ratchet tree into the Welcome.
            leaf: What to change in our leaf: above all, a new signature key for the next epoch.
            framing: How the commit travels: encrypted, or in clear.
            psks: External pre-shared keys by their ids, for what is proposed.
            groups: Other groups of ours whose resumption keys are proposed.
            policy: Asked about the credentials that the proposals bring.

        Raises:
            PeerError: A proposal breaks a rule; the sub-class says which.
            UsageError: We may not send; sub-classes say why.
        """
        options = CommitOptions(
            now_ms=now_ms,
            framing=framing,
            authenticated_data=authenticated_data,
            include_pending=include_pending,
            path=path,
            with_tree=with_tree,
            psks=PskStore(psks, states(groups)),
            leaf=leaf,
            policy=policy,
        )
        return create_commit(self._state, proposals, signer=signer, rng=rng, options=options)

    def merge(self, staged: StagedCommit, *, now_ms: int) -> None:
        """Begin the next epoch. If the commit removes us, delete the group instead.

        Args:
            staged: What ``receive`` returned, or ``PendingCommit.staged`` once it was accepted.
            now_ms: From which on the old epoch's keys age.

        Raises:
            StaleCommitError: Another commit was merged since it was staged.
        """
        self._state.check_member()
        self._state.advance(staged, now_ms)

    def forget(self) -> None:
        """Delete the group's secrets and tree, all rows: after a reinit, or to be rid of it.

        The others are not told. Where a successor is still to be joined, keep the group until then.
        """
        self._state.check_member()
        self._state.delete()

    def drop_past_epochs(self, now_ms: int) -> None:
        """Delete the keys of epochs that ended more than 48 hours ago."""
        self._state.check_member()
        self._state.drop_past_epochs(now_ms)
