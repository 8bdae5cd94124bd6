"""Proposals of the current epoch that a commit may name.

Spec: RFC 9420 §12.1 (Proposals).
"""

from dataclasses import dataclass
from typing import Final

from e2ecore.crypto.hpke import HpkePrivateKey
from e2ecore.crypto.suites import CipherSuite
from e2ecore.mls import rows
from e2ecore.mls.codec import Reader, decode_all, opaque, optional
from e2ecore.mls.errors import InvalidProposalError
from e2ecore.mls.framing import AuthenticatedContent, Sender
from e2ecore.mls.labels import ref_hash
from e2ecore.mls.proposals import encode_proposal, read_proposal
from e2ecore.mls.rows import Rows
from e2ecore.mls.staged import SentProposal

MAX_PENDING: Final = 4096
"""Proposals of one epoch that are kept: two for each device of the largest group."""

REFERENCE_LABEL: Final = "MLS 1.0 Proposal Reference"
"""Label of references (RFC 9420 §5.2 (Hash-Based Identifiers))."""


def proposal_ref(suite: CipherSuite, authenticated: AuthenticatedContent) -> bytes:
    """Return the name of a proposal: the hash of the message that carried it."""
    return ref_hash(suite, REFERENCE_LABEL, authenticated.encode())


@dataclass(frozen=True, slots=True, repr=False)
class PendingProposal:
    """A proposal that was sent on its own.

    Attributes:
        key: The private key of the new leaf, if it is our own update.
    """

    ref: bytes
    sent: SentProposal
    key: HpkePrivateKey | None = None

    def encode(self) -> bytes:
        """Return the row."""
        key = None if self.key is None else opaque(self.key.raw)
        proposal = encode_proposal(self.sent.proposal)
        return opaque(self.ref) + self.sent.sender.encode() + proposal + optional(key)

    @classmethod
    def read(cls, reader: Reader) -> "PendingProposal":
        """Read the row."""
        ref, sender, proposal = reader.opaque(), Sender.read(reader), read_proposal(reader)
        raw = reader.optional(Reader.opaque)
        key = None if raw is None else HpkePrivateKey(raw)
        return cls(ref, SentProposal(proposal, sender, ref), key)


class PendingProposals:
    """The proposals of one epoch, in order of arrival."""

    __slots__ = ("_by_ref", "_epoch", "_rows")

    def __init__(self, store: Rows, epoch: int, *, begins: bool = False) -> None:
        """Open the proposals of an epoch; of one that ``begins`` there are none to read."""
        self._rows = store
        self._epoch = epoch
        self._by_ref: dict[bytes, PendingProposal] | None = {} if begins else None

    @property
    def by_ref(self) -> dict[bytes, PendingProposal]:
        """The proposals by their names. Do not change it."""
        if self._by_ref is None:
            stored = self._rows.scan(rows.PROPOSAL, self._epoch)
            pending = [decode_all(PendingProposal.read, value) for _, value in stored]
            self._by_ref = {item.ref: item for item in pending}
        return self._by_ref

    def add(self, item: PendingProposal) -> None:
        """Keep one more.

        Raises:
            InvalidProposalError: Too many are kept.
        """
        self.check_room()
        known = self.by_ref
        if item.ref not in known:
            self._rows.put((rows.PROPOSAL, self._epoch, len(known)), item.encode())
            known[item.ref] = item

    def check_room(self) -> None:
        """Refuse one more if too many are kept.

        Raises:
            InvalidProposalError: They are.
        """
        if len(self.by_ref) >= MAX_PENDING:
            raise InvalidProposalError("too many proposals wait for a commit")

    def clear(self) -> None:
        """Forget all of them."""
        for number in range(len(self.by_ref)):
            self._rows.delete((rows.PROPOSAL, self._epoch, number))
        self._by_ref = {}
