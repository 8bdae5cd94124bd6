"""What belongs to imported messages: reactions, earlier words, pins, votes, files."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from e2ecore.engine.files.file_showing import encode_item
from e2ecore.engine.running.job import Job
from e2ecore.engine.taking_along.importing_files import Brought
from e2ecore.messaging.polls import encode_counted
from e2ecore.messaging.reactions import encode_signs
from e2ecore.portability.records import Entry, Said
from e2ecore.storage import attachments, expiries, pins, polls, remarks
from e2ecore.storage.attachments import AttachmentRow, FileState
from e2ecore.storage.messages import MessageRow
from e2ecore.storage.pins import PinRow
from e2ecore.storage.polls import CloseRow, OwnVoteRow, RevealRow, VoteRow
from e2ecore.storage.remarks import ReactionRow, RevisionRow
from e2ecore.storage.tx import Tx
from e2ecore_protocol.content.polls import Counted
from e2ecore_protocol.limits import BLOB_ID_BYTES, FILE_KEY_BYTES

if TYPE_CHECKING:
    from e2ecore.storage.file_cache import FileCache


def store_said(
    job: Job,
    cache: "FileCache",
    rows: Iterable[MessageRow],
    entries: Iterable[Entry],
    brought: Mapping[tuple[bytes, int], Brought],
    *,
    keeps_blobs: bool = False,
) -> None:
    """Store what belongs to messages, and when they erase themselves.

    Args:
        job: The transaction.
        cache: Where files go.
        rows: The messages.
        entries: As the file has them, in the same order.
        brought: Copies of files that were made already, by message id and place.
        keeps_blobs: Remember where files waited, so that they can be asked for again.
    """
    copies: list[tuple[Path, int]] = []
    for row, one in zip(rows, entries, strict=True):
        if one.expires_ms is not None:
            expiries.add(job.tx, row.id, one.expires_ms)
        if one.said is None:
            continue
        _store_words(job.tx, row.id, one.said)
        if one.said.files:
            copies += _store_files(job, row, one.said, brought, keeps_blobs=keeps_blobs)
        if one.said.votes or one.said.closes:
            _store_votes(job.tx, row.id, one.said)
    cache.adopt(copies)


def _store_words(tx: Tx, message: int, said: Said) -> None:
    for by in said.reactions:
        signs = encode_signs(by.signs)
        remarks.react(tx, ReactionRow(message, by.account_id, by.device_id, by.changed_ms, signs))
    for was in said.earlier:
        remarks.keep_revision(tx, RevisionRow(message, was.changed_ms, was.device_id, was.text))
    for pin in said.pins:
        state = int(pin.is_pinned)
        pins.save(tx, PinRow(message, pin.account_id, pin.device_id, pin.changed_ms, state))


def _store_files(
    job: Job,
    row: MessageRow,
    said: Said,
    brought: Mapping[tuple[bytes, int], Brought],
    *,
    keeps_blobs: bool,
) -> list[tuple[Path, int]]:
    """Store files as such that are at no relay: what is not here cannot be fetched.

    Returns:
        Copies that came along, and the numbers of their rows.
    """
    rng, copies = job.state.rng, list[tuple[Path, int]]()
    for place, one in enumerate(said.files):
        is_free = keeps_blobs and attachments.of_blob(job.tx, one.blob_id) is None
        blob_id = one.blob_id if is_free else rng(BLOB_ID_BYTES)
        item = one._replace(blob_id=blob_id, file_key=rng(FILE_KEY_BYTES))
        found = brought.get((row.uid, place))
        aid = attachments.add(
            job.tx,
            AttachmentRow(
                0, row.id, place, 0, item.blob_id, encode_item(item), item.size, FileState.EXPIRED,
                cache_key=b"" if found is None else found.key, cached=int(found is not None),
                used_ms=job.now_ms,
            ),
        )  # fmt: skip
        if found is not None:
            copies.append((found.path, aid))
    return copies


def _store_votes(tx: Tx, message: int, said: Said) -> None:
    """Store how a poll stood. Nothing of it is ever opened from here: nothing is due."""
    for one in said.votes:
        vote = VoteRow(message, one.account_id, one.device_id, one.changed_ms, one.commitment)
        polls.cast(tx, vote)
        if one.choices is not None:
            polls.keep_own(tx, OwnVoteRow(message, one.commitment, one.choices, b"", due=0))
    for told in said.opened:
        polls.reveal(tx, RevealRow(message, told.account_id, told.commitment, told.choices))
    for close in said.closes:
        counted = encode_counted([Counted(*both) for both in close.counted])
        polls.put_close(tx, CloseRow(message, close.seq, close.account_id, counted))
