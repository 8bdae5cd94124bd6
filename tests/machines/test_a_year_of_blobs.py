"""A year of attachments in a few seconds: the real rules, on tables in memory and a virtual clock.

Clocks of the day are set wrongly and put right, processes and machines restart, sweeps die between
any two steps. What must come of it: nothing alive after its time, nothing deleted early, nothing
left over.
"""

import heapq
import random  # noqa: TID251  a year is made from one seed, as fast as it goes
from collections import Counter
from dataclasses import dataclass, field
from typing import Final, NamedTuple, cast

import pytest

from e2ecore_protocol.frames import AcknowledgeBlob, CreateBlob, DeletionReason, DeviceAddress
from e2ecore_protocol.limits import BLOB_LATE_S, MAX_CLOCK_DIFFERENCE_MS
from e2ecore_relay.domain import blob_sweep, blobs
from e2ecore_relay.domain.blob_ports import Stage
from e2ecore_relay.domain.blobs import MOST_TTL_S, BlobKeeper, BlobRules
from e2ecore_relay.domain.clock import BlobTime, Count, Reading, blob_time, count
from e2ecore_relay.domain.errors import RefusedError
from e2ecore_relay.domain.exchange import Exchange, Turn
from e2ecore_relay.domain.log import Log, LogKind, Reader
from e2ecore_relay.domain.ports import Ledger, StoredDevice
from tests.support.blob_table import MemoryBlobTable, MemoryBytes

pytestmark = pytest.mark.slow

ATTACHMENTS: Final = 100_000
DAYS: Final = 365
HOUR_MS: Final = 3_600_000
DAY_MS: Final = 24 * HOUR_MS
START_MS: Final = 1_800_000_000_000
SWEEP_MS: Final = HOUR_MS // 2
DOUBT_MS: Final = HOUR_MS
DEVICES: Final = 12


class World:
    """True time, and what the clocks make of it."""

    def __init__(self, rng: random.Random) -> None:
        self.now_ms = START_MS
        self.wrong_ms = 0
        self.boot = 1
        self.booted_ms = START_MS
        self._rng = rng
        self._right_again_ms = 0

    def reading(self) -> Reading:
        return Reading(
            self.now_ms + self.wrong_ms, self.now_ms - self.booted_ms, self.boot.to_bytes(4)
        )

    def meddle(self) -> bool:
        """Set clocks, and put them right within the hour. Return whether the relay restarts."""
        chance = self._rng.random()
        if self.wrong_ms and self.now_ms >= self._right_again_ms:
            self.wrong_ms = 0
        elif chance < 0.004:
            self.wrong_ms = self._rng.randrange(-400 * DAY_MS, 400 * DAY_MS)
            self._right_again_ms = self.now_ms + self._rng.randrange(DOUBT_MS)
        if chance > 0.999:
            self.now_ms += self._rng.randrange(3 * DAY_MS)
            self.boot += 1
            self.booted_ms = self.now_ms
            self.wrong_ms = 0
        return chance > 0.99


class _People:
    def live_devices(self, _accounts: list[int]) -> list[StoredDevice]:
        return PEOPLE


class _Ledger(NamedTuple):
    blobs: MemoryBlobTable
    accounts: _People


@dataclass
class _Logs:
    logs: dict[bytes, Log]
    notices: int = 0

    def log(self, _ledger: Ledger, name: bytes) -> Log | None:
        return self.logs.get(name)

    def post(self, *_notice: object) -> None:
        self.notices += 1


PEOPLE: Final = [
    StoredDevice(
        *(number, number, DeviceAddress(number.to_bytes(20), number.to_bytes(16)), bytes(32)),
        live=True,
    )
    for number in range(1, DEVICES + 1)
]


class _CrashError(Exception):
    pass


@dataclass
class Tally:
    """What came of the year."""

    made: int = 0
    reasons: Counter[int] = field(default_factory=Counter)
    early: int = 0
    late: int = 0
    crashes: int = 0


