"""What has changed among the devices of the account: said with every verb until it was seen."""

import datetime
import sys

import e2ecore
from cli_demo.device_words import device_words


def day(time_ms: int) -> str:
    """A time as people read it, in UTC."""
    return datetime.datetime.fromtimestamp(time_ms / 1000, datetime.UTC).strftime("%Y-%m-%d %H:%M")


async def tell_news(engine: e2ecore.Engine, language: str | None = None) -> None:
    """Say on standard error what has changed and was not seen yet. There is no way to mute it.

    Args:
        engine: Whose account it is.
        language: As asked for; None: the system's.
    """
    for line in await news_lines(engine, language):
        print(line, file=sys.stderr)


async def news_lines(engine: e2ecore.Engine, language: str | None = None) -> list[str]:
    """Return in words what has changed and was not seen yet. As ``tell_news``."""
    if engine.account is None:
        return []
    news = await engine.devices.news()
    words = device_words(language)
    moved_to = await engine.devices.moved_to()
    if moved_to is not None:
        return [words.news_moved.format(device=moved_to.hex())]
    lines = [
        words.news_added.format(day=day(one.added_ms), device=one.device_id.hex())
        for one in news.added
    ]
    lines += [
        words.news_removed.format(day=day(one.removed_ms or 0), device=one.device_id.hex())
        for one in news.removed
    ]
    for one in news.confirmed:
        how = words.early if one.confirmed_early else words.in_use
        when = day(one.confirmed_ms or 0)
        said = words.news_confirmed.format(day=when, device=one.device_id.hex(), how=how)
        lines.append(said)
    return [*lines, words.news_what] if lines else []
