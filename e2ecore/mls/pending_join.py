"""Our own external commit while the relay decides: it survives a restart, with all its keys.

Spec: RFC 9420 §12.4.3.2 (Joining via External Commits).
"""

from dataclasses import dataclass
from typing import Final

from e2ecore.crypto.suites import SUITES, CipherSuite
from e2ecore.errors import CorruptStateError
from e2ecore.mls.codec import Reader, opaque, u8, u16, u32
from e2ecore.mls.errors import MlsError
from e2ecore.mls.next_epoch_row import encode_next, read_next
from e2ecore.mls.ratchet_tree import RatchetTree
from e2ecore.mls.staged import NextEpoch

_FORMAT: Final = 1


@dataclass(frozen=True, slots=True, repr=False)
class PendingJoin:
    """An external commit of ours that the relay has not placed yet.

    If another commit ends the epoch first it is void: make a new one from the newer GroupInfo.

    Attributes:
        commit: The MLSMessage for the members.
        suite: The group's cipher suite.
        own_leaf: The leaf index we shall have.
        first: The epoch that begins when it is accepted.
    """

    commit: bytes
    suite: CipherSuite
    own_leaf: int
    first: NextEpoch

    @property
    def group_id(self) -> bytes:
        """The name of the group that we want to join."""
        return self.first.context.group_id

    @property
    def epoch(self) -> int:
        """The epoch that the commit ends."""
        return self.first.context.epoch - 1

    def encode(self) -> bytes:
        """Return everything, private keys in clear, for the encrypted database only."""
        head = u8(_FORMAT) + u16(self.suite.code) + u32(self.own_leaf)
        return head + opaque(self.commit) + encode_next(self.first)

    @classmethod
    def decode(cls, data: bytes) -> "PendingJoin":
        """Read what ``encode`` made.

        Raises:
            CorruptStateError: ``encode`` did not make it.
        """
        reader = Reader(data)
        try:
            form, suite, own_leaf = reader.u8(), SUITES.get(reader.u16()), reader.u32()
            if form != _FORMAT or suite is None:
                raise CorruptStateError("a pending join of another version")
            commit = reader.opaque()
            first = read_next(reader, RatchetTree(suite))
            reader.done()
        except MlsError as error:
            raise CorruptStateError("a pending join does not decode") from error
        first.tree.settle()
        return cls(commit, suite, own_leaf, first)
