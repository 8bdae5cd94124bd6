"""The small picture that shows a file before it is fetched: checked before anybody decodes it.

A decoder allocates what the head of a picture claims, so the head is what is checked: a few
kilobytes can claim four thousand million pixels.
"""

from typing import Final

from e2ecore_protocol.errors import MalformedError
from e2ecore_protocol.limits import MAX_PREVIEW_SIDE

_BEGIN: Final = b"\xff\xd8"
_MARK: Final = 0xFF
_SCAN: Final = 0xDA
_FRAMES: Final = frozenset({0xC0, 0xC1, 0xC2})
"""Heads of the three codings that every decoder has."""
_OTHER_FRAMES: Final = frozenset(range(0xC3, 0xD0)) - {0xC4, 0xC8, 0xCC}
_APPLICATION: Final = frozenset(range(0xE1, 0xF0)) | {0xFE}
"""Where cameras write places, times and thumbnails, and people write comments."""


def check_preview(data: bytes) -> None:
    """Refuse a preview that is no small JPEG picture, or has more in it than a picture.

    Raises:
        MalformedError: It is not, or has.
    """
    if not data:
        return
    width, height = _size(data)
    if not 1 <= width <= MAX_PREVIEW_SIDE or not 1 <= height <= MAX_PREVIEW_SIDE:
        raise MalformedError("a preview is a small picture")


def _size(data: bytes) -> tuple[int, int]:
    """Return width and height of a JPEG picture whose head holds nothing but the picture."""
    found: tuple[int, int] | None = None
    if not data.startswith(_BEGIN):
        raise MalformedError("a preview is a JPEG picture")
    at = len(_BEGIN)
    while at + 4 <= len(data) and data[at] == _MARK:
        kind, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4])
        if kind == _SCAN:
            break
        if kind in _APPLICATION or kind in _OTHER_FRAMES or (kind in _FRAMES and found):
            raise MalformedError("a preview is nothing but one picture")
        if kind in _FRAMES:
            head = data[at + 5 : at + 9]
            found = int.from_bytes(head[2:]), int.from_bytes(head[:2])
        at += 2 + length
    else:
        raise MalformedError("a preview is a whole picture")
    return found or (0, 0)
