"""One message as lines of a terminal: who, what it answers, the words, what was said of it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol, TypeAlias

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from cli_demo import polls
from cli_demo.chat.file_lines import file_lines
from cli_demo.chat.pictures import Ink, PictureLine
from cli_demo.text import clock, counted, lasting, one_line, visible, wrap
from cli_demo.views import Kind, Mark, MessageView, PollView, QuoteView, SignView, Symbols

MIN_WIDTH: Final = 12
INDENT: Final = 6
"""Cells before the second and later lines of a message: the width of ``14:05 ``."""
_MAX_SHOWN_CHARS: Final = 16_384
"""Of one message: a megabyte of text is stored whole, but nobody reads it in a chat window."""
_MAX_AUTHOR_CELLS: Final = 32
_MAX_SIGN_CELLS: Final = 16
_MAX_SIGNS: Final = 12
"""Different reactions shown of one message."""
_OFTEN: Final = 5
"""Forwarded so many times, it is nobody's own words any more."""
_HOW_TO_VOTE: Final = "vote by /vote NUMBER"
_NO_BREAK: Final = "\u00a0"
_KINDS: Final = {
    Kind.RECALLED: "(taken back)",
    Kind.UNKNOWN: "(this needs a newer version of e2e)",
}

Line: TypeAlias = Strip | PictureLine
"""One line of a block, drawn or to be drawn when it is looked at."""


def drawn(line: Line) -> Strip:
    """A line as it goes onto the screen."""
    return line.strip() if isinstance(line, PictureLine) else line


class Styles(Protocol):
    """Where the colours come from."""

    def __call__(self, name: str, /) -> Style:
        """The style of a part: ``author``, ``own``, ``time``, ``mark``..."""


