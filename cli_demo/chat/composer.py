"""Where a message is written. Enter sends, Ctrl+J breaks the line, the field grows to six lines."""

from typing import Final

from textual import events
from textual.message import Message
from textual.widgets import TextArea

MAX_TEXT_BYTES: Final = 1 << 20
"""The protocol's limit for one text."""


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

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(
            id=id,
            compact=True,
            show_line_numbers=False,
            soft_wrap=True,
            tab_behavior="focus",
            highlight_cursor_line=False,
            placeholder="Write a message; Enter sends, Ctrl+J is a new line",
        )

    async def _on_key(self, event: events.Key) -> None:
        if event.key not in {"enter", "ctrl+j"}:
            await super()._on_key(event)
            return
        # Handled here and not by a binding: bindings run later than the next typed letters.
        event.stop()
        event.prevent_default()
        if event.key == "ctrl+j":
            self.insert("\n")
            return
        text = self.text.strip("\n")
        if text.strip():
            self.clear()
            self.post_message(self.Sent(text))
