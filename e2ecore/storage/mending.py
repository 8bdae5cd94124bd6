"""What has to be changed in a database of which rows were lost, so that the rest can be used."""

import os
from collections.abc import Iterable, Mapping
from typing import Final

from e2ecore.storage.messages import ORDER_BITS
from e2ecore.storage.salvage_trees import Gap
from e2ecore.storage.sql import Connection

_STATE_TABLES: Final[Mapping[str, int]] = {
    "conversations": 0,
    "members": 0,
    "mls_rows": 0,
    "mls_nodes": ORDER_BITS,
    "log_places": 0,
    "trials": 0,
}
"""Tables without all rows of which a conversation cannot go on; bits below the conversation's
number in the first column of the key."""


def mend(target: Connection, gaps: Mapping[str, list[Gap]]) -> None:
    """Correct what lost rows have made untrue. Nothing to do where none were lost.

    Conversations that miss a part of their group's state forget the rest and ask to be added again,
    as if the device had missed a commit: guessing would use keys twice. Messages whose conversation
    is lost get one without members, so that they can be read. Own messages that were on their way
    out, and are not any more, are marked as failed.
    """
    if not gaps:
        return
    _adopt_orphans(target)
    for name, bits in _STATE_TABLES.items():
        for gap in gaps.get(name, ()):
            _ask_again(target, gap, bits)
    target.execute(
        "UPDATE messages SET state = 3 WHERE state = 1 AND id NOT IN (SELECT message FROM outbox)"
    )


def _ask_again(target: Connection, gap: Gap, bits: int) -> None:
    """Have the conversations that a gap may concern ask to be added again."""
    first = _cid(gap.after, bits, 0)
    last = _cid(gap.before, bits, (1 << 31) - 1)
    target.execute(
        "UPDATE conversations SET state = 5, healing_ms = 0"
        " WHERE state IN (2, 5) AND cid BETWEEN ? AND ?",
        (first, last),
    )
    target.execute("DELETE FROM mls_rows WHERE gid BETWEEN ? AND ?", (first, last))
    target.execute(
        "DELETE FROM mls_nodes WHERE id BETWEEN ? AND ?",
        (first << ORDER_BITS, ((last + 1) << ORDER_BITS) - 1),
    )


def _cid(place: Iterable[object] | None, bits: int, default: int) -> int:
    first = next(iter(place), None) if place is not None else None
    return first >> bits if isinstance(first, int) else default


def _adopt_orphans(target: Connection) -> None:
    """Give a conversation to messages that have lost theirs."""
    cids = target.rows(
        lambda row: int(str(row[0])),
        f"SELECT DISTINCT id >> {ORDER_BITS} FROM messages"  # noqa: S608 - a number of ours
        f" WHERE id >> {ORDER_BITS} NOT IN (SELECT cid FROM conversations)",
    )
    for cid in cids:
        target.execute(
            "INSERT INTO conversations (cid, uid, kind, title, state, peer, epoch, cursor,"
            " own_counter, next_order, last_mid, read_order, unread, info, healing_ms, created_ms)"
            " SELECT ?, ?, 2, '', 6, x'', 0, 0, 0, (max(id) & 0xFFFFFFFF) + 1, max(mid),"
            " (max(id) & 0xFFFFFFFF) + 1, 0, x'', 0, min(stored_ms) FROM messages"
            " WHERE id >= ? AND id < ?",
            (cid, os.urandom(16), cid << ORDER_BITS, (cid + 1) << ORDER_BITS),
        )
