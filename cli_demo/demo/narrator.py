"""The voice of the demo: coloured lines on a terminal, plain ones anywhere else."""

import time
from dataclasses import dataclass
from typing import Final

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.rule import Rule
from rich.style import Style
from rich.table import Table
from rich.text import Text

from cli_demo.text import visible

_COLOURS: Final = {"alice": "cyan", "bob": "green", "carol": "magenta", "relay": "yellow"}
_NAME_CELLS: Final = 7
_PLAIN_WIDTH: Final = 100


@dataclass(frozen=True, slots=True)
class Check:
    """One claim and whether it was true."""

    claim: str
    holds: bool
    detail: str


class Narrator:
    """Tells the story and remembers every check."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._start = time.perf_counter()
        self._act = 0
        self._unicode = (console.encoding or "").lower().replace("-", "") == "utf8"
        self.checks: list[Check] = []

    @property
    def seconds(self) -> float:
        """Since the beginning."""
        return time.perf_counter() - self._start

    @property
    def all_hold(self) -> bool:
        """Whether there were checks and all of them were true."""
        return bool(self.checks) and all(check.holds for check in self.checks)

    def opening(self, title: str, text: str) -> None:
        """The first words."""
        self._console.print(Text(title, "bold"))
        self._console.print(Text(text, "dim"))

    def act(self, title: str) -> None:
        """The next chapter."""
        self._act += 1
        self._console.print()
        self._console.print(
            Rule(
                Text(f"{self._act}. {title}", "bold"),
                align="left",
                style="dim",
                characters="─" if self._unicode else "-",
            )
        )

    def tell(self, who: str, text: str, aside: str = "") -> None:
        """One thing that happened, who did it, and a measured aside."""
        lead = Text(f"{self.seconds:6.2f}s ", "dim")
        lead.append(f"{who:<{_NAME_CELLS}}", Style.parse(f"bold {_COLOURS.get(who, 'white')}"))
        self._print_hanging(lead, Text(visible(text)), aside)

    def check(self, claim: str, *, holds: bool, detail: str = "") -> bool:
        """Record one claim and show it at once."""
        self.checks.append(Check(claim, holds, detail))
        lead = Text(" " * 8)
        lead.append(f"{self._sign(holds=holds)} ", "bold green" if holds else "bold red")
        self._print_hanging(lead, Text(claim, "green" if holds else "red"), detail)
        return holds

    def _print_hanging(self, lead: Text, text: Text, aside: str) -> None:
        """One line if all of it fits; else the aside below, all of it aligned behind the lead."""
        room = self._console.width - lead.cell_len
        if aside and text.cell_len + cell_len(aside) + 3 <= room:
            text.append(f"   {aside}", "dim")
            aside = ""
        rows = [*text.wrap(self._console, room)]
        if aside:
            rows += Text(aside, "dim").wrap(self._console, room)
        indent = Text(" " * lead.cell_len)
        for number, row in enumerate(rows):
            self._console.print(Text.assemble(indent if number else lead, row))

    def table(self) -> None:
        """All checks at the end."""
        table = Table(
            box=box.SIMPLE_HEAD if self._unicode else box.ASCII,
            title=Text("What was checked", "bold"),
            title_justify="left",
            pad_edge=False,
        )
        table.add_column("")
        table.add_column("claim", ratio=3)
        table.add_column("seen", style="dim", ratio=2)
        for check in self.checks:
            style = "green" if check.holds else "bold red"
            table.add_row(
                Text(self._sign(holds=check.holds), style), Text(check.claim), Text(check.detail)
            )
        self._console.print()
        self._console.print(table)

    def closing(self) -> None:
        """The last line."""
        failed = sum(not check.holds for check in self.checks)
        if failed:
            self._console.print(Text(f"{failed} of {len(self.checks)} checks FAILED", "bold red"))
        else:
            words = f"All {len(self.checks)} checks hold. {self.seconds:.1f} s."
            self._console.print(Text(words, "bold green"))

    def _sign(self, *, holds: bool) -> str:
        if self._unicode:
            return "✓" if holds else "✗"
        return "ok" if holds else "NO"


def make_console() -> Console:
    """A console that fits: colours and width of the terminal, plain and 100 columns without one."""
    console = Console(highlight=False, soft_wrap=False)
    return console if console.is_terminal else Console(highlight=False, width=_PLAIN_WIDTH)
