"""The rules of blobs, over the relay in memory and over the real one, by bare frames.

What holds for one must hold for the other: that is what makes the relay in memory worth testing on.
"""

import os
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, cast

import pytest
from nacl.signing import VerifyKey

from e2ecore.engine.engine import system_clock_ms
from e2ecore.testing import MemoryRelay
from e2ecore.transport.blobs import BlobChannel, BlobTicket
from e2ecore.transport.errors import BlobRefusedError
from e2ecore_protocol.chain.bodies import HISTORY_TRANSFER, AccountClosed
from e2ecore_protocol.errors import ErrorCode
from e2ecore_protocol.frames import (
    AcknowledgeBlob,
    AppendChain,
    BlobCreated,
    BlobGranted,
    BlobsDeleted,
    BlobStates,
    Committed,
    ConversationKind,
    CreateBlob,
    DeletionReason,
    DeletionReceipt,
    Failed,
    FetchBlob,
    GoAway,
    LeaveConversation,
    Ok,
    QueryBlobs,
    RecallBlob,
    promise_message,
    receipt_message,
    self_conversation_id,
)
from e2ecore_protocol.limits import MAX_ATTACHMENT_TTL_DIRECT_S, MAX_ATTACHMENT_TTL_GROUP_S
from tests.support.blob_client import HttpBlobs, acknowledge, create, fetch, until_true
from tests.support.chains import granted
from tests.support.raw_client import Person, RawClient, online
from tests.support.relay import relay_at, where

if TYPE_CHECKING:
    from e2ecore_channel import Channel

pytestmark = [pytest.mark.anyio, pytest.mark.slow]
DATA = os.urandom(200_000)


@pytest.fixture
def anyio_backend() -> str:
    """The real relay's HTTP side runs on trio only."""
    return "trio"


class Kept(NamedTuple):
    """A relay of either kind."""

    connect: Callable[[Person], AbstractAsyncContextManager[RawClient]]
    way: BlobChannel
    held: Callable[[bytes], bool]
    """Does the relay hold bytes of a blob?"""


@asynccontextmanager
async def in_memory(_folder: Path) -> AsyncIterator[Kept]:
    relay = MemoryRelay(clock_ms=system_clock_ms)

    @asynccontextmanager
    async def connect(person: Person) -> AsyncIterator[RawClient]:
        channel = cast("Channel", await relay.dial())
        client = RawClient(channel, person)
        await client.greet()
        await client.register()
        await client.authenticate()
        yield client

    yield Kept(connect, relay.blob_channel, lambda blob_id: blob_id in relay.blobs.live)


@asynccontextmanager
async def real(folder: Path) -> AsyncIterator[Kept]:
    async with relay_at(folder) as relay:
        held = relay.hub.office.folder.size
        yield Kept(
            lambda person: online(*where(relay), person),
            HttpBlobs(relay),
            lambda blob_id: held(blob_id) > 0,
        )


@pytest.fixture(params=[in_memory, real])
async def relay(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Kept]:
    """Each relay in turn."""
    async with request.param(tmp_path) as kept:
        yield kept


class Scene(NamedTuple):
    """Three people, one group."""

    alice: RawClient
    bob: RawClient
    carol: RawClient
    group: bytes
    relay: Kept

    async def send(self, ttl_s: int = 86_400) -> tuple[bytes, BlobCreated]:
        """Upload as Alice."""
        blob_id, made = await create(self.alice, self.group, len(DATA), ttl_s=ttl_s)
        ticket = BlobTicket(blob_id, made.upload_token, made.port)
        state = await self.relay.way.upload(ticket, 0, parts(DATA), completes=True)
        assert state == (len(DATA), True)
        return blob_id, made

    async def receipt(self, blob_id: bytes) -> DeletionReceipt:
        """Wait for the notice to Alice, and check its signature."""
        while True:
            for one in self.alice.delivered:
                if not one.log_id and one.kind == 6:
                    for receipt in BlobsDeleted.decode(one.payload).receipts:
                        if receipt.blob_id == blob_id:
                            return receipt
            await self.alice.wait_for(len(self.alice.delivered) + 1)


