"""What ends by the clock, or a word, while it runs: over the relay in memory and the real one."""

import os
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeAlias, cast

import anyio
import pytest

from e2ecore.engine.engine import system_clock_ms
from e2ecore.testing import MemoryRelay
from e2ecore.transport.blobs import BlobChannel, BlobTicket
from e2ecore.transport.errors import BlobRefusedError, ConnectionLostError
from e2ecore_channel import ChannelError
from e2ecore_protocol.chain.bodies import (
    HISTORY_TRANSFER,
    MULTI_DEVICE_SYNC,
    Body,
    ConsentGranted,
    ConsentWithdrawn,
)
from e2ecore_protocol.errors import ErrorCode
from e2ecore_protocol.frames import (
    AppendChain,
    BlobCreated,
    BlobGranted,
    BlobStates,
    Committed,
    ConversationKind,
    Conversations,
    CreateBlob,
    DeletionReason,
    DeviceAddress,
    EnvelopeKind,
    Failed,
    FetchBlob,
    Frame,
    GoAway,
    ListConversations,
    MarkMinor,
    Ok,
    QueryBlobs,
    Submit,
    SubmitGuardian,
    self_conversation_id,
)
from e2ecore_protocol.frames.delivery import Deliver, Envelope
from e2ecore_protocol.guardians import GuardianDocument
from tests.support.blob_client import HttpBlobs, create, fetch
from tests.support.engines import PATIENCE_S
from tests.support.families import Family, consent
from tests.support.raw_client import KeyPair, Person, RawClient, new_envelope_id, online
from tests.support.relay import relay_by, where

if TYPE_CHECKING:
    from e2ecore_channel import Channel

pytestmark = [pytest.mark.anyio, pytest.mark.slow, pytest.mark.clause("GB42012-13.3a-d")]
HOUR_MS = 3_600_000
YEAR_MS = 365 * 24 * HOUR_MS
Connect: TypeAlias = Callable[[Person], AbstractAsyncContextManager[RawClient]]


@pytest.fixture
def anyio_backend() -> str:
    """The real relay's HTTP side runs on trio only."""
    return "trio"


class Clock:
    """The relay's clock of the day. It can be set."""

    def __init__(self) -> None:
        self.ahead_ms = 0

    def __call__(self) -> int:
        return system_clock_ms() + self.ahead_ms


class Kept(NamedTuple):
    """A relay of either kind."""

    connect: Connect
    way: BlobChannel
    clock: Clock
    look: Callable[[], None]
    """Have it look at its clock; the real one does by itself."""


@asynccontextmanager
async def in_memory(_folder: Path) -> AsyncIterator[Kept]:
    clock = Clock()
    relay = MemoryRelay(clock_ms=clock)

    @asynccontextmanager
    async def connect(person: Person) -> AsyncIterator[RawClient]:
        client = RawClient(cast("Channel", await relay.dial()), person)
        await client.greet()
        await client.register()
        await client.authenticate()
        yield client

    yield Kept(connect, relay.blob_channel, clock, relay.expire)


@asynccontextmanager
async def real(folder: Path) -> AsyncIterator[Kept]:
    clock = Clock()
    async with relay_by(clock, folder) as relay:
        yield Kept(
            lambda person: online(*where(relay), person), HttpBlobs(relay), clock, lambda: None
        )


@pytest.fixture(params=[in_memory, real])
async def relay(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Kept]:
    """Each relay in turn."""
    with anyio.fail_after(PATIENCE_S):
        async with request.param(tmp_path) as kept:
            yield kept


class Pair(NamedTuple):
    """Two devices of Alice, and Bob, in one group."""

    relay: Kept
    phone: RawClient
    laptop: RawClient
    bob: RawClient
    group: bytes
    consent: ConsentGranted

    async def head(self) -> int:
        """How many envelopes the group has."""
        asked = ListConversations(self.bob.request())
        answer = await self.bob.ask(asked, Conversations)
        assert isinstance(answer, Conversations)
        return next(one.head_seq for one in answer.conversations if one.conversation == self.group)


