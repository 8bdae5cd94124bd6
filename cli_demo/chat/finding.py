"""Searching: what is typed is looked for at once, the newest hits first; Enter goes there."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final, TypeAlias

from rich.style import Style
from rich.text import Text
from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Label, OptionList, Static
from textual.widgets.option_list import Option

import e2ecore
from cli_demo.exits import explain
from cli_demo.text import counted, one_line, visible, when

if TYPE_CHECKING:
    from textual.worker import Worker

_TITLE_CELLS: Final = 30
_PAUSE_S: Final = 0.15
"""How long nothing is typed before it is looked for."""
_HOW: Final = "All words have to occur, in any order. Chinese is found by any part."


@dataclass(frozen=True, slots=True)
class FoundView:
    """One message that was found."""

    uid: str
    """Its conversation."""
    order: int
    title: str
    author: str
    time_ms: int
    snippet: str
    marks: tuple[tuple[int, int], ...]
    """Where in the snippet the words are."""


@dataclass(frozen=True, slots=True)
class FoundPage:
    """Some of them, newest first."""

    hits: Sequence[FoundView]
    cursor: int | None
    """For the next page; None: there is none."""


Search: TypeAlias = Callable[[str, bool, int | None], Awaitable[FoundPage]]
"""The words, whether only the open conversation is meant, and the cursor."""


def entry(hit: FoundView, now_ms: int) -> Text:
    """Two lines: where, who and when; the words, with what was looked for standing out."""
    text = Text(no_wrap=True, overflow="ellipsis", end="")
    title, author = one_line(hit.title, _TITLE_CELLS), one_line(hit.author, _TITLE_CELLS)
    where = author if author == title else f"{author} in {title}"
    text.append(f"{when(hit.time_ms, now_ms)}  {where}\n", Style(dim=True))
    text.append("  ")
    end = 0
    for low, high in hit.marks:
        text.append(visible(hit.snippet[end:low]))
        text.append(visible(hit.snippet[low:high]), Style(bold=True, reverse=True))
        end = high
    text.append(visible(hit.snippet[end:]))
    return text


class Find(ModalScreen[FoundView | None]):
    """The answer is the message to go to, or None after Escape."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", "Close"),
        Binding("ctrl+f", "scope", "Here or everywhere", priority=True),
    ]

    def __init__(self, search: Search, here: str, text: str, now_ms: int) -> None:
        """Args: ``here`` is the title of the open conversation; empty: there is none."""
        super().__init__()
        self._search = search
        self._here = here
        self._only_here = bool(here)
        self._now_ms = now_ms
        self._hits: list[FoundView] = []
        self._cursor: int | None = None
        self._scope = Label(classes="dialog-title", markup=False)
        self._input = Input(text, placeholder="What to look for", compact=True)
        self._results = OptionList(compact=True, id="found")
        self._status = Static(_HOW, classes="dialog-hint", markup=False)

    def compose(self) -> ComposeResult:
        """Where it is looked, what for, what was found."""
        with Vertical(classes="dialog find"):
            yield self._scope
            yield self._input
            yield self._results
            yield self._status

    def on_mount(self) -> None:
        """Write at once."""
        self._input.focus()
        self._show_scope()

    def _show_scope(self) -> None:
        title = one_line(self._here, _TITLE_CELLS)
        where = f"in {title}" if self._only_here else "everywhere"
        other = "everywhere" if self._only_here else f"in {title}"
        self._scope.update(f"Find {where}" + (f"   (Ctrl+F: {other})" if self._here else ""))

    # -- looking ---------------------------------------------------------------------------------

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        self._look()

    def action_scope(self) -> None:
        """Look here only, or everywhere."""
        if self._here:
            self._only_here = not self._only_here
            self._show_scope()
            self._look()

    def _look(self) -> None:
        _: Worker[None] = self.run_worker(self._begin, exclusive=True)

    async def _begin(self) -> None:
        await asyncio.sleep(_PAUSE_S)
        self._hits, self._cursor = [], None
        if not self._input.value.strip():
            self._results.clear_options()
            self._status.update(_HOW)
            return
        await self._fetch(is_first=True)

    async def _fetch(self, *, is_first: bool = False) -> None:
        try:
            page = await self._search(self._input.value, self._only_here, self._cursor)
        except e2ecore.E2EError as error:
            self._results.clear_options()
            self._status.update(explain(error))
            return
        if is_first:
            self._results.clear_options()
        self._hits += page.hits
        self._cursor = page.cursor
        self._results.add_options(Option(entry(one, self._now_ms)) for one in page.hits)
        if is_first and self._hits:
            self._results.highlighted = 0
        more = " so far; further down there may be more" if page.cursor is not None else ""
        found = f"{counted(len(self._hits), 'message')}{more}. Enter goes there."
        self._status.update(found if self._hits else "Nothing found.")

    # -- choosing --------------------------------------------------------------------------------

    @on(OptionList.OptionHighlighted)
    def _at_the_end(self, event: OptionList.OptionHighlighted) -> None:
        """The last line is reached: more, if there is more."""
        event.stop()
        if event.option_index == len(self._hits) - 1 and self._cursor is not None:
            _: Worker[None] = self.run_worker(self._fetch, exclusive=True)

    @on(Input.Submitted)
    def _entered(self, event: Input.Submitted) -> None:
        event.stop()
        if self._results.highlighted is not None:
            _ = self.dismiss(self._hits[self._results.highlighted])

    @on(OptionList.OptionSelected)
    def _selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        _ = self.dismiss(self._hits[event.option_index])

    def on_key(self, event: events.Key) -> None:
        """Up and down walk through what was found, while one writes."""
        if self._input.has_focus and event.key in {"up", "down"}:
            event.stop()
            if event.key == "up":
                self._results.action_cursor_up()
            else:
                self._results.action_cursor_down()
