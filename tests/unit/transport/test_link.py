"""The link at work, against a tiny relay on a real socket with real TLS."""

from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import anyio
import pytest

from e2ecore.errors import E2EError
from e2ecore.transport.dialing import dial
from e2ecore.transport.errors import ConnectionLostError, RelayProtocolError, RelayRefusedError
from e2ecore.transport.link import MAX_SUBMITS_IN_FLIGHT, Link
from e2ecore_channel import Channel
from e2ecore_protocol.errors import ErrorCode
from e2ecore_protocol.frames import (
    INBOX,
    Accepted,
    Account,
    Ack,
    AcknowledgedLog,
    CaughtUp,
    ClientFrame,
    Deliver,
    Delivery,
    Envelope,
    EnvelopeKind,
    Failed,
    GoAway,
    ListConversations,
    LookupHandle,
    Ok,
    ServerFrame,
    Submit,
    SubmitResult,
    Submitted,
    decode_client_frame,
)
from e2ecore_protocol.frames.rendezvous import RendezvousClosed, RendezvousMessage
from e2ecore_protocol.limits import MAX_FRAME_BYTES
from tests.support.certificates import Certificates, make_certificates
from tests.support.channels import serving
from tests.unit.transport.test_dialing import over_tls

pytestmark = pytest.mark.anyio

CONVERSATION = b"c" * 16


@dataclass(frozen=True)
class Item:
    """What this user submits."""

    envelope: Envelope


def item(number: int, size: int = 10) -> Item:
    payload = bytes(size)
    return Item(
        Envelope(CONVERSATION, number.to_bytes(16), EnvelopeKind.APPLICATION, 1, 9, payload)
    )


@dataclass
class User:
    """Remembers what the link reports."""

    waiting: deque[Item] = field(default_factory=deque)
    got: list[Delivery] = field(default_factory=list)
    signals: list[tuple[bytes, bytes]] = field(default_factory=list)
    results: list[SubmitResult] = field(default_factory=list)
    batches: list[int] = field(default_factory=list)
    quiet: anyio.Event = field(default_factory=anyio.Event)
    wanted: int = 0
    done: anyio.Event = field(default_factory=anyio.Event)

    def delivered(self, items: Sequence[Delivery], /) -> None:
        self.got += items

    def signalled(self, conversation: bytes, payload: bytes, /) -> None:
        self.signals.append((conversation, payload))

    def caught_up(self) -> None:
        self.quiet.set()

    def answered(self, batch: Sequence[Item], results: Sequence[SubmitResult], /) -> None:
        assert len(batch) == len(results)
        self.results += results
        self.batches.append(len(batch))
        if len(self.results) == self.wanted:
            self.done.set()

    def met(self, frame: RendezvousMessage | RendezvousClosed, /) -> None:
        raise AssertionError(f"nobody waits for {frame}")

    def next_batch(self, max_envelopes: int, max_bytes: int, /) -> list[Item]:
        assert max_bytes
        return [self.waiting.popleft() for _ in range(min(max_envelopes, len(self.waiting)))]


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("tls"))


@asynccontextmanager
async def linked(
    certificates: Certificates, relay: Callable[[Channel], Awaitable[None]], user: User
) -> AsyncGenerator[tuple[Link[Item], list[E2EError]]]:
    """A running link to a relay, and why it ended."""
    ends: list[E2EError] = []

    async def run(link: Link[Item]) -> None:
        try:
            await link.run()
        except E2EError as error:
            ends.append(error)

    async with serving(over_tls(certificates, relay)) as port:
        channel = await dial(f"wss://localhost:{port}", ca_file=certificates.ca_file)
        link: Link[Item] = Link(channel, user)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(run, link)
            yield link, ends
            if not ends:
                tasks.cancel_scope.cancel()


def saying(*frames: ServerFrame) -> Callable[[Channel], Awaitable[None]]:
    """A relay that says this, and then nothing."""

    async def talk(channel: Channel) -> None:
        await channel.send([frame.encode() for frame in frames])
        await channel.receive()

    return talk


