"""Chinese on a terminal: lines break between any two signs, but not everywhere, and none is cut."""

import re
from collections.abc import Iterator
from typing import Final

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.style import Style
from rich.text import Text

_NOT_FIRST: Final = frozenset("，。、；：？！）》”’…·")
"""What may not begin a line."""
_NOT_LAST: Final = frozenset("（《“‘")
"""What may not end a line."""
_PIECES: Final = re.compile(r"[!-~]+|\s+|.", re.DOTALL)
_CODE: Final = re.compile(r"`([^`]*)`")


class Folded:
    """Paragraphs with code between back quotes, as wide as there is room.

    Args:
        markup: Paragraphs with empty lines between them.
        style: Of all of it.
    """

    def __init__(self, markup: str, style: str | Style = "") -> None:
        self._paragraphs = [" ".join(one.split()) for one in markup.split("\n\n")]
        self._style = style

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Each line for itself."""
        for number, paragraph in enumerate(self._paragraphs):
            if number:
                yield Text("")
            text = Text(style=self._style)
            for odd, part in enumerate(_CODE.split(paragraph)):
                text.append(part, "markdown.code" if odd % 2 else None)
            for line in text.divide(breaks(text.plain, options.max_width)):
                line.rstrip()
                yield line


def breaks(text: str, cells: int) -> list[int]:
    """Where a text is to be broken so that no line is wider than there are cells.

    Args:
        text: Without new lines.
        cells: At least 2.
    """
    found: list[int] = []
    used = 0
    for start, piece in _units(text, cells):
        width = cell_len(piece)
        if used and used + cell_len(piece.rstrip()) > cells:
            found.append(start)
            used = 0
        used += width
    return found


def _units(text: str, cells: int) -> Iterator[tuple[int, str]]:
    """What is not broken, with its place: a word, or a sign with what must stay beside it."""
    begin, held = 0, ""
    for match in _PIECES.finditer(text):
        piece = match[0]
        stays = piece[0] in _NOT_FIRST or piece.isspace() or held[-1:] in _NOT_LAST
        if held and not (stays and cell_len((held + piece).rstrip()) <= cells):
            yield begin, held
            begin, held = match.start(), ""
        held += piece
        while cell_len(held) > cells and not held.isspace():
            yield begin, held[: cells // 2]
            begin, held = begin + cells // 2, held[cells // 2 :]
    if held:
        yield begin, held
