"""What the domain needs from storage to keep blobs: rows in a ledger, and bytes in a store.

Numbers (``blob``) are given by the table once and stay. Shares live in the table and nowhere else;
``doom`` destroys them in a way that leaves no copy in what the table has written before.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from enum import IntEnum
from typing import NamedTuple, Protocol

from e2ecore_protocol.frames.blobs import DeletionReceipt
from e2ecore_relay.domain.clock import Count


class Stage(IntEnum):
    """Where a blob stands."""

    UPLOADING = 0
    """Room was made; bytes may be coming."""
    COMPLETE = 1
    """All bytes are durable; recipients may fetch."""
    DOOMED = 2
    """The share is destroyed. Bytes and rows follow."""


class Blob(NamedTuple):
    """One blob without its share.

    Attributes:
        blob: Number.
        blob_id: Its name on the wire and in the store of bytes.
        lid: Log of the conversation that it is for.
        account: Of the sender.
        device: That made it.
        size: Bytes.
        expires_ms: As promised.
        due_ms: When the sweep takes it: the end of its upload, of its life; 0 once doomed.
        stage: Where it stands.
        reason: The DeletionReason if the sweep takes it now.
        recipients: Devices that it is or was for.
        waiting: Those of them that still need it.
        promise: The relay's signature.
    """

    blob: int
    blob_id: bytes
    lid: int
    account: int
    device: int
    size: int
    expires_ms: int
    due_ms: int
    stage: Stage
    reason: int
    recipients: int
    waiting: int
    promise: bytes


class Usage(NamedTuple):
    """What an account or a conversation takes up."""

    size: int
    blobs: int


class Grant(NamedTuple):
    """What a token stands for.

    Attributes:
        is_upload: For sending bytes, else for fetching them.
        until_ms: When it begins no more requests.
        is_used: Its device has acknowledged the blob.
    """

    blob: Blob
    is_upload: bool
    until_ms: int
    is_used: bool


class Kept(NamedTuple):
    """A receipt, and whose it is."""

    device: int
    receipt: DeletionReceipt


class BlobTable(Protocol):
    """Blobs, their shares, recipients, tokens and receipts."""

    def find(self, blob_ids: Collection[bytes]) -> dict[bytes, Blob]:
        """Return those that exist, doomed ones included."""
        ...

    def known(self, blob_ids: Collection[bytes]) -> set[bytes]:
        """Return which of these exist, doomed ones included."""
        ...

    def create(self, blob: Blob, share: bytes, token: bytes, recipients: Collection[int]) -> int:
        """Store a blob. Return its number.

        Args:
            blob: Number, recipients and waiting in it count for nothing.
            share: 32 random bytes.
            token: SHA-256 of the upload token.
            recipients: Devices.
        """
        ...

    def share(self, blob: int) -> bytes:
        """Return the share of a blob that is not doomed."""
        ...

    def renew_upload(self, blob: int, token: bytes) -> None:
        """Replace the SHA-256 of the upload token."""
        ...

    def prolong(self, blob: Blob) -> None:
        """Store ``due_ms`` and ``reason`` of a blob that is being uploaded."""
        ...

    def add_recipients(self, blob: int, devices: Collection[int]) -> None:
        """Add devices that are not recipients yet."""
        ...

    def waits(self, blob: int, device: int) -> bool | None:
        """Return whether a recipient still needs a blob; None for who is no recipient."""
        ...

    def grant(self, blob: int, device: int, token: bytes, until_ms: int) -> None:
        """Replace a recipient's fetch token, given as its SHA-256."""
        ...

    def granted(self, token: bytes) -> Grant | None:
        """Return what a token stands for, given its SHA-256."""
        ...

    def acknowledge(self, blob: int, device: int, signature: bytes) -> None:
        """Note that a recipient needs the blob no more."""
        ...

    def dismiss(self, device: int, lid: int | None) -> list[Blob]:
        """Make a device recipient of nothing more, in one log or in all.

        Returns:
            The complete blobs for which nobody waits now.
        """
        ...

    def complete(self, blob: int, due_ms: int) -> None:
        """All bytes are durable; the sweep takes it when it expires."""
        ...

    def doom(self, blobs: Sequence[tuple[int, int]]) -> None:
        """Destroy shares, given as pairs of blob and DeletionReason. The first reason stays."""
        ...

    def doom_account(self, account: int, reason: int) -> int:
        """Destroy the shares of all blobs of an account. Return how many."""
        ...

    def sent(self, account: int, lids: Collection[int]) -> list[Blob]:
        """Return what an account has sent to some conversations and is not doomed."""
        ...

    def due(self, now_ms: int, limit: int) -> list[Blob]:
        """Return blobs whose time is over and that are not doomed, the oldest first."""
        ...

    def doomed(self, limit: int, after: bytes = b"") -> list[Blob]:
        """Return doomed blobs, by their ids, from behind one on."""
        ...

    def bury(self, kept: Sequence[tuple[int, Kept]], forget_ms: int) -> None:
        """Replace doomed blobs, given by number, by their receipts, kept until ``forget_ms``."""
        ...

    def receipts(self, blob_ids: Collection[bytes]) -> list[DeletionReceipt]:
        """Return the receipts that are kept."""
        ...

    def forget_receipts(self, now_ms: int, limit: int) -> int:
        """Delete receipts that were kept long enough. Return how many."""
        ...

    def usage_of_account(self, account: int) -> Usage:
        """Return what the blobs of an account take up."""
        ...

    def usage_of_log(self, lid: int) -> Usage:
        """Return what the blobs for a conversation take up."""
        ...

    def after(self, blob: int, limit: int) -> list[Blob]:
        """Return complete blobs with higher numbers, in order: for walking through all."""
        ...

    def counted(self) -> Count | None:
        """Return the stored count of time."""
        ...

    def set_counted(self, count: Count) -> None:
        """Store the count of time."""
        ...

    def receipt_seed(self) -> bytes | None:
        """Return the seed of the key that signs promises and receipts."""
        ...

    def set_receipt_seed(self, seed: bytes) -> None:
        """Store the seed, once and for all."""
        ...


class BlobBytes(Protocol):
    """Where the bytes are. Knows blob ids, and nothing of accounts, devices or conversations."""

    def size(self, blob_id: bytes) -> int:
        """Return how many bytes there are; 0 if there are none."""
        ...

    def delete(self, blob_ids: Iterable[bytes]) -> set[bytes]:
        """Delete bytes. What is not there is passed over.

        Returns:
            Those that the disk did not let go of.
        """
        ...

    def names(self) -> Iterator[bytes]:
        """Yield the ids of all blobs that have bytes."""
        ...
