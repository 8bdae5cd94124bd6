"""What a group hands out when a message proved to be genuine."""

from dataclasses import dataclass, field

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


Received = ApplicationMessage | ReceivedProposal | StagedCommit
