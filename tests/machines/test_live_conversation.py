"""A conversation while everything happens to it, against a list: pages, unread, last message, view.

Bob writes, takes back, writes what erases itself; Alice writes, reads, erases, blocks. After each
step everything that Alice's app can ask must be what a list in memory says.
"""

import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

import anyio
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from e2ecore import Conversation, Engine, Message, MessageKind
from e2ecore.engine.engine import system_clock_ms
from e2ecore.engine.erasure.erasing import sweep
from e2ecore.storage import members
from e2ecore.storage.members import MemberRow
from e2ecore.storage.tx import Tx
from e2ecore.testing import devices
from tests.support.engines import PATIENCE_S, handle_of, pair

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

LIFETIME_S: Final = 60
NUMBERS: Final = st.integers(0, 6)
STEPS: Final = st.lists(
    st.tuples(
        st.sampled_from(
            ("hears", "hears", "says", "reads", "erases", "erases_last", "drops", "recalled",
             "fleeting", "waits", "blocks", "clears")
        ),
        NUMBERS,
    ),
    max_size=14,
)  # fmt: skip


@dataclass
class Known:
    """One message as the model has it."""

    text: str
    mine: bool
    order: int = 0
    unread: bool = False
    over_ms: int | None = None


@dataclass
class Scene:
    """Alice's app, and what must be true of it."""

    alice: Engine
    bob: Engine
    chat: Conversation
    other: Conversation
    skipped_ms: list[int]
    model: list[Known] = field(default_factory=list)
    orders: set[int] = field(default_factory=set)
    """Every place that a message ever had."""
    at_bobs: dict[str, int] = field(default_factory=dict)
    number: int = 0
    counter: int = 0

    def __post_init__(self) -> None:
        self.changes = self.alice.changes()
        self.shown: dict[int, Message] = {}

    async def stored(self) -> list[Message]:
        every = await self.chat.messages(limit=1_000)
        return [one for one in every if one.kind is not MessageKind.NOTICE]

    async def arrives(self, *texts: str, over_ms: int | None = None) -> None:
        for text in texts:
            self.model.append(Known(text, mine=False, unread=True, over_ms=over_ms))
        await self.settles()

    async def settles(self) -> None:
        """Wait until the database says what the model says."""
        expected = [one.text for one in self.model]
        with anyio.fail_after(PATIENCE_S):
            while [one.text for one in await self.stored()] != expected:  # noqa: ASYNC110
                await anyio.sleep(0.002)
        for known, one in zip(self.model, await self.stored(), strict=True):
            known.order = one.order
            self.orders.add(one.order)

    def fresh(self, count: int) -> list[str]:
        self.number += count
        return [f"text {self.number - at}" for at in range(count)]

    async def bob_sends(self, count: int, lifetime_s: int | None = None) -> list[str]:
        sent = self.fresh(count)
        for text in sent:
            one = await self.other.send_rich(text, lifetime_s=lifetime_s)
            self.at_bobs[text], self.counter = one.order, one.counter
            await one.accepted()
        return sent

    async def hears(self, number: int) -> None:
        await self.arrives(*await self.bob_sends(1 + number % 3))

    async def fleeting(self, number: int) -> None:
        over_ms = self.alice._core.clock_ms() + LIFETIME_S * 1_000
        await self.arrives(*await self.bob_sends(1 + number % 2, LIFETIME_S), over_ms=over_ms)

    async def waits(self, _number: int) -> None:
        if any(one.over_ms for one in self.model):  # a clock that jumps, back and forth
            self.skipped_ms[0] += 2 * LIFETIME_S * 1_000
            await sweep(self.alice._core)
            self.skipped_ms[0] -= LIFETIME_S * 1_000
        self.model = [one for one in self.model if one.over_ms is None]

    async def says(self, number: int) -> None:
        sent = self.fresh(1 + number % 3)
        await self.chat.send_many(sent)
        self.model += [Known(text, mine=True) for text in sent]

    async def reads(self, _number: int) -> None:
        await self.chat.mark_read()
        for one in self.model:
            one.unread = False

    async def erases(self, number: int) -> None:
        gone = self.model[number :: 1 + number]
        assert await self.chat.delete_messages([one.order for one in gone]) == len(gone)
        self.model = [one for one in self.model if one not in gone]

    async def erases_last(self, _number: int) -> None:
        await self.chat.delete_messages([one.order for one in self.model[-1:]])
        self.model = self.model[:-1]

    async def drops(self, number: int) -> None:
        kept = self.model[number:]
        if kept:
            await self.chat.delete_before(kept[0].order)
            self.model = kept

    async def clears(self, number: int) -> None:
        if number == 0:
            await self.chat.clear()
            self.model = []

    async def recalled(self, number: int) -> None:
        theirs = [one for one in self.model if not one.mine and one.text]
        if theirs:
            one = theirs[number % len(theirs)]
            await (await self.other.recall(self.at_bobs[one.text])).accepted()
            one.text = ""

    async def blocks(self, number: int) -> None:
        contact = await self.alice.contacts.find(handle_of(self.bob))
        await contact.block()
        await self.bob_sends(number % 3)
        mark = await self.bob_sends(1)
        with anyio.fail_after(PATIENCE_S):
            while self.heard() < self.counter:  # noqa: ASYNC110
                await anyio.sleep(0.002)
        assert mark[0] not in [one.text for one in await self.stored()]
        await contact.unblock()
        await self.arrives(*await self.bob_sends(1))

    def heard(self) -> int:
        """Up to which counter Alice has taken what Bob said, kept or not."""
        return max(one.receive_counter for one in self.alice._core.read(self._members))

    def _members(self, tx: Tx) -> list[MemberRow]:
        return members.current(tx, 1)

    async def check(self) -> None:
        await self.settles()
        await self.chat.refresh()
        unread = sum(one.unread for one in self.model)
        listed = {one.conversation_id: one for one in await self.alice.conversations.list()}
        every = await self.chat.messages(limit=1_000)
        newest = every[-1] if every else None
        for view in (self.chat, listed[self.chat.conversation_id]):
            assert view.unread == unread
            last = view.last_message
            assert (last and last.order) == (newest and newest.order)
            assert (last and last.text) == (newest and newest.text)
        await self.check_pages([one.order for one in every])
        await self.check_view(every)

    async def check_pages(self, orders: list[int]) -> None:
        for place in sorted({0, 2**32, *sorted(self.orders)[::3], *orders[:1], *orders[-1:]}):
            older = [one.order for one in await self.chat.messages(before=place, limit=3)]
            younger = [one.order for one in await self.chat.messages(after=place, limit=3)]
            assert older == [one for one in orders if one < place][-3:]
            assert younger == [one for one in orders if one > place][:3]

    async def check_view(self, every: list[Message]) -> None:
        """What changes alone have told must be what is stored."""
        wanted = [(one.order, one.text, one.kind) for one in every]
        with anyio.fail_after(PATIENCE_S):
            while [
                (order, one.text, one.kind) for order, one in sorted(self.shown.items())
            ] != wanted:
                change = await anext(self.changes)
                if change.conversation_id == self.chat.conversation_id:
                    assert not change.everything
                    for order in change.orders:
                        self.shown.pop(order, None)
                    found = await self.chat.messages_at(change.orders)
                    self.shown |= {one.order: one for one in found}


