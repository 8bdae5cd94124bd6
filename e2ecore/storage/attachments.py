"""Files of messages, and parcels: files on their way into one. The bytes are in ``file_cache``."""

from collections.abc import Iterable
from enum import IntEnum
from typing import Final, NamedTuple

from e2ecore.storage.sql import insert, select
from e2ecore.storage.tx import Tx


class FileState(IntEnum):
    """Where a file is. The numbers are stored: never change one."""

    WAITING = 1
    UPLOADED = 2
    REMOTE = 3
    EXPIRED = 4
    FAILED = 5


class Owed(IntEnum):
    """What the relay must still be told of a blob. The numbers are stored: never change one."""

    NOTHING = 0
    ACKNOWLEDGEMENT = 1
    RECALL = 2


class AttachmentRow(NamedTuple):
    """A row of ``attachments``."""

    aid: int
    message: int
    place: int
    parcel: int
    blob_id: bytes
    item: bytes
    size: int
    state: int
    owed: int = 0
    salt: bytes = b""
    cache_key: bytes = b""
    cached: int = 0
    used_ms: int = 0
    expires_ms: int = 0
    promise: bytes = b""
    deleted_ms: int = 0
    reason: int = 0
    receipt: bytes = b""
    told_late: int = 0

    def __repr__(self) -> str:
        return f"<AttachmentRow {self.aid}>"


class ParcelRow(NamedTuple):
    """A row of ``parcels``."""

    pid: int
    cid: int
    caption: str
    created_ms: int
    paused: int
    before: bytes
    forwards: int

    def __repr__(self) -> str:
        return f"<ParcelRow {self.pid}>"


class KeptFile(NamedTuple):
    """A local copy that may go, if there is too little room."""

    aid: int
    size: int


class _Named(NamedTuple):
    message: int


_FIELDS: Final = AttachmentRow._fields
_SELECT: Final = select("attachments", _FIELDS)
_INSERT: Final = insert("attachments", _FIELDS[1:])
_REPLACE: Final = insert("attachments", _FIELDS, or_replace=True)
_PARCELS: Final = select("parcels", ParcelRow._fields)
_ADD_PARCEL: Final = insert("parcels", ParcelRow._fields[1:])
_KEPT: Final = "FROM attachments WHERE cache_key != x''"
# Each of these repeats the condition of its index, which has few of the rows of the table.
OF_PARCEL: Final = f"{_SELECT} WHERE parcel = ? AND parcel != 0 ORDER BY place, aid"
OWING: Final = f"{_SELECT} WHERE owed != 0 ORDER BY aid LIMIT ?"
UNPROVEN: Final = (
    f"{_SELECT} WHERE state = 2 AND receipt = x'' AND told_late = 0 AND expires_ms != 0"
    " AND expires_ms < ? ORDER BY expires_ms, aid LIMIT ?"
)
KEPT: Final = f"SELECT aid, size {_KEPT}"
KEPT_BYTES: Final = f"SELECT sum(size) {_KEPT}"
SPARE: Final = f"SELECT aid, size {_KEPT} AND state != 1 AND parcel = 0 ORDER BY used_ms, aid"


def add(tx: Tx, row: AttachmentRow) -> int:
    """Store a new file; its ``aid`` is chosen here and returned."""
    return tx.insert(_INSERT, row[1:])


def get(tx: Tx, aid: int) -> AttachmentRow | None:
    """Return one file."""
    return tx.row(AttachmentRow._make, f"{_SELECT} WHERE aid = ?", (aid,))


def save(tx: Tx, row: AttachmentRow) -> None:
    """Store what changed of a file that exists, and let those know who show its message."""
    tx.execute(_REPLACE, row)
    if row.message:
        tx.touch((row.message,))


def used(tx: Tx, aid: int, now_ms: int) -> None:
    """Note that the local file was used."""
    tx.execute("UPDATE attachments SET used_ms = ? WHERE aid = ?", (now_ms, aid))


