"""A relay's domain on a real SQLCipher database, without threads, sockets and tasks."""

import os
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from e2ecore_protocol.frames import (
    ChainHead,
    Commit,
    Committed,
    Delivery,
    DeviceAddress,
    Envelope,
    EnvelopeKind,
    make_envelope_id,
)
from e2ecore_protocol.frames.delivery import Deliver
from e2ecore_protocol.limits import MAX_ENVELOPE_LIFETIME_S
from e2ecore_relay.backends.sqlite.connection import StoreError
from e2ecore_relay.backends.sqlite.database import open_database
from e2ecore_relay.backends.sqlite.journal import GENERATION_S, Journal
from e2ecore_relay.backends.sqlite.ledger import SqliteLedger
from e2ecore_relay.backends.sqlite.pages import SqlitePages
from e2ecore_relay.domain import membership
from e2ecore_relay.domain.exchange import Answer, Exchange, Push, Turn
from e2ecore_relay.domain.feed import Span, Unread
from e2ecore_relay.domain.ports import StoredDevice
from e2ecore_relay.server.delivering import deliver_frames

START_MS = 1_800_000_000_000


class Desk:
    """Runs requests one transaction at a time."""

    def __init__(self, folder: Path) -> None:
        self.now_ms = START_MS
        self._waited_s = 0.0
        self.database = open_database(folder, os.urandom)
        self.connection = self.database.writer()
        self.reader = self.database.reader()
        self.pushes: list[Push] = []
        self.start()

    def start(self) -> None:
        """Begin with nothing in memory, as after a restart."""
        self.journal = Journal(self.connection)
        self.journal.reload()
        self.ledger = SqliteLedger(self.connection, self.journal)
        self.exchange = Exchange()

    def close(self) -> None:
        self.connection.close()
        self.reader.close()
        self.database.close()

    @contextmanager
    def turn(self) -> Iterator[Turn]:
        """One transaction; a failure rolls it back and drops what was in memory."""
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            yield Turn(self.exchange, self.ledger, self.now_ms)
            self.exchange.write(self.ledger)
            self.journal.move_on(self.clock, self.now_ms)
            self.connection.execute("COMMIT")
            self.journal.committed()
        except BaseException:
            self.exchange.forget()
            with suppress(StoreError):  # SQLite rolls back by itself when the disk is full
                self.connection.execute("ROLLBACK")
            self.journal.reload()
            raise
        self.pushes += self.exchange.committed()

    @property
    def clock(self) -> float:
        """Seconds, by which the journal ages: those of the clock it notes its beginnings by."""
        return time.monotonic() + self._waited_s

    def pass_time(self, seconds: float) -> None:
        self._waited_s += seconds
        self.now_ms += int(seconds * 1000)

    def settle(self) -> None:
        """Move everything out of the journal."""
        while not self.journal.is_empty:
            self.pass_time(GENERATION_S)
            with self.turn():
                pass

    # --- shorthand ------------------------------------------------------------------------------

    def device(self) -> StoredDevice:
        """Make an account with one device."""
        with self.turn() as (_, ledger, now_ms):
            account_id, device_id, key = os.urandom(20), os.urandom(16), os.urandom(32)
            account = ledger.accounts.create(ChainHead(account_id, 0, bytes(32)), None, now_ms)
            device = ledger.accounts.add_device(account, device_id, key, now_ms)
            address = DeviceAddress(account_id, device_id)
            return StoredDevice(device, account, address, key, live=True)

    def envelope_id(self) -> bytes:
        return make_envelope_id(self.now_ms, os.urandom(10))

    def envelope(
        self,
        conversation: bytes,
        payload: bytes = b"ciphertext",
        *,
        epoch: int = 1,
        kind: int = EnvelopeKind.APPLICATION,
        lifetime_s: int = MAX_ENVELOPE_LIFETIME_S,
        envelope_id: bytes | None = None,
    ) -> Envelope:
        return Envelope(
            conversation, envelope_id or self.envelope_id(), kind, epoch, lifetime_s, payload
        )

    def submit(self, sender: StoredDevice, *envelopes: Envelope) -> list[Answer]:
        with self.turn() as (exchange, ledger, now_ms):
            exchange.prepare(ledger, [envelopes])
            return exchange.submit(ledger, sender.device, envelopes, now_ms)

    def commit(
        self,
        sender: StoredDevice,
        conversation: bytes,
        epoch: int,
        *,
        create: int | None = None,
        added: Sequence[StoredDevice] = (),
        removed: Sequence[StoredDevice] = (),
        envelope_id: bytes | None = None,
        welcome: bytes = b"welcome",
    ) -> Committed:
        frame = Commit(
            1,
            conversation,
            envelope_id or self.envelope_id(),
            epoch,
            b"commit",
            create,
            tuple([device.address for device in added]),
            tuple([device.address for device in removed]),
            welcome if added else None,
        )
        with self.turn() as turn:
            return membership.commit(turn, sender, frame)

    def acknowledge(self, device: StoredDevice, cursors: dict[int, int]) -> None:
        self.exchange.note_progress(device.device, cursors)
        with self.turn() as (exchange, ledger, _):
            exchange.store_progress(ledger)

    def unread(self, device: StoredDevice) -> list[Unread]:
        with self.turn() as (exchange, ledger, _):
            return exchange.connect(ledger, device.device)

    def read(self, device: StoredDevice) -> list[Delivery]:
        """Return everything that waits for a device, without acknowledging it."""
        waiting: list[Delivery] = []
        for unread in self.unread(device):
            waiting += self.read_span(device, unread)
        return waiting

    def read_span(self, device: StoredDevice, unread: Unread) -> list[Delivery]:
        found: list[Delivery] = []
        after = unread.cursor
        while after < unread.head:
            span = Span(unread.lid, unread.log_id, after, unread.head)
            (page,) = SqlitePages(self.reader, self.journal).read(device.device, [span], 7, 1 << 20)
            assert page.scanned > after
            found += decode_items(
                [item for _, sender, item, _, _ in page.entries if sender != device.device]
            )
            after = page.scanned
        return found


def decode_items(items: Iterable[bytes]) -> list[Delivery]:
    """Decode encoded delivery items as a client would."""
    return [
        delivery
        for frame in deliver_frames(list(items))
        for delivery in Deliver.decode(frame).deliveries
    ]
