"""The worker's side of JSON lines on asyncio. Standard library only: peers' environments have
nothing of ours.
"""

from __future__ import annotations

import asyncio
import sys
import traceback
from typing import TYPE_CHECKING

from benchmarks import wire

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from benchmarks.wire import JsonObject


async def serve(worker: object) -> None:
    """Answer requests by calling the worker's coroutine of that name, each in a task of its own,
    until input ends.
    """
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    tasks: set[asyncio.Task[None]] = set()
    while line := await reader.readline():
        task = asyncio.create_task(_answer(worker, wire.decode_line(line)))
        tasks.add(task)
        task.add_done_callback(tasks.discard)


async def _answer(worker: object, request: JsonObject) -> None:
    answer: JsonObject = {"id": request["id"]}
    try:
        verb: Callable[[JsonObject], Awaitable[JsonObject]] = getattr(
            worker, wire.text(request, "do")
        )
        answer["ok"] = await verb(request)
    except Exception as error:  # noqa: BLE001 - the parent decides what an error means
        traceback.print_exc()
        answer["error"] = f"{type(error).__name__}: {error}"
    sys.stdout.write(wire.encode_line(answer))
    sys.stdout.flush()
