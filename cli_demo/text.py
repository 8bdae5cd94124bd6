"""Words for people: times, sizes, names and other people's text, safe to print on a terminal."""

import re
import time
import unicodedata
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Final

from rich.cells import cell_len, chop_cells, set_cell_size

_REPLACEMENT: Final = "\N{REPLACEMENT CHARACTER}"
_BIDI_CONTROLS: Final = frozenset(
    "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
)
_KEPT: Final = frozenset("\n\u200d\ufe0f")
_PERIODS: Final = ((86_400, "d"), (3_600, "h"), (60, "min"))
_UNITS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_PERIOD: Final = re.compile(
    r"([0-9]{1,9}) ?(s|m|h|d|w|secs?|seconds?|mins?|minutes?|hours?|days?|weeks?)"
)
_CJK: Final = (
    "\u2e80-\u2fff\u3001-\u30ff\u3100-\u9fff\uf900-\ufaff\uff01-\uff60\U00020000-\U0003fffd"
)
"""Chinese and Japanese signs: a line may end behind each of them."""
_TOKENS: Final = re.compile(f" +|[{_CJK}]|[^ {_CJK}]+")
_NOT_FIRST: Final = frozenset("，。、；：？！）》」』】”’…")
"""What may not begin a line."""
_NOT_LAST: Final = frozenset("（《「『【“‘")
"""What may not end a line."""
_STEPS: Final = ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"))


def visible(text: str) -> str:
    """Text of a stranger, made harmless: it can neither steer the terminal nor reorder the line.

    Control characters become U+FFFD, direction overrides disappear, a tab is four spaces. New
    lines, joiners and emoji selectors stay.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(map(_harmless, text.replace("\r\n", "\n").expandtabs(4)))


def _harmless(char: str) -> str:
    if char in _BIDI_CONTROLS:
        return ""
    if char in _KEPT:
        return char
    # C: control, format, surrogate, private, unassigned; Zl and Zp break lines behind our back.
    if unicodedata.category(char) in {"Cc", "Cf", "Cs", "Zl", "Zp"}:
        return _REPLACEMENT
    return char


def one_line(text: str, cells: int, more: str = "…") -> str:
    """The start of a text on one line of at most ``cells`` terminal cells.

    Args:
        text: May have many lines.
        cells: Width at most.
        more: What stands for the rest.
    """
    flat = " ".join(visible(text[: cells * 8]).split())
    if cell_len(flat) <= cells:
        return flat
    return set_cell_size(flat, max(cells - len(more), 0)).rstrip() + more


def local_time(time_ms: int) -> datetime:
    """UTC milliseconds as this machine's local time; nonsense becomes the epoch."""
    try:
        return datetime.fromtimestamp(time_ms / 1000, tz=UTC).astimezone()
    except (OverflowError, OSError, ValueError):
        return datetime.fromtimestamp(0, tz=UTC).astimezone()


def clock(time_ms: int) -> str:
    """``14:05``."""
    return local_time(time_ms).strftime("%H:%M")


def day(time_ms: int) -> str:
    """``Monday 23 November 2026``, for the line between two days."""
    when = local_time(time_ms)
    return f"{when:%A} {when.day} {when:%B %Y}"


def stamp(time_ms: int) -> str:
    """``2026-11-23 14:05:09``."""
    return local_time(time_ms).strftime("%Y-%m-%d %H:%M:%S")


def now_ms() -> int:
    """This machine's clock in UTC milliseconds."""
    return time.time_ns() // 1_000_000


def moment(time_ms: int) -> str:
    """``2026-11-23 14:05``."""
    return local_time(time_ms).strftime("%Y-%m-%d %H:%M")


def when(time_ms: int, now_ms: int) -> str:
    """As short as a list allows: the time for today, the date for all else."""
    then, now = local_time(time_ms), local_time(now_ms)
    if then.date() == now.date():
        return then.strftime("%H:%M")
    if then.year == now.year:
        return f"{then.day} {then:%b}"
    return then.strftime("%Y-%m")


def size(count: int) -> str:
    """``1.5 KiB``; bytes below 1 KiB."""
    for unit, name in _STEPS:
        if count >= unit:
            return f"{count / unit:.1f} {name}"
    return f"{count} B"


