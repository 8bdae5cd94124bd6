"""A family at a relay's desk: the domain on a real database, without sockets."""

import pytest

from e2ecore_protocol.chain.bodies import Body
from e2ecore_protocol.chain.entry import Entry, device_id_of
from e2ecore_protocol.errors import ErrorCode
from e2ecore_protocol.frames.conversations import DeviceAddress
from e2ecore_protocol.frames.guardians import Guardianship, MarkMinor
from e2ecore_protocol.guardians import GuardianDocument
from e2ecore_relay.domain import accounts, guardians
from e2ecore_relay.domain.blobs import BlobKeeper, BlobRules
from e2ecore_relay.domain.errors import RefusedError
from e2ecore_relay.server.authentication import verify
from tests.support.families import Family
from tests.support.raw_client import KeyPair, Person
from tests.support.relay_desk import START_MS, Desk

DAY_MS = 86_400_000
NEEDED = ErrorCode.GUARDIAN_REQUIRED
INVALID = ErrorCode.GUARDIAN_INVALID
RANDOM = bytes(10)
KEEPER = BlobKeeper("relay", BlobRules(1, {}, 1, 1, 1), 1, bytes(32), lambda _: bytes(64), bytes)


class Home(Family):
    """A family at a relay's desk."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(START_MS)
        self.desk = desk
        for one in (self.ward, self.guardian):
            self.register(one)

    def sibling(self, name: str) -> "Home":
        """Another ward of the same guardian."""
        other = Home.__new__(Home)
        Family.__init__(other, START_MS)
        other.desk, other.guardian, other.ward.handle = self.desk, self.guardian, name
        other.register(other.ward)
        return other

    def register(self, person: Person) -> None:
        with self.desk.turn() as turn:
            entries = [one.encode() for one in person.entries[:2]]
            accounts.register(turn, entries, person.handle, verify)

    def mark(self, days: int = 100, who: Person | None = None) -> None:
        with self.desk.turn() as turn:
            until_ms = self.desk.now_ms + days * DAY_MS
            frame = MarkMinor(1, until_ms)
            guardians.mark(turn, (who or self.ward).account_id, frame, RANDOM)

    def submit(self, document: GuardianDocument, by: Person | None = None) -> list[int]:
        sender = (by or self.guardian).account_id
        with self.desk.turn() as turn:
            return guardians.submit(turn, sender, document.encode(), verify, RANDOM).lapsed

    def append(self, *entries: Entry, who: Person | None = None) -> None:
        with self.desk.turn() as turn:
            account_id = (who or self.ward).account_id
            accounts.append(KEEPER, turn, account_id, [one.encode() for one in entries], verify)

    def tries(self, body: Body) -> None:
        """Append without remembering: it is expected to be refused."""
        self.append(self.ward.entry(body))

    def shows(self, who: Person | None = None) -> Guardianship:
        account_id = (who or self.ward).account_id
        return guardians.show(self.desk.ledger, 1, account_id, self.desk.now_ms)

    def usable(self, device: KeyPair) -> bool:
        address = DeviceAddress(self.ward.account_id, device_id_of(device.public))
        try:
            accounts.usable_device(self.desk.ledger, address, self.desk.now_ms)
        except RefusedError:
            return False
        return True


def refused(code: ErrorCode) -> "pytest.RaisesExc[RefusedError]":
    """Expect that the relay says no, and why."""
    return pytest.RaisesExc(RefusedError, check=lambda error: error.code is code)
