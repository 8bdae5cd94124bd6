"""SIGKILL in the middle of an upload, of a download and of writing a file out; and of the relay.

A device says how far it is and stands still, so that each kill meets the transfer where the test
wants it. Afterwards the file is the same, its message came once, what was there was not moved
again, and the plaintext is nowhere but in the two files that the users have.
"""

import hashlib
import multiprocessing
import os
import re
import signal
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from e2ecore.attachments.format import blob_size
from e2ecore.crypto.chunked import SEALED_CHUNK_BYTES
from e2ecore.crypto.rng import system_rng
from e2ecore.engine.files.attaching import copy_file
from e2ecore.engine.files.file_showing import encode_item
from e2ecore.engine.files.file_values import OutgoingFile
from e2ecore.engine.files.file_writing import write_out
from e2ecore.storage.attachments import AttachmentRow, FileState
from e2ecore.storage.file_cache import FileCache, LocalFile
from tests.support.engines import PATIENCE_S
from tests.support.processes import DeviceProcess, ForkedRelay

pytestmark = pytest.mark.slow
CANARY = hashlib.sha256(b"canary").digest() * 32
SIZE = 3_000_000


def contents() -> bytes:
    """Some megabytes with the canary in every chunk."""
    return b"".join([CANARY + os.urandom(7_168) for _ in range(SIZE // 8_192)]) + b"the end"


def moved(relay: ForkedRelay, name: str) -> int:
    """A counter of the relay's since its start."""
    with urllib.request.urlopen(relay.http + "/metrics") as answer:  # noqa: S310 - here
        found = re.search(rf"{name}_total ([0-9.e+]+)\n", answer.read().decode())
    assert found is not None
    return int(float(found[1]))


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def plaintext_in(folder: Path, *users: Path) -> list[Path]:
    """Files with the canary in them that are not the users' own."""
    files = [one for one in folder.rglob("*") if one.is_file() and one not in users]
    return [one for one in files if CANARY in one.read_bytes()]


class File(NamedTuple):
    """A file of a conversation."""

    order: int
    name: str
    is_stored: bool


def files_of(device: DeviceProcess, chat: str) -> list[File]:
    found = device.ask("files", conversation=chat)["result"]
    assert isinstance(found, list)
    return [File._make(one) for one in found]


def names_of(device: DeviceProcess, chat: str) -> list[str]:
    return [one.name for one in files_of(device, chat)]


def send_in_part(device: DeviceProcess, chat: str, path: Path, go: Path) -> None:
    """Have a file sent, and return when the device stands still in the middle of it."""
    device.tell(do="send_file", conversation=chat, path=str(path), stop="1", go=str(go))
    device.wait_for("stopped")


def uploaded(device: DeviceProcess, chat: str) -> None:
    wait_until(lambda: device.ask("uploads", conversation=chat)["result"] == 0)


def fetch_in_part(device: DeviceProcess, wish: dict[str, str], stop: int) -> tuple[int, int]:
    """Have a file fetched; return where that began, and where the device stands still now."""
    device.tell(do="download", **wish, stop=str(stop), go="never")
    begun = device.wait_for("progress")["done"]
    stopped = device.wait_for("stopped")["done"]
    assert isinstance(begun, int)
    assert isinstance(stopped, int)
    return begun, stopped


def again(process: DeviceProcess | ForkedRelay) -> None:
    process.kill()
    process.start()


def test_transfers_go_on_where_a_kill_met_them(tmp_path: Path) -> None:
    theirs, film, second = (tmp_path / name for name in ("theirs", "film.bin", "second.bin"))
    theirs.mkdir()
    film.write_bytes(data := contents())
    second.write_bytes(data[::-1])
    with ForkedRelay(tmp_path / "relay") as relay:
        alice = DeviceProcess(tmp_path / "alice.db", relay).start()
        bob = DeviceProcess(tmp_path / "bob.db", relay).start()
        alice.ask("register", handle="alice")
        bob.ask("register", handle="bob")
        chat = str(alice.ask("direct", handle="bob")["result"])

        send_in_part(alice, chat, film, tmp_path / "never")
        again(alice)
        uploaded(alice, chat)
        received = moved(relay, "blob_bytes_received")
        assert received <= blob_size(len(data)) + SEALED_CHUNK_BYTES, "what was there came again"
        wait_until(lambda: names_of(bob, chat) == ["film.bin"])

        kept, order = 0, files_of(bob, chat)[0].order
        wish = {"conversation": chat, "order": str(order), "to": str(theirs)}
        for part in (0.0, 0.3, 0.9):
            begun, stopped = fetch_in_part(bob, wish, max(1, int(part * len(data))))
            assert begun == kept, "it goes on where it was"
            kept = stopped
            again(bob)
            assert not files_of(bob, chat)[0].is_stored, "half a file is none"
            assert list(theirs.iterdir()) == plaintext_in(tmp_path, film, second) == []
        assert bob.ask("download", **wish, stop="0", go="")["result"] == str(theirs / "film.bin")

        send_in_part(alice, chat, second, tmp_path / "now")
        again(relay)
        (tmp_path / "now").touch()
        for device in (alice, bob):
            device.ask("reconnect")
        uploaded(alice, chat)
        wait_until(lambda: names_of(bob, chat) == ["film.bin", "second.bin"])
        wish["order"] = str(files_of(bob, chat)[-1].order)
        bob.ask("download", **wish, stop="0", go="")
        assert names_of(alice, chat) == ["film.bin", "second.bin"]
        alice.stop()
        bob.stop()
    own = (theirs / "film.bin", theirs / "second.bin")
    assert [one.read_bytes() for one in own] == [data, data[::-1]]
    assert plaintext_in(tmp_path, film, second, *own) == []
    for folder in ("alice.db.files", "bob.db.files"):
        assert all(one.name.isdigit() for one in (tmp_path / folder).iterdir())


def stored(folder: Path) -> tuple[FileCache, AttachmentRow]:
    """A file in a cache."""
    source = folder / "source"
    source.write_bytes(contents())
    cache = FileCache(folder / "a.db")
    copied = copy_file(cache, OutgoingFile(source, "film.bin"), system_rng)
    cache.adopt([(copied.path, 1)])
    item = copied.item
    row = AttachmentRow(
        1, 1, 0, 0, item.blob_id, encode_item(item), item.size, FileState.REMOTE,
        cache_key=copied.cache_key, cached=1,
    )  # fmt: skip
    return cache, row


def write_half(cache: FileCache, row: AttachmentRow, target: Path) -> None:
    """Be killed when half of the file is on the disk."""

    def half(local: LocalFile, handle: int) -> None:
        os.pwrite(handle, local.read(0, row.size // 2), 0)
        os.fsync(handle)
        os.kill(os.getpid(), signal.SIGKILL)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LocalFile, "copy_to", half)
        write_out(cache, row, target)


def test_who_is_killed_while_writing_a_file_out_leaves_none_of_it(tmp_path: Path) -> None:
    cache, row = stored(tmp_path)
    target = tmp_path / "out"
    target.mkdir()
    context = multiprocessing.get_context("fork")
    for place in (target, target / "x.bin"):
        child = context.Process(target=write_half, args=(cache, row, place))
        child.start()
        child.join(PATIENCE_S)
        assert child.exitcode == -signal.SIGKILL
        assert list(target.iterdir()) == []
    assert write_out(cache, row, target) == target / "film.bin"
    assert CANARY in (target / "film.bin").read_bytes()
