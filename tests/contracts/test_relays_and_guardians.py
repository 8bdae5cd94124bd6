"""The rules of guardians, over the relay in memory and over the real one, by bare frames."""

import os
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, cast

import pytest

from e2ecore.engine.engine import system_clock_ms
from e2ecore.testing import MemoryRelay
from e2ecore_protocol.chain.bodies import MULTI_DEVICE_SYNC, AccountClosed, Body
from e2ecore_protocol.errors import ErrorCode
from e2ecore_protocol.frames import (
    AppendChain,
    EnvelopeKind,
    Failed,
    FetchGuardianship,
    GoAway,
    Guardianship,
    MarkMinor,
    Ok,
    SubmitGuardian,
)
from e2ecore_protocol.frames.notices import GuardianshipChanged
from e2ecore_protocol.guardians import EndingScope, GuardianDocument
from tests.support.families import Family, consent
from tests.support.raw_client import KeyPair, Person, RawClient, online
from tests.support.relay import relay_at, where

if TYPE_CHECKING:
    from e2ecore_channel import Channel

pytestmark = [pytest.mark.anyio, pytest.mark.slow, pytest.mark.clause("GB42012-14.1a-g")]
DAY_MS = 86_400_000
Connect: TypeAlias = Callable[[Person], AbstractAsyncContextManager[RawClient]]


@pytest.fixture
def anyio_backend() -> str:
    """The real relay's HTTP side runs on trio only."""
    return "trio"


@asynccontextmanager
async def in_memory(_folder: Path) -> AsyncIterator[Connect]:
    relay = MemoryRelay(clock_ms=system_clock_ms)

    @asynccontextmanager
    async def connect(person: Person) -> AsyncIterator[RawClient]:
        client = RawClient(cast("Channel", await relay.dial()), person)
        await client.greet()
        await client.register()
        await client.authenticate()
        yield client

    yield connect


@asynccontextmanager
async def real(folder: Path) -> AsyncIterator[Connect]:
    async with relay_at(folder) as relay:
        yield lambda person: online(*where(relay), person)


class Home(Family):
    """Both are online."""

    def __init__(self) -> None:
        super().__init__(system_clock_ms())
        self.child: RawClient
        self.parent: RawClient

    async def submit(
        self, document: GuardianDocument, by: RawClient | None = None
    ) -> ErrorCode | None:
        client = by or self.parent
        frame = SubmitGuardian(client.request(), document.encode())
        return said(await client.ask(frame, Ok))

    async def append(self, *bodies: Body) -> ErrorCode | None:
        """Have the ward's chain grow; it is remembered if it was taken."""
        known = len(self.ward.entries)
        for body in bodies:
            self.ward.entries.append(self.ward.entry(body))
        return await self.sent(known)

    async def add(self, device: KeyPair) -> ErrorCode | None:
        known = len(self.ward.entries)
        self.ward.entries.append(self.ward.device_entry(device))
        return await self.sent(known)

    async def sent(self, known: int) -> ErrorCode | None:
        new = self.ward.entries[known:]
        frame = AppendChain(self.child.request(), tuple(one.encode() for one in new))
        code = said(await self.child.ask(frame, Ok))
        if code is not None:
            del self.ward.entries[known:]
        return code

    async def shows(self, client: RawClient | None = None) -> Guardianship:
        one = client or self.child
        answer = await one.ask(FetchGuardianship(one.request()), Guardianship)
        assert isinstance(answer, Guardianship)
        return replace(answer, request=0)


def said(answer: Ok | Failed) -> ErrorCode | None:
    return answer.code if isinstance(answer, Failed) else None


@pytest.fixture(params=[in_memory, real])
async def home(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Home]:
    """A child that is marked, and its parent, at each relay in turn."""
    async with request.param(tmp_path) as connect:
        home = Home()
        async with connect(home.ward) as home.child, connect(home.guardian) as home.parent:
            until_ms = home.now_ms + 100 * DAY_MS
            assert said(await home.child.ask(MarkMinor(home.child.request(), until_ms), Ok)) is None
            yield home


