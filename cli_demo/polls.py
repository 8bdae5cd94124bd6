"""Polls for people: how one stands, as a value of the screens, and as lines of a terminal."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from rich.cells import cell_len, set_cell_size

import e2ecore
from cli_demo.exits import CliError, Exit
from cli_demo.naming import Names
from cli_demo.text import counted, joined, moment, visible, wrap
from cli_demo.views import OptionView, PollView, Symbols

_MAX_BAR: Final = 24
"""Cells of the longest bar."""
_MIN_BAR: Final = 4
_MAX_NAMES: Final = 4
"""More who voted than so many are counted, not named."""


class Part(NamedTuple):
    """Part of a line."""

    text: str
    style: str = ""
    """``bar``, ``chosen`` or ``tag``; empty: as the rest."""


async def view(result: e2ecore.PollResult, names: Names) -> PollView:
    """A poll as the screens show it."""
    states = e2ecore.BallotState
    own = result.own_choices or ()
    called = [(await names.of(one.account_id), one.state) for one in result.ballots]
    return PollView(
        result.poll.question,
        tuple(
            OptionView(text, votes, number in own)
            for number, (text, votes) in enumerate(
                zip(result.poll.options, result.votes, strict=True)
            )
        ),
        result.poll.max_choices,
        result.poll.closes_ms,
        "" if result.closed_by is None else await names.of(result.closed_by),
        tuple(name for name, state in called if state is not states.LEFT_OUT),
        tuple(name for name, state in called if state is states.UNOPENED),
        tuple(name for name, state in called if state is states.LEFT_OUT),
    )


def lines(poll: PollView, cells: int, symbols: Symbols, hint: str = "") -> list[list[Part]]:
    """The answers with their numbers, one below the other, and how it stands.

    Args:
        poll: The poll.
        cells: How wide a line may be.
        symbols: What the terminal can show.
        hint: How to vote, for who has not.
    """
    rows: list[list[Part]] = []
    width = len(str(len(poll.options)))
    bar, digits = _bar_cells(cells), len(str(max(one.votes for one in poll.options)))
    room = cells - width - 3 if poll.is_open else cells - width - bar - digits - 6
    texts = [" ".join(visible(one.text).split()) for one in poll.options]
    room = max(min(max(map(cell_len, texts)), room), 2)
    most = max(1, *(one.votes for one in poll.options))
    for number, (one, text) in enumerate(zip(poll.options, texts, strict=True), 1):
        words, *rest = wrap(text, room, room)
        lead = f"{number:>{width}} {set_cell_size(symbols.chosen if one.own else '', 2)}"
        row = [Part(lead, "chosen" if one.own else ""), Part(words)]
        if not poll.is_open:
            length = -(-one.votes * bar // most)
            row[1] = Part(f"{set_cell_size(words, room)}  ")
            row.append(Part(set_cell_size(symbols.bar * length, bar), "bar"))
            row.append(Part(f" {one.votes:>{digits}}"))
        rows += [row, *([Part(" " * (width + 3) + line)] for line in rest)]
    said = state(poll)
    if hint and poll.is_open and not any(one.own for one in poll.options):
        said = f"{said}; {hint}"
    return rows + [[Part(line, "tag")] for line in wrap(said, cells, cells)]


def state(poll: PollView) -> str:
    """How it stands, in words."""
    said: list[str] = []
    if poll.is_open:
        end = "it is closed" if poll.closes_ms is None else moment(poll.closes_ms)
        said.append(f"{_who(poll.voters)}, sealed until {end}")
        if poll.most > 1:
            said.append(f"up to {poll.most} choices")
    else:
        said.append(f"closed by {poll.closed_by}, {counted(len(poll.voters), 'vote')}")
        if poll.unopened:
            said.append(f"not opened yet: {_named(poll.unopened)}")
        if poll.late:
            said.append(f"too late: {_named(poll.late)}")
    return "; ".join(said)


def _who(voters: Sequence[str]) -> str:
    return f"{counted(len(voters), 'vote')} ({_named(voters)})" if voters else "no votes yet"


def _named(names: Sequence[str]) -> str:
    shown = sorted(visible(one) for one in names)
    if len(shown) <= _MAX_NAMES:
        return joined(shown)
    return f"{', '.join(shown[: _MAX_NAMES - 1])} and {len(shown) - _MAX_NAMES + 1} more"


def _bar_cells(cells: int) -> int:
    return max(min(cells // 3, _MAX_BAR), _MIN_BAR)


def choices(numbers: Sequence[int], options: int) -> list[int]:
    """Numbers as people count as numbers of options, which begin with 0.

    Raises:
        CliError: There is no such option.
    """
    wrong = [one for one in numbers if not 1 <= one <= options]
    if wrong:
        raise CliError(f"there is no choice {wrong[0]}: they go from 1 to {options}", Exit.USAGE)
    return [one - 1 for one in dict.fromkeys(numbers)]
