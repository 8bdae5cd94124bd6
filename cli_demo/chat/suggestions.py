"""The lines above the input: ways to complete what is being typed."""

from typing import Final

from rich.cells import cell_len, set_cell_size
from rich.style import Style
from rich.text import Text
from textual.widgets import Static

from cli_demo.chat.completion import Offer, Offers
from cli_demo.text import one_line, visible

_LINES: Final = 6
_SHOWN_CELLS: Final = 26


class Suggestions(Static):
    """Shows offers and which of them stands out; the input moves it."""

    DEFAULT_CSS = """
    Suggestions { height: auto; display: none; }
    """

    def __init__(self, *, id: str) -> None:  # noqa: A002
        super().__init__(id=id, markup=False)
        self._offers = Offers()
        self._place = 0
        self._hidden = False

    @property
    def chosen(self) -> Offer | None:
        """The offer that stands out; None: there is none."""
        if self._hidden or not self._offers.offers:
            return None
        return self._offers.offers[self._place]

    @property
    def start(self) -> int:
        """Where in the text that offer goes."""
        return self._offers.start

    def offer(self, offers: Offers) -> None:
        """Show other offers, if they are others."""
        if offers != self._offers:
            self._offers = offers
            self._place = 0
            self._hidden = False
            self._draw()

    def hide(self) -> None:
        """Show nothing until there are other offers."""
        self._hidden = True
        self.display = False

    def step(self, step: int) -> None:
        """To the offer above or below, around the ends."""
        if self._offers.offers:
            self._place = (self._place + step) % len(self._offers.offers)
            self._draw()

    def _draw(self) -> None:
        offers = self._offers.offers
        self.display = bool(offers)
        first = max(0, min(self._place - _LINES // 2, len(offers) - _LINES))
        text = Text(no_wrap=True, overflow="ellipsis")
        cells = min(max((cell_len(one.shown) for one in offers), default=0) + 1, _SHOWN_CELLS)
        for place, one in list(enumerate(offers))[first : first + _LINES]:
            is_chosen = place == self._place
            line = f" {set_cell_size(one_line(one.shown, cells), cells)}"
            text.append(line, Style(reverse=True) if is_chosen else Style())
            hint = "Tab" if is_chosen else "   "
            text.append(f" {hint}  {visible(one.about)}\n", Style(dim=True))
        text.rstrip()
        self.update(text)