@dataclass(frozen=True, slots=True)
class Painter:
    """Draws messages for one width and theme, at one moment."""

    symbols: Symbols
    width: int
    style: Styles
    now_ms: int
    group: bool
    """Several may have read a message: their number is shown."""
    ink: Ink = Ink.COLOURS

    def day(self, name: str) -> Strip:
        """The line above the first message of a day."""
        text = f" {name} ".center(self.width, self.symbols.rule)
        return Strip([Segment(text[: self.width], self.style("day"))])

    def lines(self, message: MessageView) -> list[Line]:
        """All lines of one message, or of a notice."""
        if message.notice:
            return [*self._notice(visible(message.text))]
        mark = self._mark(message)
        room = max(self.width - INDENT - (cell_len(mark) + 1 if mark else 0), MIN_WIDTH // 2)
        author = one_line(message.author, _MAX_AUTHOR_CELLS, self.symbols.more)
        lead = [
            Segment(f"{clock(message.time_ms)} ", self.style("time")),
            Segment(author, self.style("own" if message.own else "author")),
            Segment("  "),
        ]
        rows = self._words(message, lead, room)
        if message.poll is not None:
            rows += self._poll(message.poll, room)
        signs = self._signs(message.signs, room) if message.signs else []
        if mark:
            style = self.style("failed" if message.mark is Mark.FAILED else "mark")
            last = (signs or rows)[-1]
            used = sum(segment.cell_length for segment in last)
            gap = max(self.width - used - cell_len(mark), 1)
            last += [Segment(" " * gap), Segment(mark, style)]
        files = file_lines(
            message.files, room, INDENT, style=self.style("file"), ink=self.ink,
            symbols=self.symbols,
        )  # fmt: skip
        between = (one if isinstance(one, PictureLine) else Strip(one) for one in files)
        return [*map(Strip, rows), *between, *map(Strip, signs)]

    def _mark(self, message: MessageView) -> str:
        if message.own and message.readers:
            return f"read {len(message.readers)}" if self.group else "read"
        return self.symbols.mark(message.mark)

    def _notice(self, text: str) -> list[Strip]:
        lead = f"{' ' * INDENT}{self.symbols.bullet} "
        room = self.width - len(lead)
        indent = " " * len(lead)
        return [
            Strip([Segment(indent if number else lead), Segment(line, self.style("notice"))])
            for number, line in enumerate(wrap(text, room, room))
        ]

    # -- the words -------------------------------------------------------------------------------

    def _words(self, message: MessageView, lead: list[Segment], room: int) -> list[list[Segment]]:
        first_room = room - sum(one.cell_length for one in lead) + INDENT
        tags = self._tags(message)
        text = self._shown(message)
        if tags:
            text = f"{text} {tags}" if text else tags
        if message.quote is None:
            lines = wrap(text, first_room, room)
            rows = [[*lead, *self._line(message, lines[0], tags)]]
            rest = lines[1:]
        else:
            cells = max(first_room, MIN_WIDTH // 2)
            quote = one_line(self._quote(message.quote), cells, self.symbols.more)
            rows = [[*lead, Segment(quote, self.style("quote"))]]
            rest = wrap(text, room, room)
        indent = Segment(" " * INDENT)
        rows += [[indent, *self._line(message, line, tags)] for line in rest]
        return rows

    def _shown(self, message: MessageView) -> str:
        if message.kind in _KINDS:
            return _KINDS[message.kind]
        if message.files and not message.text:
            noun = "voice note" if all(one.length for one in message.files) else "file"
            return f"({counted(len(message.files), noun)})"
        text = visible(message.text[:_MAX_SHOWN_CHARS])
        if len(message.text) > _MAX_SHOWN_CHARS:
            text += f" {self.symbols.more} ({len(message.text):,} characters in all)"
        return f"(contact) {text}" if message.kind is Kind.CARD else text

    def _quote(self, quote: QuoteView) -> str:
        sign = self.symbols.answer
        if quote.text is None:
            gone = "taken back or erased" if quote.order is not None else "not here"
            return f"{sign} {quote.author}: ({gone})"
        altered = "" if quote.intact else "(changed since) "
        return f"{sign} {quote.author}: {altered}{quote.text}"

    def _tags(self, message: MessageView) -> str:
        """What is said of the whole message, as one word that is never broken."""
        if message.kind in _KINDS:
            return ""
        tags: list[str] = []
        if message.forwards:
            tags.append("forwarded" if message.forwards < _OFTEN else "forwarded often")
        if message.edited:
            tags.append("edited")
        if message.pinned:
            tags.append("pinned")
        if message.until_ms:
            tags.append(f"{lasting((message.until_ms - self.now_ms) // 1000)} left")
        return f"({', '.join(tags)})".replace(" ", _NO_BREAK) if tags else ""

    def _line(self, message: MessageView, line: str, tags: str) -> list[Segment]:
        """One line of the words with its parts in their styles."""
        if message.kind in _KINDS:
            return [Segment(line, self.style("gone"))]
        end: list[Segment] = []
        if tags and line.endswith(tags):
            line = line[: -len(tags)]
            end = [Segment(tags.replace(_NO_BREAK, " "), self.style("tag"))]
        if not message.named:
            return [Segment(line), *end]
        named = self.style("us" if message.names_us else "named")
        parts = re.split(f"({'|'.join(map(re.escape, message.named))})", line)
        return [
            *(Segment(part, named if odd % 2 else None) for odd, part in enumerate(parts) if part),
            *end,
        ]

    def _poll(self, poll: PollView, room: int) -> list[list[Segment]]:
        indent = Segment(" " * INDENT)
        return [
            [indent, *(Segment(one.text, self.style(one.style or "choice")) for one in line)]
            for line in polls.lines(poll, room, self.symbols, _HOW_TO_VOTE)
        ]

    # -- reactions -------------------------------------------------------------------------------

    def _signs(self, signs: Sequence[SignView], room: int) -> list[list[Segment]]:
        rows: list[list[Segment]] = []
        used = room
        for one in signs[:_MAX_SIGNS]:
            words = one_line(one.sign, _MAX_SIGN_CELLS, self.symbols.more)
            if len(one.names) > 1:
                words += f" {len(one.names)}"
            cells = cell_len(words) + 2
            if used + cells > room:
                rows.append([Segment(" " * INDENT)])
                used = 0
            used += cells
            style = self.style("own-sign" if one.own else "sign")
            rows[-1] += [Segment(words, style), Segment("  ")]
        if len(signs) > _MAX_SIGNS:
            more = counted(len(signs) - _MAX_SIGNS, "more", "more")
            rows.append([Segment(" " * INDENT), Segment(f"+{more}", self.style("sign"))])
        return rows
