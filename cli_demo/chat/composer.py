"""Where a message is written. Enter sends, Ctrl+J breaks the line, the field grows to six lines."""

from collections.abc import Callable
from typing import Final

from textual import events
from textual.message import Message
from textual.widgets import TextArea

from cli_demo.chat.completion import Offers
from cli_demo.chat.suggestions import Suggestions

MAX_TEXT_BYTES: Final = 1 << 20
"""The protocol's limit for one text."""
_LOOKED_AT: Final = 1_000
"""Characters before the cursor that are looked at for something to complete."""


def no_offers(_before: str) -> Offers:
    """Nothing to complete."""
    return Offers()


class Composer(TextArea):
    """Multi-line input; posts ``Sent`` with the text and empties itself."""

    DEFAULT_CSS = """
    Composer { height: auto; min-height: 1; max-height: 6; }
    """

    class Sent(Message):
        """The writer pressed Enter on a text that is not empty."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    class Up(Message):
        """The writer goes up from the first line: to the messages."""

    class Escaped(Message):
        """The writer changed his mind."""

    def __init__(
        self,
        *,
        id: str | None = None,  # noqa: A002
        suggestions: Suggestions | None = None,
        complete: Callable[[str], Offers] = no_offers,
    ) -> None:
        super().__init__(
            id=id,
            compact=True,
            show_line_numbers=False,
            soft_wrap=True,
            tab_behavior="focus",
            highlight_cursor_line=False,
            placeholder="Write a message; / does more, F1 helps",
        )
        self._suggestions = suggestions
        self._complete = complete

    async def _on_key(self, event: events.Key) -> None:
        # Handled here and not by bindings: they run later than the next typed letters.
        if self._take(event.key):
            event.stop()
            event.prevent_default()
            return
        await super()._on_key(event)

    def _take(self, key: str) -> bool:
        """Do what a key means here; False: it is for the text."""
        match key:
            case "enter":
                self._send()
            case "ctrl+j":
                self.insert("\n")
            case "tab" | "up" | "down" | "escape" if self._is_offered():
                self._choose(key)
            case "up" if self.wrapped_document.location_to_offset(self.cursor_location).y == 0:
                self.post_message(self.Up())
            case "escape":
                self.post_message(self.Escaped())
            case _:
                return False
        return True

    def _send(self) -> None:
        text = self.text.strip("\n")
        if text.strip():
            self.clear()
            self._offer(Offers())
            self.post_message(self.Sent(text))

    # -- completion ------------------------------------------------------------------------------

    def suggest(self) -> None:
        """Offer what may follow the text before the cursor."""
        row, column = self.cursor_location
        before = self.get_text_range((0, 0), (row, column))
        behind = self.document.get_line(row)[column : column + 1]
        is_word_end = not behind or behind.isspace()
        self._offer(
            self._complete(before) if is_word_end and len(before) < _LOOKED_AT else Offers()
        )

    def on_text_area_changed(self) -> None:
        """Typed, pasted or set: offer what fits now."""
        self.suggest()

    def on_text_area_selection_changed(self) -> None:
        """The cursor moved."""
        self.suggest()

    def _is_offered(self) -> bool:
        self.suggest()
        return self._suggestions is not None and self._suggestions.chosen is not None

    def _offer(self, offers: Offers) -> None:
        if self._suggestions is not None:
            self._suggestions.offer(offers)

    def _choose(self, key: str) -> None:
        box = self._suggestions
        if box is None or box.chosen is None:
            return
        if key in {"up", "down"}:
            box.step(1 if key == "down" else -1)
        elif key == "escape":
            box.hide()
        else:
            lines = self.text[: box.start].split("\n")
            start = len(lines) - 1, len(lines[-1])
            self.replace(box.chosen.text, start, self.cursor_location)
            self.suggest()
