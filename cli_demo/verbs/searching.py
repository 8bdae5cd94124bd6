"""``search``: find messages by what is in them."""

from typing import Annotated, Final

import typer

import e2ecore
from cli_demo import jsonlines
from cli_demo.naming import Names
from cli_demo.options import Access, local
from cli_demo.running import with_engine
from cli_demo.targets import find_conversation
from cli_demo.text import stamp, visible

_PAGE: Final = 200
_SNIPPET: Final = 60


@local
def search(
    where: Access,
    text: Annotated[
        list[str],
        typer.Argument(
            metavar="TEXT...",
            help="What to look for; of several words all have to occur. No sign is an operator.",
        ),
    ],
    *,
    within: Annotated[
        str | None,
        typer.Option("--in", metavar="HANDLE|+TITLE|ID", help="Only in this conversation."),
    ] = None,
    limit: Annotated[
        int, typer.Option("--limit", "-n", min=1, help="How many of the newest.")
    ] = 50,
) -> None:
    """Find messages, the newest first. Needs no relay."""

    async def work(engine: e2ecore.Engine) -> None:
        only = await find_conversation(engine, within) if within else None
        names = Names(engine)
        for hit in await _hits(engine, " ".join(text), only, limit):
            one = hit.message
            author = await names.of(one.sender)
            if where.json:
                print(jsonlines.dump(jsonlines.message(one, author)))
                continue
            place = await engine.conversations.get(one.conversation_id)
            title = await names.title(place)
            shown = hit.snippet(_SNIPPET).text
            print(f"{stamp(one.sent_ms)} [{visible(title)}] {visible(author)}: {visible(shown)}")

    with_engine(where, work)


async def _hits(
    engine: e2ecore.Engine, text: str, only: e2ecore.Conversation | None, limit: int
) -> list[e2ecore.SearchHit]:
    """The newest hits, fetched page by page."""
    found: list[e2ecore.SearchHit] = []
    cursor: int | None = None
    while len(found) < limit:
        size = min(limit - len(found), _PAGE)
        page = await engine.search(text, conversation=only, limit=size, cursor=cursor)
        found += page.hits
        cursor = page.cursor
        if cursor is None:
            break
    return found