def remove(tx: Tx, aid: int) -> None:
    """Forget a file; the key of its local copy with it."""
    tx.left_files = True
    tx.execute("DELETE FROM attachments WHERE aid = ?", (aid,))


def of_message(tx: Tx, message: int) -> list[AttachmentRow]:
    """Return the files of a message, in order."""
    return tx.rows(AttachmentRow._make, f"{_SELECT} WHERE message = ? ORDER BY place", (message,))


def between(tx: Tx, first: int, last: int, limit: int) -> list[AttachmentRow]:
    """Return files of the messages from one row id to another, in order, at most so many."""
    return tx.rows(
        AttachmentRow._make,
        f"{_SELECT} WHERE message >= ? AND message <= ? ORDER BY message, place LIMIT ?",
        (first, last, limit),
    )


def messages_before(tx: Tx, first: int, before: int, limit: int) -> list[int]:
    """Return the newest messages with files, from one row id to below another one, ascending."""
    found = tx.rows(
        _Named._make,
        "SELECT DISTINCT message FROM attachments WHERE message >= ? AND message < ?"
        " ORDER BY message DESC LIMIT ?",
        (first, before, limit),
    )
    return [one.message for one in reversed(found)]


def whole_after(tx: Tx, aid: int, limit: int) -> list[AttachmentRow]:
    """Return files of messages of which all is here, behind one, the oldest first."""
    return tx.rows(
        AttachmentRow._make,
        f"{_SELECT} WHERE aid > ? AND cached = 1 AND message > 0 ORDER BY aid LIMIT ?",
        (aid, limit),
    )


def of_parcel(tx: Tx, pid: int) -> list[AttachmentRow]:
    """Return the files of a parcel, in order."""
    return tx.rows(AttachmentRow._make, OF_PARCEL, (pid,))


def of_blob(tx: Tx, blob_id: bytes) -> AttachmentRow | None:
    """Return the file that waits in a blob."""
    return tx.row(AttachmentRow._make, f"{_SELECT} WHERE blob_id = ?", (blob_id,))


def owing(tx: Tx, limit: int) -> list[AttachmentRow]:
    """Return files of which the relay must be told something."""
    return tx.rows(AttachmentRow._make, OWING, (limit,))


def unproven(tx: Tx, before_ms: int, limit: int) -> list[AttachmentRow]:
    """Return own files that should be gone since before a time, without receipt or complaint."""
    return tx.rows(AttachmentRow._make, UNPROVEN, (before_ms, limit))


def kept_ids(tx: Tx) -> set[int]:
    """Return the files of which there is a local copy or part of one."""
    return {one.aid for one in tx.rows(KeptFile._make, KEPT)}


def kept_bytes(tx: Tx) -> int:
    """Return how many bytes the files have of which there is a local copy or part of one."""
    return tx.value(int, KEPT_BYTES) or 0


def spare(tx: Tx) -> list[KeptFile]:
    """Return the local copies that no upload needs, the longest unused first."""
    return tx.rows(KeptFile._make, SPARE)


def forget(tx: Tx, messages: Iterable[int], *, recalled: bool = False) -> None:
    """Delete the files of messages that are deleted or taken back.

    What the relay is still to be told outlives them, without anything that says what the file was.

    Args:
        tx: The transaction.
        messages: Row ids.
        recalled: The author takes them back: the relay shall delete its copies.
    """
    for message in messages:
        for row in of_message(tx, message):
            if row.parcel:  # it was to be uploaded once more; that parcel holds nothing else
                remove_parcel(tx, row.parcel)
            owed = _owed_after(row, recalled=recalled)
            if owed is Owed.NOTHING and not (row.state == FileState.UPLOADED and row.expires_ms):
                remove(tx, row.aid)
                continue
            bury(tx, row, owed)


def give_up(tx: Tx, pid: int) -> None:
    """Erase a parcel and its files, which are not sent. The relay is told in any case.

    It may know of a file although its answer never came here. What is in a message already stays
    where it was.
    """
    for row in of_parcel(tx, pid):
        if row.message:
            save(tx, row._replace(parcel=0, state=FileState.UPLOADED, salt=b""))
        else:
            bury(tx, row, Owed.RECALL)
    remove_parcel(tx, pid)


