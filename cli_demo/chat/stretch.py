"""The part of a conversation that is loaded: messages without gaps, each with its lines. Pure."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Final

from textual.strip import Strip

from cli_demo.chat.blocks import Line, Painter, drawn
from cli_demo.text import day
from cli_demo.views import MessageView

MAX_LOADED: Final = 2_000
"""Messages kept in memory; of more than that, half of it stays: the rest is paged in again."""


@dataclass(slots=True)
class _Block:
    """One message with its wrapped lines, ready for the screen."""

    message: MessageView
    day: str
    lines: list[Line] = field(default_factory=list)
    day_line: Strip | None = None

    @property
    def height(self) -> int:
        return len(self.lines) + (self.day_line is not None)


class Stretch:
    """Messages in order. After any change ``lay_out`` brings the lines up to date."""

    def __init__(self) -> None:
        self._blocks: list[_Block] = []
        self._places: dict[str, int] = {}
        self._tops: list[int] = [0]

    def __len__(self) -> int:
        return len(self._blocks)

    def __iter__(self) -> Iterator[MessageView]:
        return (block.message for block in self._blocks)

    def __getitem__(self, place: int) -> MessageView:
        return self._blocks[place].message

    def place_of(self, key: str) -> int | None:
        """Where a message is; None: it is not loaded."""
        return self._places.get(key)

    # -- changes ---------------------------------------------------------------------------------

    def fresh(self, messages: Iterable[MessageView]) -> list[MessageView]:
        """Those that are not loaded yet."""
        return [one for one in messages if one.key not in self._places]

    def clear(self) -> None:
        """Forget all."""
        self._blocks, self._places, self._tops = [], {}, [0]

    def append(self, messages: Iterable[MessageView]) -> None:
        """Add below; too many are let go above."""
        self._blocks.extend(_Block(one, day(one.time_ms)) for one in messages)
        del self._blocks[: self._surplus]

    def prepend(self, messages: Iterable[MessageView]) -> bool:
        """Add above; too many are let go below, which is the answer."""
        self._blocks[:0] = [_Block(one, day(one.time_ms)) for one in messages]
        surplus = self._surplus
        del self._blocks[len(self._blocks) - surplus :]
        return bool(surplus)

    @property
    def _surplus(self) -> int:
        return len(self._blocks) - MAX_LOADED // 2 if len(self._blocks) > MAX_LOADED else 0

    def different(self, messages: Iterable[MessageView]) -> list[MessageView]:
        """Those that are loaded and look otherwise."""
        return [
            one
            for one in messages
            if one.key in self._places and self._blocks[self._places[one.key]].message != one
        ]

    def replace(self, messages: Iterable[MessageView]) -> None:
        """Put messages that are loaded in the place of what they were."""
        for one in messages:
            self._blocks[self._places[one.key]] = _Block(one, day(one.time_ms))

    def remove(self, orders: set[int]) -> None:
        """Forget these."""
        self._blocks = [one for one in self._blocks if one.message.order not in orders]

    def redraw(self, *, mortal: bool = False) -> None:
        """Have all drawn anew, or only those that erase themselves."""
        for block in self._blocks:
            if block.message.until_ms or not mortal:
                block.lines = []

    # -- lines -----------------------------------------------------------------------------------

    def lay_out(self, painter: Painter) -> None:
        """Draw what has no lines yet, and find the place of each line."""
        last_day = ""
        for block in self._blocks:
            is_same = block.day == last_day
            last_day = block.day
            if is_same:
                block.day_line = None
            elif block.day_line is None or not block.lines:
                block.day_line = painter.day(last_day)
            if not block.lines:
                block.lines = painter.lines(block.message)
        self._places = {block.message.key: n for n, block in enumerate(self._blocks)}
        self._tops = [0, *accumulate(block.height for block in self._blocks)]

    @property
    def height(self) -> int:
        """Lines in all."""
        return self._tops[-1]

    def span(self, place: int) -> tuple[int, int]:
        """First line of a message, and the one behind its last."""
        return self._tops[place], self._tops[place + 1]

    def place_at(self, line: int) -> int:
        """The message that has a line, or the nearest; -1 if there is none."""
        return max(0, min(bisect_right(self._tops, line), len(self._blocks)) - 1) if self else -1

    def line(self, line: int) -> tuple[Strip, str]:
        """A line, and the key of the message that it is of; no key for the line of a day."""
        place = self.place_at(line)
        block = self._blocks[place]
        into = line - self._tops[place]
        if block.day_line is None:
            return drawn(block.lines[into]), block.message.key
        if into == 0:
            return block.day_line, ""
        return drawn(block.lines[into - 1]), block.message.key