async def parts(data: bytes) -> AsyncIterator[bytes]:
    for at in range(0, len(data), 30_000):
        yield data[at : at + 30_000]


async def read(kept: Kept, blob_id: bytes, granted: BlobGranted) -> bytes:
    ticket = BlobTicket(blob_id, granted.fetch_token, granted.port)
    async with kept.way.download(ticket) as blocks:
        return b"".join([block async for block in blocks])


def signed(key: bytes, message: bytes, signature: bytes) -> None:
    VerifyKey(key).verify(message, signature)


@pytest.fixture
async def scene(relay: Kept) -> AsyncIterator[Scene]:
    bob, carol = Person(), Person()
    async with (
        relay.connect(Person()) as a,
        relay.connect(bob) as b,
        relay.connect(carol) as c,
    ):
        yield Scene(a, b, c, await a.group(bob, carol), relay)


@pytest.mark.clause("GB42012-8.1.1e")
async def test_the_last_acknowledgement_deletes_a_blob_and_a_signed_receipt_comes(
    scene: Scene,
) -> None:
    blob_id, made = await scene.send()
    name = scene.alice.challenge.server_name
    signed(
        made.receipt_key,
        promise_message(name, blob_id, len(DATA), made.expires_ms),
        made.promise,
    )
    for client in (scene.bob, scene.carol):
        granted = await fetch(client, blob_id)
        assert (granted.share, granted.promise) == (made.share, made.promise)
        assert await read(scene.relay, blob_id, granted) == DATA
    assert isinstance(await acknowledge(scene.bob, blob_id), Ok)
    (live,) = (await ask_states(scene.alice, blob_id)).live
    assert (live.recipients, live.waiting, live.complete) == (2, 1, 1)
    assert isinstance(await acknowledge(scene.carol, blob_id), Ok)
    receipt = await scene.receipt(blob_id)
    assert receipt.reason == DeletionReason.ALL_FETCHED
    signed(
        made.receipt_key,
        receipt_message(name, blob_id, receipt.reason, receipt.time_ms),
        receipt.signature,
    )
    assert not scene.relay.held(blob_id)
    assert (await ask_states(scene.bob, blob_id)).deleted == (receipt,)
    assert isinstance(await acknowledge(scene.carol, blob_id), Ok), "a repeat is harmless"
    assert code(await ask_for(scene.bob, blob_id)) == ErrorCode.BLOB_GONE


async def ask_states(client: RawClient, *blob_ids: bytes) -> BlobStates:
    answer = await client.ask(QueryBlobs(client.request(), blob_ids), BlobStates)
    assert isinstance(answer, BlobStates)
    return answer


async def ask_for(client: RawClient, blob_id: bytes) -> BlobGranted | Failed:
    return await client.ask(FetchBlob(client.request(), blob_id), BlobGranted)


def code(answer: object) -> ErrorCode:
    assert isinstance(answer, Failed), answer
    return answer.code


async def test_a_repeat_gets_the_same_share_and_a_new_token(scene: Scene) -> None:
    blob_id, first = await create(scene.alice, scene.group, 10)
    _, second = await create(scene.alice, scene.group, 10, blob=blob_id)
    assert (first.share, first.expires_ms, first.promise) == (
        second.share,
        second.expires_ms,
        second.promise,
    )
    assert first.upload_token != second.upload_token
    with pytest.raises(BlobRefusedError):
        await scene.relay.way.upload_state(BlobTicket(blob_id, first.upload_token, first.port))
    ticket = BlobTicket(blob_id, second.upload_token, second.port)
    assert await scene.relay.way.upload_state(ticket) == (0, False)
    request = scene.alice.request()
    other = CreateBlob(request, blob_id, scene.group, 11, 60)
    assert code(await scene.alice.ask(other, BlobCreated)) == ErrorCode.BLOB_EXISTS
    request = scene.bob.request()
    other = CreateBlob(request, blob_id, scene.group, 10, 60)
    assert code(await scene.bob.ask(other, BlobCreated)) == ErrorCode.BLOB_EXISTS


