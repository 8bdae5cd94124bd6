"""The list of conversations: who, how many unread, the last words."""

from collections.abc import Sequence
from typing import Final

from rich.cells import cell_len, set_cell_size
from rich.style import Style
from rich.text import Text
from textual.message import Message
from textual.reactive import reactive
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from cli_demo.text import one_line, when
from cli_demo.views import UNICODE, ConversationView, Symbols, Trust

_BOLD: Final = Style(bold=True)
_DIM: Final = Style(dim=True)
_MIN_WIDTH: Final = 10
_DAY_MS: Final = 86_400_000


def entry(row: ConversationView, width: int, now_ms: int, symbols: Symbols) -> Text:
    """Two lines of ``width`` cells: title and time, last words and unread count."""
    time = when(row.time_ms, now_ms) if row.time_ms else ""
    time = f"{symbols.pinned} {time}" if row.pinned else time
    sign = symbols.bullet if row.group else _trust_sign(row.trust, symbols)
    title_room = max(width - cell_len(time) - 3, _MIN_WIDTH)
    title = set_cell_size(one_line(row.title, title_room, symbols.more), title_room)
    badge = f" {row.unread if row.unread < 1000 else '999+'} " if row.unread else ""  # noqa: PLR2004
    preview = row.preview if row.open else f"({row.state}) {row.preview}"
    preview_room = max(width - cell_len(badge) - 2, _MIN_WIDTH)
    shown = set_cell_size(one_line(preview, preview_room, symbols.more), preview_room)
    text = Text(no_wrap=True, end="")
    text.append(set_cell_size(sign, 2))
    text.append(title, _BOLD if row.unread and not row.muted else Style())
    text.append(f" {time}\n", _DIM)
    text.append(f"  {shown}", _DIM)
    if badge:
        text.append(badge, _DIM if row.muted else Style(bold=True, reverse=True))
    return text


def _trust_sign(trust: Trust | None, symbols: Symbols) -> str:
    if trust is Trust.VERIFIED:
        return symbols.verified
    return symbols.warning if trust is Trust.CHANGED else ""


class ConversationList(OptionList):
    """Conversations, the newest on top. Choosing one posts ``Chosen``."""

    rows: reactive[tuple[ConversationView, ...]] = reactive(())

    class Chosen(Message):
        """Open this conversation."""

        def __init__(self, uid: str) -> None:
            super().__init__()
            self.uid = uid

    def __init__(self, symbols: Symbols = UNICODE, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id, compact=True)
        self._symbols = symbols
        self._shown: list[str] = []
        self._drawn: dict[str, tuple[ConversationView, int, int]] = {}
        """What each line was drawn from."""

    def show(self, rows: Sequence[ConversationView], current: str, now_ms: int) -> None:
        """Bring the list up to date, touching only the lines that changed."""
        width = max(self.scrollable_content_region.width or self.size.width, _MIN_WIDTH + 8)
        day = now_ms // _DAY_MS
        known = {row.uid: (row, width, day) for row in rows}
        with self.prevent(OptionList.OptionHighlighted):
            stood_on = self._stood_on()
            if list(known) != self._shown:
                self.set_options(
                    Option(entry(row, width, now_ms, self._symbols), id=row.uid) for row in rows
                )
                self._shown = list(known)
            else:
                for row in rows:
                    if known[row.uid] != self._drawn.get(row.uid):
                        text = entry(row, width, now_ms, self._symbols)
                        self.replace_option_prompt(row.uid, text)
            self._drawn = known
            wanted = stood_on if self.has_focus and stood_on in known else current
            if wanted in known:
                self.highlighted = self._shown.index(wanted)

    def _stood_on(self) -> str:
        place = self.highlighted
        return self._shown[place] if place is not None and place < len(self._shown) else ""

    def neighbour(self, uid: str, step: int) -> str | None:
        """The conversation above (-1) or below (+1) the given one."""
        if not self._shown:
            return None
        place = self._shown.index(uid) + step if uid in self._shown else 0
        return self._shown[place] if 0 <= place < len(self._shown) else None

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Enter or click."""
        event.stop()
        if event.option.id is not None:
            self.post_message(self.Chosen(event.option.id))
