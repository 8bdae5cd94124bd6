"""Youth mode: the one row that is there while it is on."""

from e2ecore.storage.tx import Tx


def get(tx: Tx) -> bytes | None:
    """Return what is stored of it; None: it is off."""
    return tx.value(bytes, "SELECT lock FROM youth_mode")


def put(tx: Tx, lock: bytes) -> None:
    """Turn it on, or note a try to leave it."""
    tx.execute("REPLACE INTO youth_mode (one, lock) VALUES (1, ?)", (lock,))


def remove(tx: Tx) -> None:
    """Turn it off."""
    tx.execute("DELETE FROM youth_mode")
