"""Marks, links, approvals and endings in SQLite."""

from collections.abc import Collection
from typing import Final, cast

from e2ecore_protocol.family_limits import MAX_GUARDIAN_APPROVALS, MAX_GUARDIAN_LINKS, MAX_WARDS
from e2ecore_protocol.frames.guardians import MinorMark
from e2ecore_relay.backends.sqlite.connection import Connection, Row
from e2ecore_relay.domain.guardian_ports import StoredApproval, StoredEnding, StoredLink

_LINK: Final = "SELECT link_id, ward, guardian, document, ended_ms > 0 FROM guardian_links"
_BOTH: Final = 2


class SqliteGuardians:
    """See guardian_ports.GuardianTable."""

    def __init__(self, connection: Connection) -> None:
        """Work on one connection."""
        self._connection = connection

    def mark(self, account: int) -> MinorMark | None:
        """See guardian_ports.GuardianTable."""
        row = self._connection.execute(
            "SELECT until_ms, marked_by FROM minors WHERE account = ?", (account,)
        ).fetchone()
        return None if row is None else MinorMark(*cast("tuple[int, int]", row))

    def set_mark(self, account: int, mark: MinorMark) -> None:
        """See guardian_ports.GuardianTable."""
        self._connection.execute(
            "INSERT INTO minors (account, until_ms, marked_by) VALUES (?, ?, ?) ON CONFLICT"
            " (account) DO UPDATE SET until_ms = excluded.until_ms, marked_by = excluded.marked_by",
            (account, *mark),
        )

    def forget(self, accounts: Collection[int]) -> None:
        """See guardian_ports.GuardianTable."""
        self._connection.executemany(
            "DELETE FROM minors WHERE account = ?", [(account,) for account in accounts]
        )

    def over(self, now_ms: int, limit: int) -> list[int]:
        """See guardian_ports.GuardianTable."""
        rows = self._connection.execute(
            "SELECT account FROM minors WHERE until_ms <= ? ORDER BY until_ms LIMIT ?",
            (now_ms, limit),
        ).fetchall()
        return [cast("int", row[0]) for row in rows]

    def links_of(self, ward: int) -> list[StoredLink]:
        """See guardian_ports.GuardianTable."""
        rows = self._connection.execute(
            f"{_LINK} WHERE ward = ? LIMIT ?", (ward, MAX_GUARDIAN_LINKS)
        ).fetchall()
        return list(map(_link, rows))

    def link(self, link_id: bytes) -> StoredLink | None:
        """See guardian_ports.GuardianTable."""
        row = self._connection.execute(f"{_LINK} WHERE link_id = ?", (link_id,)).fetchone()
        return None if row is None else _link(row)

    def wards_of(self, guardian: int) -> list[StoredLink]:
        """See guardian_ports.GuardianTable."""
        rows = self._connection.execute(
            f"{_LINK} WHERE guardian = ? AND ended_ms = 0 ORDER BY link_id LIMIT ?",
            (guardian, MAX_WARDS),
        ).fetchall()
        return list(map(_link, rows))

    def add_link(self, link: StoredLink) -> None:
        """See guardian_ports.GuardianTable."""
        self._connection.execute(
            "INSERT INTO guardian_links (link_id, ward, guardian, document) VALUES (?, ?, ?, ?)",
            link[:4],
        )

    def end_links(self, links: Collection[bytes], now_ms: int) -> None:
        """See guardian_ports.GuardianTable."""
        self._connection.executemany(
            "UPDATE guardian_links SET ended_ms = ? WHERE link_id = ?",
            [(now_ms, link_id) for link_id in links],
        )

    def approvals(self, ward: int) -> list[StoredApproval]:
        """See guardian_ports.GuardianTable."""
        rows = self._connection.execute(
            "SELECT consent_id, guardian, document, retraction, given_ms FROM guardian_approvals"
            " WHERE ward = ? ORDER BY given_ms, consent_id LIMIT ?",
            (ward, MAX_GUARDIAN_APPROVALS),
        ).fetchall()
        found = cast("list[tuple[bytes, int, bytes, bytes, int]]", rows)
        return [StoredApproval(*row) for row in found]

    def approve(self, ward: int, approval: StoredApproval) -> None:
        """See guardian_ports.GuardianTable."""
        self._connection.execute(
            "INSERT INTO guardian_approvals"
            " (ward, consent_id, guardian, document, retraction, given_ms)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (ward, *approval),
        )

    def retract(self, ward: int, consent_id: bytes, retraction: bytes) -> None:
        """See guardian_ports.GuardianTable."""
        self._connection.execute(
            "UPDATE guardian_approvals SET retraction = ? WHERE ward = ? AND consent_id = ?",
            (retraction, ward, consent_id),
        )

    def drop_approvals(self, ward: int, consents: Collection[bytes]) -> None:
        """See guardian_ports.GuardianTable."""
        self._connection.executemany(
            "DELETE FROM guardian_approvals WHERE ward = ? AND consent_id = ?",
            [(ward, consent_id) for consent_id in consents],
        )

    def endings(self, link_id: bytes) -> list[StoredEnding]:
        """See guardian_ports.GuardianTable."""
        rows = self._connection.execute(
            "SELECT account, scope, document FROM guardian_endings WHERE link_id = ?"
            " ORDER BY account LIMIT ?",
            (link_id, _BOTH),
        ).fetchall()
        return [StoredEnding(*row) for row in cast("list[tuple[int, int, bytes]]", rows)]

    def want_end(self, link_id: bytes, ending: StoredEnding) -> None:
        """See guardian_ports.GuardianTable."""
        self._connection.execute(
            "INSERT INTO guardian_endings (link_id, account, scope, document) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (link_id, account) DO UPDATE"
            " SET scope = excluded.scope, document = excluded.document",
            (link_id, *ending),
        )


def _link(row: Row) -> StoredLink:
    link_id, ward, guardian, document, ended = cast("tuple[bytes, int, int, bytes, int]", row)
    return StoredLink(link_id, ward, guardian, document, bool(ended))
