"""Who is in a conversation, and what one may do about it."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import ClassVar, Final

from rich.cells import set_cell_size
from rich.style import Style
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Label, OptionList, Static
from textual.widgets.option_list import Option

from cli_demo.text import counted, visible
from cli_demo.views import MemberView, Symbols, Trust

_NAME_CELLS: Final = 34
_ROLE_CELLS: Final = 8


class Wish(Enum):
    """What the user chose to do with the conversation."""

    SAFETY = "safety"
    ADD = "add"
    REMOVE = "remove"
    ROLE = "role"
    NAME = "name"
    RENAME = "rename"
    LEAVE = "leave"


@dataclass(frozen=True, slots=True)
class Request:
    """The answer of the people window."""

    wish: Wish
    handle: str


def member_line(member: MemberView, symbols: Symbols, *, group: bool = True) -> Text:
    """Name, role and trust in one line."""
    trust = {
        Trust.VERIFIED: f"{symbols.verified} verified",
        Trust.UNVERIFIED: "not verified",
        Trust.CHANGED: f"{symbols.warning} KEYS CHANGED",
    }[member.trust]
    text = Text(no_wrap=True, end="")
    text.append(set_cell_size(visible(member.shown), _NAME_CELLS), Style(bold=member.own))
    text.append(set_cell_size(member.role if group else "", _ROLE_CELLS))
    text.append(
        "this is you" if member.own else trust, Style(dim=member.trust is not Trust.CHANGED)
    )
    return text


class People(ModalScreen[Request | None]):
    """The members of one conversation; a key asks for a change, Escape closes."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", "Close"),
        Binding("s,enter", "wish('safety')", "Safety number"),
        Binding("a", "wish('add')", "Add"),
        Binding("r,delete", "wish('remove')", "Remove"),
        Binding("o", "wish('role')", "Role"),
        Binding("n", "wish('name')", "Your name for them"),
        Binding("t", "wish('rename')", "Title"),
        Binding("l", "wish('leave')", "Leave"),
    ]

    def __init__(
        self, title: str, members: Sequence[MemberView], symbols: Symbols, *, group: bool
    ) -> None:
        super().__init__()
        self._title = title
        self._members = members
        self._symbols = symbols
        self._group = group

    def compose(self) -> ComposeResult:
        """Title, members, keys."""
        keys = "s safety number  n name"
        if self._group:
            keys += "  a add  r remove  o role  t title  l leave"
        with Vertical(classes="dialog wide"):
            yield Label(self._title, classes="dialog-title", markup=False)
            yield Label(counted(len(self._members), "member"))
            yield OptionList(
                *(
                    Option(member_line(member, self._symbols, group=self._group), id=str(place))
                    for place, member in enumerate(self._members)
                ),
                compact=True,
                id="people",
            )
            yield Static(f"{keys}  Esc", classes="dialog-hint", markup=False)

    def on_mount(self) -> None:
        """Stand on the first member that is not us."""
        people = self.query_one("#people", OptionList)
        people.highlighted = next(
            (place for place, member in enumerate(self._members) if not member.own), 0
        )
        people.focus()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Enter or click: the safety number."""
        event.stop()
        self.action_wish(Wish.SAFETY.value)

    def action_wish(self, name: str) -> None:
        """Answer with what is wanted, if it makes sense here."""
        wish = Wish(name)
        place = self.query_one("#people", OptionList).highlighted
        member = self._members[place] if place is not None else None
        about_other = wish in {Wish.SAFETY, Wish.REMOVE, Wish.ROLE, Wish.NAME}
        if not self._group and wish not in {Wish.SAFETY, Wish.NAME}:
            return
        if about_other and (member is None or member.own):
            self.notify("Choose another member first.")
            return
        _ = self.dismiss(Request(wish, member.handle if member and about_other else ""))
