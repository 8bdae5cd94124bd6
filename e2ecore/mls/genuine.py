"""Who wrote a message that was refused: the member whose signature it bears, if it bears one."""

from e2ecore.errors import PeerError
from e2ecore.mls.members import Member
from e2ecore.mls.message import decode_message
from e2ecore.mls.pending_commit import HasState
from e2ecore.mls.private_message import PrivateMessage
from e2ecore.mls.receiving import open_private


def genuine_sender(group: HasState, message: bytes) -> Member | None:
    """Return who has signed a PrivateMessage of the current epoch. Nothing changes.

    Args:
        group: The group that it was sent to.
        message: The MLSMessage, whatever else is wrong with it.

    Returns:
        None if it cannot be decrypted here or bears no member's signature: then the relay may have
        damaged it, or its sender may have made it so.
    """
    try:
        decoded = decode_message(message)
        if not isinstance(decoded, PrivateMessage):
            return None
        return open_private(group.state, decoded).sender
    except PeerError:
        return None
