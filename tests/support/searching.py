"""Conversations full of messages, indexed as far as a test wants."""

from collections.abc import Sequence
from typing import Final

from e2ecore.storage import conversations, erasure, messages, search_index
from e2ecore.storage.conversations import LIVE_ORDER
from e2ecore.storage.database import Database
from e2ecore.storage.messages import MessageRow
from e2ecore.storage.tx import Tx
from tests.support.databases import message, new_conversation

SILENCE: Final = b"nothing"


def texts(cid: int, bodies: Sequence[str], first_mid: int = 1) -> list[MessageRow]:
    """Messages of one conversation, one after the other."""
    return [
        message(cid, number)._replace(mid=first_mid + number, body=body)
        for number, body in enumerate(bodies)
    ]


def store(tx: Tx, rows: Sequence[MessageRow]) -> None:
    """Store messages as receiving does, making conversations where there are none."""
    while (newest := len(conversations.all_rows(tx))) < rows[-1].id >> messages.ORDER_BITS:
        new_conversation(tx, newest + 1)
    messages.insert(tx, rows)
    for row in rows:
        kept = conversations.get(tx, row.id >> messages.ORDER_BITS)
        assert kept is not None
        order = LIVE_ORDER + row.counter
        conversations.save_traffic(tx, [kept._replace(last_mid=row.mid, next_order=order)])


def index(tx: Tx) -> None:
    """Index everything that is stored."""
    while search_index.note_slice(tx, 100):
        pass
    while search_index.add_slice(tx, 100):
        pass


def erase_below(database: Database, cid: int, below: int, amount: int) -> None:
    """Erase a part of a conversation as the engine does it, without the purge."""
    call = database.writer.call
    eid = call(lambda tx: erasure.begin(tx, cid, below, amount))
    while call(lambda tx: erasure.go_on(tx, eid, silence=SILENCE)).is_left:
        pass
