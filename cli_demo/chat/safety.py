"""The safety number of one contact: digits to read aloud, a code to scan, and the verdict."""

from typing import ClassVar, Final

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Button, Static

from cli_demo import qr
from cli_demo.text import in_groups, visible
from cli_demo.views import UNICODE, SafetyView, Symbols, Trust

_GROUPS_PER_LINE: Final = 3

_STATES: Final = {
    Trust.UNVERIFIED: "Not verified yet.",
    Trust.VERIFIED: "Verified: you compared this number.",
    Trust.CHANGED: "THE KEYS CHANGED since you verified. Compare again before you go on.",
}


def digit_lines(digits: str) -> list[str]:
    """The number in lines of three groups of five."""
    groups = in_groups(digits)
    return [
        " ".join(groups[start : start + _GROUPS_PER_LINE])
        for start in range(0, len(groups), _GROUPS_PER_LINE)
    ]


class Safety(ModalScreen[bool]):
    """Shows the number; the answer is True when the user says that it was compared and is equal."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(False)", "Close"),
        Binding("v", "dismiss(True)", "Mark as verified"),
    ]

    def __init__(self, safety: SafetyView, symbols: Symbols) -> None:
        super().__init__()
        self._safety = safety
        self._symbols = symbols

    def compose(self) -> ComposeResult:
        """Code on the left, digits and buttons on the right."""
        name = visible(self._safety.handle)
        blocks = qr.half_blocks if self._symbols is UNICODE else qr.ascii_blocks
        with Horizontal(classes="dialog safety"):
            yield Static("\n".join(blocks(self._safety.qr)), id="qr", markup=False)
            with Vertical(id="safety-side"):
                yield Static(f"Safety number with {name}", classes="dialog-title", markup=False)
                yield Static("\n".join(digit_lines(self._safety.digits)), id="digits", markup=False)
                yield Static(_STATES[self._safety.trust], id="safety-state", markup=False)
                yield Static(
                    f"Meet or call {name}. Do both of you see the same number? "
                    "Only then nobody sits between you.",
                    classes="dialog-hint",
                    markup=False,
                )
                yield Button("They match (v)", id="match", variant="success", compact=True)
                yield Button("Close (Esc)", id="close", compact=True)

    def on_mount(self) -> None:
        """The harmless button has the focus."""
        self.query_one("#close", Button).focus()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """Answer."""
        event.stop()
        _ = self.dismiss(event.button.id == "match")