class Year:
    """One relay's year."""

    def __init__(self, seed: int, attachments: int) -> None:
        self.rng = random.Random(seed)
        self.world = World(self.rng)
        self.table, self.bytes = MemoryBlobTable(), MemoryBytes()
        self.tally = Tally()
        self.counted: Count = count(None, self.world.reading(), DOUBT_MS)
        self.table.set_counted(self.counted)
        self.logs = _Logs({self._name(number): self._log(number) for number in range(20)})
        rules = BlobRules(1 << 40, dict(MOST_TTL_S), 1 << 60, 1 << 40, 1 << 60)
        self.keeper = BlobKeeper(
            "relay", rules, 1, bytes(32), lambda _: bytes(64), self.rng.randbytes
        )
        self.expiries: list[tuple[int, bytes]] = []
        self.ended_by_people: set[bytes] = set()
        self.events: list[tuple[int, int, str, bytes, int]] = []
        for number in range(attachments):
            self._plan(self.rng.randrange(DAYS * DAY_MS), number, "make", b"", 0)

    def _name(self, number: int) -> bytes:
        return number.to_bytes(16)

    def _log(self, number: int) -> Log:
        devices = self.rng.sample(range(1, DEVICES + 1), self.rng.randrange(2, 6))
        readers = {device: Reader(device, 0) for device in devices}
        kind = LogKind.DIRECT if number % 2 else LogKind.GROUP
        return Log(number, self._name(number), kind, epoch=1, head=0, readers=readers)

    def _plan(self, at_ms: int, tie: int, what: str, blob_id: bytes, device: int) -> None:
        heapq.heappush(self.events, (START_MS + at_ms, tie, what, blob_id, device))

    def turn(self) -> Turn:
        ledger = cast("Ledger", _Ledger(self.table, _People()))
        return Turn(cast("Exchange", self.logs), ledger, self.world.now_ms)

    def time(self) -> BlobTime:
        reading = self.world.reading()
        return blob_time(count(self.counted, reading, DOUBT_MS), reading)

    # --- people ---------------------------------------------------------------------------------

    def happen(self, what: str, blob_id: bytes, device: int) -> None:
        if what == "make":
            self._make()
            return
        if blob_id not in self.table.find([blob_id]):
            return
        if what == "complete":
            blob = self.table.find([blob_id])[blob_id]
            self.bytes.sizes[blob_id] = blob.size
            blobs.completed(self.table, blob_id)
        elif what == "recall":
            self.ended_by_people.add(blob_id)
            blobs.recall(self.turn(), self.table.find([blob_id])[blob_id].account, blob_id)
        else:
            person = PEOPLE[device - 1]
            frame = AcknowledgeBlob(1, blob_id, bytes(64))
            if blobs.acknowledge(self.keeper, self.turn(), person, frame, lambda *_: None):
                self.ended_by_people.add(blob_id)

    def _make(self) -> None:
        """Make an attachment, and plan what people will do with it. Clients check the clock."""
        if abs(self.world.wrong_ms) > MAX_CLOCK_DIFFERENCE_MS:
            return
        log = self.rng.choice([*self.logs.logs.values()])
        sender = self.rng.choice(log.audience)
        blob_id = self.rng.randbytes(16)
        ttl_s = self.rng.randrange(3_600, MOST_TTL_S[LogKind(log.kind)])
        frame = CreateBlob(1, blob_id, log.name, self.rng.randrange(1, 1 << 20), ttl_s)
        made = blobs.create(self.keeper, self.turn(), self.time(), PEOPLE[sender - 1], frame)
        assert made.expires_ms <= self.world.now_ms + ttl_s * 1000
        self.tally.made += 1
        heapq.heappush(self.expiries, (made.expires_ms, blob_id))
        self.bytes.sizes[blob_id] = frame.size // 2
        at_ms = self.world.now_ms - START_MS
        if self.rng.random() < 0.97:
            self._plan(at_ms + self.rng.randrange(2 * HOUR_MS), 0, "complete", blob_id, 0)
        if self.rng.random() < 0.03:
            self._plan(at_ms + self.rng.randrange(5 * DAY_MS), 0, "recall", blob_id, 0)
        for device in {*log.audience} - {sender}:
            if self.rng.random() < 0.9:
                away_ms = int(self.rng.expovariate(1 / DAY_MS))
                self._plan(at_ms + 2 * HOUR_MS + away_ms, device, "acknowledge", blob_id, device)

    # --- the relay ------------------------------------------------------------------------------

    def sweep(self) -> None:
        """Sweep as the shell does, and die now and then between two steps."""
        try:
            while self._sweep_some():
                pass
        except _CrashError:
            self.tally.crashes += 1
            self.restart()

    def _sweep_some(self) -> bool:
        reading = self.world.reading()
        self.counted = count(self.counted, reading, DOUBT_MS)
        self.table.set_counted(self.counted)
        blob_sweep.condemn(self.table, blob_time(self.counted, reading), 500)
        doomed = self.table.doomed(500)
        for blob in doomed:
            self._check_not_early(blob.blob_id, blob.reason, blob.expires_ms)
        self._may_crash()
        names = [blob.blob_id for blob in doomed]
        half = len(names) // 2
        self.bytes.delete(names[:half])
        self._may_crash()
        self.bytes.delete(names[half:])
        self._may_crash()
        for receipt in blob_sweep.bury(self.keeper, self.turn(), self.time(), doomed):
            self.tally.reasons[receipt.reason] += 1
            assert self.bytes.size(receipt.blob_id) == 0
        self._may_crash()
        self.table.forget_receipts(self.counted.now_ms, 500)
        return len(doomed) == 500

    def _may_crash(self) -> None:
        if self.rng.random() < 0.002:
            raise _CrashError

    def restart(self) -> None:
        """What was only in memory is gone; stray bytes come back from a copy."""
        stored = self.table.counted()
        assert stored is not None
        self.counted = stored
        self.bytes.sizes[self.rng.randbytes(16)] = 5
        names = list(self.bytes.names())
        self.bytes.delete(blob_sweep.orphans(self.table, names))
        complete = self.table.after(0, 1 << 40)
        blob_sweep.give_up(self.table, blob_sweep.lost(self.bytes, complete))

    def _check_not_early(self, blob_id: bytes, reason: int, expires_ms: int) -> None:
        by_time = reason in {DeletionReason.EXPIRED, DeletionReason.LOST}
        if by_time and blob_id not in self.ended_by_people:
            self.tally.early += self.world.now_ms < expires_ms

    def _check_not_late(self) -> None:
        """Nothing lives longer than BLOB_LATE_S after its time, while the relay runs."""
        late_ms = BLOB_LATE_S * 1000
        if self.world.now_ms - self.world.booted_ms < late_ms:
            return
        while self.expiries and self.expiries[0][0] + late_ms <= self.world.now_ms:
            _, blob_id = heapq.heappop(self.expiries)
            found = self.table.find([blob_id]).get(blob_id)
            self.tally.late += found is not None and found.stage is not Stage.DOOMED

    def run(self) -> None:
        """Live through the year, and until the last one is over."""
        end_ms = START_MS + (DAYS + 101) * DAY_MS
        while self.world.now_ms < end_ms:
            self.world.now_ms += SWEEP_MS
            while self.events and self.events[0][0] <= self.world.now_ms:
                _, _, what, blob_id, device = heapq.heappop(self.events)
                self.happen(what, blob_id, device)
            if self.world.meddle():
                self.restart()
            self.sweep()
            self._check_not_late()


