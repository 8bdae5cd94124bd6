"""Write the golden database of the present schema: ``python -m tests.stored.make``.

Run once per released schema, from that release, and never again for an older one.
"""

from pathlib import Path
from typing import Final

from e2ecore.storage import (
    account,
    chains,
    conversations,
    inbox,
    intents,
    key_packages,
    members,
    messages,
    mls_rows,
    outbox,
    quarantine,
    settings,
)
from e2ecore.storage.account import AccountRow, AccountState
from e2ecore.storage.chains import ChainAccountRow, ChainEntryRow
from e2ecore.storage.conversations import LIVE_ORDER
from e2ecore.storage.key_packages import KeyPackageRow
from e2ecore.storage.migrations.steps import steps
from e2ecore.storage.tx import Tx
from tests.support.databases import create_database, message, new_conversation, numbered, waiting

FOLDER: Final = Path(__file__).parent


def golden(schema: int) -> Path:
    """Where the golden database of a schema is."""
    return FOLDER / f"schema_{schema:04}.db"


def fill(tx: Tx) -> None:
    """Put at least one row into every table. What schema 1 had must be found by every later one."""
    row = new_conversation(tx)
    who = numbered(7, 20)
    account.create(
        tx,
        AccountRow(
            who, numbered(8), numbered(1, 32), numbered(2, 32), "alice", "Alice",
            "wss://relay.example", AccountState.REGISTERED, 1,
        ),
    )  # fmt: skip
    chains.append(tx, [ChainEntryRow(who, 0, numbered(3, 32), b"genesis")])
    chains.save_account(
        tx, ChainAccountRow(who, "alice", "Alice", 0, numbered(3, 32), 2, b"compared", 1, 5)
    )
    members.save(tx, [members.new_row(row.cid, who, numbered(8), 0, 3)])
    messages.insert(tx, [message(row.cid, number) for number in range(120)])
    outbox.add(tx, [waiting(1, row.cid, message(row.cid, 119).id)])
    intents.add(tx, row.cid, 2, b"args", 6)
    inbox.advance(tx, 17)
    quarantine.add(
        tx, cid=row.cid, seq=4, kind=1, epoch=0, envelope_id=numbered(4), payload=b"poison",
        error="DecryptionError", created_ms=7,
    )  # fmt: skip
    key_packages.add(tx, [KeyPackageRow(numbered(5, 32), b"bundle", 1, 2, 10**13)])
    mls_rows.apply(tx, row.cid, {(7, 1, 1): b"ratchet", (4, 0, 0): b"node" * 400})
    settings.put(tx, "theme", b"dark")
    conversations.save_traffic(tx, [row._replace(next_order=LIVE_ORDER + 120, last_mid=120)])


def main() -> None:
    """Write the files."""
    path = golden(len(steps()))
    for suffix in ("", ".keys"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    database = create_database(path)
    database.writer.call(fill)
    database.close()
    path.with_name(path.name + ".lock").unlink()


if __name__ == "__main__":
    main()
