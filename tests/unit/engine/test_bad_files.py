"""Files, names and targets that are no good: refused by name, in bounded memory, traceless."""

import io
import os
import socket
import tracemalloc
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image

import e2ecore
from e2ecore import AttachmentForm, OutgoingFile
from e2ecore.attachments.errors import UnknownPictureError
from e2ecore.attachments.metadata import stripped
from e2ecore.attachments.names import local_name
from e2ecore.attachments.previews import preview_of
from e2ecore.crypto.rng import system_rng
from e2ecore.engine.files import attaching, file_writing
from e2ecore.engine.files.attaching import copy_file
from e2ecore.engine.files.file_showing import decode_item, encode_item
from e2ecore.engine.files.file_writing import check_target, write_out
from e2ecore.storage.attachments import AttachmentRow, FileState
from e2ecore.storage.file_cache import CachedFileError, FileCache
from e2ecore_protocol.content import is_plain_name
from e2ecore_protocol.limits import MAX_FILE_NAME_BYTES


@pytest.fixture
def cache(tmp_path: Path) -> FileCache:
    return FileCache(tmp_path / "a.db")


def copied(cache: FileCache, wanted: OutgoingFile, aid: int = 1) -> AttachmentRow:
    """Take a file in, as if it had come in a message."""
    found = copy_file(cache, wanted, system_rng)
    cache.adopt([(found.path, aid)])
    return AttachmentRow(
        aid, 1, 0, 0, found.item.blob_id, encode_item(found.item), found.item.size,
        FileState.REMOTE, cache_key=found.cache_key, cached=1,
    )  # fmt: skip


def renamed(row: AttachmentRow, name: str) -> AttachmentRow:
    return row._replace(item=encode_item(decode_item(row)._replace(name=name)))


def left(cache: FileCache) -> list[Path]:
    return list(cache.folder.iterdir()) if cache.folder.exists() else []


def test_what_is_no_file_is_refused(tmp_path: Path, cache: FileCache) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "socket"))
        here = [f"{tmp_path}/{name}" for name in ("loop", "socket", ".", "no/file")]
        for path in (*here, "/dev/zero", "/dev/null", "/proc/self/mem", "a\0b", "x" * 300):
            with pytest.raises(e2ecore.BadFileError):
                copy_file(cache, OutgoingFile(path, "a.bin"), system_rng)
    assert left(cache) == []


class Odd(io.RawIOBase):
    """A stream that gives one whole run, and then something else."""

    def __init__(self, then: object) -> None:
        self._then, self._count = then, 0

    def read(self, size: int = -1, /) -> bytes:
        self._count += 1
        if self._count == 1:
            return bytes(size)
        if isinstance(self._then, Exception):
            raise self._then
        return self._then  # type: ignore[return-value]  # whatever streams of others give


@pytest.mark.parametrize(
    "then",
    [
        pytest.param(None, id="nothing for now"),
        pytest.param("text", id="text"),
        pytest.param(bytes(1 << 20), id="more than was asked for"),
        pytest.param(OSError(5, "broken"), id="an error"),
        pytest.param(ValueError("closed"), id="it was closed"),
        pytest.param(io.UnsupportedOperation("read"), id="only for writing"),
    ],
)
def test_a_stream_that_is_none_is_refused_and_never_cut_short(
    cache: FileCache, then: object
) -> None:
    with pytest.raises(e2ecore.BadFileError):
        copy_file(cache, OutgoingFile(Odd(then), "a.bin"), system_rng)  # type: ignore[arg-type]
    assert left(cache) == []


def test_a_stream_without_end_is_refused_by_its_size(
    cache: FileCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attaching, "MAX_ATTACHMENT_BYTES", 1 << 20)
    with Path("/dev/zero").open("rb") as endless, pytest.raises(e2ecore.AttachmentTooLargeError):
        copy_file(cache, OutgoingFile(endless, "a.bin"), system_rng)
    assert left(cache) == []


def test_a_name_that_is_no_text_is_refused(tmp_path: Path, cache: FileCache) -> None:
    path = os.fsencode(tmp_path) + b"/\xff.bin"
    Path(os.fsdecode(path)).write_bytes(b"x")
    with pytest.raises(e2ecore.BadAttachmentNameError):
        copy_file(cache, OutgoingFile(os.fsdecode(path)), system_rng)
    assert left(cache) == []


