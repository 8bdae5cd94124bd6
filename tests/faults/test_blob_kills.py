"""SIGKILL of a real relay among uploads, acknowledgements and sweeps: nothing half remains."""

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import anyio
import anyio.to_thread
import pytest

from e2ecore_channel import ChannelError
from e2ecore_protocol.frames import (
    BlobCreated,
    BlobStates,
    ConversationKind,
    Failed,
    Ok,
    QueryBlobs,
    RecallBlob,
    direct_conversation_id,
)
from e2ecore_relay.backends.sqlite.database import DATABASE_NAME, KEY_NAME
from tests.support.blob_client import (
    acknowledge,
    blob_connection_to,
    create,
    fetch,
)
from tests.support.engines import PATIENCE_S
from tests.support.pages import opened_pages
from tests.support.processes import RelayProcess
from tests.support.raw_client import Person, RawClient, online

pytestmark = [pytest.mark.anyio, pytest.mark.slow]
ROUNDS = 3
SIZE = 1_000_000


@pytest.fixture
def anyio_backend() -> str:
    return "trio"


@dataclass
class Sent:
    """One blob, as its sender knows it."""

    blob_id: bytes
    data: bytes
    share: bytes
    ends: bool
    """Is it meant to end?"""
    whole: bool = False


async def _conversation(client: RawClient, other: Person) -> bytes:
    """Begin the conversation; it may be there already."""
    name = direct_conversation_id(client.person.account_id, other.account_id, 0)
    await client.commit(name, 0, create=ConversationKind.DIRECT, added=[other.address])
    return name


async def _go_on(relay: RelayProcess, sent: Sent, made: BlobCreated) -> None:
    """Upload from wherever the relay is."""
    async with blob_connection_to(made.port, relay.ca) as connection:
        state = await connection.offset(sent.blob_id, made.upload_token)
        assert state.status == 204, state
        if state.headers["upload-complete"] == "?0":
            at = state.offset
            assert at <= SIZE
            answer = await connection.upload(sent.blob_id, made.upload_token, sent.data[at:], at)
            assert answer.status == 204, answer
    sent.whole = True


async def _play(relay: RelayProcess, alice: Person, bob: Person, blobs: list[Sent]) -> None:
    """Send, fetch, acknowledge and recall until the relay dies."""
    with suppress(ChannelError, BaseExceptionGroup, OSError):
        async with (
            online(relay.url, relay.ca, alice) as a,
            online(relay.url, relay.ca, bob) as b,
        ):
            group = await _conversation(a, bob)
            while True:
                data = os.urandom(SIZE)
                blob_id, made = await create(a, group, SIZE)
                sent = Sent(blob_id, data, made.share, ends=bool(len(blobs) % 3))
                blobs.append(sent)
                await _go_on(relay, sent, made)
                if sent.ends:
                    await fetch(b, blob_id)
                    await acknowledge(b, blob_id)


async def _end(client: RawClient, reader: RawClient, blobs: list[Sent]) -> None:
    """What was to end ends now at the latest: said again, which is harmless."""
    for sent in blobs:
        if sent.ends:
            answer = await (
                acknowledge(reader, sent.blob_id)
                if sent.whole
                else client.ask(RecallBlob(client.request(), sent.blob_id), Ok)
            )
            assert not isinstance(answer, Failed), answer


async def _receipts(client: RawClient, blobs: list[Sent]) -> set[bytes]:
    names = tuple(sent.blob_id for sent in blobs)
    found: set[bytes] = set()
    for at in range(0, len(names), 256):
        answer = await client.ask(QueryBlobs(client.request(), names[at : at + 256]), BlobStates)
        assert isinstance(answer, BlobStates)
        found |= {receipt.blob_id for receipt in answer.deleted}
    return found


@pytest.mark.clause("GB42012-8.1.1e")
async def test_uploads_go_on_and_what_ended_is_gone_after_any_sigkill(tmp_path: Path) -> None:
    alice, bob, blobs = Person(), Person(), list[Sent]()
    config = "blob_min_free_bytes = 0\n"
    with RelayProcess(tmp_path / "relay", config) as relay:
        for _ in range(ROUNDS):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(_play, relay, alice, bob, blobs)
                await anyio.sleep(0.3 + os.urandom(1)[0] / 200)
                await anyio.to_thread.run_sync(relay.kill)
            await anyio.to_thread.run_sync(relay.start)
        assert blobs, "the machine is too slow for this test"
        async with (
            online(relay.url, relay.ca, alice) as a,
            online(relay.url, relay.ca, bob) as b,
        ):
            group = await _conversation(a, bob)
            for sent in [one for one in blobs if not one.ends and not one.whole]:
                _, made = await create(a, group, SIZE, blob=sent.blob_id)
                assert made.share == sent.share
                with suppress(ChannelError):
                    await _go_on(relay, sent, made)
                if not sent.whole:  # cut off once more: it goes on where it was
                    await _go_on(relay, sent, made)
            await _end(a, b, blobs)
            ended = {sent.blob_id for sent in blobs if sent.ends}
            with anyio.fail_after(PATIENCE_S):
                while await _receipts(a, blobs) != ended:  # noqa: ASYNC110  nobody sets an event
                    await anyio.sleep(0.05)
            for sent in [one for one in blobs if not one.ends]:
                granted = await fetch(b, sent.blob_id)
                async with blob_connection_to(granted.port, relay.ca) as connection:
                    answer = await connection.download(sent.blob_id, granted.fetch_token)
                assert answer.body == sent.data
        data = tmp_path / "relay" / "data"
        files = {path.name for path in (data / "blobs").rglob("*") if path.is_file()}
        assert files == {sent.blob_id.hex() for sent in blobs if not sent.ends}
        key = bytes.fromhex((data / KEY_NAME).read_text().strip())
        pages = opened_pages(data / DATABASE_NAME, key)
        assert not [sent for sent in blobs if sent.ends and sent.share in pages]
