"""Blobs in SQLite. How shares are overwritten is in ``shares``; the bytes are no rows at all."""

from collections.abc import Collection, Sequence
from typing import Final, cast

from e2ecore_protocol.frames.blobs import DeletionReceipt
from e2ecore_relay.backends.sqlite import shares
from e2ecore_relay.backends.sqlite.connection import Connection, DamagedStoreError, Row
from e2ecore_relay.backends.sqlite.rows import insert, select, singles
from e2ecore_relay.domain.blob_ports import Blob, Grant, Kept, Stage, Usage
from e2ecore_relay.domain.clock import Count

_BLOB: Final = (
    "SELECT b.blob, b.blob_id, b.lid, b.account, b.device, b.size, b.expires_ms, b.due_ms, b.stage,"
    " b.reason, b.recipients, b.waiting, b.promise FROM blobs b"
)
_INSERT: Final = (
    "INSERT INTO blobs (blob_id, lid, account, device, size, expires_ms, due_ms, stage, reason,"
    " recipients, waiting, promise, slot, upload_token)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_FETCHED_BY: Final = (
    "SELECT blob, token_until_ms, acknowledgement <> x'' FROM blob_recipients WHERE fetch_token = ?"
)
_AFTER: Final = f"{_BLOB} WHERE blob > ? AND +stage = 1 ORDER BY blob LIMIT ?"
"""By number, not by the index of stages: that would read all of them and sort them, each time."""

_DOOMED: Final = (
    f"{_BLOB} INDEXED BY blobs_doomed WHERE stage = 2 AND blob_id > ? ORDER BY blob_id LIMIT ?"
)
_SENT: Final = f"{_BLOB} WHERE b.stage < 2 AND (b.account, b.lid) IN"
_ACCOUNT, _LOG = 0, 1
_DOOM: Final = "UPDATE blobs SET stage = 2, due_ms = 0, reason = ? WHERE blob = ? AND stage < 2"