async def test_a_grant_needs_an_approval_that_fits(home: Home) -> None:
    granted = consent()
    assert await home.append(granted) is ErrorCode.GUARDIAN_REQUIRED
    assert await home.submit(home.link()) is None
    assert await home.append(granted) is ErrorCode.GUARDIAN_REQUIRED
    approval = home.approval(granted)
    forged = home.signed(approval, home.ward.identity)
    assert await home.submit(forged) is ErrorCode.BAD_SIGNATURE
    assert await home.submit(approval, by=home.child) is ErrorCode.GUARDIAN_INVALID
    assert await home.submit(approval) is None
    assert await home.append(replace(granted, purpose="profiling")) is ErrorCode.GUARDIAN_REQUIRED
    assert await home.append(granted) is None


async def test_what_is_held_is_told_to_the_two(home: Home) -> None:
    link, granted = home.link(), consent()
    await home.submit(link)
    await home.submit(home.approval(granted))
    wish = home.ending(home.ward, EndingScope.MARK)
    assert await home.submit(wish, by=home.child) is None
    shown = await home.shows()
    assert shown.mark is not None
    assert (shown.link, shown.endings) == (link.encode(), (wish.encode(),))
    assert shown.approvals[0] == (home.approval(granted).encode(), None)
    (ward,) = (await home.shows(home.parent)).wards
    assert (ward.link, ward.until_ms) == (link.encode(), shown.mark.until_ms)
    noticed = [one for one in home.parent.delivered if one.kind == EnvelopeKind.NOTICE]
    assert GuardianshipChanged.decode(noticed[0].payload) == GuardianshipChanged()


async def test_a_retraction_stands_and_disconnects_the_second_device(home: Home) -> None:
    granted, tablet = consent(MULTI_DEVICE_SYNC), KeyPair.make()
    await home.submit(home.link())
    await home.submit(home.approval(granted))
    assert await home.append(granted) is None
    assert await home.add(tablet) is None
    assert await home.submit(home.retraction(granted)) is None
    assert await home.submit(home.approval(granted)) is None  # replayed: it stays taken back
    assert (await home.shows()).approvals[0].retraction is not None
    assert await home.add(KeyPair.make()) is ErrorCode.GUARDIAN_REQUIRED


async def test_a_link_that_ended_does_not_come_back(home: Home) -> None:
    link, granted = home.link(), consent()
    await home.submit(link)
    await home.submit(home.approval(granted))
    assert await home.submit(home.ending(home.ward, EndingScope.LINK), by=home.child) is None
    assert (await home.shows()).link is not None
    assert await home.submit(home.ending(home.guardian, EndingScope.LINK)) is None
    assert await home.append(granted) is ErrorCode.GUARDIAN_REQUIRED
    assert await home.submit(link) is ErrorCode.GUARDIAN_INVALID
    home.link_id = os.urandom(16)
    assert await home.submit(home.link(), by=home.child) is None


async def test_both_end_the_mark(home: Home) -> None:
    await home.submit(home.link())
    assert await home.submit(home.ending(home.guardian, EndingScope.MARK)) is None
    assert await home.submit(home.ending(home.ward, EndingScope.MARK), by=home.child) is None
    assert (await home.shows()).mark is None
    assert (await home.shows(home.parent)).wards == ()
    assert await home.append(consent()) is None


async def test_closing_needs_nobody(home: Home) -> None:
    await home.submit(home.link())
    entry = home.ward.entry(AccountClosed())
    await home.child.send(AppendChain(home.child.request(), (entry.encode(),)))
    while not isinstance(frame := await home.child.next(), Ok | GoAway):
        assert not isinstance(frame, Failed)
    assert (await home.shows(home.parent)).wards == ()
