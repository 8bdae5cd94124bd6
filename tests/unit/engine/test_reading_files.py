"""The first copy of a file can be stopped, gone on with and given up; others are not held up."""

import io
from collections.abc import Callable
from pathlib import Path
from threading import Event

import anyio
import anyio.to_thread
import pytest

import e2ecore
from e2ecore import Reading
from e2ecore.storage.file_cache import RUN_BYTES, folder_of
from tests.support.engines import PATIENCE_S, until
from tests.support.files import DATA, Scene, scene

pytestmark = pytest.mark.anyio


class Watched(io.BytesIO):
    """Tells when it is read, and how far."""

    def __init__(self, data: bytes, act: Callable[[], None]) -> None:
        super().__init__(data)
        self.begun = Event()
        self._act = act

    def read(self, size: int | None = -1, /) -> bytes:
        found = super().read(size)
        if self.tell() > RUN_BYTES and not self.begun.is_set():
            self._act()
            self.begun.set()
        return found


async def begun(source: Watched) -> None:
    assert await anyio.to_thread.run_sync(source.begun.wait, PATIENCE_S)


async def still(source: Watched) -> None:
    """It is read no further. (The one run that was under way may end.)"""
    await anyio.sleep(0.05)
    assert source.tell() <= 3 * RUN_BYTES


async def copies_gone(at: Scene, folder: Path) -> None:
    with anyio.fail_after(PATIENCE_S):
        while list(folder_of(folder / "alice.db").iterdir()):  # noqa: ASYNC110
            await anyio.sleep(0.005)
    assert await at.chat.uploads() == []


async def test_copying_a_file_pauses_and_goes_on_and_others_are_sent_meanwhile(
    tmp_path: Path,
) -> None:
    async with scene(tmp_path) as at:
        reading = Reading()
        source = Watched(DATA * 4, reading.pause)

        async def send() -> None:
            upload = await at.chat.send_file(source, name="large.bin", reading=reading)
            await upload.sent()

        with anyio.fail_after(PATIENCE_S):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(send)
                await begun(source)
                await still(source)
                assert reading.is_paused
                await (await at.chat.send_file(io.BytesIO(b"x"), name="small.bin")).sent()
                at.alice._core.desk.tidy_signal.set()  # nor is it swept
                await anyio.sleep(0.05)
                reading.resume()
        found = [(await until(at.at_bob, e2ecore.MessageReceived)).message for _ in range(2)]
        assert [one.attachment.name for one in found] == ["small.bin", "large.bin"]
        await found[1].attachment.download()
        assert await found[1].attachment.read() == DATA * 4


async def test_copying_a_file_is_given_up_while_it_runs_or_is_paused(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        for pause in (True, False):
            reading = Reading()
            source = Watched(DATA * 4, reading.pause if pause else reading.cancel)

            async def send(source: Watched = source, reading: Reading = reading) -> None:
                with pytest.raises(e2ecore.UploadCancelledError):
                    await at.chat.send_file(source, name="large.bin", reading=reading)

            with anyio.fail_after(PATIENCE_S):
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(send)
                    await begun(source)
                    reading.cancel()
            await copies_gone(at, tmp_path)


async def test_who_stops_waiting_for_a_copy_that_is_paused_leaves_nothing(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        reading = Reading()
        source = Watched(DATA * 4, reading.pause)
        with anyio.fail_after(PATIENCE_S):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(lambda: at.chat.send_file(source, name="x", reading=reading))
                await begun(source)
                tasks.cancel_scope.cancel()
        await copies_gone(at, tmp_path)
