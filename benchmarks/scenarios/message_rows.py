"""Storing received messages through our storage layer, against the same SQL on SQLCipher alone."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, Final

from benchmarks.floors.message_rows import MessageRowsFloor
from benchmarks.measuring import FLOOR, cpu_us
from benchmarks.model import OURS, Context, Measure, Result, Scale, Scenario
from e2ecore.crypto.password import Argon2idParameters
from e2ecore.storage import conversations, messages, mls_rows
from e2ecore.storage.conversations import ConversationKind, ConversationRow, ConversationState
from e2ecore.storage.database import Database
from e2ecore.storage.messages import MessageRow, message_row_id

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from e2ecore.storage.tx import Tx

BATCH: Final = 64
"""Messages of one transaction, as when a burst arrives."""

RATCHET_BYTES: Final = 120
"""About the size of a ratchet row."""

CHEAP: Final = Argon2idParameters(memory_kib=64, iterations=1, lanes=1)
"""The passphrase is not what is measured."""


def _batches(first: int, count: int) -> list[list[MessageRow]]:
    rows = [_row(number) for number in range(first, first + count)]
    return [rows[start : start + BATCH] for start in range(0, count, BATCH)]


def _row(number: int) -> MessageRow:
    return MessageRow(
        id=message_row_id(1, number + 1),
        mid=number + 1,
        uid=os.urandom(16),
        account_id=bytes(20),
        device_id=bytes(16),
        counter=number,
        seq=number,
        sent_ms=number,
        stored_ms=number,
        kind=1,
        state=0,
        body="x" * 200,
        ext=b"",
    )


def _conversation(tx: Tx) -> ConversationRow:
    return conversations.create(
        tx, uid=bytes(16), kind=ConversationKind.GROUP, state=ConversationState.ACTIVE, created_ms=1
    )


def _store_with_ours(
    database: Database, conversation: ConversationRow, batches: Sequence[Sequence[MessageRow]]
) -> None:
    for batch in batches:
        changes: dict[mls_rows.RowKey, bytes | None] = {(7, 1, 1): os.urandom(RATCHET_BYTES)}

        conversation = conversation._replace(cursor=batch[-1].seq)

        def job(
            tx: Tx,
            batch: Sequence[MessageRow] = batch,
            changes: Mapping[mls_rows.RowKey, bytes | None] = changes,
            row: ConversationRow = conversation,
        ) -> None:
            messages.insert(tx, batch)
            mls_rows.apply(tx, row.cid, changes)
            conversations.save_traffic(tx, [row])

        database.writer.call(job)


def _store_with_floor(floor: MessageRowsFloor, batches: Sequence[Sequence[MessageRow]]) -> None:
    for batch in batches:
        floor.store(batch, os.urandom(RATCHET_BYTES))


def _run_rows(context: Context, size: int) -> Result:
    result = Result()
    floor = MessageRowsFloor(context.home / "floor.db")
    database = Database.create(context.home / "ours.db", "passphrase", parameters=CHEAP)
    try:
        conversation = database.writer.call(_conversation)
        for run in range(context.runs):
            batches = _batches(run * size, size)
            ours = partial(_store_with_ours, database, conversation, batches)
            result.add(OURS, {"us": cpu_us(ours, size)})
            result.add(FLOOR, {"us": cpu_us(partial(_store_with_floor, floor, batches), size)})
    finally:
        database.close()
        floor.close()
    return result


ROWS: Final = Scenario(
    name="message_rows",
    title="Storing received messages",
    about=(
        f"Message rows of 200 characters, the ratchet's row and the cursor, "
        f"{BATCH} messages per durable transaction: "
        "through our storage layer, and with the same SQL straight on SQLCipher."
    ),
    sizes={Scale.QUICK: 256, Scale.SHORT: 20_000, Scale.LONG: 50_000},
    size_unit="messages",
    measures=(Measure("cpu_us", "us", "us", "CPU time per message", FLOOR),),
    run=_run_rows,
)
