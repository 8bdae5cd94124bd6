"""Databases for tests: real files, a cheap passphrase."""

from pathlib import Path
from typing import Final

from e2ecore.crypto.password import Argon2idParameters
from e2ecore.storage import conversations
from e2ecore.storage.connecting import Connect
from e2ecore.storage.conversations import (
    LIVE_ORDER,
    ConversationKind,
    ConversationRow,
    ConversationState,
)
from e2ecore.storage.database import Database
from e2ecore.storage.messages import MessageRow, MessageState, message_row_id
from e2ecore.storage.outbox import OutboxRow
from e2ecore.storage.sql import Connection
from e2ecore.storage.tx import Tx

CHEAP: Final = Argon2idParameters(memory_kib=64, iterations=1, lanes=1)
"""A passphrase that costs a millisecond. Never outside tests."""
PASSPHRASE: Final = "correct horse battery staple"


def create_database(path: Path, connect: Connect = Connection) -> Database:
    return Database.create(path, PASSPHRASE, parameters=CHEAP, connect=connect)


def open_database(path: Path, connect: Connect = Connection) -> Database:
    return Database.open(path, PASSPHRASE, connect=connect)


def numbered(number: int, size: int = 16) -> bytes:
    """An id that is easy to tell from others."""
    return number.to_bytes(size, "big")


def new_conversation(tx: Tx, number: int = 1) -> ConversationRow:
    return conversations.create(
        tx,
        uid=numbered(number),
        kind=ConversationKind.GROUP,
        state=ConversationState.ACTIVE,
        created_ms=1,
    )


def message(cid: int, number: int, state: int = MessageState.RECEIVED) -> MessageRow:
    """The ``number``-th message of a conversation; numbers start at 0."""
    return MessageRow(
        id=message_row_id(cid, LIVE_ORDER + number),
        mid=cid * 1_000_000 + number,
        uid=numbered(number),
        account_id=numbered(7, 20),
        device_id=numbered(8),
        counter=number + 1,
        seq=0,
        sent_ms=1_000 + number,
        stored_ms=2_000 + number,
        kind=1,
        state=state,
        body=f"text {number}",
        ext=b"",
    )


def waiting(oid: int, cid: int, row_id: int = 0) -> OutboxRow:
    """A row of the outbox."""
    return OutboxRow(
        oid=oid,
        cid=cid,
        message=row_id,
        kind=1,
        epoch=1,
        counter=oid,
        envelope_id=numbered(oid),
        payload=b"ciphertext %d" % oid,
        content=b"content",
        attempts=0,
        next_ms=0,
    )
