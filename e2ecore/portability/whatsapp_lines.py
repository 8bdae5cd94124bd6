"""Which lines of a WhatsApp chat begin a message, and when that was.

The telephone's language decides how dates look: `31/12/2023, 23:59 - `, `12/31/23, 11:59 PM - `,
`[31.12.23, 23:59:59] `, `[2023/12/31 下午11:59:59] `, `2023. 12. 31. 오후 11:59 - `. What a line
does not say is whether the day or the month comes first; the whole file does, nearly always.
"""

import re
from collections.abc import Iterable
from datetime import tzinfo
from enum import Enum
from typing import Final, NamedTuple

from e2ecore.portability.errors import UnknownDateFormatError
from e2ecore.portability.local_time import to_ms

_MARKS: Final = re.compile("[\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")
_START: Final = re.compile(
    r"\[?(\d{1,4})(?:\s?[./\-\u5e74\ub144]\s?)(\d{1,2})(?:\s?[./\-\u6708\uc6d4]\s?)(\d{1,4})"
    r"[.\u65e5\uc77c]?[,\u060c]?\s*([^\d\[\]:]{0,16}?)\s*"
    r"(\d{1,2})[:.](\d{2})(?:[:.](\d{2}))?\s*([^\d\[\]:\-\u2013]{0,16}?)"
    r"(?:\]\s?|\s+[-\u2013]\s)(.*)",
    re.DOTALL,
)
_MORNING: Final = frozenset(
    ("am", "上午", "凌晨", "早上", "清晨", "午前", "오전", "ص", "πμ", "vorm", "öö", "fm", "de")
)
_EVENING: Final = frozenset(
    ("pm", "下午", "晚上", "傍晚", "午後", "오후", "م", "μμ", "nachm", "ös", "em", "du")
)
_NOON: Final = "中午"
_NOON_FROM: Final = 11
"""中午 is said from eleven to two."""
_HALF_DAY: Final = 12
_MONTHS: Final = 12
_YEAR_DIGITS: Final = 4
_CENTURY: Final = 2000
_BUDDHIST_FROM: Final = 2400
_BUDDHIST: Final = 543
MAX_NAME_CHARS: Final = 256
"""Before the colon; more is no name."""


class DayOrder(Enum):
    """Which of day and month comes first."""

    DAY_FIRST = "day first"
    MONTH_FIRST = "month first"


class Start(NamedTuple):
    """A line that begins a message."""

    numbers: tuple[int, int, int]
    """As they stand in the date."""
    year_first: bool
    clock: tuple[int, int, int]
    """Hour of 24, minute, second."""
    is_english: bool
    """The clock says AM or PM, and the date has strokes."""
    rest: str
    """What is behind the date."""


def begin(line: str) -> Start | None:
    """Return what a line says if it begins a message; None: it belongs to the one before."""
    bare = _MARKS.sub("", line[:80])
    found = _START.fullmatch(bare + line[80:])
    if found is None:
        return None
    first, second, third, before, hour, minute, seconds, after, rest = found.groups()
    clock = _clock(int(hour), int(minute), int(seconds or 0), before + after)
    if clock is None:
        return None
    numbers = (int(first), int(second), int(third))
    is_english = bool(after) and after.isascii() and "/" in bare[:10]
    return Start(numbers, len(first) == _YEAR_DIGITS, clock, is_english, rest)


def _clock(hour: int, minute: int, second: int, words: str) -> tuple[int, int, int] | None:
    word = "".join(words.split()).replace(".", "").strip(",").casefold()
    if word in _MORNING:
        hour %= _HALF_DAY
    elif word in _EVENING:
        hour = hour % _HALF_DAY + _HALF_DAY
    elif word == _NOON:
        hour = hour if hour >= _NOON_FROM else hour + _HALF_DAY
    elif word:
        return None
    return hour, minute, second


def split_name(rest: str) -> tuple[str, str]:
    """Return who wrote and what; nobody, where a line is a notice of the program."""
    name, colon, text = rest.partition(": ")
    if not colon and rest.endswith(":"):
        name, colon, text = rest[:-1], ":", ""
    if not colon or len(name) > MAX_NAME_CHARS or not name.strip():
        return "", rest
    return _MARKS.sub("", name).strip().removeprefix("~").strip(), text


def day_order(starts: Iterable[Start]) -> DayOrder:
    """Return which of day and month comes first in a file.

    A number above twelve says it. Where there is none, it is the reading in which time goes
    backwards less often; and where both are as good, that of the language.

    Raises:
        UnknownDateFormatError: The lines contradict each other.
    """
    first_over = second_over = english = False
    back = {DayOrder.DAY_FIRST: 0, DayOrder.MONTH_FIRST: 0}
    last = dict.fromkeys(back, (0, 0, 0))
    for one in starts:
        if one.year_first:
            continue
        first, second, year = one.numbers
        first_over |= first > _MONTHS
        second_over |= second > _MONTHS
        english |= one.is_english
        readings = (
            (DayOrder.DAY_FIRST, (year, second, first)),
            (DayOrder.MONTH_FIRST, (year, first, second)),
        )
        for order, date in readings:
            back[order] += date < last[order]
            last[order] = date
    if first_over and second_over:
        raise UnknownDateFormatError
    return _choose(back, first_over=first_over, second_over=second_over, english=english)


def _choose(
    back: dict[DayOrder, int], *, first_over: bool, second_over: bool, english: bool
) -> DayOrder:
    if first_over or second_over:
        return DayOrder.DAY_FIRST if first_over else DayOrder.MONTH_FIRST
    less = back[DayOrder.MONTH_FIRST] - back[DayOrder.DAY_FIRST]
    is_month_first = less < 0 or (less == 0 and english)
    return DayOrder.MONTH_FIRST if is_month_first else DayOrder.DAY_FIRST


def time_of(start: Start, order: DayOrder, zone: tzinfo | None) -> int:
    """Return when a message was sent, in milliseconds since the Unix epoch.

    Raises:
        UnknownDateFormatError: There is no such time.
    """
    year, month, day = start.numbers
    if not start.year_first:
        first, second, year = start.numbers
        day, month = (first, second) if order is DayOrder.DAY_FIRST else (second, first)
    if year < 100:  # noqa: PLR2004 - two digits
        year += _CENTURY
    elif year > _BUDDHIST_FROM:
        year -= _BUDDHIST
    try:
        return to_ms((year, month, day, *start.clock), zone)
    except ValueError:
        raise UnknownDateFormatError from None
