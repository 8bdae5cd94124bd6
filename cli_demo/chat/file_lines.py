"""The files of a message as lines: what each is, where it is, and a picture. Pure."""

import re
from collections.abc import Sequence
from typing import Final

from rich.segment import Segment
from rich.style import Style

from cli_demo.chat.pictures import Ink, PictureLine, picture_lines
from cli_demo.text import wave, wrap
from cli_demo.views import FileView, Symbols

_GLUE: Final = "\N{NO-BREAK SPACE}"
_AMOUNT: Final = re.compile(r"([0-9]) (?=(?:B|KiB|MiB|GiB|d|h|min|s)\b)")
_WAVE_CELLS: Final = 40
_PICTURES: Final = 4
"""Of one message that are drawn; the others are named."""


def file_lines(
    files: Sequence[FileView], room: int, indent: int, *, style: Style, ink: Ink, symbols: Symbols
) -> list[list[Segment] | PictureLine]:
    """Return the lines of all files of a message.

    Args:
        files: In the order of the message.
        room: Cells there are behind the indent.
        indent: Cells before each line.
        style: Of what is said of a file.
        ink: What pictures are drawn with.
        symbols: What can be drawn.
    """
    found: list[list[Segment] | PictureLine] = []
    left = _PICTURES
    for one in files:
        found += [[Segment(" " * indent), Segment(text, style)] for text in _words(one, room)]
        if heard := wave(one.wave, min(room, _WAVE_CELLS), symbols.levels):
            found.append([Segment(" " * indent), Segment(heard, style)])
        if one.preview and left:
            left -= 1
            found += picture_lines(one.preview, one.shape, room, ink, indent)
    return found


def _words(file: FileView, room: int) -> list[str]:
    lines = wrap(_glued(f"[{file.number}] {file.about}: {file.where}"), room, room)
    return [one.replace(_GLUE, " ") for one in lines]


def _glued(text: str) -> str:
    """Keep numbers and their units on one line."""
    return _AMOUNT.sub(rf"\1{_GLUE}", text)