@pytest.mark.clause("GB42012-8.1.1e")
@pytest.mark.parametrize("seed", [1])
def test_a_year_leaves_nothing_alive_nothing_lost_and_nothing_over(seed: int) -> None:
    year = Year(seed, ATTACHMENTS)
    year.run()
    tally = year.tally
    assert tally.made > 0.95 * ATTACHMENTS
    assert (tally.early, tally.late) == (0, 0)
    assert year.table.rows == {}
    assert year.bytes.sizes == {}
    assert sum(tally.reasons.values()) == tally.made
    assert tally.crashes > 10
    assert {*tally.reasons} >= {
        DeletionReason.ALL_FETCHED,
        DeletionReason.RECALLED,
        DeletionReason.EXPIRED,
        DeletionReason.UNFINISHED,
    }
    assert tally.reasons[DeletionReason.LOST] == 0, "no restart loses what is whole"


def test_what_is_gone_is_refused_by_the_later_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """While the clock of the day is in doubt nothing is destroyed, and nothing is handed out."""
    year = Year(5, 1)
    monkeypatch.setattr(year, "_plan", lambda *_: None)
    year._make()
    (row,) = year.table.rows.values()
    blobs.completed(year.table, row.blob.blob_id)
    year.world.wrong_ms = 200 * DAY_MS
    year.world.now_ms += SWEEP_MS
    year.sweep()
    (row,) = year.table.rows.values()
    assert row.share
    assert blobs.is_gone(row.blob, year.time())
    year.world.wrong_ms = 0
    assert not blobs.is_gone(row.blob, year.time())
    with pytest.raises(RefusedError):
        blobs.recall(year.turn(), 99, row.blob.blob_id)