@pytest.mark.parametrize(
    "claims",
    [
        OutgoingFile(io.BytesIO(b"x"), "x", media_type="text"),
        OutgoingFile(io.BytesIO(b"x"), "x", media_type="text/plain; charset=utf-8"),
        OutgoingFile(io.BytesIO(b"x"), "x", media_type="x" * 200 + "/x"),
        OutgoingFile(io.BytesIO(b"x"), "x", media_type="text/\u202e"),
        OutgoingFile(io.BytesIO(b"x"), "x.mp3", duration_ms=-1),
        OutgoingFile(io.BytesIO(b"x"), "x.mp3", duration_ms=1 << 80),
        OutgoingFile(io.BytesIO(b"x"), "x", waveform=b"x"),
        OutgoingFile(io.BytesIO(b"x"), "x", form=AttachmentForm.VOICE, waveform=bytes(129)),
    ],
)
def test_what_no_reader_would_take_is_refused_before_it_is_copied(
    cache: FileCache, claims: OutgoingFile
) -> None:
    with pytest.raises(e2ecore.BadFileError):
        copy_file(cache, claims, system_rng)
    assert left(cache) == []


def test_a_voice_note_keeps_its_length_and_its_shape(cache: FileCache) -> None:
    said = OutgoingFile(
        io.BytesIO(b"opus"), "note.opus", form=AttachmentForm.VOICE, duration_ms=4_200,
        waveform=bytes(range(128)),
    )  # fmt: skip
    item = decode_item(copied(cache, said))
    assert (item.form, item.duration_ms, item.waveform) == (4, 4_200, bytes(range(128)))


class Endless(io.RawIOBase):
    """A stream that does not end."""

    def __init__(self) -> None:
        self.given = 0

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        self.given += size
        return bytes(size)


def test_a_stream_without_end_is_refused_at_the_limit(
    cache: FileCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attaching, "MAX_ATTACHMENT_BYTES", 3 << 20)
    endless = Endless()
    with pytest.raises(e2ecore.AttachmentTooLargeError):
        copy_file(cache, OutgoingFile(endless, "zero"), system_rng)  # type: ignore[arg-type]
    assert endless.given < 4 << 20
    assert left(cache) == []


