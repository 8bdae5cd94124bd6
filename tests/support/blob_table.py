"""Blobs in memory, behind the domain's ports: for running years of them in seconds."""

import heapq
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from e2ecore_protocol.frames import DeletionReceipt
from e2ecore_relay.domain.blob_ports import Blob, Grant, Kept, Stage, Usage
from e2ecore_relay.domain.clock import Count


@dataclass
class _Row:
    blob: Blob
    share: bytes
    upload: bytes
    waits: dict[int, bool]
    tokens: dict[int, tuple[bytes, int]] = field(default_factory=dict)


class MemoryBlobTable:
    """See blob_ports.BlobTable."""

    def __init__(self) -> None:
        self.rows: dict[int, _Row] = {}
        self._numbers: dict[bytes, int] = {}
        self._receipts: dict[bytes, DeletionReceipt] = {}
        self._old_receipts: list[tuple[int, bytes]] = []
        self._due: list[tuple[int, int]] = []
        self._doomed: dict[int, None] = {}
        self._tokens: dict[bytes, int] = {}
        self._waiting: defaultdict[int, set[int]] = defaultdict(set)
        self._usage: defaultdict[tuple[str, int], list[int]] = defaultdict(lambda: [0, 0])
        self._last = 0
        self._count: Count | None = None
        self._seed: bytes | None = None

    def find(self, blob_ids: Collection[bytes]) -> dict[bytes, Blob]:
        return {
            name: self.rows[self._numbers[name]].blob for name in blob_ids if name in self._numbers
        }

    def known(self, blob_ids: Collection[bytes]) -> set[bytes]:
        return {*blob_ids} & self._numbers.keys()

    def create(self, blob: Blob, share: bytes, token: bytes, recipients: Collection[int]) -> int:
        self._last += 1
        waiting = len(recipients)
        made = blob._replace(blob=self._last, recipients=waiting, waiting=waiting)
        self.rows[self._last] = _Row(made, share, token, dict.fromkeys(recipients, True))
        self._numbers[blob.blob_id] = self._last
        self._tokens[token] = self._last
        for device in recipients:
            self._waiting[device].add(self._last)
        heapq.heappush(self._due, (blob.due_ms, self._last))
        self._use(made, 1)
        return self._last

    def _use(self, blob: Blob, count: int) -> None:
        for owner in (("account", blob.account), ("log", blob.lid)):
            self._usage[owner][0] += count * blob.size
            self._usage[owner][1] += count

    def share(self, blob: int) -> bytes:
        return self.rows[blob].share

    def renew_upload(self, blob: int, token: bytes) -> None:
        row = self.rows[blob]
        del self._tokens[row.upload]
        row.upload = token
        self._tokens[token] = blob

    def prolong(self, blob: Blob) -> None:
        row = self.rows[blob.blob]
        if row.blob.stage is Stage.UPLOADING:
            self._change(blob.blob, due_ms=blob.due_ms, reason=blob.reason)
            heapq.heappush(self._due, (blob.due_ms, blob.blob))

    def add_recipients(self, blob: int, devices: Collection[int]) -> None:
        row = self.rows[blob]
        new = {*devices} - {*row.waits}
        row.waits |= dict.fromkeys(new, True)
        for device in new:
            self._waiting[device].add(blob)
        self._change(blob, recipients=row.blob.recipients + len(new))
        self._change(blob, waiting=row.blob.waiting + len(new))

    def _change(self, blob: int, **fields: int) -> None:
        row = self.rows[blob]
        row.blob = row.blob._replace(**fields)  # type: ignore[arg-type]  # of the right types

    def waits(self, blob: int, device: int) -> bool | None:
        return self.rows[blob].waits.get(device)

    def grant(self, blob: int, device: int, token: bytes, until_ms: int) -> None:
        row = self.rows[blob]
        before = row.tokens.get(device)
        if before is not None:
            del self._tokens[before[0]]
        row.tokens[device] = (token, until_ms)
        self._tokens[token] = blob

    def granted(self, token: bytes) -> Grant | None:
        row = self.rows.get(self._tokens.get(token, 0))
        if row is None:
            return None
        if row.upload == token:
            return Grant(row.blob, is_upload=True, until_ms=row.blob.due_ms, is_used=False)
        ((device, until_ms),) = [
            (device, until_ms) for device, (one, until_ms) in row.tokens.items() if one == token
        ]
        used = not row.waits[device]
        return Grant(row.blob, is_upload=False, until_ms=until_ms, is_used=used)

    def acknowledge(self, blob: int, device: int, signature: bytes) -> None:
        assert signature
        self.rows[blob].waits[device] = False
        self._waiting[device].discard(blob)
        self._change(blob, waiting=self.rows[blob].blob.waiting - 1)

    def dismiss(self, device: int, lid: int | None) -> list[Blob]:
        done = []
        for blob in sorted(self._waiting[device]):
            row = self.rows[blob]
            if lid is None or row.blob.lid == lid:
                self._waiting[device].discard(blob)
                self._tokens.pop(row.tokens.pop(device, (b"", 0))[0], None)
                del row.waits[device]
                self._change(blob, waiting=row.blob.waiting - 1)
                if not row.blob.waiting and row.blob.stage is Stage.COMPLETE:
                    done.append(row.blob)
        return done

    def complete(self, blob: int, due_ms: int) -> None:
        row = self.rows[blob]
        if row.blob.stage is Stage.UPLOADING:
            row.blob = row.blob._replace(stage=Stage.COMPLETE, due_ms=due_ms, reason=3)
            heapq.heappush(self._due, (due_ms, blob))

    def doom(self, blobs: Sequence[tuple[int, int]]) -> None:
        for blob, reason in blobs:
            row = self.rows[blob]
            row.share = b""
            if row.blob.stage is not Stage.DOOMED:
                doomed = row.blob._replace(stage=Stage.DOOMED, due_ms=0, reason=int(reason))
                row.blob = doomed
                self._doomed[blob] = None

    def doom_account(self, account: int, reason: int) -> int:
        rows = [row.blob for row in self.rows.values() if row.blob.account == account]
        found = [(one.blob, reason) for one in rows if one.stage is not Stage.DOOMED]
        self.doom(found)
        return len(found)

    def sent(self, account: int, lids: Collection[int]) -> list[Blob]:
        rows = [row.blob for row in self.rows.values() if row.blob.account == account]
        return [one for one in rows if one.lid in lids and one.stage is not Stage.DOOMED]

    def due(self, now_ms: int, limit: int) -> list[Blob]:
        found: list[Blob] = []
        while self._due and self._due[0][0] <= now_ms and len(found) < limit:
            due_ms, blob = self._due[0]
            row = self.rows.get(blob)
            if row is not None and row.blob.due_ms == due_ms and row.share:
                found.append(row.blob)
            heapq.heappop(self._due)
        for one in found:  # not yet doomed: the caller's transaction may fail
            heapq.heappush(self._due, (one.due_ms, one.blob))
        return found

    def doomed(self, limit: int, after: bytes = b"") -> list[Blob]:
        found = [self.rows[blob].blob for blob in self._doomed]
        left = [one for one in found if one.blob_id > after]
        return sorted(left, key=lambda one: one.blob_id)[:limit]

    def bury(self, kept: Sequence[tuple[int, Kept]], forget_ms: int) -> None:
        for blob, (_, receipt) in kept:
            if blob in self._doomed:
                row = self.rows.pop(blob)
                del self._numbers[row.blob.blob_id], self._doomed[blob]
                for token in (row.upload, *[one for one, _ in row.tokens.values()]):
                    self._tokens.pop(token, None)
                for device in row.waits:
                    self._waiting[device].discard(blob)
                self._use(row.blob, -1)
                self._receipts.setdefault(receipt.blob_id, receipt)
                heapq.heappush(self._old_receipts, (forget_ms, receipt.blob_id))

    def receipts(self, blob_ids: Collection[bytes]) -> list[DeletionReceipt]:
        return [self._receipts[name] for name in blob_ids if name in self._receipts]

    def forget_receipts(self, now_ms: int, limit: int) -> int:
        forgotten = 0
        while forgotten < limit and self._old_receipts and self._old_receipts[0][0] <= now_ms:
            del self._receipts[heapq.heappop(self._old_receipts)[1]]
            forgotten += 1
        return forgotten

    def usage_of_account(self, account: int) -> Usage:
        return Usage(*self._usage["account", account])

    def usage_of_log(self, lid: int) -> Usage:
        return Usage(*self._usage["log", lid])

    def after(self, blob: int, limit: int) -> list[Blob]:
        rows = [row.blob for number, row in sorted(self.rows.items()) if number > blob]
        return [one for one in rows if one.stage is Stage.COMPLETE][:limit]

    def counted(self) -> Count | None:
        return self._count

    def set_counted(self, count: Count) -> None:
        self._count = count

    def receipt_seed(self) -> bytes | None:
        return self._seed

    def set_receipt_seed(self, seed: bytes) -> None:
        self._seed = self._seed or seed


class MemoryBytes:
    """See blob_ports.BlobBytes: how long each blob's bytes are, and nothing else."""

    def __init__(self) -> None:
        self.sizes: dict[bytes, int] = {}

    def size(self, blob_id: bytes) -> int:
        return self.sizes.get(blob_id, 0)

    def delete(self, blob_ids: Iterable[bytes]) -> set[bytes]:
        for blob_id in blob_ids:
            self.sizes.pop(blob_id, None)
        return set()

    def names(self) -> Iterator[bytes]:
        yield from list(self.sizes)
