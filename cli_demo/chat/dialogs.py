"""Small modal windows: ask for a line of text, ask yes or no, show a page of help."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from rich.cells import set_cell_size
from rich.style import Style
from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Label, OptionList, Static
from textual.widgets.option_list import Option

from cli_demo.text import visible

_KEY_CELLS: Final = 4


@dataclass(frozen=True, slots=True)
class Field:
    """One line to be filled in."""

    label: str
    placeholder: str = ""
    value: str = ""
    secret: bool = False
    """What is typed is not shown."""


class Ask(ModalScreen[list[str] | None]):
    """One to three text fields; the answer is their contents, or None after Escape."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(None)", "Cancel")]

    def __init__(
        self, title: str, fields: Sequence[Field], *, accept: str, hint: str = "", about: str = ""
    ) -> None:
        super().__init__()
        self._about = about
        self._title = title
        self._fields = fields
        self._accept = accept
        self._hint = hint

    def compose(self) -> ComposeResult:
        """Title, what it is about, fields, hint, two buttons."""
        with Vertical(classes="dialog"):
            yield Label(self._title, classes="dialog-title", markup=False)
            if self._about:
                yield Static(self._about, classes="dialog-about", markup=False)
            for number, one in enumerate(self._fields):
                yield Label(one.label, markup=False)
                yield Input(
                    one.value,
                    placeholder=one.placeholder,
                    password=one.secret,
                    id=f"field-{number}",
                    compact=True,
                )
            if self._hint:
                yield Static(self._hint, classes="dialog-hint", markup=False)
            with Horizontal(classes="dialog-buttons"):
                yield Button(self._accept, id="accept", variant="primary", compact=True)
                yield Button("Cancel", id="cancel", compact=True)

    def on_mount(self) -> None:
        """Write at once."""
        self.query_one("#field-0", Input).focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter goes to the next empty field, and accepts from the last."""
        event.stop()
        inputs = list(self.query(Input))
        place = inputs.index(event.input)
        if place + 1 < len(inputs):
            inputs[place + 1].focus()
        else:
            self._answer()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """Accept or cancel."""
        event.stop()
        if event.button.id == "accept":
            self._answer()
        else:
            _ = self.dismiss(None)

    def _answer(self) -> None:
        inputs = list(self.query(Input))
        for one in inputs:
            if not one.value.strip():
                one.focus()
                return
        _ = self.dismiss([one.value if one.password else one.value.strip() for one in inputs])


@dataclass(frozen=True, slots=True)
class Choice:
    """One line of a list, with the key that takes it at once; empty: none."""

    value: str
    words: str
    key: str = ""


class Choose(ModalScreen[str | None]):
    """A list to choose from; the answer is the value, or None after Escape."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(None)", "Close")]

    def __init__(self, title: str, choices: Sequence[Choice], *, hint: str = "") -> None:
        super().__init__()
        self._title = title
        self._choices = choices
        self._hint = hint

    def compose(self) -> ComposeResult:
        """Title, list, hint."""
        with Vertical(classes="dialog"):
            yield Label(self._title, classes="dialog-title", markup=False)
            yield OptionList(*map(_option, self._choices), compact=True, classes="choices")
            yield Static(f"{self._hint}  Esc closes".strip(), classes="dialog-hint", markup=False)

    def on_mount(self) -> None:
        """Stand on the first."""
        choices = self.query_one(OptionList)
        choices.highlighted = 0
        choices.focus()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Enter or a click."""
        event.stop()
        _ = self.dismiss(self._choices[event.option_index].value)

    def on_key(self, event: events.Key) -> None:
        """A key that takes a line at once."""
        found = [one for one in self._choices if one.key and event.character == one.key]
        if found:
            event.stop()
            _ = self.dismiss(found[0].value)


def _option(choice: Choice) -> Option:
    text = Text(no_wrap=True, overflow="ellipsis", end="")
    text.append(set_cell_size(f" {choice.key}", _KEY_CELLS), Style(bold=True))
    text.append(visible(choice.words))
    return Option(text)


class Confirm(ModalScreen[bool]):
    """A question that is answered with y or n; Escape is no."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "dismiss(True)", "Yes"),
        Binding("n,escape", "dismiss(False)", "No"),
        Binding("left,right,up,down", "other_button", show=False),
    ]

    def __init__(self, question: str, *, yes: str, no: str = "No") -> None:
        super().__init__()
        self._question = question
        self._yes = yes
        self._no = no

    def compose(self) -> ComposeResult:
        """The question and two buttons; the harmless one has the focus."""
        with Vertical(classes="dialog"):
            yield Static(self._question, classes="dialog-title", markup=False)
            with Horizontal(classes="dialog-buttons"):
                yield Button(f"{self._yes} (y)", id="yes", variant="error", compact=True)
                yield Button(f"{self._no} (n)", id="no", compact=True)

    def on_mount(self) -> None:
        """No is the default."""
        self.query_one("#no", Button).focus()

    def action_other_button(self) -> None:
        """Arrow keys walk between the two."""
        self.focus_next()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """Answer."""
        event.stop()
        _ = self.dismiss(event.button.id == "yes")


class Page(ModalScreen[None]):
    """Text to be read; any of Escape, Enter, q or F1 closes it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,enter,q,f1", "dismiss", "Close"),
    ]

    def __init__(self, title: str, text: str) -> None:
        super().__init__()
        self._title = title
        self._text = text

    def compose(self) -> ComposeResult:
        """Title and scrolling text."""
        with VerticalScroll(classes="dialog page"):
            yield Label(self._title, classes="dialog-title", markup=False)
            yield Static(self._text, markup=False)
            yield Static("Esc closes", classes="dialog-hint")