async def test_a_repeat_lets_those_who_joined_meanwhile_fetch(scene: Scene) -> None:
    dave = Person()
    async with scene.relay.connect(dave) as d:
        blob_id, _ = await scene.send()
        await scene.alice.commit(scene.group, 1, added=[dave.address])
        assert code(await ask_for(d, blob_id)) == ErrorCode.UNKNOWN_BLOB
        await create(scene.alice, scene.group, len(DATA), blob=blob_id)
        assert await read(scene.relay, blob_id, await fetch(d, blob_id)) == DATA


async def test_an_upload_goes_on_and_only_where_it_is(scene: Scene) -> None:
    blob_id, made = await create(scene.alice, scene.group, len(DATA))
    ticket = BlobTicket(blob_id, made.upload_token, made.port)
    upload = scene.relay.way.upload
    assert await upload(ticket, 0, parts(DATA[:70_000]), completes=False) == (70_000, False)
    with pytest.raises(BlobRefusedError) as refused:
        await upload(ticket, 60_000, parts(DATA[60_000:]), completes=True)
    assert (refused.value.code, refused.value.offset) == ("offset_mismatch", 70_000)
    assert code(await ask_for(scene.bob, blob_id)) == ErrorCode.BLOB_INCOMPLETE
    assert await upload(ticket, 70_000, parts(DATA[70_000:]), completes=True) == (len(DATA), True)
    assert await read(scene.relay, blob_id, await fetch(scene.bob, blob_id)) == DATA


async def test_a_token_that_is_wrong_old_or_used_is_refused_by_name(scene: Scene) -> None:
    blob_id, made = await scene.send()
    old, new = await fetch(scene.bob, blob_id), await fetch(scene.bob, blob_id)

    async def refusal(blob: bytes, token: bytes) -> str:
        with pytest.raises(BlobRefusedError) as refused:
            async with scene.relay.way.download(BlobTicket(blob, token, new.port)):
                raise AssertionError
        return refused.value.code

    assert await refusal(blob_id, old.fetch_token) == "token_unknown"
    assert await refusal(os.urandom(16), new.fetch_token) == "token_unknown"
    assert await refusal(blob_id, made.upload_token) == "token_wrong_use"
    await acknowledge(scene.bob, blob_id)
    assert await refusal(blob_id, new.fetch_token) == "token_used"
    await scene.alice.ask(RecallBlob(scene.alice.request(), blob_id), Ok)
    await scene.receipt(blob_id)
    assert await refusal(blob_id, new.fetch_token) == "gone"


async def test_who_is_no_recipient_learns_nothing(scene: Scene) -> None:
    blob_id, _ = await scene.send()
    async with scene.relay.connect(Person()) as stranger:
        assert code(await ask_for(stranger, blob_id)) == ErrorCode.UNKNOWN_BLOB
        assert await ask_states(stranger, blob_id) == BlobStates(stranger._request, (), ())
        recalled = await stranger.ask(RecallBlob(stranger.request(), blob_id), Ok)
        assert code(recalled) == ErrorCode.UNKNOWN_BLOB
        assert code(await acknowledge(stranger, blob_id)) == ErrorCode.UNKNOWN_BLOB
        made = CreateBlob(stranger.request(), os.urandom(16), scene.group, 5, 60)
        assert code(await stranger.ask(made, BlobCreated)) == ErrorCode.NOT_A_MEMBER
    assert code(await ask_for(scene.alice, blob_id)) == ErrorCode.UNKNOWN_BLOB


async def test_an_acknowledgement_must_be_signed_by_the_device(scene: Scene) -> None:
    blob_id, _ = await scene.send()
    frame = AcknowledgeBlob(scene.bob.request(), blob_id, bytes(64))
    assert code(await scene.bob.ask(frame, Ok)) == ErrorCode.BAD_SIGNATURE