def over_an_hour(clock: Clock, purpose: str = MULTI_DEVICE_SYNC) -> ConsentGranted:
    return consent(purpose, clock() + HOUR_MS)


async def append(client: RawClient, *bodies: Body | KeyPair) -> Ok | Failed:
    """Have a person's chain grow, by what is said or by a device."""
    person = client.person
    for one in bodies:
        new = person.device_entry(one) if isinstance(one, KeyPair) else person.entry(one)
        person.entries.append(new)
    entries = tuple([one.encode() for one in person.entries[-len(bodies) :]])
    return await client.ask(AppendChain(client.request(), entries), Ok)


@pytest.fixture
async def pair(relay: Kept) -> AsyncIterator[Pair]:
    alice, bob = Person(), Person()
    other = alice.with_device(KeyPair.make())
    granted = over_an_hour(relay.clock)
    async with relay.connect(alice) as phone, relay.connect(bob) as b:
        assert isinstance(await append(phone, granted, other.device), Ok)
        group = await b.group(alice, other)
        async with relay.connect(other) as laptop:
            await laptop.wait_for(1)
            yield Pair(relay, phone, laptop, b, group, granted)


async def end_of(client: RawClient) -> ErrorCode:
    """Read to the end; what comes before are no envelopes."""
    while not isinstance(frame := await client.next(), GoAway):
        assert not isinstance(frame, Deliver)
    return frame.code


async def is_turned_away(relay: Kept, person: Person) -> bool:
    with pytest.raises(AssertionError, match=ErrorCode.CONSENT_REQUIRED.value):
        async with relay.connect(person):
            return False
    return True


async def test_a_connected_device_is_cut_the_moment_the_consent_is_over(pair: Pair) -> None:
    relay = pair.relay
    relay.clock.ahead_ms = HOUR_MS
    await pair.bob.submit(pair.group, b"too late for the second one")
    relay.look()
    assert await end_of(pair.laptop) is ErrorCode.CONSENT_REQUIRED
    assert await is_turned_away(relay, pair.laptop.person)
    await pair.phone.wait_for(2)


async def test_a_silent_relay_cuts_it_as_well(pair: Pair) -> None:
    pair.relay.clock.ahead_ms = HOUR_MS
    pair.relay.look()
    assert await end_of(pair.laptop) is ErrorCode.CONSENT_REQUIRED


@pytest.mark.clause("GB42012-8.1.1d")
async def test_nothing_is_taken_from_it_any_more(pair: Pair) -> None:
    before = await pair.head()
    pair.relay.clock.ahead_ms = HOUR_MS
    late = Envelope(pair.group, new_envelope_id(), EnvelopeKind.APPLICATION, 1, 60, b"late")
    with suppress(ChannelError, ConnectionLostError):
        await pair.laptop.send(Submit(pair.laptop.request(), (late,)))
    assert await end_of(pair.laptop) is ErrorCode.CONSENT_REQUIRED
    assert await pair.head() == before


@pytest.mark.parametrize("years", [1, -1])
async def test_a_clock_that_jumps_by_a_year_and_back_destroys_nothing(
    pair: Pair, years: int
) -> None:
    relay, other = pair.relay, pair.laptop.person
    relay.clock.ahead_ms = years * YEAR_MS
    relay.look()
    if years > 0:
        assert await end_of(pair.laptop) is ErrorCode.CONSENT_REQUIRED
        assert await is_turned_away(relay, other)
    relay.clock.ahead_ms = 0
    await pair.bob.submit(pair.group, b"here it is")
    async with relay.connect(other) as again:
        await again.expect(Deliver)
        assert again.delivered[-1].payload == b"here it is"


