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
from e2ecore.crypto.suites import CipherSuite
from e2ecore.mls.applying import LifetimePolicy, check_alone
from e2ecore.mls.commit_create import CommitOptions, create_commit
from e2ecore.mls.commit_process import stage_commit
from e2ecore.mls.creation import create_group
from e2ecore.mls.errors import InvalidProposalError, MalformedMessageError
from e2ecore.mls.extensions import Extensions
from e2ecore.mls.framing import AuthenticatedContent
from e2ecore.mls.group_proposing import ProposingGroup
from e2ecore.mls.group_state import GroupState
from e2ecore.mls.key_package import DEFAULT_LIFETIME_S, KeyPackageBundle
from e2ecore.mls.leaf_rules import MAX_LIFETIME_S
from e2ecore.mls.members import Member
from e2ecore.mls.message import decode_message
from e2ecore.mls.nodes import Capabilities
from e2ecore.mls.pending import PendingProposal, proposal_ref
from e2ecore.mls.pending_commit import PendingCommit
from e2ecore.mls.private_message import PaddingPolicy, PrivateMessage, bucketed
from e2ecore.mls.proposal_rules import check_proposal
from e2ecore.mls.proposals import Commit, Proposal
from e2ecore.mls.psk import Psk, PskStore
from e2ecore.mls.public_message import PublicMessage
from e2ecore.mls.received import ApplicationMessage, Received, ReceivedProposal
from e2ecore.mls.receiving import Genuine, handshake_of, open_private, open_public
from e2ecore.mls.rows import RowKey, RowSource
from e2ecore.mls.sending import seal_application
from e2ecore.mls.staged import SentProposal, StagedCommit
from e2ecore.mls.welcome import join_group

__all__ = [
    "NO_PSKS",
    "ApplicationMessage",
    "Group",
    "PendingCommit",
    "Received",
    "ReceivedProposal",
    "StagedCommit",
]

NO_PSKS: Mapping[bytes, bytes] = {}
"""No external pre-shared keys."""


