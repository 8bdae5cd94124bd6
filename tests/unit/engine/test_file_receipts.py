"""What the relay has promised of a file outlives its message: a missing receipt is missed."""

from collections.abc import Callable
from pathlib import Path

import anyio
import pytest

import e2ecore
from e2ecore import DeletionReason
from e2ecore.engine.files.file_status import look_for_receipts
from e2ecore.engine.running.core import Core
from e2ecore.storage import attachments
from e2ecore_protocol.limits import BLOB_LATE_S, DAY_S
from tests.support.engines import PATIENCE_S, until
from tests.support.files import Scene, scene

pytestmark = pytest.mark.anyio
HOUR_S = 3_600


@pytest.fixture
def anyio_backend() -> str:
    """Receipts do not depend on the loop."""
    return "trio"


def later(core: Core, seconds: int) -> Callable[[], int]:
    """Turn a device's clock on; return the clock as it was."""
    present = core.clock_ms
    core.clock_ms = lambda: present() + seconds * 1000
    return present


def rows(core: Core) -> int:
    """Count files of which the message is gone."""
    return len(core.read(lambda tx: attachments.of_message(tx, 0)))


async def taken_back(at: Scene, own: e2ecore.Message) -> None:
    """Recall a message; wait until the relay was told."""
    await at.chat.recall(own)
    with anyio.fail_after(PATIENCE_S):
        while at.alice._core.read(lambda tx: attachments.owing(tx, 1)):  # noqa: ASYNC110
            await anyio.sleep(0.005)


async def test_a_recalled_file_without_a_receipt_is_missed_from_its_recall_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with scene(tmp_path) as at:
        own, _seen = await at.send()
        (blob,) = at.relay.blobs.live.values()
        monkeypatch.setattr(at.relay.blobs, "end", lambda *_: None)  # it says Ok, and that is all
        core = at.alice._core
        before_ms = core.clock_ms()
        await taken_back(at, own)
        present = later(core, BLOB_LATE_S - HOUR_S)
        await look_for_receipts(core)
        assert rows(core) == 1
        core.clock_ms = present
        later(core, BLOB_LATE_S + HOUR_S)
        await look_for_receipts(core)
        late = await until(at.at_alice, e2ecore.DeletionReceiptLate)
        assert before_ms <= late.expires_ms < blob.expires_ms
        assert (late.conversation_id, late.message_id) == (None, None)
        assert late.attachment_id == own.attachment.attachment_id
        assert not rows(core)  # said once; there is nothing more to wait for


async def test_a_relay_that_denies_a_recalled_file_is_held_to_its_promise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with scene(tmp_path) as at:
        own, _seen = await at.send()
        (blob,) = at.relay.blobs.live.values()
        monkeypatch.setattr(at.relay.blobs, "_find", lambda _: None)
        core = at.alice._core
        await taken_back(at, own)
        present = later(core, BLOB_LATE_S + HOUR_S)
        await look_for_receipts(core)
        assert rows(core) == 1
        core.clock_ms = present
        later(core, 7 * DAY_S + BLOB_LATE_S + HOUR_S)
        await look_for_receipts(core)
        late = await until(at.at_alice, e2ecore.DeletionReceiptLate)
        assert late.expires_ms == blob.expires_ms


async def test_a_file_whose_message_was_deleted_here_is_still_waited_for(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        own, _seen = await at.send()
        at.relay.blobs.live.clear()
        core = at.alice._core
        await at.chat.delete_messages([own])
        await look_for_receipts(core)
        later(core, 7 * DAY_S + BLOB_LATE_S + HOUR_S)
        await look_for_receipts(core)
        late = await until(at.at_alice, e2ecore.DeletionReceiptLate)
        assert late.message_id is None
        assert not rows(core)


async def test_a_recall_that_is_receipted_leaves_nothing_to_wait_for(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        own, _seen = await at.send()
        (blob,) = at.relay.blobs.live.values()
        core = at.alice._core
        await taken_back(at, own)
        assert at.relay.blobs.receipts[blob.blob_id].reason == DeletionReason.RECALLED
        with anyio.fail_after(PATIENCE_S):
            while not core.read(lambda tx: attachments.of_message(tx, 0))[0].receipt:  # noqa: ASYNC110
                await anyio.sleep(0.005)
        later(core, 7 * DAY_S + BLOB_LATE_S + HOUR_S)
        await look_for_receipts(core)
        assert not rows(core)
