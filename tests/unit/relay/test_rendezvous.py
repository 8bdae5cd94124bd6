"""Rendezvous over real sockets: one guest, a few messages, and nothing is kept."""

from pathlib import Path

import pytest

from e2ecore_channel import ChannelError
from e2ecore_protocol.errors import ErrorCode
from e2ecore_protocol.frames import (
    CloseRendezvous,
    Failed,
    FetchHeads,
    GoAway,
    JoinRendezvous,
    Ok,
    OpenRendezvous,
    PassRendezvous,
    RendezvousClosed,
    RendezvousMessage,
    RendezvousOpened,
)
from e2ecore_protocol.limits import MAX_RENDEZVOUS_MESSAGES, RENDEZVOUS_NUMBERS, RENDEZVOUS_S
from e2ecore_relay.domain.errors import RefusedError
from e2ecore_relay.domain.rendezvous import MAX_OPEN, Lounge
from e2ecore_relay.server.relay import Relay
from tests.support.raw_client import RawClient, online, stranger
from tests.support.relay import relay_at, where
from tests.support.rng import SeededRng

pytestmark = pytest.mark.anyio


async def opened(host: RawClient) -> int:
    await host.send(OpenRendezvous(host.request()))
    return (await host.expect(RendezvousOpened)).number


async def sent_away(guest: RawClient) -> ErrorCode:
    while not isinstance(frame := await guest.next(), GoAway):
        pass
    return frame.code


async def turned_away(guest: RawClient, number: int) -> ErrorCode:
    await guest.send(JoinRendezvous(1, number))
    return await sent_away(guest)


async def test_two_connections_talk_until_one_has_enough(relay: Relay) -> None:
    async with (
        online(*where(relay)) as host,
        stranger(*where(relay)) as guest,
    ):
        number = await opened(host)
        await guest.send(JoinRendezvous(1, number))
        await guest.expect(Ok)
        await guest.send(PassRendezvous(b"hello"))
        assert (await host.expect(RendezvousMessage)).payload == b"hello"
        await host.send(PassRendezvous(b"welcome"))
        assert (await guest.expect(RendezvousMessage)).payload == b"welcome"
        await guest.send(CloseRendezvous())
        await host.expect(RendezvousClosed)
        with pytest.raises(ChannelError):
            await guest.next()
        assert len(relay.hub.lounge) == 0


async def test_nobody_comes_second(relay: Relay) -> None:
    async with (
        online(*where(relay)) as host,
        stranger(*where(relay)) as guest,
        stranger(*where(relay)) as late,
    ):
        number = await opened(host)
        await guest.send(JoinRendezvous(1, number))
        await guest.expect(Ok)
        assert await turned_away(late, number) is ErrorCode.UNKNOWN_RENDEZVOUS


async def test_a_number_is_of_no_use_once_its_host_has_gone_or_opened_another(
    relay: Relay,
) -> None:
    async with online(*where(relay)) as host:
        first = await opened(host)
        second = await opened(host)
        async with stranger(*where(relay)) as guest:
            assert await turned_away(guest, first) is ErrorCode.UNKNOWN_RENDEZVOUS
        async with stranger(*where(relay)) as guest:
            await guest.send(JoinRendezvous(1, second))
            await guest.expect(Ok)
            await host.channel.aclose()
            await guest.expect(RendezvousClosed)


async def test_a_guest_may_ask_for_nothing_else(relay: Relay) -> None:
    async with online(*where(relay)) as host, stranger(*where(relay)) as guest:
        await guest.send(JoinRendezvous(1, await opened(host)))
        await guest.expect(Ok)
        await guest.send(FetchHeads(2, (host.person.account_id,)))
        await host.expect(RendezvousClosed)
        assert await sent_away(guest) is ErrorCode.UNAUTHENTICATED


async def test_too_many_messages_end_it(relay: Relay) -> None:
    async with online(*where(relay)) as host, stranger(*where(relay)) as guest:
        await guest.send(JoinRendezvous(1, await opened(host)))
        await guest.expect(Ok)
        await guest.send(*[PassRendezvous(b"x")] * (MAX_RENDEZVOUS_MESSAGES + 1))
        for _ in range(MAX_RENDEZVOUS_MESSAGES):
            await host.expect(RendezvousMessage)
        await host.expect(RendezvousClosed)


async def test_guesses_and_openings_are_limited(tmp_path: Path) -> None:
    few = {"burst": 2, "per_second": 0.001}
    rates = {"visits_per_address": few, "rendezvous_per_account": few}
    async with relay_at(tmp_path, **rates) as relay, online(*where(relay)) as host:
        for code in ("unknown_rendezvous", "unknown_rendezvous", "rate_limited"):
            async with stranger(*where(relay)) as guest:
                assert await turned_away(guest, 7) == code
        for _ in range(2):
            await opened(host)
        await host.send(OpenRendezvous(host.request()))
        frame = await host.next()
        assert isinstance(frame, Failed)
        assert frame.code is ErrorCode.RATE_LIMITED


class Side:
    """A party that remembers."""

    def __init__(self) -> None:
        self.got: list[bytes] = []
        self.parted = 0

    def hand(self, payload: bytes) -> None:
        self.got.append(payload)

    def part(self) -> None:
        self.parted += 1


def test_a_rendezvous_is_over_in_time_and_what_was_said_to_nobody_is_gone() -> None:
    lounge, host, guest = Lounge(), Side(), Side()
    opened = lounge.open(host, 0, SeededRng(1))
    lounge.hand_over(host, b"to nobody", 1)
    lounge.join(opened.number, guest, 2)
    assert guest.got == []
    lounge.hand_over(host, b"late", RENDEZVOUS_S * 1000)
    assert (guest.got, host.parted, guest.parted) == ([], 1, 1)
    lounge.leave(host)
    assert (len(lounge), host.parted) == (0, 1)


def test_only_so_many_wait_that_guessing_does_not_pay() -> None:
    lounge, rng = Lounge(), SeededRng(2)
    sides = [Side() for _ in range(MAX_OPEN)]
    numbers = {lounge.open(side, 0, rng).number for side in sides}
    assert len(numbers) == MAX_OPEN <= RENDEZVOUS_NUMBERS // 20
    with pytest.raises(RefusedError) as refused:
        lounge.open(Side(), 0, rng)
    assert refused.value.code is ErrorCode.RELAY_FULL
    lounge.open(sides[0], 1, rng)
