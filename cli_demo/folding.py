"""Chinese in what Rich lays out: lines break between its signs, and nothing is cut."""

import re
from typing import Final

from rich.console import Console, ConsoleOptions, RenderResult
from rich.style import Style
from rich.text import Text

from cli_demo.text import breaks

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
            for line in text.divide(breaks(text.plain, options.max_width, options.max_width)):
                line.rstrip()
                yield line
