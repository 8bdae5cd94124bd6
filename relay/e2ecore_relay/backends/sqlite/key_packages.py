"""Key packages in SQLite."""

from collections.abc import Collection, Iterable, Sequence
from typing import cast

from e2ecore_relay.backends.sqlite.connection import Connection
from e2ecore_relay.backends.sqlite.rows import insert, select, singles

_TAKE = """
SELECT id, last_resort, key_package FROM key_packages
WHERE device = ? ORDER BY last_resort, id LIMIT 1
"""
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

    def publish(self, device: int, packages: Sequence[bytes], most: int) -> int:
        """See ports.KeyPackageTable."""
        insert(
            self._connection,
            "INSERT INTO key_packages (device, last_resort, key_package)",
            [(device, 0, package) for package in packages],
        )
        self._connection.execute(_DROP_OLDEST, (device, most))
        return self.count([device])[device]

    def set_last_resort(self, device: int, package: bytes) -> None:
        """See ports.KeyPackageTable."""
        self._connection.execute(
            "DELETE FROM key_packages WHERE device = ? AND last_resort = 1", (device,)
        )
        self._connection.execute(
            "INSERT INTO key_packages (device, last_resort, key_package) VALUES (?, 1, ?)",
            (device, package),
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

    def count(self, devices: Collection[int]) -> dict[int, int]:
        """See ports.KeyPackageTable."""
        rows = select(
            self._connection,
            "SELECT device, count(*) FROM key_packages WHERE last_resort = 0 AND device IN",
            singles(devices),
            "GROUP BY device",
        )
        return dict.fromkeys(devices, 0) | dict(cast("list[tuple[int, int]]", rows))

    def discard(self, devices: Iterable[int]) -> None:
        """See ports.KeyPackageTable."""
        self._connection.executemany(
            "DELETE FROM key_packages WHERE device = ?", [(device,) for device in devices]
        )
