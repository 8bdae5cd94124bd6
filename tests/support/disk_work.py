"""A day in the life of some databases: for ``disk_log.record``.

    python -m tests.support.disk_work FOLDER ROUNDS     two engines, keys, a migration
    python -m tests.support.disk_work FOLDER careless   messages, without flushing at every commit

Whatever a call has promised by returning is written to the file ``acks`` in the folder, one JSON
object for each promise, so that it stands in the log of the disk at the moment it was given.
"""

import json
import os
import random  # noqa: TID251 - repeatable choices, not keys
import sys
from functools import partial
from pathlib import Path
from typing import Final

import anyio

from e2ecore import Conversation, EventReader, MessageReceived
from e2ecore.storage import messages
from e2ecore.storage.database import Database
from e2ecore.storage.sql import Connection, Params
from e2ecore.testing import two_devices
from tests.stored.make import golden
from tests.support.databases import (
    CHEAP,
    PASSPHRASE,
    create_database,
    message,
    new_conversation,
    open_database,
)
from tests.support.engines import PATIENCE_S, group_of, until

ACKS: Final = "acks"
OLD_MESSAGES: Final = 120
"""Messages of a golden database."""
CARELESS: Final = 40
PASSPHRASES: Final = 6
"""How often the passphrase is changed; the number is its end."""


class Promises:
    """What has been promised."""

    def __init__(self, folder: Path) -> None:
        self._file = os.open(folder / ACKS, os.O_WRONLY | os.O_CREAT, 0o600)

    def note(self, what: str, **more: object) -> None:
        """Write one down."""
        os.write(self._file, json.dumps({"what": what, **more}).encode() + b"\n")


async def talk(folder: Path, promises: Promises, rounds: int) -> None:
    """Two people write, receive, erase and change a group."""
    async with two_devices(folder) as (_, alice, bob), anyio.create_task_group() as tasks:
        group, at_bob = await group_of([alice, bob])
        seen: list[tuple[str, int]] = []
        tasks.start_soon(listen, bob.events(), promises, seen)
        await arrived(seen, await write(group, at_bob, promises, seen, rounds))
        tasks.cancel_scope.cancel()


async def listen(events: EventReader, promises: Promises, seen: list[tuple[str, int]]) -> None:
    """Note what bob is told of."""
    while True:
        event = await until(events, MessageReceived)
        seen.append((event.message.message_id.hex(), event.message.order))
        promises.note("received", uid=seen[-1][0])


async def write(
    group: Conversation,
    at_bob: Conversation,
    promises: Promises,
    seen: list[tuple[str, int]],
    rounds: int,
) -> int:
    """Do one thing after another, most of them sending; return how many messages are left."""
    dice, left = random.Random(1), 0
    for number in range(rounds):
        choice = dice.random()
        if choice < 0.06:
            await (await group.rename(f"title {number}")).applied()
            promises.note("title", number=number)
        elif choice < 0.09:
            await (await group.renew_keys()).applied()
        elif choice < 0.16 and len(seen) > 4:
            gone = [seen.pop(dice.randrange(len(seen))) for _ in range(3)]
            promises.note("erasing", uids=[uid for uid, _ in gone])
            await at_bob.delete_messages([order for _, order in gone])
            promises.note("erased", uids=[uid for uid, _ in gone])
            left -= len(gone)
        else:
            texts = [f"{number}" * dice.randint(1, 300)] * dice.choice((1, 1, 1, 5))
            for one in await group.send_many(texts):
                promises.note("sent", uid=one.message_id.hex())
            left += len(texts)
    return left


async def arrived(seen: list[tuple[str, int]], count: int) -> None:
    """Wait until bob was told of so many messages, or erased them."""
    with anyio.fail_after(PATIENCE_S):
        while len(seen) < count:  # noqa: ASYNC110
            await anyio.sleep(0.01)


def change_keys(folder: Path, promises: Promises) -> None:
    """Change the passphrase, and every second time all keys, with messages in between."""
    database = create_database(folder / "keys.db")
    promises.note("made", name="keys.db")
    database.writer.call(new_conversation)
    now = PASSPHRASE
    for number in range(PASSPHRASES):
        database.writer.call(partial(messages.insert, rows=[message(1, number)]))
        promises.note("stored", count=number + 1)
        then = f"{PASSPHRASE} {number}"
        if number % 2:
            database.rekey([then], parameters=CHEAP)  # which closes it
            database = Database.open(folder / "keys.db", then)
        else:
            database.change_passphrase(now, then, parameters=CHEAP)
        now = then
        promises.note("passphrase", number=number)
    database.close()


def migrate(folder: Path, promises: Promises) -> None:
    """Bring the database of the first release to the newest schema."""
    source, target = golden(1), folder / "old.db"
    for suffix in ("", ".keys"):
        with target.with_name(target.name + suffix).open("wb") as file:
            file.write(source.with_name(source.name + suffix).read_bytes())
            file.flush()
            os.fsync(file.fileno())
    handle = os.open(folder, os.O_RDONLY)
    os.fsync(handle)
    promises.note("made", name="old.db")
    database = open_database(target)
    promises.note("migrated")
    database.close()


class Careless(Connection):
    """Believes that a commit is safe when it is in the log, as many do."""

    __slots__ = ()

    def execute(self, sql: str, params: Params = ()) -> int:
        return super().execute(sql.replace("synchronous = FULL", "synchronous = NORMAL"), params)


def be_careless(folder: Path, promises: Promises) -> None:
    """Store messages one by one on a connection that promises too much."""
    database = create_database(folder / "keys.db", Careless)
    promises.note("made", name="keys.db")
    database.writer.call(new_conversation)
    for number in range(CARELESS):
        database.writer.call(partial(messages.insert, rows=[message(1, number)]))
        promises.note("stored", count=number + 1)
    database.close()


def main(folder: Path, rounds: str) -> None:
    """Do all of it."""
    promises = Promises(folder)
    if rounds == "careless":
        be_careless(folder, promises)
        return
    migrate(folder, promises)
    change_keys(folder, promises)
    anyio.run(partial(talk, folder, promises, int(rounds)), backend="trio")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
