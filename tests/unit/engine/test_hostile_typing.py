"""Typing signals of a hostile member and a hostile relay: what is not genuine, new and of now."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from e2ecore import Conversation, Engine, EventReader, Purpose, TypingChanged
from e2ecore.engine.arrival import signalling
from e2ecore.engine.arrival.signalling import BAD_AT_ONCE, GOOD_AT_ONCE, _Epoch
from e2ecore.messaging.signals import Place, SignalKey, open_signal, seal_signal
from e2ecore.testing import MemoryRelay, VirtualClock, devices
from e2ecore_protocol.content.signals import TYPING, Typing
from e2ecore_protocol.frames.signals import Signal, Signalled
from e2ecore_protocol.limits import SIGNAL_AGE_MS, SIGNAL_BYTES, TYPING_REPEAT_MS
from tests.support.engines import agree, epoch_reached, group_of, texts, until

pytestmark = pytest.mark.anyio
START_MS = 1_790_000_000_000


@pytest.fixture
def anyio_backend() -> str:
    """What is judged here does not depend on the event loop; the loops are tested elsewhere."""
    return "trio"


class Scene:
    """Mallory is a member of the group of Alice and Bob."""

    def __init__(self, relay: MemoryRelay, engines: list[Engine], clock: VirtualClock) -> None:
        self.relay, self.clock = relay, clock
        self.alice, self.bob, self.mallory = engines
        self.at_alice = self.alice.events()
        self.group: Conversation
        self.bobs: Conversation
        self.stamp_ms = clock()

    @property
    def uid(self) -> bytes:
        return self.group.conversation_id

    def epoch_of(self, engine: Engine) -> _Epoch:
        found = engine._core.signals._epoch(self.uid)
        assert found is not None
        return found

    def signal(self, engine: Engine, state: int = TYPING) -> Typing:
        """A good signal of an engine, signed."""
        self.stamp_ms += 1
        found = self.epoch_of(engine)
        signal = Typing(found.leaf, self.stamp_ms, state)
        return signal.signed(*found.place, engine._core.signals._own_key().sign)

    def sealed(self, signal: Typing, engine: Engine | None = None) -> bytes:
        key = self.epoch_of(engine or self.mallory).key
        return seal_signal(key, signal, self.mallory._core.rng)

    def send(self, payload: bytes, uid: bytes | None = None) -> None:
        """Mallory sends, or the relay makes up, a signal to Alice and Bob."""
        link = self.mallory._core.need_link()
        link._frames.append(Signal(uid or self.uid, payload).encode())
        link.flush()

    async def followed(self) -> None:
        """Wait until Bob is in Alice's epoch."""
        await self.group.refresh()
        await epoch_reached(self.bobs, self.group.epoch)

    async def nothing_came_but(self, reader: EventReader, most: int) -> bool:
        """Alice was told at most so often before Bob, whose genuine signal comes next."""
        self.clock.advance(ms=TYPING_REPEAT_MS)
        self.stamp_ms = self.clock()
        assert await self.bobs.typing()
        for _ in range(most + 1):
            if (await until(reader, TypingChanged)).account_id == account(self.bob):
                return True
        return False

    async def nothing_came(self) -> bool:
        """Alice has not been told that anybody types: a genuine signal is the next one."""
        self.clock.advance(ms=TYPING_REPEAT_MS)
        self.stamp_ms = self.clock()
        assert await self.bobs.typing()
        event = await until(self.at_alice, TypingChanged)
        assert await self.bobs.typing(on=False)
        after = await until(self.at_alice, TypingChanged)
        return event.is_typing and {event.account_id, after.account_id} == {account(self.bob)}


def account(engine: Engine) -> bytes:
    assert engine.account is not None
    return engine.account.account_id


@asynccontextmanager
async def scene(folder: Path) -> AsyncIterator[Scene]:
    clock = VirtualClock(START_MS)
    async with devices(folder, "alice", "bob", "mallory", clock_ms=clock) as (relay, engines):
        at = Scene(relay, engines, clock)
        at.group, at.bobs, at_mallorys = await group_of(engines)
        await epoch_reached(at.bobs, at.group.epoch)
        await epoch_reached(at_mallorys, at.group.epoch)
        await agree(at.bob, Purpose.TYPING)
        yield at


