"""Five devices of one account at a real relay, apart for long, one with its clock in the next year.

What they do while they do not hear of each other contradicts itself as much as it can. Afterwards
all of them keep the same and show the same, and nothing that one has erased is on any.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import anyio
import pytest

import e2ecore
from e2ecore import Conversation, Engine
from e2ecore.engine.engine import system_clock_ms
from e2ecore.storage import ops
from e2ecore.testing.devices import open_device
from e2ecore.transport.dialing import dial
from e2ecore.transport.login import Dial, FrameChannel
from e2ecore_relay.server.config import RelayConfig
from e2ecore_relay.server.relay import running
from tests.support.engines import PATIENCE_S, agree, handle_of, history, pair, same
from tests.support.linked import comes_true, link, seated, settled

pytestmark = [pytest.mark.anyio, pytest.mark.slow, pytest.mark.clause("GB42012-8.1.1d")]
DEVICES = ("phone", "laptop", "tablet", "desktop", "old phone")
YEAR_MS = 366 * 86_400_000
AHEAD = "tablet"


@pytest.fixture
def anyio_backend() -> str:
    """The relay's HTTP side runs on trio only."""
    return "trio"


def next_year() -> int:
    """The clock of one device."""
    return system_clock_ms() + YEAR_MS


@asynccontextmanager
async def opened(
    folder: Path, names: Sequence[str], relay: Dial | None, ahead: str = ""
) -> AsyncIterator[dict[str, Engine]]:
    """Open devices, with or without the relay."""
    async with AsyncExitStack() as stack:
        engines: dict[str, Engine] = {}
        for name in names:
            clock_ms = next_year if name == ahead else system_clock_ms
            device = await open_device(folder / f"{name}.db", relay, clock_ms=clock_ms)
            engines[name] = await stack.enter_async_context(device)
        yield engines


async def have_met(engines: Mapping[str, Engine], number: int) -> None:
    """Wait until all sit in the conversation of their own."""
    for engine in engines.values():
        await seated(engine, number)


async def agreed(engines: Mapping[str, Engine], see: Callable[[Engine], Awaitable[object]]) -> None:
    """Wait until all keep the same, and show the same."""

    async def check() -> bool:
        kept = [engine._core.read(ops.items) for engine in engines.values()]
        shown = [await see(engine) for engine in engines.values()]
        return all(one == kept[0] for one in kept) and all(one == shown[0] for one in shown)

    await comes_true(check)


async def has(engine: Engine, chat: Conversation, texts: Sequence[str]) -> None:
    """Wait until these texts are there."""
    there = await same(engine, chat)

    async def check() -> bool:
        return await history(there) == [*texts]

    await comes_true(check)


async def act(engine: Engine, chat_id: e2ecore.GroupId, number: int, erased: Sequence[str]) -> None:
    """Do on one device what contradicts what is done on the others."""
    chat = await engine.conversations.get(chat_id)
    await chat.set_draft(f"from device {number}")
    await chat.mute(1_900_000_000_000 + number)
    await chat.set_pinned(on=number % 2 == 0)
    await chat.set_archived(on=number % 3 == 0)
    await chat.set_retention((number + 5) * YEAR_MS)
    contact = await engine.contacts.get(chat.peer or e2ecore.AccountId(b""))
    await (contact.block() if number == 2 else contact.unblock())
    if number == 4:
        await contact.mark_verified()
    shown = await chat.messages(limit=100)
    await chat.delete_messages([one for one in shown if one.text in erased])
    await chat.mark_read()


async def test_five_devices_that_were_apart_agree_and_no_delete_is_undone(tmp_path: Path) -> None:
    texts = [f"message {n}" for n in range(12)]
    erased = [texts[number * 2 : number * 2 + 2] for number in range(5)]
    left = [text for text in texts if all(text not in some for some in erased)]
    async with running(RelayConfig(data=tmp_path / "relay", port=0, http_port=0)) as real:

        async def relay() -> FrameChannel:
            return await dial(real.url, ca_file=tmp_path / "relay/development-ca.pem")

        async with opened(tmp_path, ["bob"], relay) as others:
            bob = others["bob"]
            await bob.register("bob")
            async with opened(tmp_path, DEVICES, relay) as engines:
                phone = engines["phone"]
                await phone.register("alice")
                chat, at_bobs = await pair(phone, bob)
                await agree(phone, e2ecore.Purpose.MULTI_DEVICE_SYNC)
                for count, name in enumerate(DEVICES[1:], 2):
                    await link(phone, engines[name])
                    await settled(phone)
                    await seated(phone, count)
                await have_met(engines, len(DEVICES))
                await at_bobs.send_many(texts)
                for engine in engines.values():
                    await has(engine, chat, texts)
            async with opened(tmp_path, DEVICES, None, AHEAD) as engines:
                for number, engine in enumerate(engines.values()):
                    await act(engine, chat.conversation_id, number, erased[number])

            async def see(engine: Engine) -> object:
                there = await engine.conversations.get(chat.conversation_id)
                contact = await engine.contacts.get(e2ecore.AccountId(bob._core.account_id))
                drafts = [there.draft, *await there.other_drafts()]
                return (
                    *(await history(there), there.unread, there.muted_until_ms),
                    *(there.pinned, there.archived, await there.retention()),
                    *(contact.blocked_ms is not None, contact.verification),
                    [draft.text for draft in drafts if draft is not None],
                )

            async with opened(tmp_path, DEVICES[:3], relay) as some:
                await agreed(some, see)
            async with opened(tmp_path, DEVICES, relay) as engines:
                await agreed(engines, see)
                for engine in engines.values():
                    there = await engine.conversations.get(chat.conversation_id)
                    assert await history(there) == left
                    assert there.unread == 0
                    drafts = [there.draft, *await there.other_drafts()]
                    said = {draft.text for draft in drafts if draft is not None}
                    assert said == {f"from device {number}" for number in range(len(DEVICES))}
                    contact = await engine.contacts.find(handle_of(bob))
                    assert contact.blocked_ms is not None, "nobody has unblocked in view of it"
                last = await engines["desktop"].conversations.get(chat.conversation_id)
                await last.set_draft("the one that stays")
                await last.mute(1_900_000_000_099)
                await agreed(engines, see)
                with anyio.fail_after(PATIENCE_S):
                    found = await see(engines[AHEAD])
                assert "the one that stays" in str(found)
                assert "1900000000099" in str(found)