def duration(seconds: float) -> str:
    """``3.2 ms`` or ``1.45 s``."""
    return f"{seconds * 1000:.1f} ms" if seconds < 1 else f"{seconds:.2f} s"


def lasting(seconds: float) -> str:
    """``3 d``, ``5 h``, ``12 min``, ``40 s``: the largest unit of which there are two, or one."""
    for unit, name in _PERIODS:
        if seconds >= 2 * unit or (seconds >= unit and seconds % unit == 0):
            return f"{seconds // unit:.0f} {name}"
    return f"{max(seconds, 0):.0f} s"


def length(time_ms: int) -> str:
    """``0:05``, ``62:03``: minutes and seconds of something that is heard."""
    seconds = -(-time_ms // 1000)
    return f"{seconds // 60}:{seconds % 60:02d}"


def wave(loudness: bytes, cells: int, levels: str) -> str:
    """Loudness as a line of bars.

    Args:
        loudness: Of equal parts, 0 to 255; empty: the line is empty.
        cells: How long the line may be.
        levels: Signs from silent to loud.
    """
    count = min(len(loudness), max(cells, 1))
    bounds = [n * len(loudness) // count for n in range(count + 1)] if count else []
    return "".join(
        levels[max(loudness[begin:end]) * len(levels) // 256] for begin, end in pairwise(bounds)
    )


def period(text: str) -> int | None:
    """Seconds of ``90s``, ``5m``, ``5 min``, ``1h``, ``7d`` or ``2w``; None: no such time."""
    match = _PERIOD.fullmatch(text.strip().lower())
    return int(match[1]) * _UNITS[match[2][0]] if match else None


def counted(count: int, noun: str, plural: str | None = None) -> str:
    """``1 message``, ``2 messages``."""
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


def joined(names: Sequence[str]) -> str:
    """``alice, bob and carol``."""
    if len(names) < 2:  # noqa: PLR2004
        return "".join(names)
    return f"{', '.join(names[:-1])} and {names[-1]}"


def in_groups(digits: str, width: int = 5) -> list[str]:
    """A safety number cut into groups that two people can read to each other."""
    bare = "".join(digits.split())
    return [bare[start : start + width] for start in range(0, len(bare), width)]


def wrap(text: str, first: int, rest: int) -> list[str]:
    """Lines of at most ``first`` cells, then ``rest`` cells; breaks where a reader expects it.

    Returns:
        At least one line. When not even one word fits into the first line, that line is empty.
    """
    lines: list[str] = []
    for paragraph in text.split("\n"):
        at = breaks(paragraph, rest if lines else first, max(rest, 2), hangs=not lines)
        bounds = pairwise([0, *at, len(paragraph)])
        lines += [paragraph[begin:end].rstrip(" ") for begin, end in bounds]
    return lines


def breaks(text: str, first: int, rest: int, *, hangs: bool = False) -> list[int]:
    """Where the second and later lines of a paragraph begin.

    Between words, and between Chinese and Japanese signs, but never before what closes or after
    what opens; elsewhere only within what is longer than a line.

    Args:
        text: Without new lines.
        first: Cells of the first line.
        rest: Cells of the others, at least 2.
        hangs: The first line stays empty if what does not fit there is longer than a line, too.
    """
    found: list[int] = []
    used = 0
    for start, unit in _units(text):
        bare = unit.rstrip(" ")
        cells = cell_len(bare)
        if used + cells > (rest if found else first):
            if used or (not found and (hangs or first < rest)):
                found.append(start)
            *full, bare = chop_cells(bare, rest) if bare else [""]
            for part in full:
                start += len(part)  # noqa: PLW2901 (the place of what comes next)
                found.append(start)
            used, cells = 0, cell_len(bare)
        used += cells + len(unit) - len(unit.rstrip(" "))
    return found


def _units(text: str) -> Iterator[tuple[int, str]]:
    """What is not broken, with its place and the spaces behind it."""
    begin, held = 0, ""
    for match in _TOKENS.finditer(text):
        token = match[0]
        is_stuck = token[0] == " " or token[0] in _NOT_FIRST or held[-1:] in _NOT_LAST
        if held.strip(" ") and (held[-1] == " " or not is_stuck):
            yield begin, held
            begin, held = match.start(), ""
        held += token
    if held:
        yield begin, held
