"""The messages of one conversation, drawn line by line.

Only the lines on the screen are ever rendered; a burst of a thousand messages costs one layout and
one repaint. Wrapped lines are kept per message until the width changes.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar, Final

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from cli_demo.text import clock, day, visible, wrap
from cli_demo.views import UNICODE, Mark, MessageView, Symbols

_MIN_WIDTH: Final = 12
_MAX_SHOWN_CHARS: Final = 16_384
"""Of one message: a megabyte of text is stored whole, but nobody reads it in a chat window."""
_MAX_LOADED: Final = 2_000
"""Messages kept in memory while the reader stands at the end; older ones are paged in again."""
_SETTLED: Final = frozenset({Mark.DELIVERED, Mark.FAILED, Mark.RECEIVED})
_INDENT: Final = 6
"""Cells before the second and later lines of a message: the width of ``14:05 ``."""


@dataclass(slots=True)
class _Block:
    """One message with its wrapped lines, ready for the screen."""

    message: MessageView
    day: str
    lines: list[Strip] = field(default_factory=list)


def _blocks(messages: Iterable[MessageView], known: Mapping[str, int]) -> list[_Block]:
    return [_Block(one, day(one.time_ms)) for one in messages if one.key not in known]


class History(ScrollView, can_focus=True):
    """Messages, oldest on top; asks for older ones when its top comes into view."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "history--author",
        "history--own",
        "history--time",
        "history--mark",
        "history--failed",
        "history--notice",
        "history--day",
    }
    DEFAULT_CSS = """
    History { overflow-y: scroll; overflow-x: hidden; }
    """

    class TopReached(Message):
        """The reader is at the oldest line: older messages, please."""

    def __init__(self, symbols: Symbols = UNICODE, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._symbols = symbols
        self._blocks: list[_Block] = []
        self._places: dict[str, int] = {}
        self._lines: list[Strip] = []
        self._wrapped_for = 0
        self._asked = False
        self._follow = True

    # -- content ---------------------------------------------------------------------------------

    def show(self, messages: Sequence[MessageView]) -> None:
        """Replace everything, and stand at the newest line."""
        self._blocks = _blocks(messages, {})
        self._asked = False
        self._follow = True
        self._wrap_all()

    def append(self, messages: Iterable[MessageView]) -> None:
        """New messages below; the view follows if it stood at the end."""
        fresh = _blocks(messages, self._places)
        if not fresh:
            return
        self._blocks.extend(fresh)
        if self._follow and len(self._blocks) > _MAX_LOADED:
            del self._blocks[: len(self._blocks) - _MAX_LOADED // 2]
            self._asked = False
        self._lay_out()

    def prepend(self, messages: Sequence[MessageView]) -> None:
        """Older messages above; what the reader sees stays where it is."""
        self._asked = False
        fresh = _blocks(messages, self._places)
        if not fresh:
            return
        before = len(self._lines)
        self._blocks[:0] = fresh
        self._lay_out()
        self.scroll_to(y=self.scroll_y + len(self._lines) - before, animate=False, force=True)

    def update_marks(self, marks: Mapping[str, Mark]) -> None:
        """Change delivery marks in place: by message key."""
        for key, mark in marks.items():
            place = self._places.get(key)
            if place is not None and self._blocks[place].message.mark is not mark:
                block = self._blocks[place]
                block.message = replace(block.message, mark=mark)
                block.lines = []
        self._lay_out()

    @property
    def messages(self) -> list[MessageView]:
        """What is loaded at the moment, oldest first."""
        return [block.message for block in self._blocks]

    @property
    def oldest(self) -> int:
        """The place of the oldest loaded message in the conversation; 0 if there is none."""
        return next((one.message.order for one in self._blocks if one.message.order), 0)

    @property
    def unsettled(self) -> int:
        """How many of the newest messages one must look at to see every mark that may change."""
        for place, block in enumerate(self._blocks):
            if block.message.own and block.message.mark not in _SETTLED:
                return len(self._blocks) - place
        return 0

    @property
    def at_end(self) -> bool:
        """Whether the newest line is in view."""
        return self._follow

    # -- layout ----------------------------------------------------------------------------------

    @property
    def _text_width(self) -> int:
        return max(self.scrollable_content_region.width, _MIN_WIDTH)

    def notify_style_update(self) -> None:
        """Colours changed: draw everything anew."""
        super().notify_style_update()
        self._wrap_all()

    def on_resize(self) -> None:
        """Wrap again only when the width changed; keep the end in view if it was."""
        if self._text_width != self._wrapped_for:
            self._wrap_all()
        else:
            self._stay_at_end()

    def _wrap_all(self) -> None:
        for block in self._blocks:
            block.lines = []
        self._lay_out()

    def _lay_out(self) -> None:
        self._wrapped_for = width = self._text_width
        lines: list[Strip] = []
        self._places = {}
        last_day = ""
        for place, block in enumerate(self._blocks):
            self._places[block.message.key] = place
            if block.day != last_day:
                last_day = block.day
                lines.append(self._day_line(last_day, width))
            if not block.lines:
                block.lines = self._wrap(block.message, width)
            lines.extend(block.lines)
        self._lines = lines
        self.virtual_size = Size(width, len(lines))
        self._stay_at_end()
        self.refresh()

    def _stay_at_end(self) -> None:
        if self._follow:
            self.scroll_end(animate=False, immediate=True, x_axis=False, force=True)

    def _style(self, name: str) -> Style:
        return self.get_component_rich_style(f"history--{name}", partial=True)

    def _day_line(self, name: str, width: int) -> Strip:
        line = "─" if self._symbols is UNICODE else "-"
        text = f" {name} ".center(width, line)
        return Strip([Segment(text[:width], self._style("day"))])

    def _wrap(self, message: MessageView, width: int) -> list[Strip]:
        text = visible(message.text[:_MAX_SHOWN_CHARS])
        if len(message.text) > _MAX_SHOWN_CHARS:
            text += f" … ({len(message.text):,} characters in all)"
        if message.notice:
            return self._notice(text, width)
        author = visible(message.author)
        mark = self._symbols.mark(message.mark)
        room = max(width - _INDENT - (cell_len(mark) + 1 if mark else 0), _MIN_WIDTH // 2)
        first, *others = wrap(text, room - cell_len(author) - 2, room)
        rows = [
            [
                Segment(f"{clock(message.time_ms)} ", self._style("time")),
                Segment(author, self._style("own" if message.own else "author")),
                Segment(f"  {first}"),
            ],
            *([Segment(" " * _INDENT + line)] for line in others),
        ]
        if mark:
            style = self._style("failed" if message.mark is Mark.FAILED else "mark")
            used = sum(segment.cell_length for segment in rows[-1])
            gap = max(width - used - cell_len(mark), 1)
            rows[-1] += [Segment(" " * gap), Segment(mark, style)]
        return [Strip(row) for row in rows]

    def _notice(self, text: str, width: int) -> list[Strip]:
        style = self._style("notice")
        lead = f"{' ' * _INDENT}{self._symbols.bullet} "
        lines = wrap(text, width - len(lead), width - len(lead))
        indent = " " * len(lead)
        return [
            Strip([Segment(lead if number == 0 else indent), Segment(line, style)])
            for number, line in enumerate(lines)
        ]

    # -- drawing ---------------------------------------------------------------------------------

    def render_line(self, y: int) -> Strip:
        """One line of the visible part."""
        _, scroll_y = self.scroll_offset
        place = scroll_y + y
        width = self.scrollable_content_region.width
        if place >= len(self._lines):
            return Strip.blank(width, self.rich_style)
        return (
            self._lines[place].extend_cell_length(width).crop(0, width).apply_style(self.rich_style)
        )

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Ask once for older messages when the top is reached."""
        super().watch_scroll_y(old_value, new_value)
        self._follow = new_value >= self.max_scroll_y - 1
        if new_value <= 1 < old_value and not self._asked and self._blocks:
            self._asked = True
            self.post_message(self.TopReached())

    def action_scroll_up(self) -> None:
        """One line up; at the very top, ask again for older messages."""
        if self.scroll_y <= 1 and not self._asked and self._blocks:
            self._asked = True
            self.post_message(self.TopReached())
        super().action_scroll_up()
