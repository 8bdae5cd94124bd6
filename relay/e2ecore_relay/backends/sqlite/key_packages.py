"""Key packages in SQLite."""

from collections.abc import Collection, Iterable, Sequence
from typing import cast

from e2ecore_relay.backends.sqlite.connection import Connection
from e2ecore_relay.backends.sqlite.rows import select, singles
from e2ecore_relay.domain.ports import Fresh

_TAKE = """
SELECT id, last_resort, key_package FROM key_packages
WHERE device = ? ORDER BY last_resort, id LIMIT 1
"""
_TAKE_SOME = """
SELECT id, key_package FROM key_packages
WHERE device = ? AND last_resort = 0 ORDER BY id LIMIT ?
"""
_PUBLISH = """
INSERT INTO key_packages (device, last_resort, key_package, published_ms)
SELECT ?1, 0, ?2, ?3 WHERE NOT EXISTS (
    SELECT 1 FROM key_packages
    WHERE device = ?1 AND last_resort = 0 AND key_package = ?2)
"""
_FORGET = "DELETE FROM key_packages WHERE device = ? AND published_ms < iif(last_resort, ?, ?)"
_DROP_OLDEST = """
DELETE FROM key_packages WHERE id IN (
    SELECT id FROM key_packages WHERE device = ? AND last_resort = 0
    ORDER BY id DESC LIMIT -1 OFFSET ?)
"""


class SqliteKeyPackages:
    """See ports.KeyPackageTable."""

    def __init__(self, connection: Connection) -> None:
        """Work on one connection."""
        self._connection = connection

    def publish(self, device: int, packages: Sequence[bytes], most: int, now_ms: int) -> None:
        """See ports.KeyPackageTable."""
        rows = [(device, package, now_ms) for package in packages]
        self._connection.executemany(_PUBLISH, rows)
        self._connection.execute(_DROP_OLDEST, (device, most))

    def set_last_resort(self, device: int, package: bytes, now_ms: int) -> None:
        """See ports.KeyPackageTable."""
        self._connection.execute(
            "DELETE FROM key_packages WHERE device = ? AND last_resort = 1", (device,)
        )
        self._connection.execute(
            "INSERT INTO key_packages (device, last_resort, key_package, published_ms)"
            " VALUES (?, 1, ?, ?)",
            (device, package, now_ms),
        )

    def claim(self, devices: Collection[int]) -> dict[int, bytes]:
        """See ports.KeyPackageTable."""
        claimed: dict[int, bytes] = {}
        used: list[tuple[int]] = []
        for device in devices:
            row = self._connection.execute(_TAKE, (device,)).fetchone()
            if row is None:
                continue
            number, last_resort, claimed[device] = cast("tuple[int, int, bytes]", row)
            if not last_resort:
                used.append((number,))
        self._connection.executemany("DELETE FROM key_packages WHERE id = ?", used)
        return claimed

    def claim_one_time(self, device: int, most: int) -> list[bytes]:
        """See ports.KeyPackageTable."""
        rows = self._connection.execute(_TAKE_SOME, (device, most)).fetchall()
        self._connection.executemany("DELETE FROM key_packages WHERE id = ?", [r[:1] for r in rows])
        return [cast("bytes", package) for _, package in rows]

    def count(self, devices: Collection[int]) -> dict[int, int]:
        """See ports.KeyPackageTable."""
        rows = select(
            self._connection,
            "SELECT device, count(*) FROM key_packages WHERE last_resort = 0 AND device IN",
            singles(devices),
            "GROUP BY device",
        )
        return dict.fromkeys(devices, 0) | dict(cast("list[tuple[int, int]]", rows))

    def forget(self, devices: Collection[int], fresh: Fresh) -> None:
        """See ports.KeyPackageTable."""
        rows = [(device, fresh.last_resort_ms, fresh.one_time_ms) for device in devices]
        self._connection.executemany(_FORGET, rows)

    def discard(self, devices: Iterable[int]) -> None:
        """See ports.KeyPackageTable."""
        self._connection.executemany(
            "DELETE FROM key_packages WHERE device = ?", [(device,) for device in devices]
        )
