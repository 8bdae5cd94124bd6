"""Files in the chat window: sent, fetched, paused, given up, asked for again; never in the way."""

import io
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from functools import partial
from pathlib import Path

import anyio
import pytest
from PIL import Image

import e2ecore
from cli_demo.views import ASCII, UNICODE, Symbols
from e2ecore.testing import MemoryRelay, devices
from e2ecore.testing.devices import open_device
from e2ecore.transport.blobs import BlobChannel, BlobTicket, UploadState
from e2ecore.transport.dialing import dial
from e2ecore_protocol.limits import DAY_S
from tests.support.chat_window import Chat, arrived, talk, window_on
from tests.support.engines import PATIENCE_S
from tests.support.processes import RelayProcess

pytestmark = [pytest.mark.anyio, pytest.mark.slow]
BLOCK = 256 << 10
DATA = bytes(range(256)) * (4 * BLOCK // 256) + b"the end"
RED = (255, 0, 0)


@pytest.fixture
def anyio_backend() -> str:
    """Textual runs on asyncio only."""
    return "asyncio"


class Gate:
    """The way of the bytes, which can be shut: then one block passes, and no more."""

    def __init__(self, inner: BlobChannel) -> None:
        self._inner = inner
        self._open = anyio.Event()
        self._open.set()

    def shut(self) -> None:
        self._open = anyio.Event()

    def open(self) -> None:
        self._open.set()

    async def _slow(self, blocks: AsyncIterable[bytes]) -> AsyncGenerator[bytes, None]:
        passed = 0
        async for block in blocks:
            for at in range(0, len(block), BLOCK):
                yield block[at : at + BLOCK]
                passed += len(block[at : at + BLOCK])
                if passed > BLOCK:
                    await self._open.wait()

    async def upload_state(self, ticket: BlobTicket, /) -> UploadState:
        return await self._inner.upload_state(ticket)

    async def upload(
        self, ticket: BlobTicket, offset: int, data: AsyncIterable[bytes], *, completes: bool
    ) -> UploadState:
        async with aclosing(self._slow(data)) as blocks:
            return await self._inner.upload(ticket, offset, blocks, completes=completes)

    @asynccontextmanager
    async def download(
        self, ticket: BlobTicket, start: int = 0, stop: int | None = None
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        async with (
            self._inner.download(ticket, start, stop) as inner,
            aclosing(self._slow(inner)) as blocks,
        ):
            yield blocks


class Scene:
    """Alice's window upon her conversation with bob; a gate before the files of both."""

    def __init__(
        self, desk: Chat, relay: MemoryRelay, bob: e2ecore.Engine, bobs: e2ecore.Conversation
    ) -> None:
        self.desk, self.relay, self.bob, self.bobs = desk, relay, bob, bobs
        self.gate = Gate(relay.blob_channel)
        for one in (desk.alice, bob):
            one._core.desk.channel = self.gate

    async def bob_sends(self, data: bytes = DATA, name: str = "plan.pdf", text: str = "") -> None:
        upload = await self.bobs.send_file(io.BytesIO(data), text, name=name)
        with anyio.fail_after(PATIENCE_S):
            await upload.sent()

    async def bob_got(self) -> e2ecore.Message:
        """Wait until the newest message of bob's has files."""
        found: list[e2ecore.Message] = []
        with anyio.fail_after(PATIENCE_S):
            while not (found and found[0].attachments):
                await anyio.sleep(0.02)
                found = await self.bobs.messages(limit=1)
        return found[0]

    def let_days_pass(self, days: int) -> None:
        """... at the relay, where files wait."""
        present = self.relay.blobs._clock_ms
        self.relay.blobs._clock_ms = lambda: present() + days * DAY_S * 1000


@asynccontextmanager
async def scene(
    folder: Path,
    *,
    size: tuple[int, int] = (100, 30),
    symbols: Symbols = UNICODE,
    colours: bool = True,
) -> AsyncIterator[Scene]:
    async with devices(folder, "alice", "bob") as (relay, (alice, bob)):
        bobs = await talk(bob, "alice")
        await arrived(alice, bobs)
        async with window_on(alice, bob, size=size, symbols=symbols, colours=colours) as desk:
            await desk.shows("online")
            yield Scene(desk, relay, bob, bobs)


async def says(desk: Chat, number: int, where: str) -> None:
    """Wait until this is said of a file; notices may stand before it on the screen."""

    def said() -> bool:
        files = [file for one in desk.messages for file in one.files if file.number == number]
        return any(where in file.where for file in files)

    await desk.until(said, where)


async def told(desk: Chat, text: str) -> None:
    """Wait until this stands among the messages."""

    def is_there() -> bool:
        return any(one.notice and text in one.text for one in desk.history.messages)

    await desk.until(is_there, text)


def picture(side: int = 64) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (side, side), RED).save(out, "PNG")
    return out.getvalue()


def files_in(folder: Path) -> dict[str, bytes]:
    return {one.name: one.read_bytes() for one in folder.iterdir()} if folder.exists() else {}


async def test_files_come_and_go_through_a_real_relay(tmp_path: Path) -> None:
    """Sockets, TLS and HTTP: what is typed here is a file there, and the other way round."""
    with RelayProcess(tmp_path / "relay") as relay:

        async def device(name: str) -> e2ecore.Engine:
            return await open_device(
                tmp_path / f"{name}.db", partial(dial, relay.url, ca_file=relay.ca)
            )

        async with await device("alice") as alice, await device("bob") as bob:
            await alice.register("alice")
            await bob.register("bob")
            await bob.caught_up()
            bobs = await talk(bob, "alice")
            await arrived(alice, bobs)
            async with window_on(alice, bob, size=(100, 30)) as desk:
                await there_and_back(desk, bobs, tmp_path)


async def there_and_back(desk: Chat, bobs: e2ecore.Conversation, folder: Path) -> None:
    await desk.shows("online")
    (folder / "my plan.pdf").write_bytes(DATA)
    await desk.write(f"/send {folder}/my plan.pdf\nHave a look")
    await desk.shows("Have a look")
    await says(desk, 1, "waiting for 1 of 1, expires in 6 d 23 h")
    found: list[e2ecore.Message] = []
    with anyio.fail_after(PATIENCE_S):
        while not found:
            found = [one for one in await bobs.messages() if one.attachments]
            await anyio.sleep(0.02)
    await found[0].attachment.download()
    await says(desk, 1, "gone: all have it")
    upload = await bobs.send_file(io.BytesIO(DATA), name="answer.pdf")
    await upload.sent()
    await says(desk, 2, "/get 2 fetches it")
    await desk.write(f"/get 2 {folder / 'got'}")
    await says(desk, 2, "here")
    await desk.until(lambda: files_in(folder / "got") == {"answer.pdf": DATA}, "the file")


async def test_a_file_that_comes_slowly_shows_how_far_it_is_and_nobody_waits_for_it(
    tmp_path: Path,
) -> None:
    async with scene(tmp_path) as at:
        await at.bob_sends()
        await at.desk.shows("[1] plan.pdf, 1.0 MiB: /get 1 fetches it")
        at.gate.shut()
        await at.desk.write(f"/get 1 {tmp_path / 'got'}")
        await at.desk.shows("↓ 1 plan.pdf  ███░░░░░░░░░░░░░   24 % of 1.0 MiB")
        await at.desk.write("meanwhile")
        await at.desk.shows("✓✓")
        assert (await at.bobs.messages(limit=1))[0].text == "meanwhile"
        at.gate.open()
        await says(at.desk, 1, "here")
        await at.desk.hides("↓ 1")
        await at.desk.until(lambda: files_in(tmp_path / "got") == {"plan.pdf": DATA}, "it")
        await at.desk.write(f"/get 1 {tmp_path / 'got'}")
        await at.desk.until(lambda: len(files_in(tmp_path / "got")) == 2, "a second copy")
        assert files_in(tmp_path / "got")["plan (2).pdf"] == DATA


async def test_a_download_is_paused_gone_on_with_and_given_up(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        await at.bob_sends()
        await says(at.desk, 1, "/get 1 fetches it")
        at.gate.shut()
        await at.desk.write(f"/get 1 {tmp_path / 'got'}")
        await at.desk.shows("24 %")
        await at.desk.write("/pause")
        await at.desk.shows("24 % of 1.0 MiB  paused")
        at.gate.open()
        await at.desk.write("/resume 1")
        await says(at.desk, 1, "here")
        await at.bob_sends(name="other.pdf")
        await says(at.desk, 2, "/get 2 fetches it")
        at.gate.shut()
        await at.desk.write(f"/get 2 {tmp_path / 'got'}")
        await at.desk.shows("↓ 2 other.pdf")
        await at.desk.write("/cancel 2")
        await at.desk.hides("↓ 2 other.pdf")
        await says(at.desk, 2, "/get 2 fetches it")
        assert list(files_in(tmp_path / "got")) == ["plan.pdf"]
        await at.desk.write("/cancel 7")
        await at.desk.shows("Nothing is under way as 7.")


async def test_an_upload_is_paused_gone_on_with_and_given_up(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        (tmp_path / "a.bin").write_bytes(DATA)
        (tmp_path / "b.bin").write_bytes(DATA)
        at.gate.shut()
        await at.desk.write(f"/send '{tmp_path}/a.bin' {tmp_path}/b.bin")
        await at.desk.shows("↑ u1 2 files")
        await at.desk.write("/pause u1")
        await at.desk.shows("paused")
        await at.desk.write("/resume u1")
        await at.desk.hides("paused")
        at.gate.open()
        seen = await at.bob_got()
        assert [one.name for one in seen.attachments] == ["a.bin", "b.bin"]
        await at.desk.shows("alice  (2 files)")
        await at.desk.shows("you: (file)")
        await at.desk.hides("u1")
        at.gate.shut()
        await at.desk.write(f"/send {tmp_path}/b.bin")
        await at.desk.shows("↑ u2 b.bin")
        await at.desk.write("/cancel")
        await at.desk.hides("u2")
        assert len(await at.bobs.messages()) == 1


async def test_what_an_earlier_window_began_to_send_is_shown_again(tmp_path: Path) -> None:
    async with devices(tmp_path, "alice", "bob") as (_, (alice, bob)):
        bobs = await talk(bob, "alice")
        chat = await arrived_at(alice, bobs)
        alice._core.desk.channel = None
        upload = await chat.send_file(io.BytesIO(DATA), name="late.pdf")
        await upload.pause()
        async with window_on(alice, bob, size=(100, 30)) as desk:
            await desk.shows("late.pdf")
            await desk.shows("paused")
            await desk.write("/cancel")
            await desk.hides("late.pdf")


async def arrived_at(
    engine: e2ecore.Engine, conversation: e2ecore.Conversation
) -> e2ecore.Conversation:
    await arrived(engine, conversation)
    return await engine.conversations.get(conversation.conversation_id)


async def test_a_file_that_expired_is_asked_for_and_sent_again(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        await at.bob_sends()
        await says(at.desk, 1, "/get 1 fetches it")
        reader = at.bob.events()
        at.let_days_pass(8)
        await at.desk.write("/get 1")
        await says(at.desk, 1, "expired before it was fetched; /ask 1 asks the sender again")
        await at.desk.write("/ask 1")
        await told(at.desk, "bob is asked for plan.pdf")
        with anyio.fail_after(PATIENCE_S):
            async for event in reader:
                if isinstance(event, e2ecore.AttachmentAsked):
                    break
        (message,) = [one for one in await at.bobs.messages() if one.attachments]
        at.let_days_pass(-8)  # whoever sends compares the clocks
        await message.attachment.upload_again()
        await told(at.desk, "file 1 is at the relay again: /get 1 fetches it")
        await at.desk.write(f"/get 1 {tmp_path / 'got'}")
        await at.desk.until(lambda: files_in(tmp_path / "got") == {"plan.pdf": DATA}, "it")


async def test_who_is_asked_is_told_how_to_send_it_again(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        (tmp_path / "a.bin").write_bytes(DATA)
        await at.desk.write(f"/send {tmp_path}/a.bin")
        seen = await at.bob_got()
        at.let_days_pass(8)
        with pytest.raises(e2ecore.AttachmentGoneError):
            await seen.attachment.download()
        await seen.attachment.ask_again()
        await told(at.desk, "bob asks for file 1 once more: /again 1 sends it")
        at.let_days_pass(-8)
        await at.desk.write("/again 1")
        with anyio.fail_after(PATIENCE_S):
            while True:
                now = (await at.bobs.messages_at([seen.order]))[0].attachment
                if now.state is e2ecore.AttachmentState.REMOTE:
                    break
                await anyio.sleep(0.02)
        await now.download()
        assert await now.read() == DATA


@pytest.mark.parametrize(("symbols", "drawn"), [(UNICODE, "▀▀▀▀"), (ASCII, "::::")])
async def test_a_picture_is_shown_small_before_it_is_fetched(
    tmp_path: Path, symbols: Symbols, drawn: str
) -> None:
    async with scene(tmp_path, symbols=symbols, colours=symbols is UNICODE) as at:
        await at.bob_sends(picture(), "red.png", "my wall")
        await at.desk.shows("my wall")
        await at.desk.shows("[1] red.png")
        await at.desk.until(lambda: drawn in at.desk.screen, "the picture")
        lines = at.desk.screen.splitlines()
        above = next(n for n, text in enumerate(lines) if "red.png" in text)
        assert len(lines) - above > 10


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("/send {folder}/none.txt", "There is no file"),
        ("/send {folder}", "cannot be sent as a file"),
        ("/send 'open", "A quotation mark is missing."),
        ("/get 9", "There is no file 9"),
        ("/get", "There is no file here."),
        ("/pause", "Nothing is under way."),
        ("/send", "/send needs FILE"),
    ],
)
async def test_what_cannot_be_done_is_said_in_words(tmp_path: Path, typed: str, told: str) -> None:
    async with scene(tmp_path) as at:
        await at.desk.write(typed.format(folder=tmp_path))
        await at.desk.until(
            lambda: told in " ".join(at.desk.screen.replace("▌", " ").split()), told
        )


async def test_names_of_files_are_offered_while_they_are_typed(tmp_path: Path) -> None:
    (tmp_path / "summer trip").mkdir()
    (tmp_path / "summer trip" / "beach one.jpg").write_bytes(b"x")
    async with scene(tmp_path) as at:
        await at.desk.type(f"/send {tmp_path}/sum")
        await at.desk.shows("summer trip/")
        await at.desk.press("tab")
        assert at.desk.composer.text == f"/send {tmp_path}/summer trip/"
        await at.desk.type("b")
        await at.desk.shows("beach one.jpg")
        await at.desk.press("tab")
        assert at.desk.composer.text == f"/send {tmp_path}/summer trip/beach one.jpg"
