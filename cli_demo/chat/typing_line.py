"""Who is typing in the open conversation: a line that is there only while somebody is."""

from collections.abc import Sequence
from typing import Final

from textual.widgets import Static

from cli_demo.text import counted, joined, visible

_NAMED: Final = 3
"""More are counted."""


def typing_words(names: Sequence[str]) -> str:
    """Say who is typing; nothing if nobody is."""
    if not names:
        return ""
    if len(names) > _NAMED:
        return f"{counted(len(names), 'member')} are typing ..."
    return f"{joined(names)} {'is' if len(names) == 1 else 'are'} typing ..."


class TypingLine(Static):
    """One line above the input."""

    DEFAULT_CSS = """
    TypingLine { height: 1; padding: 0 1; color: $text-muted; text-wrap: nowrap; }
    """

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id, markup=False)
        self.display = False

    def show(self, names: Sequence[str]) -> None:
        """Say that these are typing now, and nobody else."""
        self.display = bool(names)
        self.update(visible(typing_words(names)))
