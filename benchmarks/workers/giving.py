"""A long history, given to another device through a relay; and exported and imported beside it.

`python -m benchmarks.workers.giving COUNT FOLDER RELAY AUTHORITY`, one JSON object as answer.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import anyio

import e2ecore
from benchmarks.workers.linking import PASSPHRASE, POLL_S, People, link, registered
from benchmarks.workers.portability import fill_database

if TYPE_CHECKING:
    from benchmarks.model import Sample


async def prepare(people: People, folder: Path, count: int) -> None:
    """Make an account with a history, and another one without."""
    async with await people.open("phone") as phone:
        await registered(phone, "alice")
        notice = e2ecore.shipped_notice(e2ecore.Purpose.HISTORY_TRANSFER, "en")
        operator = e2ecore.Controller("The Operator", "privacy@relay.example")
        await phone.consents.grant(notice, controller=operator)
        await phone.consents.settled()
    async with await people.open("other") as other:
        await registered(other, "bob")
    fill_database(folder / "phone.db", count, PASSPHRASE)


async def export_and_import(people: People, folder: Path) -> float:
    """Take the history along in a file, and bring it into another account. Return the seconds."""
    async with await people.open("phone") as phone:
        began = time.perf_counter()
        await phone.my_data.export(folder / "export.zip")
        taken = time.perf_counter() - began
    async with await people.open("other") as other:
        began = time.perf_counter()
        await other.my_data.import_file(folder / "export.zip")
        return taken + time.perf_counter() - began


async def give(people: People, count: int) -> float:
    """Link a laptop and give it everything. Return the seconds that took."""
    async with await people.open("phone") as phone, await people.open("laptop") as laptop:
        await link(phone, laptop)
        while not any(one.counts and not one.waiting for one in await phone.devices.list()):  # noqa: ASYNC110
            await anyio.sleep(POLL_S)
        device = next(one for one in await phone.devices.list() if not one.is_this)
        await confirm(phone, device.device_id)
        events = laptop.events()
        began = time.perf_counter()
        await phone.devices.give_history(device.device_id)
        arrived = await taken(events)
        seconds = time.perf_counter() - began
        if arrived != count:
            raise AssertionError(f"{arrived} of {count} messages arrived")
    return seconds


async def confirm(phone: e2ecore.Engine, device_id: e2ecore.DeviceId) -> None:
    """Confirm the laptop without waiting for a day, as soon as both talk to each other."""
    while True:
        try:
            await phone.devices.confirm(device_id, PASSPHRASE, override=True)
        except e2ecore.OwnDevicesNotReadyError:
            await anyio.sleep(POLL_S)
        else:
            return


async def taken(events: e2ecore.EventReader) -> int:
    """Wait until a transfer is over. Return how many messages came by it."""
    async for event in events:
        if isinstance(event, e2ecore.HistoryTransferChanged):
            transfer = event.transfer
            if transfer.state is not e2ecore.TransferState.UNDER_WAY:
                return transfer.messages
    return 0


async def main(count: int, folder: Path, relay: str, authority: str) -> None:
    """Do all of it, and say how long it took."""
    people = People(folder, relay, authority)
    await prepare(people, folder, count)
    sample: Sample = {
        "file_s": await export_and_import(people, folder),
        "give_s": await give(people, count),
    }
    sys.stdout.write(json.dumps(sample) + "\n")


if __name__ == "__main__":
    _, size, home, url, ca = sys.argv
    anyio.run(main, int(size), Path(home), url, ca, backend="trio")