class SqliteBlobs:
    """See blob_ports.BlobTable."""

    def __init__(self, connection: Connection) -> None:
        """Work on one connection."""
        self._connection = connection

    def find(self, blob_ids: Collection[bytes]) -> dict[bytes, Blob]:
        """See blob_ports.BlobTable."""
        rows = select(self._connection, f"{_BLOB} WHERE blob_id IN", singles(blob_ids))
        return {blob.blob_id: blob for blob in map(_blob, rows)}

    def known(self, blob_ids: Collection[bytes]) -> set[bytes]:
        """See blob_ports.BlobTable. Answered from an index, without looking at the rows."""
        head = "SELECT blob_id FROM blobs WHERE blob_id IN"
        rows = select(self._connection, head, singles(blob_ids))
        return {cast("bytes", row[0]) for row in rows}

    def create(self, blob: Blob, share: bytes, token: bytes, recipients: Collection[int]) -> int:
        """See blob_ports.BlobTable."""
        slot = shares.take(self._connection, share)
        waiting = len(recipients)
        number = self._connection.execute(
            _INSERT, (*blob[1:10], waiting, waiting, blob.promise, slot, token)
        ).lastrowid
        self._add(number, recipients)
        return number

    def share(self, blob: int) -> bytes:
        """See blob_ports.BlobTable."""
        row = self._connection.execute(
            "SELECT s.share FROM blobs b JOIN blob_shares s USING (slot)"
            " WHERE b.blob = ? AND b.stage < 2",
            (blob,),
        ).fetchone()
        if row is None:
            raise DamagedStoreError("a blob has no share; restore a copy")
        return cast("bytes", row[0])

    def renew_upload(self, blob: int, token: bytes) -> None:
        """See blob_ports.BlobTable."""
        self._connection.execute("UPDATE blobs SET upload_token = ? WHERE blob = ?", (token, blob))

    def prolong(self, blob: Blob) -> None:
        """See blob_ports.BlobTable."""
        self._connection.execute(
            "UPDATE blobs SET due_ms = ?, reason = ? WHERE blob = ? AND stage = 0",
            (blob.due_ms, blob.reason, blob.blob),
        )

    def add_recipients(self, blob: int, devices: Collection[int]) -> None:
        """See blob_ports.BlobTable."""
        rows = self._connection.execute(
            "SELECT device FROM blob_recipients WHERE blob = ?", (blob,)
        ).fetchall()
        new = {*devices} - {cast("int", row[0]) for row in rows}
        self._add(blob, new)
        self._connection.execute(
            "UPDATE blobs SET recipients = recipients + ?1, waiting = waiting + ?1 WHERE blob = ?2",
            (len(new), blob),
        )

    def _add(self, blob: int, devices: Collection[int]) -> None:
        rows = [(blob, device) for device in sorted(devices)]
        insert(self._connection, "INSERT INTO blob_recipients (blob, device)", rows)

    def waits(self, blob: int, device: int) -> bool | None:
        """See blob_ports.BlobTable."""
        row = self._connection.execute(
            "SELECT acknowledgement = x'' FROM blob_recipients WHERE blob = ? AND device = ?",
            (blob, device),
        ).fetchone()
        return None if row is None else bool(row[0])

    def grant(self, blob: int, device: int, token: bytes, until_ms: int) -> None:
        """See blob_ports.BlobTable."""
        self._connection.execute(
            "UPDATE blob_recipients SET fetch_token = ?, token_until_ms = ?"
            " WHERE blob = ? AND device = ?",
            (token, until_ms, blob, device),
        )

    def granted(self, token: bytes) -> Grant | None:
        """See blob_ports.BlobTable."""
        row = self._connection.execute(f"{_BLOB} WHERE upload_token = ?", (token,)).fetchone()
        if row is not None:
            blob = _blob(row)
            return Grant(blob, is_upload=True, until_ms=blob.due_ms, is_used=False)
        row = self._connection.execute(_FETCHED_BY, (token,)).fetchone()
        if row is None:
            return None
        number, until_ms, used = cast("tuple[int, int, int]", row)
        (blob,) = self._numbered([number])
        return Grant(blob, is_upload=False, until_ms=until_ms, is_used=bool(used))

    def acknowledge(self, blob: int, device: int, signature: bytes) -> None:
        """See blob_ports.BlobTable."""
        self._connection.execute(
            "UPDATE blob_recipients SET acknowledgement = ? WHERE blob = ? AND device = ?",
            (signature, blob, device),
        )
        self._connection.execute("UPDATE blobs SET waiting = waiting - 1 WHERE blob = ?", (blob,))

    def dismiss(self, device: int, lid: int | None) -> list[Blob]:
        """See blob_ports.BlobTable."""
        rows = self._connection.execute(
            "SELECT b.blob FROM blob_recipients r JOIN blobs b USING (blob) WHERE r.device = ?1"
            " AND r.acknowledgement = x'' AND (?2 IS NULL OR b.lid = ?2)",
            (device, lid),
        ).fetchall()
        blobs = [cast("int", row[0]) for row in rows]
        self._connection.executemany(
            "DELETE FROM blob_recipients WHERE blob = ? AND device = ?",
            [(blob, device) for blob in blobs],
        )
        self._connection.executemany(
            "UPDATE blobs SET waiting = waiting - 1 WHERE blob = ?", singles(blobs)
        )
        left = self._numbered(blobs)
        return [blob for blob in left if not blob.waiting and blob.stage is Stage.COMPLETE]

    def _numbered(self, blobs: Collection[int]) -> list[Blob]:
        rows = select(self._connection, f"{_BLOB} WHERE blob IN", singles(blobs))
        return list(map(_blob, rows))

    def complete(self, blob: int, due_ms: int) -> None:
        """See blob_ports.BlobTable."""
        self._connection.execute(
            "UPDATE blobs SET stage = 1, due_ms = ?, reason = 3 WHERE blob = ? AND stage = 0",
            (due_ms, blob),
        )

    def doom(self, blobs: Sequence[tuple[int, int]]) -> None:
        """See blob_ports.BlobTable."""
        shares.destroy(self._connection, [blob for blob, _ in blobs])
        self._connection.executemany(_DOOM, [(int(reason), blob) for blob, reason in blobs])

    def doom_account(self, account: int, reason: int) -> int:
        """See blob_ports.BlobTable."""
        shares.destroy_all_of(self._connection, account)
        return self._connection.execute(
            "UPDATE blobs SET stage = 2, due_ms = 0, reason = ? WHERE account = ? AND stage < 2",
            (int(reason), account),
        ).rowcount

    def sent(self, account: int, lids: Collection[int]) -> list[Blob]:
        """See blob_ports.BlobTable."""
        rows = select(self._connection, _SENT, [(account, lid) for lid in lids])
        return list(map(_blob, rows))

    def due(self, now_ms: int, limit: int) -> list[Blob]:
        """See blob_ports.BlobTable."""
        found: list[Blob] = []
        for stage in (Stage.UPLOADING, Stage.COMPLETE):
            rows = self._connection.execute(
                f"{_BLOB} WHERE stage = ? AND due_ms <= ? ORDER BY due_ms LIMIT ?",
                (stage, now_ms, limit),
            ).fetchall()
            found.extend(map(_blob, rows))
        return sorted(found, key=lambda blob: blob.due_ms)[:limit]

    def doomed(self, limit: int, after: bytes = b"") -> list[Blob]:
        """See blob_ports.BlobTable."""
        rows = self._connection.execute(_DOOMED, (after, limit)).fetchall()
        return list(map(_blob, rows))

    def bury(self, kept: Sequence[tuple[int, Kept]], forget_ms: int) -> None:
        """See blob_ports.BlobTable."""
        insert(
            self._connection,
            "INSERT INTO blob_receipts (blob_id, reason, time_ms, signature, device, forget_ms)",
            [(*one.receipt, one.device, forget_ms) for _, one in kept],
            "ON CONFLICT DO NOTHING",
        )
        self._connection.executemany(
            "DELETE FROM blobs WHERE blob = ? AND stage = 2", singles(blob for blob, _ in kept)
        )

    def receipts(self, blob_ids: Collection[bytes]) -> list[DeletionReceipt]:
        """See blob_ports.BlobTable."""
        rows = select(
            self._connection,
            "SELECT blob_id, reason, time_ms, signature FROM blob_receipts WHERE blob_id IN",
            singles(blob_ids),
        )
        found = cast("list[tuple[bytes, int, int, bytes]]", rows)
        return [DeletionReceipt(*row) for row in found]

    def forget_receipts(self, now_ms: int, limit: int) -> int:
        """See blob_ports.BlobTable."""
        return self._connection.execute(
            "DELETE FROM blob_receipts WHERE blob_id IN"
            " (SELECT blob_id FROM blob_receipts WHERE forget_ms <= ? LIMIT ?)",
            (now_ms, limit),
        ).rowcount

    def usage_of_account(self, account: int) -> Usage:
        """See blob_ports.BlobTable."""
        return self._usage(_ACCOUNT, account)

    def usage_of_log(self, lid: int) -> Usage:
        """See blob_ports.BlobTable."""
        return self._usage(_LOG, lid)

    def _usage(self, kind: int, owner: int) -> Usage:
        row = self._connection.execute(
            "SELECT size, blobs FROM blob_usage WHERE kind = ? AND owner = ?", (kind, owner)
        ).fetchone()
        return Usage(*cast("tuple[int, int]", row)) if row else Usage(0, 0)

    def after(self, blob: int, limit: int) -> list[Blob]:
        """See blob_ports.BlobTable."""
        rows = self._connection.execute(_AFTER, (blob, limit)).fetchall()
        return list(map(_blob, rows))

    def counted(self) -> Count | None:
        """See blob_ports.BlobTable."""
        row = self._connection.execute(
            "SELECT now_ms, steady_ms, boot, lead_ms, lead_since_ms FROM blob_office"
        ).fetchone()
        count = Count(*cast("tuple[int, int, bytes, int, int]", row)) if row else None
        return count if count and count.now_ms else None

    def set_counted(self, count: Count) -> None:
        """See blob_ports.BlobTable."""
        self._connection.execute(
            "UPDATE blob_office SET now_ms = ?, steady_ms = ?, boot = ?, lead_ms = ?,"
            " lead_since_ms = ?",
            count,
        )

    def receipt_seed(self) -> bytes | None:
        """See blob_ports.BlobTable."""
        row = self._connection.execute("SELECT seed FROM blob_office").fetchone()
        return cast("bytes | None", row[0]) if row else None

    def set_receipt_seed(self, seed: bytes) -> None:
        """See blob_ports.BlobTable."""
        self._connection.execute("UPDATE blob_office SET seed = ? WHERE seed IS NULL", (seed,))


def _blob(row: Row) -> Blob:
    head, stage, tail = row[:8], row[8], row[9:]
    return Blob(
        *cast("tuple[int, bytes, int, int, int, int, int, int]", head),
        Stage(cast("int", stage)),
        *cast("tuple[int, int, int, bytes]", tail),
    )
