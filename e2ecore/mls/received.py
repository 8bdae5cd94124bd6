"""What a group hands out when a message proved to be genuine."""

from dataclasses import dataclass, field

from e2ecore.mls.external_senders import ExternalSender
from e2ecore.mls.members import Member
from e2ecore.mls.proposals import Proposal
from e2ecore.mls.staged import StagedCommit


@dataclass(frozen=True, slots=True)
class ApplicationMessage:
    """Decrypted application data, and who proved to have sent it.

    Attributes:
        sender: As of the epoch in which it was sent.
        generation: Its place among the sender's messages of that epoch. The sender does not sign
            it: for an order that no member can forge, put a counter into ``authenticated_data``.
    """

    sender: Member
    epoch: int
    generation: int
    authenticated_data: bytes
    data: bytes = field(repr=False)

    @property
    def sender_leaf(self) -> int:
        """The sender's leaf index in that epoch."""
        return self.sender.leaf


@dataclass(frozen=True, slots=True)
class ReceivedProposal:
    """A proposal that is now kept for a commit to name.

    Attributes:
        ref: Its name.
    """

    sender: Member
    proposal: Proposal
    ref: bytes
    authenticated_data: bytes


@dataclass(frozen=True, slots=True)
class OutsideProposal:
    """A proposal from outside of the group that is now kept for a commit to name.

    Spec: RFC 9420 §12.1.8 (External Proposals). Nothing comes of it unless a member commits it:
    judge it, and ``discard_proposals`` if it is not wanted.

    Attributes:
        sender: The listed sender; None for a client that asks to be added.
        ref: Its name.
    """

    sender: ExternalSender | None
    proposal: Proposal
    ref: bytes
    authenticated_data: bytes


Received = ApplicationMessage | ReceivedProposal | OutsideProposal | StagedCommit
