"""Exports and imports that are killed, or whose disk is full or may not be written."""

import errno
import io
import os
import random  # noqa: TID251 - chooses moments, not keys
import time
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import IO, cast

import anyio
import pytest

import e2ecore
from e2ecore import ConversationKind
from e2ecore.engine.engine import system_clock_ms
from e2ecore.engine.taking_along import importing
from e2ecore.storage.sql import Connection, Params
from e2ecore.storage.tx import Tx
from e2ecore.testing import MemoryRelay, open_device
from tests.support.engines import PATIENCE_S
from tests.support.exports import (
    ANN,
    consents_file,
    files_of,
    line_of,
    row,
    said_lines,
    write,
)
from tests.support.processes import fork_server
from tests.support.transfers import transfer

COUNT = 3_000
EVERY = 50
"""Every so manieth message has a reaction and was edited."""


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An export with many messages, of some of which something was said."""
    lines: list[str] = []
    for number in range(1, COUNT + 1):
        lines.append(line_of(row(number, f"text {number} 号码")))
        if number % EVERY == 0:
            lines += said_lines(number, ANN)
    kept = {
        "draft": {"text": "begun", "at_ms": 5, "reply": (COUNT - 7).to_bytes(16).hex()},
        "pinned_ms": 6, "muted_until_ms": 7, "archived": True, "keep_ms": 10**12,
        "keeps_earlier_texts": True,
    }  # fmt: skip
    path = tmp_path_factory.mktemp("archive") / "a.zip"
    return write(path, lines=lines, kept=kept, consents=consents_file())


async def _register(path: Path) -> None:
    async with await open_device(path, MemoryRelay(clock_ms=system_clock_ms).dial) as engine:
        await engine.register("alice")


async def _run(path: Path, file: Path, verb: str) -> object:
    async with await open_device(path, None) as engine:
        return await getattr(engine.my_data, verb)(file)


def device(folder: Path) -> Path:
    """The database of somebody who has nothing yet."""
    anyio.run(_register, folder / "alice.db", backend="trio")
    return folder / "alice.db"


def killed(path: Path, file: Path, verb: str, delay_s: float) -> bool:
    """Begin an export or import and kill it; return whether it had come to its end."""
    context = fork_server()
    ours, theirs = context.Pipe(duplex=False)
    child = context.Process(target=transfer, args=(path, file, verb, theirs), daemon=True)
    child.start()
    theirs.close()
    assert ours.recv_bytes() == b"ready"
    time.sleep(delay_s)
    child.kill()
    child.join()
    try:
        return ours.recv_bytes() == b"done"
    except EOFError:
        return False
    finally:
        ours.close()


def everything(tx: Tx) -> dict[str, list[tuple[object, ...]]]:
    """What an import leaves that does not depend on when it ran."""
    queries = {
        "messages": "SELECT uid, account_id, counter, sent_ms, kind, state, body, ext"
        " FROM messages ORDER BY id",
        "reactions": "SELECT message, account_id, changed_ms, signs FROM reactions",
        "revisions": "SELECT message, changed_ms, body FROM revisions",
        "people": "SELECT account_id, name FROM imported_people",
        "arrivals": "SELECT m.uid FROM arrivals AS a JOIN messages AS m ON m.id = a.id"
        " ORDER BY a.mid",
        "arranged": "SELECT pinned_ms, muted_ms, archived FROM arrangements",
        "begun": "SELECT d.body, m.uid FROM drafts AS d JOIN messages AS m ON m.id = reply",
        "kept": "SELECT keep_ms, kept FROM retentions JOIN revision_choices USING (cid)",
        "papers": "SELECT account_id, entries, document FROM consent_papers",
        "kinds": "SELECT kind, next_order & 0xFFFFFFFF FROM conversations",
    }
    return {name: tx.rows(tuple, query) for name, query in queries.items()}


async def _content(path: Path) -> dict[str, list[tuple[object, ...]]]:
    async with await open_device(path, None) as engine:
        found = engine._core.read(everything)
        hits = (await engine.search("号码", limit=1000)).hits
        assert len(hits) == min(COUNT, 1000)
        return found


@pytest.fixture(scope="module")
def expected(
    archive: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, list[tuple[object, ...]]]:
    """What an import leaves that nothing interrupts."""
    path = device(tmp_path_factory.mktemp("expected"))
    anyio.run(_run, path, archive, "import_file", backend="trio")
    found = anyio.run(_content, path, backend="trio")
    assert (len(found["messages"]), len(found["revisions"])) == (COUNT, COUNT // EVERY)
    assert [len(found[name]) for name in ("arranged", "begun", "kept", "papers")] == [1] * 4
    return found


@pytest.mark.slow
def test_an_import_that_is_killed_again_and_again_ends_as_one_that_is_not(
    archive: Path, expected: dict[str, list[tuple[object, ...]]], tmp_path: Path
) -> None:
    dice = random.Random(4)
    path = device(tmp_path)
    for _ in range(4):
        killed(path, archive, "import_file", dice.uniform(0.0, 0.12))
    anyio.run(_run, path, archive, "import_file", backend="trio")
    assert anyio.run(_content, path, backend="trio") == expected


@pytest.mark.slow
def test_an_export_that_is_killed_is_not_there_or_whole(archive: Path, tmp_path: Path) -> None:
    dice = random.Random(5)
    path = device(tmp_path)
    anyio.run(_run, path, archive, "import_file", backend="trio")
    reference, target = tmp_path / "reference.zip", tmp_path / "a.zip"
    anyio.run(_run, path, reference, "export", backend="trio")
    wanted = content_of(reference)
    for _ in range(4):
        was_told = killed(path, target, "export", dice.uniform(0.0, 0.04))
        assert target.exists() or not was_told
        if target.exists():
            assert content_of(target) == wanted
            target.unlink()
    anyio.run(_run, path, target, "export", backend="trio")
    assert content_of(target) == wanted
    assert not (tmp_path / "a.zip.part").exists()


def content_of(path: Path) -> dict[str, bytes]:
    """What is in an export but for what says when it was made."""
    return {name: data for name, data in files_of(path).items() if not name.startswith("manifest")}


class FullFile(io.FileIO):
    """A file on a disk with room for so many more writes."""

    left = 0
    number = errno.ENOSPC

    def write(self, data: object, /) -> int:
        FullFile.left -= 1
        if FullFile.left < 0:
            raise OSError(FullFile.number, os.strerror(FullFile.number))
        return super().write(cast("bytes", data))


def limited(handle: int, _mode: str) -> IO[bytes]:
    return cast("IO[bytes]", io.BufferedRandom(FullFile(handle, "r+b"), 512))


@pytest.mark.slow
def test_wherever_the_disk_is_full_an_export_says_so_and_leaves_nothing(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = device(tmp_path)
    target = tmp_path / "out" / "a.zip"
    target.parent.mkdir()

    async def work() -> int:
        failures = 0
        async with await open_device(path, None) as engine:
            await engine.my_data.import_file(archive)
            monkeypatch.setattr(os, "fdopen", limited)
            while not target.exists():
                FullFile.left = failures
                try:
                    await engine.my_data.export(target)
                except e2ecore.DiskFullError:
                    failures += 1
                    assert list(target.parent.iterdir()) == []
        return failures

    assert anyio.run(work, backend="trio") >= 5
    assert len(content_of(target)) == 3, "people, consents, one conversation"


@pytest.mark.parametrize(
    ("number", "error"),
    [
        (errno.EROFS, e2ecore.ReadOnlyError),
        (errno.EACCES, e2ecore.ReadOnlyError),
        (errno.EDQUOT, e2ecore.DiskFullError),
        (errno.EIO, e2ecore.DiskError),
    ],
)
def test_a_folder_that_takes_no_file_is_told_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, error: type[Exception]
) -> None:
    path = device(tmp_path)
    real = os.open

    def refuse(name: str | Path, flags: int, mode: int = 0o777) -> int:
        if str(name).endswith(".part"):
            raise OSError(number, os.strerror(number))
        return real(name, flags, mode)

    async def work() -> None:
        async with await open_device(path, None) as engine:
            monkeypatch.setattr(os, "open", refuse)
            with pytest.raises(error):
                await engine.my_data.export(tmp_path / "a.zip")
            monkeypatch.undo()
            assert (await engine.my_data.export(tmp_path / "a.zip")).messages == 0

    anyio.run(work, backend="trio")


def test_on_a_file_system_without_hard_links_an_export_gets_its_name_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = device(tmp_path)

    def refuse(_source: Path, _target: Path) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", refuse)
    anyio.run(_run, path, tmp_path / "a.zip", "export", backend="trio")
    assert set(content_of(tmp_path / "a.zip")) == {"people.jsonl", "consents.json"}
    assert not (tmp_path / "a.zip.part").exists()


class Disk:
    """Makes connections on a disk that is full after so many calls that write."""

    def __init__(self) -> None:
        self.left = 1 << 30

    def connect(self, path: Path) -> Connection:
        return _Connection(path, self)


class _Connection(Connection):
    __slots__ = ("_disk",)

    def __init__(self, path: Path, disk: Disk) -> None:
        super().__init__(path)
        self._disk = disk

    def _check(self) -> None:
        self._disk.left -= 1
        if self._disk.left < 0:
            raise e2ecore.DiskFullError

    def execute(self, sql: str, params: Params = ()) -> int:
        if sql == "BEGIN IMMEDIATE":
            self._check()
        return super().execute(sql, params)

    def executemany(self, sql: str, rows: Iterable[Params]) -> None:
        self._check()
        super().executemany(sql, rows)


@pytest.mark.slow
def test_wherever_the_disk_is_full_an_import_says_so_and_goes_on_later(
    archive: Path,
    expected: dict[str, list[tuple[object, ...]]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(importing, "BATCH", 100)
    path, disk = device(tmp_path), Disk()

    async def work() -> int:
        failures = 0
        async with await open_device(path, None, connect=disk.connect) as engine:
            for calls in (0, 1, 2, 3, 7, 12, 25, 60, 1 << 30):
                disk.left = calls
                try:
                    await engine.my_data.import_file(archive)
                except e2ecore.DiskFullError:
                    failures += 1
                    kinds = [one.kind for one in await engine.conversations.list()]
                    assert kinds in ([], [ConversationKind.IMPORTED])
        return failures

    assert anyio.run(work, backend="trio") >= 5
    assert anyio.run(_content, path, backend="trio") == expected


def test_what_could_not_be_indexed_on_a_full_disk_is_indexed_when_there_is_room(
    archive: Path, tmp_path: Path
) -> None:
    path, disk = device(tmp_path), Disk()

    async def wait(done: Callable[[], Awaitable[bool]]) -> None:
        with anyio.fail_after(PATIENCE_S):
            while not await done():  # noqa: ASYNC110 - nothing else tells
                await anyio.sleep(0.05)

    async def work() -> None:
        async with await open_device(path, None, connect=disk.connect) as engine:
            await engine.my_data.import_file(archive)
            disk.left = 3

            async def is_refused() -> bool:
                return disk.left < -1

            async def is_indexed() -> bool:
                return (await engine.search_status()).indexed == COUNT

            await wait(is_refused)
            assert not await is_indexed()
            assert len((await engine.search("号码", limit=1000)).hits) == 1000
            disk.left = 1 << 30
            await wait(is_indexed)

    anyio.run(work, backend="trio")
