"""Files on their way, as lines with bar, rate and time left. Pure: the time is an argument."""

import math
from collections import deque
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from rich.cells import cell_len, set_cell_size

from cli_demo.text import one_line, size, wrap
from cli_demo.views import ASCII, Symbols
from cli_demo.words import span

_WINDOW_S: Final = 8.0
"""The rate is that of the last seconds."""
_SETTLED_S: Final = 0.5
"""A rate of less than this is a guess."""
_BAR_CELLS: Final = 16
_MIN_BAR_CELLS: Final = 6
_NAME_CELLS: Final = 28
_MIN_NAME_CELLS: Final = 8
_LONGEST_S: Final = 99 * 86_400


class Phase(Enum):
    """What a transfer does."""

    READING = "being read"
    """Our own copy is being made; nothing is sent yet."""
    RUNNING = ""
    WAITING = "waits for the relay"
    PAUSED = "paused"


class Meter:
    """How fast something comes forward."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, int]] = deque()

    def note(self, now_s: float, done: int) -> None:
        """So many bytes are done now."""
        samples = self._samples
        if samples and done < samples[-1][1]:
            samples.clear()
        samples.append((now_s, done))
        while now_s - samples[0][0] > _WINDOW_S:
            samples.popleft()

    def clear(self) -> None:
        """It stood still: what was before says nothing."""
        self._samples.clear()

    @property
    def rate(self) -> float | None:
        """Bytes a second; None: not known yet."""
        if not self._samples:
            return None
        (begin, first), (end, last) = self._samples[0], self._samples[-1]
        return (last - first) / (end - begin) if end - begin >= _SETTLED_S else None


@dataclass(eq=False)
class Transfer:
    """One file, or the files of one message, on the way."""

    label: str
    """What commands call it."""
    name: str
    is_upload: bool
    phase: Phase = Phase.RUNNING
    done: int = 0
    total: int = 0
    trouble: str = ""
    """Why it waits."""
    meter: Meter = field(default_factory=Meter)

    def progressed(self, now_s: float, done: int, total: int) -> None:
        """So many bytes of all."""
        self.done, self.total = done, total
        if self.phase is Phase.RUNNING:
            self.meter.note(now_s, done)

    def turn(self, phase: Phase) -> None:
        """It does something else now."""
        if phase is not self.phase:
            self.phase = phase
            self.meter.clear()


def line(transfer: Transfer, width: int, symbols: Symbols) -> str:
    """A transfer on one line of at most ``width`` cells; the bar goes first where it is narrow."""
    up, down = ("up", "dn") if symbols is ASCII else ("↑", "↓")
    lead = f"{up if transfer.is_upload else down} {transfer.label} "
    facts = _facts(transfer)
    room = width - cell_len(lead) - cell_len(facts) - 2
    cells = min(_BAR_CELLS, room - 2 - _MIN_NAME_CELLS)
    bar = _bar(transfer, symbols, cells) if cells >= _MIN_BAR_CELLS else ""
    if bar:
        room -= cells + 2
    name = one_line(transfer.name, max(min(room, _NAME_CELLS), 1), symbols.more)
    parts = f"{lead}{name}  {bar}{'  ' if bar else ''}{facts}"
    shown = set_cell_size(parts, width) if cell_len(parts) > width else parts
    return shown.rstrip()


def lines(transfer: Transfer, width: int, symbols: Symbols) -> list[str]:
    """A transfer as ``line`` has it, and below it, where it is stuck, why."""
    found = [line(transfer, width, symbols)]
    if transfer.trouble and transfer.phase is Phase.WAITING:
        found += [f"  {part}" for part in wrap(transfer.trouble, width - 2, width - 2)]
    return found


def _bar(transfer: Transfer, symbols: Symbols, cells: int) -> str:
    filled = cells * min(transfer.done, transfer.total) // max(transfer.total, 1)
    bar = "█" * filled + "░" * (cells - filled)
    return bar.replace("█", "#").replace("░", ".") if symbols is ASCII else bar


def _facts(transfer: Transfer) -> str:
    if transfer.phase is Phase.READING:
        return Phase.READING.value
    share = 100 * min(transfer.done, transfer.total) // max(transfer.total, 1)
    parts = [f"{share:3d} % of {size(transfer.total)}"]
    rate = transfer.meter.rate
    is_stuck = transfer.trouble and transfer.phase is Phase.WAITING
    if transfer.phase is not Phase.RUNNING:
        parts.append("cannot go on" if is_stuck else transfer.phase.value)
    elif rate is not None:
        parts.append(f"{size(int(rate))}/s")
        if rate > 0:
            left_s = min((transfer.total - transfer.done) / rate, _LONGEST_S)
            parts.append(f"{span(math.ceil(left_s))} left")
    return "  ".join(parts)
