"""Two people send each other files: for ``disk_log.record``.

    python -m tests.support.disk_files FOLDER ROUNDS

Promises are noted as in ``disk_work``: a copy is ``kept`` when the call that sends it has returned,
``fetched`` when the download has; ``gone`` is said before it is erased.
"""

import hashlib
import io
import os
import random  # noqa: TID251 - repeatable choices, not keys
import sys
from functools import partial
from pathlib import Path
from typing import Final

import anyio

import e2ecore
from e2ecore.testing import two_devices
from tests.support.disk_work import Promises
from tests.support.engines import PATIENCE_S, pair, until

SIZES: Final = (0, 10, 40_000, 150_000, 16_384, 300_000)
"""Nothing, part of a chunk, chunks, a run and more; one that ends where a chunk does."""


async def exchange(folder: Path, promises: Promises, rounds: int) -> None:
    """Send, fetch, let go of copies, delete messages."""
    dice = random.Random(4)
    async with two_devices(folder) as (_, alice, bob):
        chat, _other = await pair(alice, bob)
        arrivals = bob.events()
        for number in range(rounds):
            data = os.urandom(SIZES[number % len(SIZES)])
            digest = hashlib.sha256(data).hexdigest()
            upload = await chat.send_file(io.BytesIO(data), name=f"{number}.bin")
            promises.note("kept", digest=digest)
            with anyio.fail_after(PATIENCE_S):
                sent = await upload.sent()
            seen = (await until(arrivals, e2ecore.MessageReceived)).message
            await seen.attachment.download()
            promises.note("fetched", digest=digest)
            if dice.random() < 1 / 4:
                promises.note("gone", digest=digest, who="bob")
                await seen.attachment.discard()
            if dice.random() < 1 / 4:
                promises.note("gone", digest=digest, who="alice")
                await chat.delete_messages([sent.order])


def main(folder: Path, rounds: str) -> None:
    """Do all of it."""
    promises = Promises(folder)
    anyio.run(partial(exchange, folder, promises, int(rounds)), backend="trio")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