async def accept_all(channel: Channel) -> None:
    """A relay that takes every envelope."""
    channel.max_message_bytes = MAX_FRAME_BYTES
    seq = 0
    while True:
        answers: list[bytes] = []
        for data in await channel.receive():
            frame = decode_client_frame(data)
            if isinstance(frame, Submit):
                results = tuple([Accepted(seq := seq + 1, 5) for _ in frame.envelopes])
                answers.append(Submitted(frame.request, results).encode())
        await channel.send(answers)


async def test_answers_find_their_questions_in_any_order(certificates: Certificates) -> None:
    async def relay(channel: Channel) -> None:
        asked: list[int] = []
        while len(asked) < 3:
            for data in await channel.receive():
                frame = decode_client_frame(data)
                assert isinstance(frame, LookupHandle | ListConversations)
                asked.append(frame.request)
        answers: list[ServerFrame] = [
            Ok(99_999),
            Failed(asked[2], ErrorCode.RATE_LIMITED, "slowly", 7),
            Account(asked[1], b"b" * 20, "bob", (), 0),
            Account(asked[0], b"a" * 20, "anna", (), 0),
        ]
        await channel.send([answer.encode() for answer in answers])
        await channel.receive()

    found: dict[str, bytes] = {}
    refused: list[RelayRefusedError] = []

    async def look_up(link: Link[Item], handle: str) -> None:
        try:
            found[handle] = (await link.request(LookupHandle(0, handle), Account)).account_id
        except RelayRefusedError as error:
            refused.append(error)

    async with (
        linked(certificates, relay, User()) as (link, _),
        anyio.create_task_group() as tasks,
    ):
        for handle in ("anna", "bob", "carl"):
            tasks.start_soon(look_up, link, handle)
    assert len(found) == 2
    assert [(error.code, error.retry_after_ms) for error in refused] == [
        (ErrorCode.RATE_LIMITED, 7)
    ]


async def test_an_answer_of_another_kind_is_a_broken_relay(certificates: Certificates) -> None:
    async def relay(channel: Channel) -> None:
        await channel.receive()
        await channel.send([Ok(1).encode()])
        await channel.receive()

    async with linked(certificates, relay, User()) as (link, _):
        with pytest.raises(RelayProtocolError):
            await link.request(LookupHandle(0, "anna"), Account)


async def test_envelopes_are_pipelined_in_batches(certificates: Certificates) -> None:
    user = User(waiting=deque(item(number) for number in range(3000)), wanted=3000)
    async with linked(certificates, accept_all, user) as (link, _):
        link.flush()
        with anyio.fail_after(60):
            await user.done.wait()
    assert user.results == [Accepted(seq, 5) for seq in range(1, 3001)]
    assert max(user.batches) == 256
    assert MAX_SUBMITS_IN_FLIGHT > 1


async def test_a_slow_network_holds_nothing_up_and_loses_nothing(
    certificates: Certificates,
) -> None:
    ready = anyio.Event()

    async def slow(channel: Channel) -> None:
        await ready.wait()
        await accept_all(channel)

    user = User(waiting=deque(item(n, 4000) for n in range(4000)), wanted=4001)
    async with linked(certificates, slow, user) as (link, _):
        link.flush()
        user.waiting.append(item(4000))
        link.flush()
        ready.set()
        with anyio.fail_after(60):
            await user.done.wait()
    assert len(user.results) == 4001


async def test_deliveries_are_reported_and_acknowledged_together(
    certificates: Certificates,
) -> None:
    acknowledged: list[AcknowledgedLog] = []
    seen = anyio.Event()
    one = Delivery(CONVERSATION, 1, EnvelopeKind.APPLICATION, 1, b"e" * 16, 5, b"x", None)

    async def relay(channel: Channel) -> None:
        await channel.send([Deliver((one, one._replace(seq=2))).encode(), CaughtUp().encode()])
        for data in await channel.receive():
            frame = decode_client_frame(data)
            assert isinstance(frame, Ack)
            acknowledged.extend(frame.logs)
        seen.set()
        await channel.receive()

    user = User()
    async with linked(certificates, relay, user) as (link, _):
        await user.quiet.wait()
        link.acknowledge(CONVERSATION, 1)
        link.acknowledge(INBOX, 4)
        link.acknowledge(CONVERSATION, 2)
        link.flush()
        await seen.wait()
    assert [delivery.seq for delivery in user.got] == [1, 2]
    assert set(acknowledged) == {AcknowledgedLog(CONVERSATION, 2), AcknowledgedLog(INBOX, 4)}


