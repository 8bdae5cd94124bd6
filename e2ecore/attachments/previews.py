"""Small pictures of pictures, for those who have not fetched them. Bounded before anything is read.

Spec: protocol/spec/50-content.md, [CNT-63]
"""

import io
import warnings
from typing import Final, NamedTuple

from PIL import ExifTags, Image

from e2ecore_protocol.content.preview import check_preview
from e2ecore_protocol.errors import MalformedError
from e2ecore_protocol.limits import MAX_MEDIA_SIDE, MAX_PREVIEW_BYTES, MAX_PREVIEW_SIDE

MAX_PIXELS: Final = 64_000_000
"""Largest picture that a preview is made of: 200 MB while it is decoded. Larger ones have none."""
_FORMATS: Final = ("JPEG", "PNG", "WEBP", "GIF")
_QUALITIES: Final = (75, 60, 45, 30)
_SIDES: Final = (MAX_PREVIEW_SIDE, MAX_PREVIEW_SIDE // 2, MAX_PREVIEW_SIDE // 4)
_TURNS: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""By what a camera says of how it was held."""


class Preview(NamedTuple):
    """A small picture; ``width`` and ``height`` are those of the whole one as people see it."""

    jpeg: bytes
    width: int
    height: int


def preview_of(picture: bytes) -> Preview | None:
    """Return a small JPEG of a picture; None if it is none, too large, or broken.

    Args:
        picture: The whole file. Its head is looked at before any pixel is decoded.
    """
    try:
        with (
            warnings.catch_warnings(action="ignore"),
            Image.open(io.BytesIO(picture), formats=_FORMATS) as opened,
        ):
            width, height = opened.size
            if not 0 < width * height <= MAX_PIXELS or max(width, height) > MAX_MEDIA_SIDE:
                return None
            opened.draft("RGB", (2 * MAX_PREVIEW_SIDE, 2 * MAX_PREVIEW_SIDE))
            small = _small(opened)
            if small.width < small.height and width > height:
                width, height = height, width
            if small.width > small.height and width < height:
                width, height = height, width
            return Preview(_encoded(small), width, height)
    except Exception:  # noqa: BLE001 - whatever a broken picture makes a library raise
        return None


def _small(opened: Image.Image) -> Image.Image:
    opened.thumbnail((MAX_PREVIEW_SIDE, MAX_PREVIEW_SIDE))
    turned = _turned(opened)
    if turned.mode in {"RGBA", "LA", "PA"} or "transparency" in turned.info:
        white = Image.new("RGBA", turned.size, "white")
        white.alpha_composite(turned.convert("RGBA"))
        turned = white
    return turned.convert("RGB")


def _turned(opened: Image.Image) -> Image.Image:
    """Turn a picture as its camera says, without looking further into what it says."""
    try:
        turn = _TURNS.get(opened.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # noqa: BLE001 - as above: then it stands as it is
        turn = None
    return opened.copy() if turn is None else opened.transpose(turn)


def _encoded(small: Image.Image) -> bytes:
    for side in _SIDES:
        small.thumbnail((side, side))
        for quality in _QUALITIES:
            out = io.BytesIO()
            Image.frombytes("RGB", small.size, small.tobytes()).save(out, "JPEG", quality=quality)
            if len(out.getvalue()) <= MAX_PREVIEW_BYTES:
                return _checked(out.getvalue())
    raise ValueError("no picture that small")


def _checked(data: bytes) -> bytes:
    try:
        check_preview(data)
    except MalformedError as error:
        raise ValueError("no preview") from error
    return data
