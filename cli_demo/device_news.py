"""What has changed among the devices of the account: said with every verb until it was seen."""

import e2ecore
from cli_demo.device_words import device_words
from cli_demo.naming import short
from cli_demo.saying import say
from cli_demo.text import moment


async def tell_news(engine: e2ecore.Engine, language: str | None = None) -> None:
    """Say on standard error what has changed and was not seen yet. There is no way to mute it.

    Args:
        engine: Whose account it is.
        language: As asked for; None: the system's.
    """
    for line in await news_lines(engine, language):
        say(line, error=True)


async def news_lines(engine: e2ecore.Engine, language: str | None = None) -> list[str]:
    """Return in words what has changed and was not seen yet. As ``tell_news``."""
    if engine.account is None:
        return []
    words = device_words(language)
    moved_to = await engine.devices.moved_to()
    if moved_to is not None:
        return [words.news_moved.format(device=short(moved_to))]
    news = await engine.devices.news()
    lines = [
        words.news_added.format(day=moment(one.added_ms), device=short(one.device_id))
        for one in news.added
    ]
    lines += [
        words.news_removed.format(day=moment(one.removed_ms or 0), device=short(one.device_id))
        for one in news.removed
    ]
    for one in news.confirmed:
        how = words.early if one.confirmed_early else words.in_use
        when = moment(one.confirmed_ms or 0)
        lines.append(words.news_confirmed.format(day=when, device=short(one.device_id), how=how))
    return [*lines, words.news_what] if lines else []
