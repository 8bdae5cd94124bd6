"""What crosses the wire says nothing of a file: name, kind and words are in the message alone."""

import io
from pathlib import Path

import anyio
import pytest

import e2ecore
from e2ecore import AttachmentForm, OutgoingFile
from e2ecore.attachments.format import blob_size
from e2ecore.testing import devices
from e2ecore.testing.devices import open_device
from tests.support.engines import PATIENCE_S, pair, until
from tests.support.recording import recorded

pytestmark = pytest.mark.anyio
CONTENT = b"canary-of-the-content " * 500
SAYING = ("canary-of-the-name", "canary-of-the-type", "canary-of-the-caption")


@pytest.mark.clause("GB42012-8.1.1e")
async def test_the_relay_learns_neither_name_nor_kind_nor_words_of_a_file(tmp_path: Path) -> None:
    frames: list[bytes] = []
    async with devices(tmp_path, "bob") as (relay, (bob,)):
        dial = recorded(relay.dial, frames.append, lambda _: None)
        async with await open_device(tmp_path / "alice.db", dial) as alice:
            await alice.register("alice")
            await alice.caught_up()
            chat, _ = await pair(alice, bob)
            reader = bob.events()
            file = OutgoingFile(
                io.BytesIO(CONTENT), f"{SAYING[0]}.opus", f"audio/{SAYING[1]}",
                AttachmentForm.VOICE, 61_000, b"canary-of-the-waveform",
            )  # fmt: skip
            with anyio.fail_after(PATIENCE_S):
                await (await (await chat.send_files([file], SAYING[2])).sent()).accepted()
            message = (await until(reader, e2ecore.MessageReceived)).message
            (blob,) = relay.blobs.live.values()
    assert (message.text, message.attachment.name) == (SAYING[2], f"{SAYING[0]}.opus")
    assert len(blob.data) == blob_size(len(CONTENT)) > len(CONTENT)
    seen = b"".join([*frames, bytes(blob.data)])
    assert blob.blob_id in seen, "the relay knows the blob, and nothing else"
    for canary in (b"canary", b"audio/", b"opus", message.attachment.digest):
        assert canary not in seen
