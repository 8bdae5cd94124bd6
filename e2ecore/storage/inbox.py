"""How far the device's own log at the relay is processed."""

from e2ecore.storage.tx import Tx


def cursor(tx: Tx) -> int:
    """Return the sequence number up to which everything is processed; 0: nothing yet."""
    return tx.value(int, "SELECT seq FROM inbox_cursor") or 0


def rewind(tx: Tx) -> None:
    """The log has begun anew: nothing of it is processed."""
    tx.execute("UPDATE inbox_cursor SET seq = 0")


def advance(tx: Tx, seq: int) -> None:
    """Everything up to ``seq`` is processed, in this transaction."""
    tx.execute("UPDATE inbox_cursor SET seq = ? WHERE seq < ?", (seq, seq))
