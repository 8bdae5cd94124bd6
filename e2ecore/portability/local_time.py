"""Times of day as people write them, turned into milliseconds."""

import time
from datetime import UTC, datetime, tzinfo
from typing import Final

_MS: Final = 1_000
_EPOCH_MS_FROM: Final = 100_000_000_000
"""Numbers from here on are milliseconds: as seconds they would be in the year 5138."""
_MAX_MS: Final = 253_402_300_800_000
"""End of the year 9999."""


def to_ms(parts: tuple[int, int, int, int, int, int], zone: tzinfo | None) -> int:
    """Return milliseconds since the Unix epoch.

    Args:
        parts: Year, month, day, hour, minute, second.
        zone: Where the clock was; None: where this machine is.

    Raises:
        ValueError: There is no such time.
    """
    year, month, day, hour, minute, second = parts
    there = datetime(year, month, day, hour, minute, second, tzinfo=zone or UTC)
    try:
        found = time.mktime((*parts, 0, 0, -1)) if zone is None else there.timestamp()
    except OverflowError:
        raise ValueError from None
    return _checked(int(found) * _MS)


def parse_time(text: str, zone: tzinfo | None) -> int:
    """Return a time that is written as ISO 8601, or as a number of seconds or milliseconds.

    Args:
        text: The time.
        zone: Where the clock was, if the text does not say it; None: where this machine is.

    Raises:
        ValueError: It is neither.
    """
    text = text.strip()
    if text.isascii() and text.isdigit():
        number = int(text) if len(text) < 20 else 0  # noqa: PLR2004 - digits of 64 bits
        return _checked(number if number >= _EPOCH_MS_FROM else number * _MS)
    found = datetime.fromisoformat(text)
    if found.tzinfo is not None:
        return _checked(int(found.timestamp()) * _MS + found.microsecond // _MS)
    parts = (found.year, found.month, found.day, found.hour, found.minute, found.second)
    return to_ms(parts, zone) + found.microsecond // _MS


def _checked(ms: int) -> int:
    if not 0 < ms < _MAX_MS:
        raise ValueError
    return ms
