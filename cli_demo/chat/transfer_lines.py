"""The lines above the input that say how far files are on their way."""

from collections.abc import Sequence
from typing import Final

from rich.text import Text
from textual.widgets import Static

from cli_demo.chat.transfers import Transfer, lines
from cli_demo.views import Symbols

_SHOWN: Final = 4


class TransferLines(Static):
    """Not there while nothing is on its way."""

    def __init__(self, symbols: Symbols, *, id: str) -> None:  # noqa: A002
        super().__init__(id=id, markup=False)
        self._symbols = symbols
        self._shown = ""

    def show(self, transfers: Sequence[Transfer]) -> None:
        """Say how far these are; the newest last."""
        width = self.content_size.width or 80
        newest = transfers[-_SHOWN:] if len(transfers) <= _SHOWN else transfers[1 - _SHOWN :]
        shown = [text for one in newest for text in lines(one, width, self._symbols)]
        if len(transfers) > _SHOWN:
            shown.insert(0, f"{self._symbols.more} and {len(transfers) - len(newest)} more")
        text = "\n".join(shown)
        if text != self._shown:
            self._shown = text
            self.display = bool(text)
            self.update(Text(text, no_wrap=True, overflow="crop"))
