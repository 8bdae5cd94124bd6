"""Files that are gone at the relay, asked for among the devices of one person."""

import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest

import e2ecore
from e2ecore import AttachmentState, Conversation, DeletionReason, Engine, Message
from e2ecore.engine.running.job import Job
from e2ecore.engine.talk.writing import write_unlisted
from e2ecore.storage import attachments
from e2ecore.testing import MemoryRelay
from e2ecore_protocol.content.attachments import AttachmentAgain
from tests.support.engines import PATIENCE_S, pair, same, until
from tests.support.files import DATA
from tests.support.linked import phone_laptop_bob, settled

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    """Who has a file does not depend on the loop."""
    return "trio"


class Three:
    """Alice's phone and laptop, and Bob; each with the conversation of both people."""

    def __init__(self, relay: MemoryRelay, *chats: tuple[Engine, Conversation]) -> None:
        self.relay = relay
        self.phone, self.laptop, self.bob = [chat for _, chat in chats]
        self.at_phone, self.at_laptop, self.at_bob = [engine.events() for engine, _ in chats]
        for engine, _ in chats:
            engine._core.desk.channel = relay.blob_channel

    async def file_of(self, chat: Conversation) -> Message:
        """Wait for the message with the file; return it as it is now."""
        with anyio.fail_after(PATIENCE_S):
            while True:
                found = [one for one in await chat.messages() if one.attachments]
                if found:
                    return found[-1]
                await anyio.sleep(0.005)

    def expire(self) -> None:
        """The relay deletes whatever it has."""
        for blob in list(self.relay.blobs.live.values()):
            self.relay.blobs.end(blob, DeletionReason.EXPIRED)
        self.relay.expire()

    async def nothing_waits(self) -> None:
        """Wait until the relay has deleted everything, because nobody needs it."""
        with anyio.fail_after(PATIENCE_S):
            while self.relay.blobs.live:  # noqa: ASYNC110  nobody sets an event for it
                await anyio.sleep(0.005)


@asynccontextmanager
async def three(folder: Path) -> AsyncIterator[Three]:
    async with phone_laptop_bob(folder) as (relay, phone, laptop, bob):
        chat, at_bob = await pair(phone, bob)
        at_laptop = await same(laptop, chat)
        await settled(phone)
        with anyio.fail_after(PATIENCE_S):
            while len({chat.epoch, at_laptop.epoch, at_bob.epoch}) > 1:
                for one in (chat, at_laptop, at_bob):
                    await one.refresh()
                await anyio.sleep(0.01)
        yield Three(relay, (phone, chat), (laptop, at_laptop), (bob, at_bob))


async def gone(message: Message) -> None:
    with pytest.raises(e2ecore.AttachmentGoneError):
        await message.attachment.download()


async def test_a_file_is_sent_again_by_the_other_device_of_who_sent_it(tmp_path: Path) -> None:
    async with three(tmp_path) as at:
        upload = await at.phone.send_file(io.BytesIO(DATA), name="plan.pdf")
        with anyio.fail_after(PATIENCE_S):
            sent = await upload.sent()
        await (await at.file_of(at.laptop)).attachment.download()
        at.expire()
        seen = await at.file_of(at.bob)
        await gone(seen)
        (own,) = await at.phone.messages_at([sent.order])
        await own.attachment.discard()  # the phone cannot help any more
        await seen.attachment.ask_again()
        asked = await until(at.at_laptop, e2ecore.AttachmentAsked)
        kept = await at.file_of(at.laptop)
        assert asked.attachment_id == kept.attachment.attachment_id
        await kept.attachment.upload_again()
        await until(at.at_bob, e2ecore.AttachmentOffered)
        await (await at.file_of(at.bob)).attachment.download(tmp_path / "out")
        assert (tmp_path / "out").read_bytes() == DATA


async def test_a_device_gets_from_its_sibling_what_it_missed_of_somebody_else(
    tmp_path: Path,
) -> None:
    async with three(tmp_path) as at:
        upload = await at.bob.send_file(io.BytesIO(DATA), name="plan.pdf")
        with anyio.fail_after(PATIENCE_S):
            sent = await upload.sent()
        await (await at.file_of(at.phone)).attachment.download()
        (own,) = await at.bob.messages_at([sent.order])
        await own.attachment.discard()
        at.expire()
        missed = await at.file_of(at.laptop)
        await gone(missed)
        await missed.attachment.ask_again()
        asked = await until(at.at_phone, e2ecore.AttachmentAsked)
        kept = await at.file_of(at.phone)
        assert asked.message_id == kept.message_id
        await kept.attachment.upload_again()
        await until(at.at_laptop, e2ecore.AttachmentOffered)
        again = await at.file_of(at.laptop)
        assert again.attachment.state is AttachmentState.REMOTE
        await again.attachment.download(tmp_path / "out")
        assert (tmp_path / "out").read_bytes() == DATA


async def test_nobody_but_the_sender_and_siblings_is_believed_where_a_file_is(
    tmp_path: Path,
) -> None:
    async with three(tmp_path) as at:
        upload = await at.phone.send_file(io.BytesIO(DATA), name="plan.pdf")
        with anyio.fail_after(PATIENCE_S):
            await upload.sent()
        await (await at.file_of(at.bob)).attachment.download()
        at.expire()
        missed = await at.file_of(at.laptop)
        await gone(missed)
        await (await at.file_of(at.bob)).attachment.upload_again()  # nobody has asked bob
        with anyio.fail_after(PATIENCE_S):
            while await at.bob.uploads():  # noqa: ASYNC110  nobody sets an event for it
                await anyio.sleep(0.005)
        await at.bob.send("done")
        while (await until(at.at_laptop, e2ecore.MessageReceived)).message.text != "done":
            continue
        assert (await at.file_of(at.laptop)).attachment.state is AttachmentState.EXPIRED


async def test_an_own_device_that_has_a_file_does_not_keep_it_waiting(tmp_path: Path) -> None:
    async with three(tmp_path) as at:
        upload = await at.phone.send_file(io.BytesIO(DATA), name="plan.pdf")
        with anyio.fail_after(PATIENCE_S):
            await upload.sent()
        await (await at.file_of(at.laptop)).attachment.download()
        at.expire()
        await gone(await at.file_of(at.bob))
        await (await at.file_of(at.laptop)).attachment.upload_again()
        await until(at.at_bob, e2ecore.AttachmentOffered)
        await (await at.file_of(at.bob)).attachment.download()
        await at.nothing_waits()


async def test_nobody_can_have_a_blob_given_up_that_a_message_still_to_come_needs(
    tmp_path: Path,
) -> None:
    """Bob names, for a file of his, the blob of something that the phone has not heard of yet."""
    async with three(tmp_path) as at:
        upload = await at.bob.send_file(io.BytesIO(DATA), name="bait")
        with anyio.fail_after(PATIENCE_S):
            await upload.sent()
        bait = await at.file_of(at.phone)
        await bait.attachment.download()
        core = at.phone._core
        row = core.read(lambda tx: attachments.get(tx, bait.attachment.attachment_id))
        assert row is not None
        wanted = bytes(range(16))
        for before in (row.blob_id, bytes(16)):
            content = AttachmentAgain(bait.message_id, before, wanted, bytes(32))

            def work(job: Job, content: AttachmentAgain = content) -> None:
                write_unlisted(job, job.mirror(at.bob.local_number), content)

            await at.bob._core.jobs.run(work)
        await at.bob.send("done")
        while (await until(at.at_phone, e2ecore.MessageReceived)).message.text != "done":
            continue
        assert core.read(lambda tx: attachments.of_blob(tx, wanted)) is None