def recall(tx: Tx, row: AttachmentRow) -> None:
    """Have the relay delete the blob of a file that goes to another one."""
    bare = AttachmentRow(
        *(0, 0, 0, 0, row.blob_id, b"", 0, FileState.UPLOADED, Owed.RECALL),
        expires_ms=row.expires_ms,
        promise=row.promise,
    )
    add(tx, bare)


def wave_off(tx: Tx, blob_id: bytes) -> None:
    """Have the relay know that this device wants nothing of a blob."""
    add(tx, AttachmentRow(0, 0, 0, 0, blob_id, b"", 0, FileState.REMOTE, Owed.ACKNOWLEDGEMENT))
    tx.left_files = True


def bury(tx: Tx, row: AttachmentRow, owed: Owed) -> None:
    """Keep of a file only what the relay is still to be told, and what it has promised."""
    tx.left_files = True
    state = FileState.UPLOADED if owed is Owed.RECALL else row.state
    fresh = AttachmentRow(0, 0, 0, 0, row.blob_id, b"", 0, state, owed)
    bare = fresh._replace(
        aid=row.aid,
        expires_ms=row.expires_ms,
        promise=row.promise,
        deleted_ms=row.deleted_ms,
        reason=row.reason,
        receipt=row.receipt,
        told_late=row.told_late,
    )
    tx.execute(_REPLACE, bare)


def _owed_after(row: AttachmentRow, *, recalled: bool) -> Owed:
    if row.state == FileState.WAITING:
        return Owed.RECALL
    if row.state == FileState.UPLOADED:
        return Owed.RECALL if recalled and not row.receipt else Owed.NOTHING
    is_waiting = row.state == FileState.REMOTE and not row.cached
    return Owed.ACKNOWLEDGEMENT if is_waiting else Owed(row.owed)


def forget_done(tx: Tx, now_ms: int) -> None:
    """Delete what was kept of files whose messages are gone, once nothing can come of it."""
    tx.execute(
        "DELETE FROM attachments WHERE message = 0 AND parcel = 0 AND owed = 0"
        " AND (receipt != x'' OR told_late = 1 OR expires_ms = 0"
        " OR (state != 2 AND expires_ms < ?))",
        (now_ms,),
    )


def add_parcel(
    tx: Tx, cid: int, caption: str, created_ms: int, *, before: bytes = b"", forwards: int = 0
) -> int:
    """Begin a parcel and return its number."""
    return tx.insert(_ADD_PARCEL, (cid, caption, created_ms, 0, before, forwards))


def parcel(tx: Tx, pid: int) -> ParcelRow | None:
    """Return one parcel."""
    return tx.row(ParcelRow._make, f"{_PARCELS} WHERE pid = ?", (pid,))


def parcels(tx: Tx) -> list[ParcelRow]:
    """Return all parcels, the oldest first."""
    return tx.rows(ParcelRow._make, f"{_PARCELS} ORDER BY pid")


def parcels_of(tx: Tx, cid: int) -> list[ParcelRow]:
    """Return the parcels of a conversation, the oldest first."""
    return tx.rows(ParcelRow._make, f"{_PARCELS} WHERE cid = ? ORDER BY pid", (cid,))


def pause(tx: Tx, pid: int, *, on: bool) -> None:
    """Have a parcel wait for its user, or go on."""
    tx.execute("UPDATE parcels SET paused = ? WHERE pid = ?", (int(on), pid))


def part(tx: Tx, pid: int) -> None:
    """Some files of a parcel have become a message, which said what there was to say of them."""
    tx.execute("UPDATE parcels SET caption = '' WHERE pid = ?", (pid,))


def remove_parcel(tx: Tx, pid: int) -> None:
    """Forget a parcel; its files stay."""
    tx.execute("DELETE FROM parcels WHERE pid = ?", (pid,))
