"""Local copies of files: written in runs, read anywhere, and never anything else."""

import hashlib
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from e2ecore.crypto.chunked import CHUNK_BYTES
from e2ecore.storage.file_cache import RUN_BYTES, RUN_CHUNKS, CachedFileError, LocalFile

KEY = b"k" * 32
EDGES = (0, 1, CHUNK_BYTES, CHUNK_BYTES + 1, RUN_BYTES - 1, RUN_BYTES, RUN_BYTES + 1, 2 * RUN_BYTES)


@pytest.fixture(scope="module")
def copies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("local")
    for size in EDGES:
        with LocalFile(folder / f"{size}", KEY, size, writing=True) as local:
            for at in range(0, size + 1, RUN_BYTES):
                if at < size or not size:
                    local.write(at // RUN_BYTES * RUN_CHUNKS, contents(size)[at : at + RUN_BYTES])
    return folder


def contents(size: int) -> bytes:
    return (hashlib.sha256(b"local").digest() * (size // 32 + 1))[:size]


def opened(folder: Path, size: int) -> LocalFile:
    return LocalFile(folder / f"{size}", KEY, size, writing=False)


@given(size=st.sampled_from(EDGES), data=st.data())
def test_any_part_is_read_and_nothing_behind_the_end(
    copies: Path, size: int, data: st.DataObject
) -> None:
    offset = data.draw(st.integers(0, size + 1))
    count = data.draw(st.integers(0, size + CHUNK_BYTES))
    wanted = contents(size)[offset : offset + count]
    with opened(copies, size) as local:
        assert local.read(offset, count) == wanted
        out = bytearray(b"?" * count)
        assert local.read_into(offset, memoryview(out)) == len(wanted)
    assert out == wanted.ljust(count, b"?")


@pytest.mark.parametrize("size", EDGES)
def test_a_copy_is_written_out_whole(copies: Path, tmp_path: Path, size: int) -> None:
    target = tmp_path / "out"
    handle = os.open(target, os.O_WRONLY | os.O_CREAT)
    with opened(copies, size) as local:
        local.copy_to(handle)
    os.close(handle)
    assert target.read_bytes() == contents(size)


@pytest.mark.parametrize("size", [size for size in EDGES if size])
def test_a_copy_that_was_cut_or_changed_is_not_read(
    copies: Path, tmp_path: Path, size: int
) -> None:
    whole = (copies / f"{size}").read_bytes()
    flipped = bytearray(whole)
    flipped[-17 if size % CHUNK_BYTES else -33] ^= 1
    for wrong in (whole[: size // 2], bytes(flipped)):
        (tmp_path / f"{size}").write_bytes(wrong)
        with opened(tmp_path, size) as local, pytest.raises(CachedFileError):
            local.read(0, size)
