"""Screens about polls: write one, and mark several choices."""

import re
from dataclasses import dataclass
from typing import ClassVar, Final

from rich.text import Text
from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Label, OptionList, Static, TextArea
from textual.widgets.option_list import Option

from cli_demo.ends import EXAMPLES, end_ms
from cli_demo.text import counted, moment, now_ms, visible
from cli_demo.views import PollView

_SEPARATOR: Final = re.compile("[|\uff5c\n]")
"""The second one is as Chinese keyboards write it."""
_SEALED: Final = "Tab goes on. Votes are sealed until the poll is closed."


@dataclass(frozen=True, slots=True)
class Asked:
    """A poll to be begun."""

    question: str
    choices: tuple[str, ...]
    most: int = 1
    closes_ms: int | None = None
    """When it closes by itself; None: when somebody closes it."""


def asked(text: str) -> Asked | None:
    """A poll written in one line, as ``QUESTION | CHOICE | CHOICE``; None: it is none."""
    question, *choices = (part.strip() for part in _SEPARATOR.split(text))
    given = tuple(filter(None, choices))
    return Asked(question, given) if question and given else None


class AskPoll(ModalScreen[Asked | None]):
    """A question and its choices; None after Escape."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(None)", "Cancel")]

    def __init__(self, question: str = "") -> None:
        super().__init__()
        self._question = Input(question, placeholder="Where shall we meet?", compact=True)
        self._choices = TextArea(
            compact=True, show_line_numbers=False, tab_behavior="focus", id="poll-choices"
        )
        self._most = Input("1", type="integer", compact=True)
        self._end = Input(placeholder=EXAMPLES, compact=True, id="poll-end")
        self._hint = Static(_SEALED, classes="dialog-hint", markup=False)

    def compose(self) -> ComposeResult:
        """Question, choices one per line, how many may be chosen, when it ends."""
        with VerticalScroll(classes="dialog"):
            yield Label("New poll", classes="dialog-title", markup=False)
            yield Label("Question", markup=False)
            yield self._question
            yield Label("Choices, one per line", markup=False)
            yield self._choices
            yield Label("How many may one choose?", markup=False)
            yield self._most
            yield Label("When does it close? Empty: when you close it", markup=False)
            yield self._end
            yield self._hint
            with Horizontal(classes="dialog-buttons"):
                yield Button("Ask", id="accept", variant="primary", compact=True)
                yield Button("Cancel", id="cancel", compact=True)

    def on_mount(self) -> None:
        """Write at once."""
        (self._choices if self._question.value else self._question).focus()

    @on(Input.Changed, "#poll-end")
    def _timed(self, event: Input.Changed) -> None:
        """Say what is understood, before it counts."""
        event.stop()
        self._hint.update(self._said_of_end())

    def _said_of_end(self) -> str:
        text = self._end.value.strip()
        if not text:
            return _SEALED
        found = end_ms(text, now_ms())
        if found is None:
            return f"Write the end as one of: {EXAMPLES}"
        is_ahead = found > now_ms()
        return f"It closes {moment(found)}." if is_ahead else f"{moment(found)} is over."

    @on(Input.Submitted)
    def _entered(self, event: Input.Submitted) -> None:
        event.stop()
        if event.input is self._question:
            self._choices.focus()
        else:
            self._answer()

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        event.stop()
        if event.button.id == "accept":
            self._answer()
        else:
            _ = self.dismiss(None)

    def _answer(self) -> None:
        found = asked(f"{self._question.value}\n{self._choices.text}")
        if not self._question.value.strip():
            self._question.focus()
        elif found is None:
            self._choices.focus()
        else:
            most, text = int(self._most.value or 1), self._end.value.strip()
            closes_ms = end_ms(text, now_ms()) if text else None
            if text and (closes_ms is None or closes_ms <= now_ms()):
                self._end.focus()
            else:
                _ = self.dismiss(Asked(found.question, found.choices, most, closes_ms))


class Ballot(ModalScreen[tuple[int, ...] | None]):
    """Mark choices; the answer is their numbers from 0, or None after Escape."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(None)", "Close")]

    def __init__(self, poll: PollView) -> None:
        super().__init__()
        self._poll = poll
        self._marked = {number for number, one in enumerate(poll.options) if one.own}
        self._list = OptionList(*self._lines(), compact=True, classes="choices")

    def compose(self) -> ComposeResult:
        """The question and its choices."""
        with Vertical(classes="dialog"):
            yield Label(visible(self._poll.question), classes="dialog-title", markup=False)
            yield self._list
            yield Static(self._hint(), classes="dialog-hint", markup=False)

    def _hint(self) -> str:
        most = counted(self._poll.most, "choice")
        return f"Space or the number marks, up to {most}. Enter votes, Esc closes."

    def on_mount(self) -> None:
        """Stand on the first."""
        self._list.highlighted = 0
        self._list.focus()

    def on_key(self, event: events.Key) -> None:
        """Space or a number marks."""
        number = self._list.highlighted if event.key == "space" else _number(event.character)
        if number is None or not 0 <= number < len(self._poll.options):
            return
        event.stop()
        event.prevent_default()
        self._toggle(number)

    def _toggle(self, number: int) -> None:
        if number in self._marked:
            self._marked.remove(number)
        elif len(self._marked) < self._poll.most:
            self._marked.add(number)
        self._list.set_options(self._lines())
        self._list.highlighted = number

    def _lines(self) -> list[Option]:
        return [
            Option(_line(number, one.text, marked=number in self._marked))
            for number, one in enumerate(self._poll.options)
        ]

    @on(OptionList.OptionSelected)
    def _selected(self, event: OptionList.OptionSelected) -> None:
        """Enter. Nothing marked takes the vote back."""
        event.stop()
        _ = self.dismiss(tuple(sorted(self._marked)))


def _number(character: str | None) -> int | None:
    """The choice that a key stands for: 1 to 9, then 0."""
    if character is None or not character.isascii() or not character.isdigit():
        return None
    return (int(character) - 1) % 10


def _line(number: int, words: str, *, marked: bool) -> Text:
    text = Text(no_wrap=True, overflow="ellipsis", end="")
    text.append(f" {'[x]' if marked else '[ ]'} {number + 1:>2}  {visible(words)}")
    return text
