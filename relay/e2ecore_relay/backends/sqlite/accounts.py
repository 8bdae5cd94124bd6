"""Accounts, chains and devices in SQLite."""

from collections.abc import Collection, Iterable, Sequence
from typing import cast

from e2ecore_protocol.frames.accounts import ChainHead
from e2ecore_protocol.frames.conversations import DeviceAddress
from e2ecore_relay.backends.sqlite.connection import Connection, Row
from e2ecore_relay.backends.sqlite.rows import insert, select, singles
from e2ecore_relay.domain.ports import NewEntry, StoredAccount, StoredDevice

_ACCOUNT = "SELECT account, account_id, handle, head_seq, head_hash, closed FROM accounts"
_DEVICE = (
    "SELECT d.device, d.account, a.account_id, d.device_id, d.key,"
    " d.removed_ms = 0 AND a.closed = 0"
    " FROM devices d JOIN accounts a USING (account)"
)


class SqliteAccounts:
    """See ports.AccountTable."""

    def __init__(self, connection: Connection) -> None:
        """Work on one connection."""
        self._connection = connection

    def find(self, account_ids: Collection[bytes]) -> dict[bytes, StoredAccount]:
        """See ports.AccountTable."""
        rows = select(self._connection, f"{_ACCOUNT} WHERE account_id IN", singles(account_ids))
        return {account.account_id: account for account in map(_account, rows)}

    def by_handle(self, handle: str) -> StoredAccount | None:
        """See ports.AccountTable."""
        row = self._connection.execute(f"{_ACCOUNT} WHERE handle = ?", (handle,)).fetchone()
        return _account(row) if row else None

    def create(self, head: ChainHead, handle: str | None, created_ms: int) -> int:
        """See ports.AccountTable."""
        return self._connection.execute(
            "INSERT INTO accounts (account_id, handle, head_seq, head_hash, created_ms)"
            " VALUES (?, ?, ?, ?, ?)",
            (head.account_id, handle, head.seq, head.hash, created_ms),
        ).lastrowid

    def extend(self, account: int, entries: Sequence[NewEntry], *, closed: bool) -> None:
        """See ports.AccountTable."""
        insert(
            self._connection,
            "INSERT INTO chain_entries (account, seq, hash, entry)",
            [(account, *entry) for entry in entries],
        )
        self._connection.execute(
            "UPDATE accounts SET head_seq = ?, head_hash = ?, closed = ? WHERE account = ?",
            (entries[-1].seq, entries[-1].hash, int(closed), account),
        )

    def entries(self, account: int, from_seq: int, limit: int) -> list[bytes]:
        """See ports.AccountTable."""
        rows = self._connection.execute(
            "SELECT entry FROM chain_entries WHERE account = ? AND seq >= ? ORDER BY seq LIMIT ?",
            (account, from_seq, limit),
        ).fetchall()
        return [cast("bytes", row[0]) for row in rows]

    def add_device(self, account: int, device_id: bytes, key: bytes, now_ms: int) -> int:
        """See ports.AccountTable."""
        return self._connection.execute(
            "INSERT INTO devices (account, device_id, key, added_ms) VALUES (?, ?, ?, ?)",
            (account, device_id, key, now_ms),
        ).lastrowid

    def remove_devices(self, devices: Iterable[int], now_ms: int) -> None:
        """See ports.AccountTable."""
        self._connection.executemany(
            "UPDATE devices SET removed_ms = ? WHERE device = ?",
            [(now_ms, device) for device in devices],
        )

    def devices(self, addresses: Collection[DeviceAddress]) -> dict[DeviceAddress, StoredDevice]:
        """See ports.AccountTable."""
        rows = select(
            self._connection, f"{_DEVICE} WHERE (a.account_id, d.device_id) IN", list(addresses)
        )
        return {device.address: device for device in map(_device, rows)}

    def live_devices(self, accounts: Collection[int]) -> list[StoredDevice]:
        """See ports.AccountTable."""
        rows = select(
            self._connection,
            f"{_DEVICE} WHERE a.closed = 0 AND d.removed_ms = 0 AND d.account IN",
            singles(accounts),
            "ORDER BY d.device",
        )
        return [_device(row) for row in rows]


def _account(row: Row) -> StoredAccount:
    account, account_id, handle, head_seq, head_hash, closed = cast(
        "tuple[int, bytes, str | None, int, bytes, int]", row
    )
    return StoredAccount(account, account_id, handle, head_seq, head_hash, bool(closed))


def _device(row: Row) -> StoredDevice:
    device, account, account_id, device_id, key, live = cast(
        "tuple[int, int, bytes, bytes, bytes, int]", row
    )
    return StoredDevice(device, account, DeviceAddress(account_id, device_id), key, bool(live))