async def test_who_agrees_anew_in_time_stays_connected(pair: Pair) -> None:
    relay = pair.relay
    again = consent(MULTI_DEVICE_SYNC, relay.clock() + 3 * HOUR_MS)
    withdrawn = ConsentWithdrawn(pair.consent.consent_id)
    assert isinstance(await append(pair.phone, again, withdrawn), Ok)
    relay.clock.ahead_ms = 2 * HOUR_MS
    relay.look()
    await pair.bob.submit(pair.group, b"still there")
    await pair.laptop.wait_for(2)
    relay.clock.ahead_ms = 3 * HOUR_MS
    relay.look()
    assert await end_of(pair.laptop) is ErrorCode.CONSENT_REQUIRED


async def test_a_token_for_bytes_ends_with_the_consent(pair: Pair) -> None:
    data, relay = os.urandom(100), pair.relay
    blob_id, made = await create(pair.bob, pair.group, len(data))
    ticket = BlobTicket(blob_id, made.upload_token, made.port)
    await relay.way.upload(ticket, 0, one(data), completes=True)
    relay.clock.ahead_ms = HOUR_MS // 2
    granted = await fetch(pair.laptop, blob_id)
    assert granted.token_expires_ms == pair.consent.expires_ms
    fetched = BlobTicket(blob_id, granted.fetch_token, granted.port)
    async with relay.way.download(fetched) as blocks:
        assert b"".join([block async for block in blocks]) == data
    relay.clock.ahead_ms = HOUR_MS
    with pytest.raises(BlobRefusedError, match="token_expired"):
        async with relay.way.download(fetched):
            pass
    other = await fetch(pair.phone, blob_id)
    assert other.token_expires_ms > (pair.consent.expires_ms or 0)


async def one(data: bytes) -> AsyncIterator[bytes]:
    yield data


# --- history -------------------------------------------------------------------------------------


async def own_conversation(pair: Pair) -> bytes:
    person = pair.phone.person
    name = self_conversation_id(person.account_id, 0)
    other = pair.laptop.person.address
    assert isinstance(await commit_own(pair.phone, name, other), Committed)
    return name


async def commit_own(client: RawClient, name: bytes, other: DeviceAddress) -> Committed | Failed:
    return await client.commit(name, 0, create=ConversationKind.SELF, added=[other])


async def state_of(client: RawClient, blob_id: bytes) -> int | None:
    """Why a blob is gone; None if it is not."""
    answer = await client.ask(QueryBlobs(client.request(), (blob_id,)), BlobStates)
    assert isinstance(answer, BlobStates)
    return answer.deleted[0].reason if answer.deleted else None


async def ended_for(client: RawClient, blob_id: bytes) -> int:
    """Wait until a blob is gone; return why."""
    while True:
        reason = await state_of(client, blob_id)
        if reason is not None:
            return reason
        await anyio.sleep(0.01)


async def refusal(client: RawClient, frame: Frame, kind: type[BlobCreated | BlobGranted]) -> str:
    answer = await client.ask(frame, kind)
    assert isinstance(answer, Failed)
    return answer.code.value


async def test_history_waits_no_longer_than_the_consent_to_it(pair: Pair) -> None:
    name, relay = await own_conversation(pair), pair.relay
    agreed = over_an_hour(relay.clock, HISTORY_TRANSFER)
    assert isinstance(await append(pair.phone, agreed), Ok)
    blob_id, made = await create(pair.phone, name, 100)
    assert made.expires_ms == agreed.expires_ms
    ticket = BlobTicket(blob_id, made.upload_token, made.port)
    await relay.way.upload(ticket, 0, one(bytes(50)), completes=False)
    relay.clock.ahead_ms = HOUR_MS
    with pytest.raises(BlobRefusedError, match="gone"):
        await relay.way.upload(ticket, 50, one(bytes(50)), completes=True)
    frame = CreateBlob(pair.phone.request(), os.urandom(16), name, 10, 60)
    assert await refusal(pair.phone, frame, BlobCreated) == ErrorCode.CONSENT_REQUIRED.value


