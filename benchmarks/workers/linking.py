"""A phone, a laptop and a contact in one process, at a relay that is another one.

Prints one line of JSON. What links and seats is what apps use: `import e2ecore`.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import anyio

import e2ecore

if TYPE_CHECKING:
    from benchmarks.model import Sample

PASSPHRASE: Final = "correct horse battery staple"  # noqa: S105 - of throw-away databases
POLL_S: Final = 0.002
"""Between two looks for something that is not announced."""


class People:
    """Who takes part."""

    def __init__(self, home: Path, relay: str, authority: str) -> None:
        self._home, self._relay, self._authority = home, relay, authority

    async def open(self, name: str) -> e2ecore.Engine:
        """Open a device; at first it has no account."""
        return await e2ecore.open(
            self._home / f"{name}.db",
            passphrase=PASSPHRASE,
            relay=self._relay,
            relay_ca=self._authority,
        )


async def registered(engine: e2ecore.Engine, name: str) -> None:
    """Make an account, and agree to several devices."""
    await engine.register(name)
    await engine.caught_up()
    notice = e2ecore.shipped_notice(e2ecore.Purpose.MULTI_DEVICE_SYNC, "en")
    operator = e2ecore.Controller("The Operator", "privacy@relay.example")
    await engine.consents.grant(notice, controller=operator)
    await engine.consents.settled()


async def link(phone: e2ecore.Engine, laptop: e2ecore.Engine) -> float:
    """Link as people do who take no time to compare. Return when it was confirmed."""
    confirmed = [0.0]
    async with phone.devices.link() as linking, anyio.create_task_group() as tasks:

        async def confirm() -> None:
            await linking.joined()
            await linking.confirm(PASSPHRASE)
            confirmed.append(time.perf_counter())

        tasks.start_soon(confirm)
        async with laptop.devices.join(linking.code.text) as joining:
            await joining.finished()
    return confirmed[-1]


async def heard(reader: e2ecore.EventReader, text: str) -> None:
    """Wait for a message."""
    async for event in reader:
        if isinstance(event, e2ecore.MessageReceived) and event.message.text == text:
            return


async def first_message(people: People, _size: int) -> Sample:
    """From entering the code to the first message of the phone on the laptop."""
    async with (
        await people.open("phone") as phone,
        await people.open("bob") as bob,
        await people.open("laptop") as laptop,
    ):
        await registered(phone, "alice")
        await registered(bob, "bob")
        chat = await phone.conversations.direct(await phone.contacts.find("bob"))
        await chat.ready()
        at_laptop = laptop.events()
        started = time.perf_counter()
        await link(phone, laptop)
        linked = time.perf_counter()
        while any(one.waiting for one in await phone.devices.list()):  # noqa: ASYNC110
            await anyio.sleep(POLL_S)
        await chat.send("first")
        await heard(at_laptop, "first")
        done = time.perf_counter()
        await phone.keys.verify(PASSPHRASE)
        checked = time.perf_counter() - done
    return {"first_s": done - started, "linked_s": linked - started, "passphrase_s": checked}


async def seats(people: People, size: int) -> Sample:
    """Give many conversations another title, then add a device to each. Nobody else is online."""
    async with await people.open("phone") as phone:
        async with await people.open("bob") as bob:
            await registered(bob, "bob")
        await registered(phone, "alice")
        contact = await phone.contacts.find("bob")
        groups = []
        for number in range(size):
            group = await phone.conversations.create_group(f"group {number}", [contact])
            await group.ready()
            groups.append(group)
        started = time.perf_counter()
        changes = [await group.rename("another title") for group in groups]
        for change in changes:
            await change.applied()
        bare_s = time.perf_counter() - started
        async with await people.open("laptop") as laptop:
            linked = await link(phone, laptop)
        while any(one.waiting for one in await phone.devices.list()):  # noqa: ASYNC110
            await anyio.sleep(POLL_S * 10)
        seats_s = time.perf_counter() - linked
    return {"bare_s": bare_s, "seats_s": seats_s}


WORK: Final = {"linking": first_message, "seats": seats}


async def main(action: str, size: int, home: Path, relay: str, authority: str) -> None:
    """Do one thing, and say how long it took."""
    sample = await WORK[action](People(home, relay, authority), size)
    sys.stdout.write(json.dumps(sample) + "\n")


if __name__ == "__main__":
    _, what, count, folder, url, ca = sys.argv
    anyio.run(main, what, int(count), Path(folder), url, ca, backend="trio")
