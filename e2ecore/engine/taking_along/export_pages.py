"""A page of a conversation as lines of an export: messages, and what belongs to them."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Final, NamedTuple

from e2ecore.engine.files.file_showing import decode_item
from e2ecore.messaging.polls import decode_counted
from e2ecore.messaging.reactions import decode_signs
from e2ecore.portability import parts
from e2ecore.portability import remarks as written
from e2ecore.portability.records import Close, Earlier, Opened, Pin, Reaction, Vote
from e2ecore.storage import attachments, expiries, export_lines, pins, polls, remarks
from e2ecore.storage.attachments import AttachmentRow
from e2ecore.storage.tx import Tx

FILES_PER_PAGE: Final = 1_000
"""Files whose lines are held in memory at once: 25 MB, if each has the largest preview."""


class Page(NamedTuple):
    """Lines that follow each other in an export."""

    lines: list[str]
    messages: int
    """How many of them are messages."""
    cursor: int
    """Where the next page begins; 0: this was the last."""
    files: int = 0
    """Files that are named in it."""
    withheld: int = 0
    """Messages that are left out: those who sent them do not want copies of them to stay."""


def read_page(
    tx: Tx, cid: int, cursor: int, last_mid: int, since_ms: int = 0, *, is_gift: bool = False
) -> Page:
    """Return the next lines of a conversation.

    Args:
        tx: One snapshot.
        cid: Conversation.
        cursor: ``Page.cursor`` of the page before, or a row id before its first message.
        last_mid: Arrival number; what came later is left out.
        since_ms: What was sent before is left out.
        is_gift: It is for another device of this person: says where files waited, and leaves out
            messages that disappear.
    """
    rows, is_more = export_lines.after(tx, cid, cursor, since_ms)
    if not rows:
        return Page([], 0, 0)
    first, last = rows[0].id, rows[-1].id
    files = attachments.between(tx, first, last, FILES_PER_PAGE + 1)
    if len(files) > FILES_PER_PAGE:  # a message has 32 at most, so that one whole fits always
        last, is_more = files.pop().message - 1, True
        rows = [row for row in rows if row.id <= last]
        files = [one for one in files if one.message <= last]
    due = {one.message: one.expires_ms for one in expiries.between(tx, first, last)}
    found = [row for row in rows if row.mid <= last_mid]
    kept = [row for row in found if row.id not in due] if is_gift else found
    said = _said(tx, {row.id: row.uid for row in kept}, (first, last), files, is_gift=is_gift)
    lines: list[str] = []
    for row in kept:
        more = row.ext or row.id in due or is_gift
        text = (
            written.message_text(row.text, row.ext, due.get(row.id), seq=row.seq if is_gift else 0)
            if more
            else row.text
        )
        lines.append(text)
        if row.id in said:
            lines += said[row.id]
    cursor = last if is_more else 0
    return Page(lines, len(kept), cursor, len(files), len(found) - len(kept))


def _said(
    tx: Tx,
    uids: dict[int, bytes],
    ids: tuple[int, int],
    files: list[AttachmentRow],
    *,
    is_gift: bool,
) -> dict[int, list[str]]:
    """Return the lines of what belongs to messages, by their row ids."""
    first, last = ids
    found: defaultdict[int, list[str]] = defaultdict(list)
    for one in remarks.reactions(tx, first, last):
        signs = decode_signs(one.signs)
        if signs and one.message in uids:
            said = Reaction(one.account_id, one.device_id, one.changed_ms, signs)
            found[one.message].append(written.reaction_text(uids[one.message], said))
    for other in remarks.revisions_between(tx, first, last):
        if other.message in uids:
            before = Earlier(other.changed_ms, other.device_id, other.body)
            found[other.message].append(written.earlier_text(uids[other.message], before))
    for message, sort, fields in _parts(tx, ids, files, is_gift=is_gift):
        if message in uids:
            found[message].append(written.part_text(sort, uids[message], fields))
    return found


_Part = tuple[int, str, dict[str, object]]


def _parts(
    tx: Tx, ids: tuple[int, int], files: list[AttachmentRow], *, is_gift: bool
) -> Iterator[_Part]:
    """Yield files, pins and votes of messages: of which message, which sort, what is said."""
    for file in files:
        if file.item:
            fields = parts.file_fields(decode_item(file), with_blob=is_gift)
            yield file.message, parts.FILE, fields
    for pin in pins.between(tx, *ids):
        said = Pin(pin.account_id, pin.device_id, pin.changed_ms, bool(pin.state))
        yield pin.message, parts.PIN, parts.pin_fields(said)
    yield from _votes(tx, *ids)


def _votes(tx: Tx, first: int, last: int) -> Iterator[_Part]:
    own = {
        (one.message, one.commitment): one.choices
        for one in polls.own_votes_between(tx, first, last)
    }
    for one in polls.votes_between(tx, first, last):
        known = own.get((one.message, one.commitment))
        cast = Vote(one.account_id, one.device_id, one.changed_ms, one.commitment, known)
        yield one.message, parts.VOTE, parts.vote_fields(cast)
    for told in polls.reveals_between(tx, first, last):
        opened = Opened(told.account_id, told.commitment, told.choices)
        yield told.message, parts.OPENED, parts.opened_fields(opened)
    for close in polls.closes_between(tx, first, last):
        counted = tuple(decode_counted(close.counted).items())
        ended = Close(close.account_id, close.seq, counted)
        yield close.message, parts.CLOSE, parts.close_fields(ended)