def changed(at: Scene, **fields: object) -> bytes:
    """Mallory's signal with a field that its signature does not fit."""
    return at.sealed(replace(at.signal(at.mallory), **fields))  # type: ignore[arg-type]


def in_bobs_name(at: Scene) -> bytes:
    """What Mallory signs for Bob's leaf."""
    mine, place = at.signal(at.mallory), at.epoch_of(at.bob).place
    signal = Typing(at.epoch_of(at.bob).leaf, mine.stamp_ms, TYPING)
    return at.sealed(signal.signed(*place, at.mallory._core.signals._own_key().sign))


def for_another_place(at: Scene, place: Place) -> bytes:
    mine = at.signal(at.mallory)
    return at.sealed(mine.signed(*place, at.mallory._core.signals._own_key().sign))


def stamped(at: Scene, stamp_ms: int) -> bytes:
    mine, place = at.signal(at.mallory), at.epoch_of(at.mallory).place
    signal = Typing(mine.leaf, stamp_ms, TYPING)
    return at.sealed(signal.signed(*place, at.mallory._core.signals._own_key().sign))


def damaged(at: Scene, where: int) -> bytes:
    whole = at.sealed(at.signal(at.mallory))
    return whole[:where] + bytes((whole[where] ^ 1,)) + whole[where + 1 :]


LIES: dict[str, Callable[[Scene], bytes]] = {
    "in the name of another member": in_bobs_name,
    "with the leaf of another member": lambda at: changed(at, leaf=at.epoch_of(at.bob).leaf),
    "with another stamp": lambda at: changed(at, stamp_ms=at.stamp_ms + 5),
    "with another state": lambda at: changed(at, state=0),
    "with no signature": lambda at: changed(at, signature=bytes(64)),
    "of a leaf that is blank": lambda at: changed(at, leaf=3),
    "of a leaf beyond the tree": lambda at: changed(at, leaf=(1 << 32) - 1),
    "of the reader itself": lambda at: at.sealed(at.signal(at.alice)),
    "for another conversation": lambda at: for_another_place(
        at, Place(bytes(16), at.epoch_of(at.mallory).place.epoch)
    ),
    "for another epoch": lambda at: for_another_place(
        at, Place(at.uid, at.epoch_of(at.mallory).place.epoch - 1)
    ),
    "from long ago": lambda at: stamped(at, at.clock() - SIGNAL_AGE_MS - 1),
    "from the future": lambda at: stamped(at, at.clock() + 2 * SIGNAL_AGE_MS),
    "with a damaged nonce": lambda at: damaged(at, 0),
    "with a damaged tag": lambda at: damaged(at, SIGNAL_BYTES - 1),
    "of noise": lambda at: at.mallory._core.rng(SIGNAL_BYTES),
}


