"""The messages of one conversation, drawn line by line.

What is loaded is one stretch of the conversation without gaps; at its ends it asks for more. Only
the lines on the screen are ever rendered, and only messages that are new or different are wrapped:
a burst of a thousand costs one layout and one repaint.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import ClassVar, Final

from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from cli_demo.chat.blocks import MIN_WIDTH, Painter
from cli_demo.chat.menu import Act
from cli_demo.chat.pictures import Ink
from cli_demo.chat.stretch import Stretch
from cli_demo.text import now_ms
from cli_demo.views import ASCII, UNICODE, Mark, MessageView, Symbols

_LETTERS: Final = frozenset(act.value for act in Act)
_SETTLED: Final = frozenset({Mark.DELIVERED, Mark.FAILED, Mark.RECEIVED})


class History(ScrollView, can_focus=True):
    """Messages, oldest on top; asks for more when an end of what is loaded comes into view."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        f"history--{part}"
        for part in (
            "author", "own", "time", "mark", "failed", "notice", "day", "quote", "tag", "gone",
            "named", "us", "sign", "own-sign", "selected", "file",
            "choice", "chosen", "bar",
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
        Binding("escape", "leave", show=False),
    ]

    class TopReached(Message):
        """The reader is at the oldest line: older messages, please."""

    class BottomReached(Message):
        """The reader is at the last line that is loaded: newer messages, if there are any."""

    class Left(Message):
        """The reader went down beyond the newest message: back to writing."""

    class Slash(Message):
        """The reader typed a slash: a command about the selected message."""

    class Chosen(Message):
        """Something is to be done with a message."""

        def __init__(self, message: MessageView, letter: str = "") -> None:
            super().__init__()
            self.message = message
            self.letter = letter
            """Which thing, if that was said."""

    def __init__(self, symbols: Symbols = UNICODE, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._symbols = symbols
        self._stretch = Stretch()
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
        self._stretch.clear()
        self._stretch.append(messages)
        self._selected = ""
        self._asked = False
        self._follow = self.is_tail = tail
        self._lay_out()

    def append(self, messages: Iterable[MessageView]) -> None:
        """Messages below; the view follows if it stood at the end."""
        fresh = self._stretch.fresh(messages)
        self._asked = False
        if fresh:
            with self._changing():
                self._stretch.append(fresh)

    def prepend(self, messages: Sequence[MessageView]) -> None:
        """Older messages above; what the reader sees stays where it is."""
        fresh = self._stretch.fresh(messages)
        self._asked = False
        if fresh:
            with self._changing():
                if self._stretch.prepend(fresh):
                    self.is_tail = False

    def update_messages(self, messages: Iterable[MessageView]) -> None:
        """Show messages that are loaded as they are now."""
        changed = self._stretch.different(messages)
        if changed:
            with self._changing():
                self._stretch.replace(changed)

    def remove_messages(self, orders: Iterable[int]) -> None:
        """Messages that were erased."""
        gone = set(orders)
        if any(one.order in gone for one in self._stretch):
            with self._changing():
                self._stretch.remove(gone)

    def tick(self) -> None:
        """Time went by: show how long messages last, and none whose time is over."""
        at_ms = now_ms()
        until = {one.order: one.until_ms for one in self._stretch if one.until_ms}
        if until:
            self.remove_messages(order for order, end_ms in until.items() if end_ms <= at_ms)
            with self._changing():
                self._stretch.redraw(mortal=True)

    @property
    def messages(self) -> list[MessageView]:
        """What is loaded at the moment, oldest first."""
        return list(self._stretch)

    @property
    def oldest(self) -> int:
        """The place of the oldest loaded message in the conversation; 0 if there is none."""
        return next((one.order for one in self._stretch if one.order), 0)

    @property
    def newest(self) -> int:
        """The place of the newest loaded message in the conversation; 0 if there is none."""
        return max((one.order for one in self._stretch), default=0)

    @property
    def unsettled(self) -> list[int]:
        """Places of messages whose delivery mark may change yet."""
        return [one.order for one in self._stretch if one.own and one.mark not in _SETTLED]

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
        place = self._stretch.place_of(self._selected)
        return None if place is None else self._stretch[place]

    def select(self, order: int) -> bool:
        """Stand on a message and bring it into view; False: it is not loaded."""
        for place, message in enumerate(self._stretch):
            if order and message.order == order:
                above = self._stretch.span(place)[0] - self.scrollable_content_region.height // 3
                self.scroll_to(y=max(above, 0), animate=False, force=True, immediate=True)
                self._stand_on(place)
                return True
        return False

    def unselect(self) -> None:
        """Stand on none."""
        self._selected = ""
        self.refresh()

    def _stand_on(self, place: int) -> None:
        self._selected = self._stretch[place].key
        top, bottom = self._stretch.span(place)
        height = self.scrollable_content_region.height
        if top < self.scroll_y:
            self.scroll_to(y=top, animate=False, force=True, immediate=True)
        elif bottom > self.scroll_y + height:
            self.scroll_to(y=min(top, bottom - height), animate=False, force=True, immediate=True)
        self.refresh()

    def action_select(self, step: int) -> None:
        """To the message above or below; beyond the newest one, back to writing."""
        place = self._stretch.place_of(self._selected)
        if place is None:
            place = self._last_in_view() + 1 if step < 0 else self._last_in_view()
        place += step
        while 0 <= place < len(self._stretch) and self._stretch[place].notice:
            place += step
        if 0 <= place < len(self._stretch):
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
        known = [n for n, one in enumerate(self._stretch) if not one.notice]
        if known:
            self._stand_on(known[0] if step < 0 else known[-1])

    def action_choose(self) -> None:
        """Enter: what can be done with this message?"""
        if self.selected is None:
            self.action_select(-1)
        elif not self.selected.notice:
            self.post_message(self.Chosen(self.selected))

    def action_leave(self) -> None:
        """Escape: back to writing."""
        self.post_message(self.Left())

    def on_key(self, event: events.Key) -> None:
        """A letter of the menu does it at once; a slash begins a command about the message."""
        message = self.selected
        if event.character == "/":
            self.post_message(self.Slash())
        elif message is not None and event.character in _LETTERS:
            self.post_message(self.Chosen(message, event.character))
        else:
            return
        event.stop()
        event.prevent_default()

    def on_click(self, event: events.Click) -> None:
        """A click stands on a message, a double click asks what can be done with it."""
        place = self._stretch.place_at(int(self.scroll_y) + event.y)
        if place >= 0 and not self._stretch[place].notice:
            self._stand_on(place)
            if event.chain > 1:
                self.action_choose()

    def _last_in_view(self) -> int:
        bottom = int(self.scroll_y) + self.scrollable_content_region.height - 1
        return self._stretch.place_at(bottom)

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
            self._stretch.redraw()

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """Change blocks; afterwards the reader stands at the end, or sees the same message."""
        top = int(self.scroll_y)
        place = self._stretch.place_at(top)
        key = self._stretch[place].key if place >= 0 else ""
        into = top - self._stretch.span(place)[0] if key else 0
        yield
        self._lay_out()
        now = self._stretch.place_of(key)
        if not self._follow and now is not None:
            y = self._stretch.span(now)[0] + into
            self.scroll_to(y=y, animate=False, force=True, immediate=True)

    def _lay_out(self) -> None:
        self._wrapped_for = width = self._text_width
        self._stretch.lay_out(self._painter(width))
        self.virtual_size = Size(width, self._stretch.height)
        self._stay_at_end()
        self.refresh()

    def _painter(self, width: int) -> Painter:
        plain = Ink.ASCII if self._symbols is ASCII else Ink.SHADES
        ink = plain if self.app.no_color or self.app.ansi_color else Ink.COLOURS
        return Painter(self._symbols, width, self._style, now_ms(), self.group, ink)

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
        if line >= self._stretch.height:
            return Strip.blank(width, self.rich_style)
        strip, key = self._stretch.line(line)
        style = self.rich_style
        if key and key == self._selected:
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
        if not self._asked and self._stretch:
            self._asked = True
            self.post_message(message)
