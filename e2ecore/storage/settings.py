"""Small things that have no table of their own."""

from e2ecore.storage.tx import Tx


def get(tx: Tx, name: str) -> bytes | None:
    """Return a value, or None if it was never put."""
    return tx.value(bytes, "SELECT value FROM settings WHERE name = ?", (name,))


def put(tx: Tx, name: str, value: bytes) -> None:
    """Store a value; ``name`` is lower_case, its owner decides the encoding."""
    tx.execute("REPLACE INTO settings (name, value) VALUES (?, ?)", (name, value))


def remove(tx: Tx, name: str) -> None:
    """Forget a value, if it is there."""
    tx.execute("DELETE FROM settings WHERE name = ?", (name,))
