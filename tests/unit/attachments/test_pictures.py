"""Pictures: what cameras write is taken out, and small ones are made of them."""

import contextlib
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from e2ecore.attachments.errors import UnknownPictureError
from e2ecore.attachments.metadata import is_picture, picture_type, stripped
from e2ecore.attachments.previews import MAX_PIXELS, preview_of
from e2ecore_protocol.content.preview import check_preview
from e2ecore_protocol.errors import MalformedError
from e2ecore_protocol.limits import MAX_PREVIEW_BYTES, MAX_PREVIEW_SIDE

SECRET = b"47.3769N 8.5417E"
FORMATS = ["JPEG", "PNG", "WEBP", "GIF"]


def picture(kind: str, *, turn: int = 1, size: tuple[int, int] = (60, 40)) -> bytes:
    """A picture that says where it was taken."""
    image = Image.linear_gradient("L").resize(size).convert("P" if kind == "GIF" else "RGB")
    exif = Image.Exif()
    exif[0x0112] = turn
    exif[0x010E] = SECRET.decode()
    out = io.BytesIO()
    more: dict[str, object] = {"comment": SECRET} if kind == "GIF" else {"exif": exif.tobytes()}
    if kind == "JPEG":
        more |= {"comment": SECRET, "progressive": True}
    image.save(out, kind, **more)
    return out.getvalue()


@pytest.mark.parametrize("kind", FORMATS)
def test_what_a_camera_wrote_is_gone_and_the_picture_is_the_same(kind: str) -> None:
    data = picture(kind)
    assert is_picture(data[:32])
    assert SECRET in data
    clean = stripped(data)
    assert SECRET not in clean
    with Image.open(io.BytesIO(data)) as before, Image.open(io.BytesIO(clean)) as after:
        assert before.convert("RGB").tobytes() == after.convert("RGB").tobytes()
        assert not dict(after.getexif())


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_how_a_picture_is_to_be_turned_stays(kind: str) -> None:
    clean = stripped(picture(kind, turn=6))
    assert SECRET not in clean
    with Image.open(io.BytesIO(clean)) as after:
        after.load()
        assert dict(after.getexif()) == {0x0112: 6}
    assert stripped(clean) == clean


@pytest.mark.parametrize(
    "segment",
    [
        pytest.param(b"JFIF\0\1\2\0\0\1\0\1\2\2" + SECRET[:12], id="pixels of a JFIF head"),
        pytest.param(b"JFXX\0\x10\xff\xd8" + SECRET, id="a small JPEG beside it"),
        pytest.param(b"CIFF" + SECRET, id="what a maker adds"),
    ],
)
def test_a_thumbnail_of_what_was_cut_off_does_not_stay(segment: bytes) -> None:
    data = picture("JPEG")
    clean = stripped(data)
    added = b"\xff\xe0" + (len(segment) + 2).to_bytes(2) + segment
    again = stripped(data[:2] + added + data[2:])
    assert SECRET[:12] not in again
    assert len(again) <= len(clean) + 18, "but for a head that says how wide a pixel is"
    with Image.open(io.BytesIO(again)) as after, Image.open(io.BytesIO(data)) as before:
        assert before.tobytes() == after.tobytes()


def test_bytes_that_only_fill_hide_nothing() -> None:
    data = picture("JPEG")
    at = data.index(b"\xff\xe1")
    assert stripped(data[:at] + b"\xff\xff\xff" + data[at:]) == stripped(data)


def test_a_picture_is_known_by_how_it_begins() -> None:
    kinds = {kind: picture_type(picture(kind)) for kind in FORMATS}
    assert kinds == {kind: f"image/{kind.lower()}" for kind in FORMATS}
    box = b"\0\0\0\x18ftyp"
    others = (b"II*\0", b"MM\0*", box + b"heic", box + b"mif1", box + b"avif", box + b"crx ")
    for start in others:
        assert (picture_type(start) or "").startswith("image/")
        assert not is_picture(start)
    for start in (b"", b"text", box + b"isom", box + b"qt  ", b"%PDF-1.7", b"RIFF\0\0\0\0WAVE"):
        assert picture_type(start) is None


def test_what_lies_behind_a_pictures_end_goes() -> None:
    data = picture("JPEG")
    assert stripped(data + b"a film with " + SECRET) == stripped(data)


@pytest.mark.parametrize(
    "data", [b"", b"\xff\xd8", b"\xff\xd8\xff", b"II*\0", b"\x89PNG\r\n\x1a\n"]
)
def test_what_is_no_whole_picture_is_refused(data: bytes) -> None:
    with pytest.raises(UnknownPictureError):
        stripped(data)


@pytest.mark.parametrize("kind", FORMATS)
@given(data=st.data())
def test_a_damaged_picture_is_stripped_or_refused(kind: str, data: st.DataObject) -> None:
    damaged = bytearray(picture(kind))
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(UnknownPictureError):
        stripped(bytes(damaged[: data.draw(st.integers(1, len(damaged)))]))
    preview_of(bytes(damaged))


@pytest.mark.parametrize("kind", FORMATS)
def test_a_preview_is_a_small_picture_that_passes_its_own_check(kind: str) -> None:
    made = preview_of(picture(kind, size=(1200, 800)))
    assert made is not None
    assert (made.width, made.height) == (1200, 800)
    check_preview(made.jpeg)
    assert len(made.jpeg) <= MAX_PREVIEW_BYTES
    with Image.open(io.BytesIO(made.jpeg)) as small:
        assert max(small.size) <= MAX_PREVIEW_SIDE
    assert SECRET not in made.jpeg


def test_a_preview_stands_as_people_see_the_picture() -> None:
    made = preview_of(picture("JPEG", turn=6, size=(1200, 800)))
    assert made is not None
    assert (made.width, made.height) == (800, 1200)


def test_no_preview_is_made_of_what_claims_too_many_pixels() -> None:
    head = b"\x89PNG\r\n\x1a\n" + b"\0\0\0\x0dIHDR" + (60_000).to_bytes(4) * 2 + b"\x08\x02\0\0\0"
    assert MAX_PIXELS < 60_000 * 60_000
    assert preview_of(head + bytes(100)) is None
    assert preview_of(b"no picture") is None


def test_a_preview_that_claims_to_be_large_is_refused() -> None:
    made = preview_of(picture("JPEG", size=(100, 50)))
    assert made is not None
    at = made.jpeg.index(b"\xff\xc0") + 5
    bomb = made.jpeg[:at] + b"\xff\xff\xff\xff" + made.jpeg[at + 4 :]
    with pytest.raises(MalformedError):
        check_preview(bomb)