def delivery(seq: int, size: int = 1) -> Delivery:
    payload = bytes(size)
    return Delivery(CONVERSATION, seq, EnvelopeKind.APPLICATION, 1, b"e" * 16, 5, payload, None)


async def _frames_after(
    certificates: Certificates, items: tuple[Delivery, ...], then: Callable[[Link[Item]], None]
) -> list[ClientFrame]:
    """Return what the relay reads first when the link has delivered something and ``then`` ran."""
    frames: list[ClientFrame] = []
    seen = anyio.Event()

    async def relay(channel: Channel) -> None:
        await channel.send([Deliver(items).encode(), CaughtUp().encode()])
        frames.extend([decode_client_frame(data) for data in await channel.receive()])
        seen.set()
        await channel.receive()

    user = User()
    async with linked(certificates, relay, user) as (link, _):
        await user.quiet.wait()
        then(link)
        await seen.wait()
    return frames


async def test_an_acknowledgement_waits_for_company(
    certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("e2ecore.transport.link.ACK_DELAY_S", 3600)

    def then(link: Link[Item]) -> None:
        link.acknowledge(CONVERSATION, 1)
        link.flush()
        assert isinstance(link._user, User)
        link._user.waiting.append(item(1))
        link.flush()

    submit, ack = await _frames_after(certificates, (delivery(1),), then)
    assert isinstance(submit, Submit)
    assert ack == Ack((AcknowledgedLog(CONVERSATION, 1),))


@pytest.mark.parametrize(
    "items",
    [
        pytest.param(tuple([delivery(seq) for seq in range(1, 33)]), id="many"),
        pytest.param((delivery(1, 200_000),), id="much"),
    ],
)
async def test_acknowledgements_of_much_wait_for_nothing(
    certificates: Certificates, monkeypatch: pytest.MonkeyPatch, items: tuple[Delivery, ...]
) -> None:
    monkeypatch.setattr("e2ecore.transport.link.ACK_DELAY_S", 3600)

    def then(link: Link[Item]) -> None:
        link.acknowledge(CONVERSATION, len(items))
        link.flush()

    (ack,) = await _frames_after(certificates, items, then)
    assert ack == Ack((AcknowledgedLog(CONVERSATION, len(items)),))


@pytest.mark.parametrize(
    ("frame", "error"),
    [
        (GoAway(ErrorCode.CONNECTED_ELSEWHERE), RelayRefusedError),
        (Submitted(77, (Accepted(1, 1),)), RelayProtocolError),
    ],
)
async def test_a_relay_that_ends_the_link_is_named(
    certificates: Certificates, frame: ServerFrame, error: type[E2EError]
) -> None:
    async with linked(certificates, saying(frame), User()) as (link, ends):
        with pytest.raises(ConnectionLostError):
            await link.request(ListConversations(0), Account)
        assert link.is_closed
        with pytest.raises(ConnectionLostError):
            await link.request(ListConversations(0), Account)
        link.flush()
    assert [type(end) for end in ends] == [error]


async def test_a_relay_that_refuses_a_whole_submit_is_named(certificates: Certificates) -> None:
    async def refuse(channel: Channel) -> None:
        (data,) = await channel.receive()
        frame = decode_client_frame(data)
        assert isinstance(frame, Submit)
        await channel.send([Failed(frame.request, ErrorCode.INTERNAL, "", 9).encode()])
        await channel.receive()

    async with linked(certificates, refuse, User(deque([item(1)]))) as (link, ends):
        link.flush()
        with anyio.fail_after(60):
            while not link.is_closed:  # noqa: ASYNC110 - it has no event
                await anyio.sleep(0.001)
    assert isinstance(ends[0], RelayRefusedError)


async def test_garbage_ends_the_link(certificates: Certificates) -> None:
    async def babble(channel: Channel) -> None:
        await channel.send([b"garbage"])
        await channel.receive()

    async with linked(certificates, babble, User()) as (link, ends):
        with pytest.raises(ConnectionLostError):
            await link.request(ListConversations(0), Account)
    assert isinstance(ends[0], RelayProtocolError)
