"""Two devices of one person are killed again and again while they read, draft, block and erase.

Afterwards both show the same, and nothing that a call had promised is undone on either.
"""

import random  # noqa: TID251 - the same moments each time
import time
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import anyio
import pytest

from e2ecore import Conversation, Purpose
from e2ecore.testing.devices import open_device
from e2ecore.transport.dialing import dial
from e2ecore.transport.login import FrameChannel
from tests.support.engines import PATIENCE_S, agree, handle_of, history, pair, same
from tests.support.linked import comes_true, link, seated, settled
from tests.support.processes import DeviceProcess, ForkedRelay

pytestmark = [pytest.mark.slow, pytest.mark.clause("GB42012-8.1.1d")]
MESSAGES = 80
ROUNDS = 4
MOST_S = 0.5
"""How long the devices live at most in a round."""


async def prepare(folder: Path, relay: ForkedRelay) -> str:
    """Have Alice link a laptop to her phone and get messages from Bob; return the conversation."""

    async def online() -> FrameChannel:
        return await dial(relay.url, ca_file=relay.ca)

    async with (
        await open_device(folder / "phone.db", online) as phone,
        await open_device(folder / "laptop.db", online) as laptop,
        await open_device(folder / "bob.db", online) as bob,
        await open_device(folder / "carol.db", online) as carol,
    ):
        await phone.register("alice")
        await bob.register("bob")
        await carol.register("carol")
        chat, at_bobs = await pair(phone, bob)
        await phone.contacts.find(handle_of(carol))
        await agree(phone, Purpose.MULTI_DEVICE_SYNC)
        await link(phone, laptop)
        there = await same(laptop, chat)
        await settled(phone)
        await seated(laptop, 2)
        await at_bobs.send_many([str(number) for number in range(MESSAGES)])
        for one in (chat, there):

            async def is_here(one: Conversation = one) -> bool:
                return len(await history(one)) == MESSAGES

            await comes_true(is_here)
        return chat.conversation_id.hex()


@pytest.fixture
def relay(tmp_path: Path) -> Iterator[ForkedRelay]:
    with ForkedRelay(tmp_path / "relay") as process:
        yield process


def promised(*processes: DeviceProcess, what: str) -> set[str]:
    """Return what calls that had returned were about."""
    return {str(one[what]) for process in processes for one in process.events if what in one}


def test_devices_that_are_killed_while_they_live_agree_and_undo_nothing(
    tmp_path: Path, relay: ForkedRelay
) -> None:
    dice = random.Random(7)
    uid = anyio.run(prepare, tmp_path, relay, backend="trio")
    asked = {"conversation": uid, "handle": "carol"}
    bob = DeviceProcess(tmp_path / "bob.db", relay).start()
    phone, laptop = (DeviceProcess(tmp_path / f"{name}.db", relay) for name in ("phone", "laptop"))
    number = MESSAGES
    for _ in range(ROUNDS):
        for one in (phone, laptop):
            one.start()
            one.tell(do="live", seed=str(dice.random()), **asked)
        for _ in range(3):
            bob.ask("send", conversation=uid, text=str(number))
            number += 1
        for one in dice.sample((phone, laptop), 2):
            time.sleep(dice.random() * MOST_S)
            one.kill()
    bob.stop()
    phone.start()
    laptop.start()

    erased = promised(phone, laptop, what="erased")
    read = max(map(int, promised(phone, laptop, what="read")))
    assert len(erased) > ROUNDS
    until = time.monotonic() + PATIENCE_S
    while True:
        views = [
            cast("list[object]", one.ask("view", **asked)["result"]) for one in (phone, laptop)
        ]
        for one, view in zip((phone, laptop), views, strict=True):
            assert promised(one, what="erased").isdisjoint(cast("list[str]", view[0]))
        left, unread = cast("list[str]", views[0][0]), cast("int", views[0][-1])
        is_all_here = str(number - 1) in [*left, *erased]
        if (is_all_here and views[0] == views[1]) or time.monotonic() > until:
            break
        time.sleep(0.1)
    assert is_all_here
    assert views[0] == views[1]
    assert erased.isdisjoint(left)
    assert unread <= sum(int(text) > read for text in left)
    phone.stop()
    laptop.stop()
