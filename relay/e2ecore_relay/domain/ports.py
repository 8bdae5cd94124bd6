"""What the domain needs from storage, at the level of batches: one call for many rows.

A *ledger* is one open, durable, all-or-nothing transaction; several requests of several devices
share it. The embedded backend implements it on SQLCipher; others may follow and must pass the same
suite (tests/contracts). Numbers (``device``, ``account``, ``lid``) are given by the store once and
stay.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol, TypeAlias

from e2ecore_protocol.frames.accounts import ChainHead
from e2ecore_protocol.frames.conversations import ConversationState, DeviceAddress
from e2ecore_relay.domain.blob_orders import OrderTable
from e2ecore_relay.domain.blob_ports import BlobTable
from e2ecore_relay.domain.feed import Entry, Span, Unread
from e2ecore_relay.domain.guardian_ports import GuardianTable, MinorOrderTable
from e2ecore_relay.domain.log import Hole, Log


class StoredAccount(NamedTuple):
    """One account without its entries."""

    account: int
    account_id: bytes
    handle: str | None
    head_seq: int
    head_hash: bytes
    closed: bool


class StoredDevice(NamedTuple):
    """One device of an account chain, live or removed."""

    device: int
    account: int
    address: DeviceAddress
    key: bytes
    live: bool


class NewEntry(NamedTuple):
    """One chain entry to be stored."""

    seq: int
    hash: bytes
    entry: bytes


Answers: TypeAlias = Mapping[int, Mapping[bytes, tuple[int, int]]]
"""Answers to accepted envelopes: by device and envelope id, the seq and the time."""


class Page(NamedTuple):
    """What the store holds of one span, for one device.

    ``scanned`` is the highest number looked at: everything up to it is in ``entries``, was the
    device's own, must not be seen by it, or is gone.
    """

    log_id: bytes
    entries: list[Entry]
    scanned: int


class AccountTable(Protocol):
    """Accounts, their chains, their devices."""

    def find(self, account_ids: Collection[bytes]) -> dict[bytes, StoredAccount]:
        """Return those that exist."""
        ...

    def by_handle(self, handle: str) -> StoredAccount | None:
        """Return the account that has a handle."""
        ...

    def create(self, head: ChainHead, handle: str | None, created_ms: int) -> int:
        """Store a new account without entries. Return its number."""
        ...

    def extend(self, account: int, entries: Sequence[NewEntry], *, closed: bool) -> None:
        """Add entries behind the head."""
        ...

    def entries(self, account: int, from_seq: int, limit: int) -> list[bytes]:
        """Return encoded entries in order."""
        ...

    def add_device(self, account: int, device_id: bytes, key: bytes, now_ms: int) -> int:
        """Store a live device. Return its number."""
        ...

    def remove_devices(self, devices: Iterable[int], now_ms: int) -> None:
        """Mark devices as removed."""
        ...

    def devices(self, addresses: Collection[DeviceAddress]) -> dict[DeviceAddress, StoredDevice]:
        """Return those that exist, live or not."""
        ...

    def live_devices(self, accounts: Collection[int]) -> list[StoredDevice]:
        """Return all live devices of some accounts."""
        ...


class Fresh(NamedTuple):
    """Key packages published at these times (relay's clock) or later can still be handed out."""

    one_time_ms: int
    last_resort_ms: int


class KeyPackageTable(Protocol):
    """Key packages waiting to be claimed."""

    def publish(self, device: int, packages: Sequence[bytes], most: int, now_ms: int) -> None:
        """Add one-time packages that are not there yet; drop the oldest beyond ``most``."""
        ...

    def set_last_resort(self, device: int, package: bytes, now_ms: int) -> None:
        """Replace the package that is handed out when no other is left."""
        ...

    def claim(self, devices: Collection[int]) -> dict[int, bytes]:
        """Take one package for each device: one-time if any, else its last resort."""
        ...

    def claim_one_time(self, device: int, most: int) -> list[bytes]:
        """Take the oldest one-time packages of a device, so many at most."""
        ...

    def count(self, devices: Collection[int]) -> dict[int, int]:
        """Return how many one-time packages wait for each of the devices."""
        ...

    def forget(self, devices: Collection[int], fresh: Fresh) -> None:
        """Delete the packages of these devices that are not fresh any more."""
        ...

    def discard(self, devices: Iterable[int]) -> None:
        """Delete all packages of devices that are gone."""
        ...


class LogTable(Protocol):
    """Logs, routes, envelopes, and the answers already given."""

    def load(self, names: Collection[bytes]) -> list[Log]:
        """Return the logs that exist, by name."""
        ...

    def load_numbers(self, lids: Collection[int]) -> list[Log]:
        """Return the logs that exist, by number."""
        ...

    def create(self, name: bytes, kind: int, epoch: int) -> int:
        """Store an empty log. Return its number."""
        ...

    def answers(self, device: int, envelope_ids: Iterable[bytes]) -> dict[bytes, tuple[int, int]]:
        """Return first answers to a device, by envelope id."""
        ...

    def append(self, batches: Iterable[tuple[int, Sequence[Entry]]], answers: Answers) -> None:
        """Store envelopes, given as log and entries, and the answers that a repeat will get."""
        ...

    def share(self, payload: bytes, readers: int) -> int:
        """Store one payload for many envelopes. Return its number."""
        ...

    def set_epoch(self, lid: int, epoch: int) -> None:
        """Begin an epoch."""
        ...

    def admit(self, lid: int, devices: Iterable[int], cursor: int, holes: Iterable[Hole]) -> None:
        """Add readers; devices with a hole are readers again."""
        ...

    def succeed(self, lid: int, device: int, cursor: int, now_ms: int) -> None:
        """Add a reader behind ``cursor`` whose place is vacant since ``now_ms``."""
        ...

    def seat(self, lid: int, devices: Iterable[int]) -> None:
        """The places of these readers are vacant no more."""
        ...

    def dismiss(self, lid: int, devices: Iterable[int], until: int) -> None:
        """End memberships behind ``until``."""
        ...

    def drop_readers(self, readers: Iterable[tuple[int, int]]) -> None:
        """Forget readers, given as pairs of log and device."""
        ...

    def move_cursors(self, cursors: Iterable[tuple[int, int, int]]) -> None:
        """Move cursors, given as (log, device, cursor)."""
        ...

    def forget(self, floors: Iterable[tuple[int, int, int]]) -> None:
        """Delete envelopes, given as (log, floor, head): at or below the floor of a log."""
        ...

    def unread(self, device: int) -> list[Unread]:
        """Return the logs where something waits for a device; its inbox first."""
        ...

    def routes_of(self, device: int) -> list[int]:
        """Return the numbers of all logs that a device reads."""
        ...

    def conversations(self, device: int) -> list[ConversationState]:
        """Return the conversations that a device is a member of, ordered by id."""
        ...

    def count_conversations(self, devices: Collection[int]) -> dict[int, int]:
        """Return in how many routes each of the devices is."""
        ...

    def expire(self, now_ms: int, answers_before_ms: int, limit: int) -> tuple[int, int]:
        """Turn expired envelopes into gaps, and delete old answers; at most ``limit`` of each.

        Returns:
            How many envelopes expired, and how many answers were deleted.
        """
        ...


class Ledger(Protocol):
    """One open transaction."""

    @property
    def accounts(self) -> AccountTable:
        """Accounts, their chains, their devices."""
        ...

    @property
    def key_packages(self) -> KeyPackageTable:
        """Key packages waiting to be claimed."""
        ...

    @property
    def logs(self) -> LogTable:
        """Logs, routes, envelopes, answers."""
        ...

    @property
    def blobs(self) -> BlobTable:
        """Blobs, their shares, recipients, tokens and receipts."""
        ...

    @property
    def guardians(self) -> GuardianTable:
        """Marks of accounts, links, approvals and endings."""
        ...

    @property
    def orders(self) -> OrderTable:
        """What the operator has ordered deleted."""
        ...

    @property
    def minor_orders(self) -> MinorOrderTable:
        """What the operator has decided of marks of children."""
        ...


class PageReader(Protocol):
    """Reads committed envelopes, beside the transaction."""

    def read(self, device: int, spans: Sequence[Span], items: int, size: int) -> list[Page]:
        """Read spans in order until a bound is reached; at least one envelope if there is one.

        Only what the device may see: it must be a reader of the log.

        Args:
            device: Who reads.
            spans: What to read.
            items: Most envelopes of all pages together.
            size: Bytes after which no further envelope is added.
        """
        ...
