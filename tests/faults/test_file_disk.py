"""Disks that are full, broken or read-only, on the way of a file: told by name, nothing lost."""

import errno
import io
import os
from collections.abc import Sequence
from pathlib import Path

import anyio
import pytest

import e2ecore
from e2ecore import Engine
from e2ecore.attachments.format import SEALED_RUN_BYTES, blob_size
from e2ecore.crypto.chunked import HEADER_BYTES
from e2ecore.storage.file_cache import folder_of
from e2ecore.storage.sql import Connection, Params
from e2ecore.testing import open_device
from e2ecore.transport.dialing import dial
from e2ecore_relay.backends.folder import GrowingFile
from e2ecore_relay.server.relay import Relay
from tests.support.engines import PATIENCE_S, pair, until
from tests.support.files import DATA, scene, troubled
from tests.support.relay import relay_at, where

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    """A disk does not care which loop waits for it."""
    return "trio"


ERRORS = [
    (errno.ENOSPC, e2ecore.DiskFullError),
    (errno.EDQUOT, e2ecore.DiskFullError),
    (errno.EIO, e2ecore.DiskError),
    (errno.EROFS, e2ecore.ReadOnlyError),
]


class Disk:
    """Fails reads and writes of files below one folder, after so many that succeed."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self._real = {name: getattr(os, name) for name in ("pwrite", "preadv", "fsync", "open")}
        self.folder = Path("/nowhere")
        self.calls = frozenset[str]()
        self.number = 0
        self.left = 0
        patch.setattr(os, "pwrite", self._pwrite)
        patch.setattr(os, "preadv", self._preadv)
        patch.setattr(os, "fsync", self._fsync)
        patch.setattr(os, "open", self._open)

    def fails(self, folder: Path, number: int, *calls: str, after: int = 0) -> None:
        self.folder, self.number, self.calls, self.left = folder, number, frozenset(calls), after

    def recovers(self) -> None:
        self.calls = frozenset()

    def _check(self, call: str, path: Path) -> None:
        if call in self.calls and path.is_relative_to(self.folder):
            self.left -= 1
            if self.left < 0:
                raise OSError(self.number, os.strerror(self.number))

    def _at(self, call: str, handle: int) -> None:
        if call in self.calls:
            self._check(call, Path(f"/proc/self/fd/{handle}").readlink())

    def _pwrite(self, handle: int, data: memoryview, offset: int) -> int:
        self._at("pwrite", handle)
        return int(self._real["pwrite"](handle, data, offset))

    def _preadv(self, handle: int, views: Sequence[memoryview], offset: int) -> int:
        self._at("preadv", handle)
        return int(self._real["preadv"](handle, views, offset))

    def _fsync(self, handle: int) -> None:
        self._at("fsync", handle)
        self._real["fsync"](handle)

    def _open(
        self, path: str | Path, flags: int, mode: int = 0o777, *, dir_fd: int | None = None
    ) -> int:
        if flags & (os.O_WRONLY | os.O_RDWR):
            base = Path() if dir_fd is None else Path(f"/proc/self/fd/{dir_fd}").readlink()
            self._check("open", base / path)
        return int(self._real["open"](path, flags, mode, dir_fd=dir_fd))


@pytest.mark.parametrize(("number", "error"), ERRORS)
async def test_a_sender_whose_disk_refuses_is_told_and_keeps_no_half_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, error: type[Exception]
) -> None:
    disk = Disk(monkeypatch)
    async with scene(tmp_path) as at:
        folder = folder_of(tmp_path / "alice.db")
        for call, after in (("open", 0), ("pwrite", 0), ("pwrite", 3), ("fsync", 0)):
            disk.fails(folder, number, call, after=after)
            with pytest.raises(error):
                await at.chat.send_file(io.BytesIO(DATA), name="a.bin")
            disk.recovers()
            assert not folder.exists() or not list(folder.iterdir())
        assert await at.chat.uploads() == []
        _, seen = await at.send()
        await seen.attachment.download()
        assert await seen.attachment.read() == DATA


@pytest.mark.parametrize(("number", "error"), ERRORS)
async def test_a_recipient_whose_disk_refuses_is_told_and_goes_on_when_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, error: type[Exception]
) -> None:
    disk = Disk(monkeypatch)
    async with scene(tmp_path) as at:
        _, seen = await at.send()
        for call, after in (("pwrite", 2), ("fsync", 0)):
            disk.fails(folder_of(tmp_path / "bob.db"), number, call, after=after)
            with pytest.raises(error):
                await seen.attachment.download(tmp_path / "out")
            disk.recovers()
            assert not (await at.now(at.other, seen)).is_stored
            assert at.relay.blobs.live, "the relay still has it"
        again = blob_size(len(DATA)) + 3 * HEADER_BYTES + 2 * SEALED_RUN_BYTES
        downloads = tmp_path / "downloads"
        downloads.mkdir()
        for call in ("open", "pwrite", "fsync"):
            disk.fails(downloads, number, call)
            with pytest.raises(error):
                await seen.attachment.download(downloads)
            disk.recovers()
            assert list(downloads.iterdir()) == []
        assert at.way.served <= again
        disk.fails(folder_of(tmp_path / "bob.db"), number, "preadv")
        with pytest.raises(error):
            await (await at.now(at.other, seen)).read()
        with pytest.raises(error):
            await seen.attachment.download(downloads)
        disk.recovers()
        await seen.attachment.download(downloads)
        assert (downloads / "report.pdf").read_bytes() == DATA
        assert at.way.served <= again, "what was here was not fetched again"


async def test_a_full_database_keeps_no_copies_of_what_was_not_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(connection: Connection, sql: str, params: Params = ()) -> int:
        if "parcels" in sql:
            raise e2ecore.DiskFullError
        return insert(connection, sql, params)

    insert = Connection.insert
    async with scene(tmp_path) as at:
        folder = folder_of(tmp_path / "alice.db")
        monkeypatch.setattr(Connection, "insert", full)
        with pytest.raises(e2ecore.DiskFullError):
            await at.chat.send_file(io.BytesIO(DATA), name="a.bin")
        with anyio.fail_after(PATIENCE_S):
            while list(folder.iterdir()):  # noqa: ASYNC110 - nobody sets an event for it
                await anyio.sleep(0.005)
        monkeypatch.undo()
        await at.send()


async def test_a_sender_whose_copy_cannot_be_read_for_a_while_goes_on_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk(monkeypatch)
    async with scene(tmp_path) as at:
        disk.fails(folder_of(tmp_path / "alice.db"), errno.EIO, "preadv")
        upload = await at.chat.send_file(io.BytesIO(DATA), name="a.bin")
        assert isinstance(await troubled(upload), e2ecore.DiskError)
        disk.recovers()
        at.alice._core.desk.upload_signal.set()
        with anyio.fail_after(PATIENCE_S):
            await upload.sent()
        assert upload.trouble is None


async def test_an_upload_whose_copy_was_damaged_ends_by_name(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        at.relay.faults.offline = True
        at.relay.disconnect()
        upload = await at.chat.send_file(io.BytesIO(DATA), name="a.bin")
        (copy,) = folder_of(tmp_path / "alice.db").iterdir()
        copy.write_bytes(bytes(len(DATA)))
        at.relay.faults.offline = False
        failed = await until(at.at_alice, e2ecore.UploadFailed)
        assert failed.upload_id == upload.upload_id
        with pytest.raises(e2ecore.CorruptStateError):
            await upload.sent()
        await at.chat.send("the conversation goes on")
        assert (await until(at.at_bob, e2ecore.MessageReceived)).message.text


async def device(folder: Path, relay: Relay, handle: str) -> Engine:
    url, ca_file = where(relay)
    return await open_device(folder / f"{handle}.db", lambda: dial(url, ca_file=ca_file))


@pytest.mark.slow
async def test_an_upload_waits_for_room_at_the_relay_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    append = GrowingFile.append

    def full(file: GrowingFile, data: bytes | bytearray | memoryview) -> None:
        if file.length + len(data) > 1_500_000:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        append(file, data)

    data = os.urandom(2_500_000)
    async with relay_at(tmp_path, blob_min_free_bytes=1 << 60) as relay:
        alice, bob = await device(tmp_path, relay, "a"), await device(tmp_path, relay, "b")
        async with alice, bob:
            await alice.register("alice")
            await bob.register("bob")
            chat, _ = await pair(alice, bob)
            at_bob = bob.events()
            upload = await chat.send_file(io.BytesIO(data), name="a.bin")
            refused = await troubled(upload)
            assert "room" in str(refused), refused
            monkeypatch.setattr(GrowingFile, "append", full)
            object.__setattr__(relay.hub.config, "blob_min_free_bytes", 0)
            alice._core.desk.upload_signal.set()
            with anyio.fail_after(PATIENCE_S):
                while not isinstance(upload.trouble, e2ecore.BlobRefusedError):  # noqa: ASYNC110
                    await anyio.sleep(0.01)
            assert upload.trouble.code == "full"
            received = relay.hub.metrics.blob_bytes_received
            monkeypatch.undo()
            alice._core.desk.upload_signal.set()
            with anyio.fail_after(PATIENCE_S):
                await upload.sent()
            moved = relay.hub.metrics.blob_bytes_received - received
            assert moved < blob_size(len(data)), "it went on where the disk was full"
            seen = (await until(at_bob, e2ecore.MessageReceived)).message
            await seen.attachment.download()
            assert await seen.attachment.read() == data