def test_a_stream_that_breaks_leaves_no_half_copy(cache: FileCache) -> None:
    class Breaks(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            if self.tell() > 500_000:
                raise OSError(5, "Input/output error")
            return super().read(size)

    with pytest.raises(e2ecore.BadFileError):
        copy_file(cache, OutgoingFile(Breaks(bytes(1 << 20)), "x"), system_rng)
    assert left(cache) == []


def test_memory_does_not_grow_with_the_file(tmp_path: Path, cache: FileCache) -> None:
    sparse = tmp_path / "sparse.bin"
    with sparse.open("wb") as file:
        file.truncate(48 << 20)
    tracemalloc.start()
    try:
        row = copied(cache, OutgoingFile(sparse))
        write_out(cache, row, tmp_path / "out")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 << 20
    assert (tmp_path / "out").stat().st_size == 48 << 20


LONG = "\u6587" * 85
NAMES = [
    "report.pdf", LONG, LONG[:82] + ".\u6587\u6587", "x" * 251 + ".pdf", "x." + "y" * 253,
    "CON", "com1.txt", "COM\u00b9.txt", "conout$", "NUL .txt", "lpt9.tar.gz", "a:b",
    "a<b>|?*\"", "-rf", "~", ".ssh", "x. . .", "\U0001f469\u200d\U0001f467" * 20, "e\u0301" * 80,
]  # fmt: skip


def test_every_name_that_may_come_gets_two_files_in_the_folder_and_none_elsewhere(
    tmp_path: Path, cache: FileCache
) -> None:
    folder = tmp_path / "a" / "downloads"
    folder.mkdir(parents=True)
    row = copied(cache, OutgoingFile(io.BytesIO(b"content"), "x"))
    for name in NAMES:
        assert is_plain_name(name)
        first, second = (write_out(cache, renamed(row, name), folder) for _ in range(2))
        assert first.parent == second.parent == folder
        assert first.read_bytes() == second.read_bytes() == b"content"
        assert first.suffix == second.suffix or len(first.suffix) > 32
        assert first.stat().st_mode & 0o077 == 0
    assert len(list(folder.iterdir())) == 2 * len(NAMES)
    assert {one.name for one in tmp_path.iterdir()} == {"a", "a.db.files"}


@given(st.text(min_size=1, max_size=255).filter(is_plain_name), st.integers(1, 999))
@example(LONG, 999)
def test_a_numbered_name_is_no_longer_than_a_name_may_be(name: str, number: int) -> None:
    found = file_writing._numbered(Path(local_name(name)), number)
    assert len(found.encode()) <= MAX_FILE_NAME_BYTES
    assert Path(found).name == found


def targets(folder: Path) -> Iterator[tuple[Path, type[Exception]]]:
    (folder / "file").write_bytes(b"theirs")
    (folder / "dangling").symlink_to(folder / "nowhere")
    (folder / "loop").symlink_to(folder / "loop")
    yield folder / "file", e2ecore.FileExistsHereError
    yield folder / "dangling", e2ecore.FileExistsHereError
    yield folder / "loop", e2ecore.FileExistsHereError
    yield folder / "file" / "x", e2ecore.BadTargetError
    yield folder / "no" / "x", e2ecore.BadTargetError
    yield folder / "loop" / "x", e2ecore.BadTargetError
    yield folder / ("x" * 256), e2ecore.BadTargetError
    yield folder / "a\0b", e2ecore.BadTargetError


def test_a_target_that_cannot_be_is_refused_before_anything_is_fetched(
    tmp_path: Path, cache: FileCache
) -> None:
    folder = tmp_path / "targets"
    folder.mkdir()
    row = copied(cache, OutgoingFile(io.BytesIO(b"content"), "x"))
    for target, error in targets(folder):
        with pytest.raises(error):
            check_target(target)
        with pytest.raises(error):
            write_out(cache, row, target)
    assert {one.name for one in folder.iterdir()} == {"file", "dangling", "loop"}
    assert (folder / "file").read_bytes() == b"theirs"


def test_where_files_must_have_names_none_is_left_over_either(
    tmp_path: Path, cache: FileCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_writing, "_NAMELESS", 0)
    folder = tmp_path / "out"
    folder.mkdir()
    row = copied(cache, OutgoingFile(io.BytesIO(b"content"), "x.txt"))
    (folder / f".{row.blob_id.hex()}.part").write_bytes(b"left over by a crash")
    for _ in range(2):
        write_out(cache, row, folder)

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(1, "no links here")

    monkeypatch.setattr(os, "link", refuse)
    write_out(cache, row, folder)
    with pytest.raises(e2ecore.FileExistsHereError):
        write_out(cache, row, folder / "x.txt")
    names = {one.name for one in folder.iterdir()}
    assert names == {"x.txt", "x (2).txt", "x (3).txt"}
    cache.path(1).write_bytes(b"damaged")
    with pytest.raises(CachedFileError):
        write_out(cache, row, folder)
    assert {one.name for one in folder.iterdir()} == names


def pictures() -> list[bytes]:
    """Small pictures with what cameras write."""
    picture, found = Image.new("RGB", (40, 30), "red"), []
    exif = Image.Exif()
    exif[0x0112], exif[0x010F], exif[0x8825] = 6, "maker", {1: "N", 2: (1.0, 2.0, 3.0)}
    for kind in ("JPEG", "PNG", "WEBP", "GIF"):
        out = io.BytesIO()
        picture.save(out, kind, **({} if kind == "GIF" else {"exif": exif}))
        found.append(out.getvalue())
    return found


PICTURES = pictures()


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(
    st.sampled_from(PICTURES),
    st.lists(st.tuples(st.integers(0, 400), st.binary(max_size=4)), min_size=1, max_size=4),
)
@example(PICTURES[0], [(42, b"\0\7")])
def test_a_broken_picture_has_no_preview_or_a_sound_one(
    picture: bytes, changes: list[tuple[int, bytes]]
) -> None:
    broken = bytearray(picture)
    for place, data in changes:
        broken[place : place + len(data)] = data
    preview = preview_of(bytes(broken))
    if preview is not None:
        assert max(Image.open(io.BytesIO(preview.jpeg)).size) <= 320
    try:
        stripped(bytes(broken))
    except UnknownPictureError:
        return


def chunk(kind: bytes, data: bytes) -> bytes:
    return len(data).to_bytes(4) + kind + data + zlib.crc32(kind + data).to_bytes(4)


def test_pictures_that_unfold_without_end_are_bounded() -> None:
    head = b"\x89PNG\r\n\x1a\n"
    small = chunk(b"IHDR", b"\0\0\0\x01\0\0\0\x01\x08\x02\0\0\0")
    huge = chunk(b"IHDR", b"\x7f\xff\xff\xff\x7f\xff\xff\xff\x08\x02\0\0\0")
    packed = zlib.compress(bytes(30_000_000), 9)
    bombs = {
        "pixels": head + huge + chunk(b"IDAT", packed) + chunk(b"IEND", b""),
        "text": head + small + chunk(b"zTXt", b"k\0\0" + packed) * 4 + chunk(b"IEND", b""),
        "profile": head + small + chunk(b"iCCP", b"k\0\0" + packed) + chunk(b"IEND", b""),
        "rows": head + small + chunk(b"IDAT", packed) + chunk(b"IEND", b""),
        "gif": b"GIF89a\xff\xff\xff\xff\0\0\0," + bytes(4) + b"\xff\xff\xff\xff\0\x08",
    }
    for name, bomb in bombs.items():
        tracemalloc.start()
        try:
            preview_of(bomb)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak < 80 << 20, name
