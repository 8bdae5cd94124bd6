"""When something is to end, as people write it."""

import re
from datetime import datetime, time, timedelta
from typing import Final

from cli_demo.text import local_time, period

EXAMPLES: Final = "30m, 2h, 18:00, tomorrow 18:00, fri 9:30, 2026-12-24 18:00"
_MS: Final = 1000
_MAX_S: Final = 10 * 365 * 86_400
"""Nobody waits for longer; dates have an end, too."""
_DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_AT: Final = re.compile(
    r"(?:(?P<day>(?!at )\S+)\s+)?(?:at\s+)?(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{2})"
)


def end_ms(text: str, now_ms: int) -> int | None:
    """The moment that a person means, in UTC milliseconds; None: nobody could tell.

    A time alone is the next one; a day of the week is the next such day, today only if the time is
    still to come. Times are this machine's. What is over already is the caller's to refuse.
    """
    wanted = " ".join(text.lower().split())
    seconds = period(wanted)
    if seconds is not None:
        return now_ms + seconds * _MS if 0 < seconds <= _MAX_S else None
    match = _AT.fullmatch(wanted)
    if match is None:
        return None
    try:
        clock = time(int(match["hour"]), int(match["minute"]))
        found = _moment(match["day"], clock, local_time(now_ms))
        return None if found is None else int(found.astimezone().timestamp() * _MS)
    except (ValueError, OverflowError):
        return None


def _moment(day: str | None, clock: time, now: datetime) -> datetime | None:
    """The local moment; None: there is no such day."""
    today = now.date()
    is_over = clock <= now.time()
    if day is None:
        return datetime.combine(today + timedelta(days=is_over), clock)
    if day in {"today", "tomorrow"}:
        return datetime.combine(today + timedelta(days=day == "tomorrow"), clock)
    if len(day) >= len(_DAYS[0]) and day[:3] in _DAYS and _is_weekday(day):
        ahead = (_DAYS.index(day[:3]) - today.weekday()) % len(_DAYS)
        return datetime.combine(today + timedelta(days=ahead or is_over * len(_DAYS)), clock)
    return datetime.combine(datetime.strptime(day, "%Y-%m-%d").astimezone().date(), clock)


def _is_weekday(day: str) -> bool:
    names = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
    return any(name.startswith(day) for name in names)