class Group(ProposingGroup):
    """A member's view of one group."""

    __slots__ = ()

    # Beginning

    @classmethod
    def create(
        cls,
        suite: CipherSuite,
        group_id: bytes,
        signer: SigningKey,
        identity: bytes,
        *,
        extensions: Extensions = (),
        capabilities: Capabilities | None = None,
        lifetime_s: int = DEFAULT_LIFETIME_S,
        now_ms: int,
        rng: Rng,
    ) -> "Group":
        """Begin a group with ourselves as only member.

        Args:
            suite: Its cipher suite, for good.
            group_id: Its name; never used before.
            signer: The device's key.
            identity: Content of our basic credential.
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
    def load(cls, source: RowSource) -> "Group":
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
        now_ms: int | None,
        max_lifetime_s: int | None = MAX_LIFETIME_S,
    ) -> "Group":
        """Join by a Welcome, after all checks of RFC 9420 §12.4.3.1 (Joining via Welcome Message).

        That no other group of ours has this id, and that the members are who they claim to be, is
        for the caller to check before anything is stored.

        Args:
            welcome: The MLSMessage.
            bundle: The key package it is for. Delete it afterwards, unless it is the last resort.
            ratchet_tree: The tree, if it does not come with the Welcome.
            psks: External pre-shared keys by their ids.
            now_ms: The moment to judge the members' lifetimes by; None leaves their ends unchecked,
                which suits groups older than the key packages their members came with.
            max_lifetime_s: Longest total lifetime of a member's leaf; None: no limit.

        Raises:
            PeerError: It breaks a rule; the sub-class says which.
        """
        state = join_group(
            welcome,
            bundle,
            ratchet_tree=ratchet_tree,
            psks=_psk_store(psks),
            now_ms=now_ms,
            max_lifetime_s=max_lifetime_s,
        )
        return cls(state)

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
        max_lifetime_s: int | None = MAX_LIFETIME_S,
    ) -> Received:
        """Decrypt and verify one message. Nothing changes unless it is genuine and valid.

        A commit is staged only: judge it, then ``merge``. Until then its key can be used again.

        Args:
            message: The MLSMessage.
            now_ms: The moment to judge lifetimes in a commit by, the same for all members: the
                relay's time of the message. None leaves their ends unchecked.
            psks: External pre-shared keys by their ids, for commits.
            max_lifetime_s: Longest total lifetime of an added client's leaf; None: no limit.

        Raises:
            DuplicateMessageError: It was received before.
            EpochInFutureError: Keep it until the commits before it came.
            EpochTooOldError: Its keys are deleted.
            PeerError: It was refused; other sub-classes say why.
        """
        self._state.check_member()
        decoded = decode_message(message)
        if isinstance(decoded, PrivateMessage):
            genuine = open_private(self._state, decoded)
            if isinstance(genuine.opened.body, bytes):
                return self._application(genuine, genuine.opened.body)
            return self._private_handshake(genuine, LifetimePolicy(now_ms, max_lifetime_s), psks)
        if isinstance(decoded, PublicMessage):
            authenticated, lifetimes = (
                open_public(self._state, decoded),
                LifetimePolicy(now_ms, max_lifetime_s),
            )
            return self._handshake(authenticated, None, lifetimes, psks)
        raise MalformedMessageError("not a message within a group")

    def _application(self, genuine: Genuine, data: bytes) -> ApplicationMessage:
        opened = genuine.opened
        genuine.keys.tree.consume(opened.step)
        return ApplicationMessage(
            genuine.sender,
            genuine.keys.epoch,
            opened.step.generation,
            opened.authenticated_data,
            data,
        )

    def _private_handshake(
        self, genuine: Genuine, lifetimes: LifetimePolicy, psks: Mapping[bytes, bytes]
    ) -> Received:
        step = genuine.opened.step
        authenticated = handshake_of(self._state, genuine)
        received = self._handshake(authenticated, (step.leaf, step.generation), lifetimes, psks)
        if isinstance(received, ReceivedProposal):
            genuine.keys.tree.consume(step)
        return received

    def _handshake(
        self,
        authenticated: AuthenticatedContent,
        key: tuple[int, int] | None,
        lifetimes: LifetimePolicy,
        psks: Mapping[bytes, bytes],
    ) -> Received:
        state, content = self._state, authenticated.content
        if isinstance(content.body, bytes | Commit):
            return stage_commit(
                state, authenticated, psks=_psk_store(psks), lifetimes=lifetimes, key=key
            )
        if state.current.suspended:
            raise InvalidProposalError("the group was closed by a reinit")
        check_proposal(content.body, state.suite)
        ref = proposal_ref(state.suite, authenticated)
        sent = SentProposal(content.body, content.sender, ref)
        check_alone(state.tree, state.context.group_id, sent)
        state.pending.add(PendingProposal(ref, sent))
        leaf = content.sender.index
        sender = Member.of(leaf, state.tree.member(leaf))
        return ReceivedProposal(sender, content.body, ref, content.authenticated_data)

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
        padding: PaddingPolicy = bucketed,
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
            padding: Says how many zero bytes to append.

        Raises:
            PeerError: A proposal breaks a rule; the sub-class says which.
            UsageError: We may not send; sub-classes say why.
        """
        options = CommitOptions(
            now_ms=now_ms,
            padding=padding,
            authenticated_data=authenticated_data,
            include_pending=include_pending,
            path=path,
            with_tree=with_tree,
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

    def drop_past_epochs(self, now_ms: int) -> None:
        """Delete the keys of epochs that ended more than 48 hours ago."""
        self._state.check_member()
        self._state.drop_past_epochs(now_ms)


def _psk_store(external: Mapping[bytes, bytes]) -> PskStore:
    return PskStore({psk_id: Psk(value) for psk_id, value in external.items()}, {})
