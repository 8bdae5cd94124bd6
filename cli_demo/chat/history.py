"""The messages of one conversation, drawn line by line.

What is loaded is one stretch of the conversation without gaps; at its ends it asks for more. Only
the lines on the screen are ever rendered, and only messages that are new or different are wrapped:
a burst of a thousand costs one layout and one repaint.
"""

import time
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import accumulate
from typing import ClassVar, Final

from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from cli_demo.chat.blocks import MIN_WIDTH, Painter
from cli_demo.text import day
from cli_demo.views import UNICODE, Mark, MessageView, Symbols

_MAX_LOADED: Final = 2_000
"""Messages kept in memory; those farther away are paged in again."""
_SETTLED: Final = frozenset({Mark.DELIVERED, Mark.FAILED, Mark.RECEIVED})


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


@dataclass(slots=True)
class _Block:
    """One message with its wrapped lines, ready for the screen."""

    message: MessageView
    day: str
    lines: list[Strip] = field(default_factory=list)
    day_line: Strip | None = None

    @property
    def height(self) -> int:
        return len(self.lines) + (self.day_line is not None)


class History(ScrollView, can_focus=True):
    """Messages, oldest on top; asks for more when an end of what is loaded comes into view."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        f"history--{part}"
        for part in (
            "author", "own", "time", "mark", "failed", "notice", "day", "quote", "tag", "gone",
            "named", "us", "sign", "own-sign", "selected",
        )
    }  # fmt: skip
    DEFAULT_CSS = """
    History { overflow-y: scroll; overflow-x: hidden; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "select(-1)", show=False),
        Binding("down,j", "select(1)", show=False),
        Binding("home", "edge(-1)", show=False),
        Binding("end", "edge(1)", show=False),
        Binding("enter,space", "choose", show=False),
    ]

    class TopReached(Message):
        """The reader is at the oldest line: older messages, please."""

    class BottomReached(Message):
        """The reader is at the last line that is loaded: newer messages, if there are any."""

    class Left(Message):
        """The reader went down beyond the newest message: back to writing."""

    class Chosen(Message):
        """Something is to be done with a message."""

        def __init__(self, message: MessageView) -> None:
            super().__init__()
            self.message = message

    def __init__(self, symbols: Symbols = UNICODE, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._symbols = symbols
        self._blocks: list[_Block] = []
        self._places: dict[str, int] = {}
        self._tops: list[int] = [0]
        self._wrapped_for = 0
        self._styles: dict[str, Style] = {}
        self._asked = False
        self._follow = True
        self._selected = ""
        self.group = False
        """Several others are in the conversation."""
        self.is_tail = True
        """The newest message of the conversation is loaded."""

    # -- content ---------------------------------------------------------------------------------

    def show(self, messages: Sequence[MessageView], *, tail: bool = True) -> None:
        """Replace everything, and stand at the newest line.

        Args:
            messages: Oldest first.
            tail: The last of them is the newest of the conversation.
        """
        self._blocks = _blocks(messages, {})
        self._selected = ""
        self._asked = False
        self._follow = self.is_tail = tail
        self._lay_out()

    def append(self, messages: Iterable[MessageView]) -> None:
        """Messages below; the view follows if it stood at the end."""
        fresh = _blocks(messages, self._places)
        self._asked = False
        if fresh:
            with self._changing():
                self._blocks.extend(fresh)
                del self._blocks[: self._surplus]

    def prepend(self, messages: Sequence[MessageView]) -> None:
        """Older messages above; what the reader sees stays where it is."""
        fresh = _blocks(messages, self._places)
        self._asked = False
        if fresh:
            with self._changing():
                self._blocks[:0] = fresh
                if self._surplus:
                    del self._blocks[-self._surplus :]
                    self.is_tail = False

    @property
    def _surplus(self) -> int:
        """How many messages to let go, once there are too many."""
        return len(self._blocks) - _MAX_LOADED // 2 if len(self._blocks) > _MAX_LOADED else 0

    def update_messages(self, messages: Iterable[MessageView]) -> None:
        """Show messages that are loaded as they are now."""
        changed = [
            (self._places[one.key], one)
            for one in messages
            if one.key in self._places and self._blocks[self._places[one.key]].message != one
        ]
        if changed:
            with self._changing():
                for place, one in changed:
                    self._blocks[place] = _Block(one, day(one.time_ms))

    def remove_messages(self, orders: Iterable[int]) -> None:
        """Messages that were erased."""
        gone = set(orders)
        if any(block.message.order in gone for block in self._blocks):
            with self._changing():
                self._blocks = [one for one in self._blocks if one.message.order not in gone]

    def tick(self) -> None:
        """Time went by: show how long messages last, and none whose time is over."""
        now_ms = _now_ms()
        mortal = [one for one in self._blocks if one.message.until_ms]
        if mortal:
            self.remove_messages(
                one.message.order for one in mortal if one.message.until_ms <= now_ms
            )
            with self._changing():
                for one in mortal:
                    one.lines = []

    @property
    def messages(self) -> list[MessageView]:
        """What is loaded at the moment, oldest first."""
        return [block.message for block in self._blocks]

    @property
    def oldest(self) -> int:
        """The place of the oldest loaded message in the conversation; 0 if there is none."""
        return next((one.message.order for one in self._blocks if one.message.order), 0)

    @property
    def newest(self) -> int:
        """The place of the newest loaded message in the conversation; 0 if there is none."""
        return next((one.message.order for one in reversed(self._blocks) if one.message.order), 0)

    @property
    def unsettled(self) -> list[int]:
        """Places of messages whose delivery mark may change yet."""
        return [
            one.message.order
            for one in self._blocks
            if one.message.own and one.message.mark not in _SETTLED
        ]

    @property
    def at_bottom(self) -> bool:
        """Whether the last line that is loaded is in view."""
        return self._follow

    @property
    def at_end(self) -> bool:
        """Whether the newest message of the conversation is in view."""
        return self._follow and self.is_tail

    # -- selection -------------------------------------------------------------------------------

    @property
    def selected(self) -> MessageView | None:
        """The message that the reader stands on."""
        place = self._places.get(self._selected)
        return None if place is None else self._blocks[place].message

    def select(self, order: int) -> bool:
        """Stand on a message and bring it into view; False: it is not loaded."""
        for place, block in enumerate(self._blocks):
            if order and block.message.order == order:
                self._stand_on(place)
                return True
        return False

    def unselect(self) -> None:
        """Stand on none."""
        self._selected = ""
        self.refresh()

    def _stand_on(self, place: int) -> None:
        block = self._blocks[place]
        self._selected = block.message.key
        top, bottom = self._tops[place], self._tops[place + 1]
        height = self.scrollable_content_region.height
        if top < self.scroll_y:
            self.scroll_to(y=top, animate=False, force=True, immediate=True)
        elif bottom > self.scroll_y + height:
            self.scroll_to(y=min(top, bottom - height), animate=False, force=True, immediate=True)
        self.refresh()

    def action_select(self, step: int) -> None:
        """To the message above or below; beyond the newest one, back to writing."""
        place = self._places.get(self._selected)
        if place is None:
            place = self._last_in_view() + 1 if step < 0 else self._last_in_view()
        place += step
        while 0 <= place < len(self._blocks) and self._blocks[place].message.notice:
            place += step
        if 0 <= place < len(self._blocks):
            self._stand_on(place)
        elif step < 0:
            self.scroll_home(animate=False)
            self._ask(self.TopReached())
        elif self.is_tail:
            self.post_message(self.Left())
        else:
            self.scroll_end(animate=False, immediate=True)
            self._ask(self.BottomReached())

    def action_edge(self, step: int) -> None:
        """To the first or the last message that is loaded."""
        known = [n for n, one in enumerate(self._blocks) if not one.message.notice]
        if known:
            self._stand_on(known[0] if step < 0 else known[-1])

    def action_choose(self) -> None:
        """Enter: what can be done with this message?"""
        if self.selected is None:
            self.action_select(-1)
        elif not self.selected.notice:
            self.post_message(self.Chosen(self.selected))

    def on_click(self, event: events.Click) -> None:
        """A click stands on a message, a double click asks what can be done with it."""
        place = bisect_right(self._tops, int(self.scroll_y) + event.y) - 1
        if 0 <= place < len(self._blocks) and not self._blocks[place].message.notice:
            self._stand_on(place)
            if event.chain > 1:
                self.action_choose()

    def _last_in_view(self) -> int:
        bottom = int(self.scroll_y) + self.scrollable_content_region.height - 1
        return max(0, min(bisect_right(self._tops, bottom) - 1, len(self._blocks) - 1))

    # -- layout ----------------------------------------------------------------------------------

    @property
    def _text_width(self) -> int:
        return max(self.scrollable_content_region.width, MIN_WIDTH)

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
        self._styles = {}
        with self._changing():
            for block in self._blocks:
                block.lines = []

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """Change blocks; afterwards the reader stands at the end, or sees the same message."""
        top = int(self.scroll_y)
        place = min(bisect_right(self._tops, top) - 1, len(self._blocks) - 1)
        key = self._blocks[place].message.key if place >= 0 else ""
        into = top - self._tops[max(place, 0)]
        yield
        self._lay_out()
        if not self._follow and key in self._places:
            y = self._tops[self._places[key]] + into
            self.scroll_to(y=y, animate=False, force=True, immediate=True)

    def _lay_out(self) -> None:
        self._wrapped_for = width = self._text_width
        painter = Painter(self._symbols, width, self._style, _now_ms(), self.group)
        last_day = ""
        for block in self._blocks:
            if block.day == last_day:
                block.day_line = None
            else:
                last_day = block.day
                block.day_line = painter.day(last_day)
            if not block.lines:
                block.lines = painter.lines(block.message)
        self._places = {block.message.key: n for n, block in enumerate(self._blocks)}
        self._tops = [0, *accumulate(block.height for block in self._blocks)]
        self.virtual_size = Size(width, self._tops[-1])
        self._stay_at_end()
        self.refresh()

    def _stay_at_end(self) -> None:
        if self._follow:
            self.scroll_end(animate=False, immediate=True, x_axis=False, force=True)

    def _style(self, name: str, /) -> Style:
        style = self._styles.get(name)
        if style is None:
            style = self.get_component_rich_style(f"history--{name}", partial=True)
            self._styles[name] = style
        return style

    # -- drawing ---------------------------------------------------------------------------------

    def render_line(self, y: int) -> Strip:
        """One line of the visible part."""
        _, scroll_y = self.scroll_offset
        line = scroll_y + y
        width = self.scrollable_content_region.width
        if line >= self._tops[-1]:
            return Strip.blank(width, self.rich_style)
        place = bisect_right(self._tops, line) - 1
        block = self._blocks[place]
        into = line - self._tops[place]
        if block.day_line is not None:
            strip = block.lines[into - 1] if into else block.day_line
        else:
            strip = block.lines[into]
        style = self.rich_style
        if block.message.key == self._selected and strip is not block.day_line:
            style += self._style("selected")
        return strip.extend_cell_length(width).crop(0, width).apply_style(style)

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Ask once for more when an end is reached."""
        super().watch_scroll_y(old_value, new_value)
        self._follow = new_value >= self.max_scroll_y - 1
        if new_value <= 1 < old_value:
            self._ask(self.TopReached())
        elif self._follow and new_value > old_value:
            self.post_message(self.BottomReached())

    def _ask(self, message: Message) -> None:
        if not self._asked and self._blocks:
            self._asked = True
            self.post_message(message)


def _blocks(messages: Iterable[MessageView], known: dict[str, int]) -> list[_Block]:
    return [_Block(one, day(one.time_ms)) for one in messages if one.key not in known]