async def test_history_under_way_ends_when_the_consent_is_taken_back(pair: Pair) -> None:
    name, agreed = await own_conversation(pair), consent(HISTORY_TRANSFER)
    assert isinstance(await append(pair.phone, agreed), Ok)
    blob_id, made = await create(pair.phone, name, 100)
    ordinary, _ = await create(pair.phone, pair.group, 100)
    ticket = BlobTicket(blob_id, made.upload_token, made.port)
    await pair.relay.way.upload(ticket, 0, one(bytes(100)), completes=True)
    granted = await fetch(pair.laptop, blob_id)
    assert isinstance(await append(pair.phone, ConsentWithdrawn(agreed.consent_id)), Ok)
    asked = FetchBlob(pair.laptop.request(), blob_id)
    assert await refusal(pair.laptop, asked, BlobGranted) == ErrorCode.BLOB_GONE.value
    with pytest.raises(BlobRefusedError, match="gone"):
        async with pair.relay.way.download(BlobTicket(blob_id, granted.fetch_token, granted.port)):
            pass
    assert await ended_for(pair.phone, blob_id) == DeletionReason.RECALLED
    assert await state_of(pair.phone, ordinary) is None


@pytest.mark.clause("GB42012-8.1.1e")
async def test_an_upload_that_goes_on_outlives_its_day_and_one_that_stands_still_does_not(
    pair: Pair,
) -> None:
    bob, relay = pair.bob, pair.relay
    slow, made = await create(bob, pair.group, 100)
    still, _ = await create(bob, pair.group, 100)
    ticket = BlobTicket(slow, made.upload_token, made.port)
    for turn in range(4):
        relay.clock.ahead_ms = turn * 20 * HOUR_MS
        await relay.way.upload(ticket, 20 * turn, one(bytes(20)), completes=False)
    frame = CreateBlob(bob.request(), still, pair.group, 100, 60)
    assert await refusal(bob, frame, BlobCreated) == ErrorCode.BLOB_GONE.value
    _, made = await create(bob, pair.group, 100, blob=slow)
    ticket = BlobTicket(slow, made.upload_token, made.port)
    relay.clock.ahead_ms = made.expires_ms - system_clock_ms()
    with pytest.raises(BlobRefusedError, match="gone"):
        await relay.way.upload(ticket, 80, one(bytes(20)), completes=True)


class Home(Family):
    """A ward with two devices, both online, and a guardian."""

    def __init__(self) -> None:
        super().__init__(system_clock_ms())
        self.parent: RawClient

    async def submit(self, document: GuardianDocument) -> None:
        frame = SubmitGuardian(self.parent.request(), document.encode())
        assert isinstance(await self.parent.ask(frame, Ok), Ok)


@pytest.mark.clause("GB42012-14.1a-g")
async def test_an_approval_that_is_taken_back_ends_what_stands_on_it_at_once(relay: Kept) -> None:
    home = Home()
    other = home.ward.with_device(KeyPair.make())
    devices, history = consent(MULTI_DEVICE_SYNC), consent(HISTORY_TRANSFER)
    async with relay.connect(home.ward) as child, relay.connect(home.guardian) as home.parent:
        mark = MarkMinor(child.request(), home.now_ms + 1_000 * HOUR_MS)
        assert isinstance(await child.ask(mark, Ok), Ok)
        await home.submit(home.link())
        for granted in (devices, history):
            await home.submit(home.approval(granted))
        assert isinstance(await append(child, devices, other.device, history), Ok)
        async with relay.connect(other) as tablet:
            name = self_conversation_id(home.ward.account_id, 0)
            assert isinstance(await commit_own(child, name, other.address), Committed)
            blob_id, _ = await create(child, name, 100)
            await home.submit(home.retraction(history))
            assert await ended_for(child, blob_id) == DeletionReason.RECALLED
            frame = CreateBlob(child.request(), os.urandom(16), name, 10, 60)
            assert await refusal(child, frame, BlobCreated) == ErrorCode.CONSENT_REQUIRED.value
            await home.submit(home.retraction(devices))
            while not isinstance(frame_ := await tablet.next(), GoAway):
                pass
            assert frame_.code is ErrorCode.CONSENT_REQUIRED
            assert await is_turned_away(relay, other)
