"""Blobs at a relay's desk: its domain on a table in memory."""

import os
from dataclasses import dataclass, field
from typing import Final, NamedTuple, cast

from e2ecore_protocol.frames import (
    AcknowledgeBlob,
    BlobCreated,
    CreateBlob,
    DeviceAddress,
    FetchBlob,
)
from e2ecore_relay.domain import blob_sweep, blobs
from e2ecore_relay.domain.blob_ports import Blob
from e2ecore_relay.domain.blobs import MOST_TTL_S, BlobKeeper, BlobRules
from e2ecore_relay.domain.clock import BlobTime
from e2ecore_relay.domain.coverage import Covered
from e2ecore_relay.domain.errors import BadSignatureError
from e2ecore_relay.domain.exchange import Exchange, Turn
from e2ecore_relay.domain.log import Log, LogKind, Reader
from e2ecore_relay.domain.ports import Ledger, StoredDevice
from tests.support.blob_table import MemoryBlobTable

HOUR_S = 3_600
NOW_MS: Final = 1_800_000_000_000
NOW: Final = BlobTime(NOW_MS, NOW_MS)
BLOB_ID: Final = b"b" * 16
ROOMY: Final = BlobRules(1 << 40, dict(MOST_TTL_S), 1 << 60, 1 << 40, 1 << 60)
ALICE, BOB, CAROL, DAVE = (
    StoredDevice(n, n, DeviceAddress(n.to_bytes(20), n.to_bytes(16)), bytes(32), live=True)
    for n in range(1, 5)
)


class _People:
    live = True

    def live_devices(self, _accounts: list[int]) -> list[StoredDevice]:
        return [ALICE] if self.live else []


class _Ledger(NamedTuple):
    blobs: MemoryBlobTable
    accounts: _People


@dataclass
class Office:
    """A table, logs, and a relay that signs anything."""

    rules: BlobRules = ROOMY
    table: MemoryBlobTable = field(default_factory=MemoryBlobTable)
    people: _People = field(default_factory=_People)
    logs: dict[bytes, Log] = field(default_factory=dict)
    posted: int = 0

    def __post_init__(self) -> None:
        for name, kind in ((b"d" * 16, LogKind.DIRECT), (b"g" * 16, LogKind.GROUP)):
            self.members(name, kind, ALICE, BOB)

    def members(self, name: bytes, kind: LogKind, *devices: StoredDevice, epoch: int = 1) -> None:
        readers = {one.device: Reader(one.account, 0) for one in devices}
        self.logs[name] = Log(name[0], name, kind, epoch=epoch, head=0, readers=readers)

    def log(self, _ledger: Ledger, name: bytes) -> Log | None:
        return self.logs.get(name)

    def post(self, *_notice: object) -> None:
        self.posted += 1

    @property
    def keeper(self) -> BlobKeeper:
        return BlobKeeper("relay", self.rules, 1, bytes(32), lambda _: bytes(64), os.urandom)

    @property
    def turn(self) -> Turn:
        ledger = cast("Ledger", _Ledger(self.table, self.people))
        return Turn(cast("Exchange", self), ledger, NOW_MS)

    def create(self, sender: StoredDevice = ALICE, **fields: object) -> BlobCreated:
        given = {"blob_id": BLOB_ID, "conversation": b"g" * 16, "size": 10, "ttl_s": 60, **fields}
        time = cast("BlobTime", given.pop("time", NOW))
        frame = CreateBlob(1, **given)  # type: ignore[arg-type]  # fields by name
        return blobs.create(self.keeper, self.turn, time, sender, frame)

    def complete(self) -> Blob:
        assert blobs.completed(self.table, BLOB_ID)
        return self.blob

    @property
    def blob(self) -> Blob:
        return self.table.find([BLOB_ID])[BLOB_ID]

    def fetch(self, who: StoredDevice, time: BlobTime = NOW) -> bytes:
        frame = FetchBlob(1, BLOB_ID)
        return blobs.fetch(self.keeper, self.turn, time, Covered(who, None), frame).share

    def acknowledge(self, who: StoredDevice, *, forged: bool = False) -> bool:
        def verify(_key: bytes, _message: bytes, _signature: bytes) -> None:
            if forged:
                raise BadSignatureError

        frame = AcknowledgeBlob(1, BLOB_ID, bytes(64))
        return blobs.acknowledge(self.keeper, self.turn, who, frame, verify)

    def sweep(self, time: BlobTime = NOW) -> list[int]:
        blob_sweep.condemn(self.table, time, 10)
        doomed = self.table.doomed(10)
        return [one.reason for one in blob_sweep.bury(self.keeper, self.turn, time, doomed)]


def later(seconds: int) -> BlobTime:
    """So long after the begin."""
    return BlobTime(NOW_MS + seconds * 1000, NOW_MS + seconds * 1000)