async def test_what_is_not_genuine_is_not_shown(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        for name, lie in LIES.items():
            at.send(lie(at))
            assert await at.nothing_came(), name
            at.clock.advance(ms=60_000)  # many lies in a row are not even looked at
            at.stamp_ms = at.clock()


async def test_what_is_genuine_is_shown(tmp_path: Path) -> None:
    """Else the test above would prove nothing."""
    async with scene(tmp_path) as at:
        for age_ms in (SIGNAL_AGE_MS, -SIGNAL_AGE_MS):
            at.send(stamped(at, at.clock() - age_ms))
            event = await until(at.at_alice, TypingChanged)
            assert (event.account_id, event.is_typing) == (account(at.mallory), True)
            at.clock.advance(ms=60_000)
            assert not (await until(at.at_alice, TypingChanged)).is_typing


async def test_a_signal_that_was_heard_is_not_heard_again(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        again = at.sealed(at.signal(at.bob))
        stop = at.sealed(at.signal(at.bob, 0))
        for payload, is_typing in ((again, True), (stop, False)):
            at.send(payload)
            event = await until(at.at_alice, TypingChanged)
            assert (event.account_id, event.is_typing) == (account(at.bob), is_typing)
        at.send(again)  # the relay, or Mallory, repeats it
        at.send(at.sealed(replace(at.signal(at.bob), stamp_ms=at.stamp_ms - 2)))
        at.clock.advance(ms=SIGNAL_AGE_MS + 1)
        at.send(again)  # when it is forgotten it is too old
        assert await at.nothing_came()


async def test_a_signal_of_the_epoch_before_is_not_shown(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        late = at.sealed(at.signal(at.mallory))
        await (await at.group.renew_keys()).applied()
        await at.followed()
        at.send(late)
        assert await at.nothing_came()


async def test_a_removed_member_signals_to_nobody_and_hears_of_nobody(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        kept = at.epoch_of(at.mallory)
        late = at.signal(at.mallory)
        await (await at.group.remove(await at.alice.contacts.find("mallory"))).applied()
        await at.followed()
        heard: set[bytes] = set()

        def note(who: bytes, items: list[Signalled]) -> list[Signalled]:
            heard.add(who)
            return items

        at.relay.faults.signals.append(note)
        payload = seal_signal(kept.key, late, at.mallory._core.rng)
        at.alice._core.signalled(at.uid, payload)  # a relay that lies delivers it all the same
        at.send(payload)
        assert not heard
        assert await at.nothing_came()
        assert at.alice.account is not None
        assert heard == {at.alice.account.device_id}


async def test_a_signal_for_a_conversation_that_nobody_knows_does_no_harm(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        for core in (at.alice._core, at.bob._core):
            core.signalled(bytes(16), bytes(SIGNAL_BYTES))
            core.signalled(at.uid, b"")
            core.signalled(b"", bytes(SIGNAL_BYTES))
        assert await at.nothing_came()


async def test_a_flood_of_signals_delays_no_message(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        for number in range(20):
            for _ in range(20):
                at.send(at.sealed(at.signal(at.mallory)))
                at.send(at.mallory._core.rng(SIGNAL_BYTES))
            await at.bobs.send(str(number))
        assert await texts(at.at_alice, 20) == [str(number) for number in range(20)]
        at.clock.advance(ms=60_000)
        assert not at.group.typists


class Opened:
    """How many signals were opened; nothing costs anything before that."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        monkeypatch.setattr(signalling, "open_signal", self._open)

    def _open(self, key: SignalKey, payload: bytes) -> Typing | None:
        self.count += 1
        return open_signal(key, payload)


@pytest.mark.parametrize(
    "lie", ["of noise", "of a leaf that is blank", "in the name of another member"]
)
async def test_signals_that_do_not_verify_cost_little_however_many_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lie: str
) -> None:
    async with scene(tmp_path) as at:
        core = at.alice._core
        assert await at.nothing_came()
        lies = [LIES[lie](at) for _ in range(300)]
        opened = Opened(monkeypatch)
        for one in lies:
            core.signalled(at.uid, one)
        assert opened.count == BAD_AT_ONCE
        for one in lies:
            core.signalled(at.uid, one)
        assert opened.count == BAD_AT_ONCE
        at.clock.advance(ms=60_000)
        assert await at.nothing_came(), "it is forgotten after a while"


async def test_a_member_who_signals_without_end_is_looked_at_now_and_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with scene(tmp_path) as at:
        signals = [at.sealed(at.signal(at.mallory, number % 2)) for number in range(300)]
        at.clock.advance(ms=1_000)
        opened = Opened(monkeypatch)
        for one in signals:
            at.alice._core.signalled(at.uid, one)
        assert opened.count == GOOD_AT_ONCE + BAD_AT_ONCE
        told = at.at_alice
        at.clock.advance(ms=60_000)
        assert await at.nothing_came_but(told, GOOD_AT_ONCE)


async def test_signals_for_made_up_conversations_are_looked_up_now_and_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with scene(tmp_path) as at:
        core, looked = at.alice._core, 0
        real = core.signals._epoch

        def counting(uid: bytes) -> _Epoch | None:
            nonlocal looked
            looked += 1
            return real(uid)

        monkeypatch.setattr(core.signals, "_epoch", counting)
        for number in range(500):
            core.signalled(number.to_bytes(16, "big"), bytes(SIGNAL_BYTES))
        assert looked == BAD_AT_ONCE
        at.clock.advance(ms=60_000)
        assert await at.nothing_came()
