"""Our own commit while the relay decides: it survives a restart, with all its keys.

What comes back is merged exactly as if it had never been away. It is void as soon as another commit
was merged, and then cannot be decoded either.
"""

from dataclasses import dataclass
from typing import Final, Protocol

from e2ecore.errors import CorruptStateError
from e2ecore.mls.codec import Reader, opaque, optional, u8, u64, vector
from e2ecore.mls.errors import MlsError, StaleCommitError
from e2ecore.mls.extensions import encode_extensions, read_extensions
from e2ecore.mls.framing import Sender
from e2ecore.mls.group_state import GroupState
from e2ecore.mls.members import Member
from e2ecore.mls.next_epoch_row import encode_next, read_next
from e2ecore.mls.proposals import encode_proposal, read_proposal
from e2ecore.mls.staged import NextEpoch, SentProposal, StagedCommit

_FORMAT: Final = 1


class HasState(Protocol):
    """A group."""

    @property
    def state(self) -> GroupState:
        """What is mirrored."""
        ...


@dataclass(frozen=True, slots=True, repr=False)
class PendingCommit:
    """A commit of ours that the relay has not placed yet.

    Attributes:
        commit: The MLSMessage for the members.
        welcome: The MLSMessage for those it adds, to be delivered after the commit was accepted.
        staged: What to merge when it is accepted.
    """

    commit: bytes
    welcome: bytes | None
    staged: StagedCommit

    def encode(self) -> bytes:
        """Return everything, private keys in clear, for the encrypted database only."""
        welcome = None if self.welcome is None else opaque(self.welcome)
        head = u8(_FORMAT) + u64(self.staged.epoch)
        return head + opaque(self.commit) + optional(welcome) + _encode_staged(self.staged)

    @classmethod
    def decode(cls, data: bytes, group: HasState) -> "PendingCommit":
        """Read what ``encode`` made.

        Raises:
            StaleCommitError: The group is not in the epoch any more in which it was made.
            CorruptStateError: ``encode`` did not make it.
        """
        reader, state = Reader(data), group.state
        try:
            form, epoch = reader.u8(), reader.u64()
            if form != _FORMAT:
                raise CorruptStateError("a pending commit of another version")
            if epoch != state.epoch:
                raise StaleCommitError
            commit, welcome = reader.opaque(), reader.optional(Reader.opaque)
            staged = _read_staged(reader, state)
            reader.done()
        except MlsError as error:
            raise CorruptStateError("a pending commit does not decode") from error
        return cls(commit, welcome, staged)


def _encode_staged(staged: StagedCommit) -> bytes:
    extensions = staged.new_extensions
    return b"".join(
        (
            staged.committer.encode(),
            vector(map(_encode_sent, staged.proposals)),
            vector(map(Member.encode, staged.added)),
            vector(map(Member.encode, staged.removed)),
            vector(old.encode() + new.encode() for old, new in staged.updated),
            optional(None if extensions is None else encode_extensions(extensions)),
            optional(None if staged.next is None else encode_next(staged.next)),
        )
    )


def _read_staged(reader: Reader, state: GroupState) -> StagedCommit:
    def read_epoch(reader: Reader) -> NextEpoch:
        return read_next(reader, state.tree)

    return StagedCommit(
        epoch=state.epoch,
        committer=Member.read(reader),
        external=False,
        proposals=tuple(reader.vector(_read_sent)),
        added=tuple(reader.vector(Member.read)),
        removed=tuple(reader.vector(Member.read)),
        updated=tuple(reader.vector(_read_change)),
        new_extensions=reader.optional(read_extensions),
        self_removed=False,
        next=reader.optional(read_epoch),
        key=None,
    )


def _read_change(reader: Reader) -> tuple[Member, Member]:
    return Member.read(reader), Member.read(reader)


def _encode_sent(sent: SentProposal) -> bytes:
    ref = None if sent.ref is None else opaque(sent.ref)
    return sent.sender.encode() + optional(ref) + encode_proposal(sent.proposal)


def _read_sent(reader: Reader) -> SentProposal:
    sender, ref = Sender.read(reader), reader.optional(Reader.opaque)
    return SentProposal(read_proposal(reader), sender, ref)