@pytest.mark.clause("GB42012-8.1.1e")
async def test_nobody_can_make_a_blob_wait_longer_than_its_kind_allows(scene: Scene) -> None:
    direct = await scene.alice.direct(scene.bob.person)
    for name, most_s in (
        (direct, MAX_ATTACHMENT_TTL_DIRECT_S),
        (scene.group, MAX_ATTACHMENT_TTL_GROUP_S),
    ):
        before = system_clock_ms()
        _, made = await create(scene.alice, name, 10, ttl_s=MAX_ATTACHMENT_TTL_GROUP_S)
        after = system_clock_ms()
        assert before + most_s * 1000 <= made.expires_ms <= after + most_s * 1000
        _, made = await create(scene.alice, name, 10, ttl_s=60)
        assert made.expires_ms <= system_clock_ms() + 60_000


async def test_a_recall_deletes_whatever_the_stage(scene: Scene) -> None:
    begun, _ = await create(scene.alice, scene.group, 10)
    whole, _ = await scene.send()
    for blob_id in (begun, whole):
        for _ in range(2):
            answer = await scene.alice.ask(RecallBlob(scene.alice.request(), blob_id), Ok)
            assert isinstance(answer, Ok), "a repeat is harmless"
        assert (await scene.receipt(blob_id)).reason == DeletionReason.RECALLED
        assert not scene.relay.held(blob_id)
    again = CreateBlob(scene.alice.request(), whole, scene.group, len(DATA), 60)
    assert code(await scene.alice.ask(again, BlobCreated)) == ErrorCode.BLOB_GONE


async def test_nobody_waits_for_a_device_that_left(scene: Scene) -> None:
    blob_id, _ = await scene.send()
    await acknowledge(scene.bob, blob_id)
    left = LeaveConversation(scene.carol.request(), scene.group)
    assert isinstance(await scene.carol.ask(left, Ok), Ok)
    assert (await scene.receipt(blob_id)).reason == DeletionReason.ALL_FETCHED
    assert code(await ask_for(scene.carol, blob_id)) == ErrorCode.BLOB_GONE


@pytest.mark.clause("GB42012-8.1.1e")
async def test_a_closed_account_leaves_nothing_behind(scene: Scene) -> None:
    blob_id, _ = await scene.send()
    entry = scene.alice.person.entry(AccountClosed()).encode()
    await scene.alice.send(AppendChain(scene.alice.request(), (entry,)))
    while not isinstance(await scene.alice.next(), Ok | GoAway):
        pass
    await until_true(lambda: not scene.relay.held(blob_id))
    assert code(await ask_for(scene.bob, blob_id)) == ErrorCode.BLOB_GONE


async def test_nobody_else_in_the_conversation_means_no_blob(relay: Kept) -> None:
    async with relay.connect(Person()) as alone:
        group = await alone.group()
        frame = CreateBlob(alone.request(), os.urandom(16), group, 5, 60)
        assert code(await alone.ask(frame, BlobCreated)) == ErrorCode.NO_RECIPIENT
        frame = CreateBlob(alone.request(), os.urandom(16), bytes(16), 5, 60)
        assert code(await alone.ask(frame, BlobCreated)) == ErrorCode.UNKNOWN_CONVERSATION


@pytest.mark.clause("GB42012-8.1.1d")
async def test_among_own_devices_nothing_is_kept_without_a_consent_to_history(relay: Kept) -> None:
    async with relay.connect(Person()) as alice:
        name = self_conversation_id(alice.person.address.account_id, 0)
        assert isinstance(await alice.commit(name, 0, create=ConversationKind.SELF), Committed)
        refused = await ask_for_room(alice, name)
        assert (code(refused), refused.data) == (ErrorCode.CONSENT_REQUIRED, HISTORY_TRANSFER)
        entry = alice.person.entry(granted(HISTORY_TRANSFER)).encode()
        assert isinstance(await alice.ask(AppendChain(alice.request(), (entry,)), Ok), Ok)
        assert code(await ask_for_room(alice, name)) == ErrorCode.NO_RECIPIENT


async def ask_for_room(client: RawClient, conversation: bytes) -> Failed:
    frame = CreateBlob(client.request(), os.urandom(16), conversation, 10, 60)
    answer = await client.ask(frame, BlobCreated)
    assert isinstance(answer, Failed)
    return answer
