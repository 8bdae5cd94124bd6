"""A page of a conversation as lines of an export: messages, and what was said of them."""

from typing import NamedTuple

from e2ecore.messaging.reactions import decode_signs
from e2ecore.portability import remarks as written
from e2ecore.portability.records import Earlier, Reaction
from e2ecore.storage import expiries, export_lines, remarks
from e2ecore.storage.tx import Tx


class Page(NamedTuple):
    """Lines that follow each other in an export."""

    lines: list[str]
    messages: int
    """How many of them are messages."""
    cursor: int
    """Where the next page begins; 0: this was the last."""


def read_page(tx: Tx, cid: int, cursor: int, last_mid: int) -> Page:
    """Return the next lines of a conversation.

    Args:
        tx: One snapshot.
        cid: Conversation.
        cursor: ``Page.cursor`` of the page before, or a row id before its first message.
        last_mid: Arrival number; what came later is left out.
    """
    rows, is_more = export_lines.after(tx, cid, cursor)
    if not rows:
        return Page([], 0, 0)
    first, last = rows[0].id, rows[-1].id
    due = {one.message: one.expires_ms for one in expiries.between(tx, first, last)}
    said = _said(tx, {row.id: row.uid for row in rows}, first, last)
    kept = [row for row in rows if row.mid <= last_mid]
    lines: list[str] = []
    for row in kept:
        more = row.ext or row.id in due
        lines.append(written.message_text(row.text, row.ext, due.get(row.id)) if more else row.text)
        if row.id in said:
            lines += said[row.id]
    return Page(lines, len(kept), last if is_more else 0)


def _said(tx: Tx, uids: dict[int, bytes], first: int, last: int) -> dict[int, list[str]]:
    """Return the lines of what was said of messages, by their row ids."""
    found: dict[int, list[str]] = {}
    for one in remarks.reactions(tx, first, last):
        signs = decode_signs(one.signs)
        if signs and one.message in uids:
            said = Reaction(one.account_id, one.device_id, one.changed_ms, signs)
            text = written.reaction_text(uids[one.message], said)
            found.setdefault(one.message, []).append(text)
    for other in remarks.revisions_between(tx, first, last):
        if other.message in uids:
            before = Earlier(other.changed_ms, other.device_id, other.body)
            text = written.earlier_text(uids[other.message], before)
            found.setdefault(other.message, []).append(text)
    return found