async def play(steps: list[tuple[str, int]]) -> None:
    skipped_ms = [0]
    with tempfile.TemporaryDirectory() as folder:
        clock_ms = lambda: system_clock_ms() + skipped_ms[0]  # noqa: E731
        async with devices(Path(folder), "alice", "bob", clock_ms=clock_ms) as (_, (alice, bob)):
            scene = Scene(alice, bob, *await pair(alice, bob), skipped_ms)
            scene.shown = {one.order: one for one in await scene.chat.messages()}
            for verb, number in steps:
                act: Callable[[int], Awaitable[None]] = getattr(scene, verb)
                await act(number)
                await scene.check()


@settings(max_examples=8, suppress_health_check=[HealthCheck.too_slow])
@given(steps=STEPS)
@example([("hears", 2), ("recalled", 1), ("erases_last", 0), ("erases", 0), ("hears", 0)])
@example([("fleeting", 1), ("reads", 0), ("fleeting", 1), ("recalled", 2), ("waits", 0)])
@example([("hears", 2), ("says", 0), ("blocks", 2), ("drops", 2), ("clears", 0), ("says", 0)])
def test_whatever_happens_the_app_sees_what_a_list_would_say(steps: list[tuple[str, int]]) -> None:
    anyio.run(play, steps, backend="trio")
