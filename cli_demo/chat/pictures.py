"""The sender's small picture of a file, drawn with a terminal's cells: two pixels each. Pure.

A picture is decoded when one of its lines comes onto the screen, and few are kept: a long history
of pictures costs no more than one of words.
"""

from collections.abc import Callable
from enum import Enum
from functools import lru_cache
from io import BytesIO
from typing import Final, NamedTuple

from PIL import Image
from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

MAX_CELLS: Final = 32
"""Widest picture, in cells."""
MAX_ROWS: Final = 10
"""Highest picture, in lines."""
_MIN_CELLS: Final = 4
_KEPT: Final = 64
"""Pictures that stay decoded: more than fit onto a screen."""
_UPPER_HALF: Final = "▀"
_BITS: Final = 0xF8
"""Of a colour value: so few colours that neighbours are often equal, and nobody sees it."""


class Ink(Enum):
    """What a terminal can draw pictures with: shades from dark to light, or nothing for colours."""

    COLOURS = ""
    SHADES = " ░▒▓█"
    ASCII = " .:-=+*#%@"


class PictureLine(NamedTuple):
    """One line of a picture, not yet drawn."""

    preview: bytes
    """The JPEG, 320 x 320 pixels at most: the engine has looked at its head."""
    cells: int
    rows: int
    row: int
    ink: Ink
    indent: int

    def strip(self) -> Strip:
        """Draw it; nothing, if the picture is broken."""
        rows = _drawn(self.preview, self.cells, self.rows, self.ink)
        return Strip([Segment(" " * self.indent), *rows[self.row]])


def picture_lines(
    preview: bytes, shape: tuple[int, int], room: int, ink: Ink, indent: int
) -> list[PictureLine]:
    """Return the lines of a picture.

    Args:
        preview: The JPEG; empty: there is none.
        shape: Width and height of the whole picture, as its sender says; 0: not known.
        room: Cells there are.
        ink: What to draw with.
        indent: Cells before it.
    """
    cells = min(room, MAX_CELLS)
    if not preview or cells < _MIN_CELLS:
        return []
    width, height = (max(one, 1) for one in shape)
    rows = round(cells * height / width / 2)
    if rows > MAX_ROWS:
        cells, rows = round(2 * MAX_ROWS * width / height), MAX_ROWS
    cells, rows = max(cells, _MIN_CELLS), max(rows, 1)
    return [PictureLine(preview, cells, rows, row, ink, indent) for row in range(rows)]


@lru_cache(maxsize=_KEPT)
def _drawn(preview: bytes, cells: int, rows: int, ink: Ink) -> list[list[Segment]]:
    try:
        with Image.open(BytesIO(preview), formats=("JPEG",)) as opened:
            opened.draft("RGB", (cells, 2 * rows))
            small = opened.convert("RGB").resize((cells, 2 * rows))
    except (OSError, ValueError, SyntaxError, EOFError):
        return [[] for _ in range(rows)]
    if ink is Ink.COLOURS:
        return _halves(small)
    return [[Segment(line)] for line in _shaded(small.resize((cells, rows)).convert("L"), ink)]


def _halves(picture: Image.Image) -> list[list[Segment]]:
    """Two pixels for each cell: the upper one is the sign, the lower one what is behind it."""
    pixel = _pixels(picture)
    return [
        [Segment(_UPPER_HALF, _style(pixel(x, y), pixel(x, y + 1))) for x in range(picture.width)]
        for y in range(0, picture.height, 2)
    ]


def _pixels(picture: Image.Image) -> Callable[[int, int], bytes]:
    raw, width = picture.tobytes(), picture.width
    return lambda x, y: raw[3 * (y * width + x) : 3 * (y * width + x) + 3]


@lru_cache(maxsize=4096)
def _style(upper: bytes, lower: bytes) -> Style:
    return Style(color=_colour(upper), bgcolor=_colour(lower))


def _colour(rgb: bytes) -> Color:
    return Color.from_rgb(*(one & _BITS for one in rgb))


def _shaded(picture: Image.Image, ink: Ink) -> list[str]:
    raw, width, signs = picture.tobytes(), picture.width, ink.value
    text = "".join(signs[one * len(signs) // 256] for one in raw)
    return [text[at : at + width] for at in range(0, len(text), width)]
