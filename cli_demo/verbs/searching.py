"""``search``: find messages by what is in them."""

from enum import Enum
from functools import partial
from typing import Annotated, Final, Protocol

import typer

import e2ecore
from cli_demo import jsonlines
from cli_demo.naming import Names
from cli_demo.options import Access, day_ms, local
from cli_demo.running import with_engine
from cli_demo.targets import find_account, find_conversation
from cli_demo.text import stamp, visible

_PAGE: Final = 200
_SNIPPET: Final = 60


class Kind(Enum):
    """What can be looked for."""

    TEXT = "text"
    CARD = "card"
    FILES = "files"
    POLL = "poll"


class Search(Protocol):
    """Looks for something."""

    async def __call__(self, *, limit: int, cursor: int | None) -> e2ecore.SearchPage:
        """Return a page of what there is."""


@local
def search(
    where: Access,
    text: Annotated[
        list[str],
        typer.Argument(
            metavar="TEXT",
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
    sender: Annotated[
        str | None, typer.Option("--from", metavar="HANDLE", help="Only what this person wrote.")
    ] = None,
    after: Annotated[
        int | None,
        typer.Option(
            "--after", metavar="YEAR-MONTH-DAY", parser=day_ms, help="Only sent that day or later."
        ),
    ] = None,
    before: Annotated[
        int | None,
        typer.Option(
            "--before", metavar="YEAR-MONTH-DAY", parser=day_ms, help="Only sent before that day."
        ),
    ] = None,
    kind: Annotated[
        list[Kind] | None,
        typer.Option(
            "--kind",
            metavar="KIND",
            help="Only text, card, files or poll; several times: any of them.",
        ),
    ] = None,
) -> None:
    """Find messages, the newest first. Needs no relay."""
    kinds = [e2ecore.MessageKind[one.name] for one in kind or ()] or None

    async def work(engine: e2ecore.Engine) -> None:
        only = await find_conversation(engine, within) if within else None
        who = await find_account(engine, sender) if sender else None
        names = Names(engine)
        asked = partial(
            engine.search, " ".join(text),
            conversation=only, sender=who, after=after, before=before, kinds=kinds,
        )  # fmt: skip
        for hit in await _hits(asked, limit):
            one = hit.message
            author = await (names.handle_of if where.json else names.of)(one.sender)
            if where.json:
                print(jsonlines.dump(jsonlines.message(one, author)))
                continue
            place = await engine.conversations.get(one.conversation_id)
            title = await names.title(place)
            shown = hit.snippet(_SNIPPET).text
            print(f"{stamp(one.sent_ms)} [{visible(title)}] {visible(author)}: {visible(shown)}")

    with_engine(where, work)


async def _hits(search: Search, limit: int) -> list[e2ecore.SearchHit]:
    """The newest hits, fetched page by page."""
    found: list[e2ecore.SearchHit] = []
    cursor: int | None = None
    while len(found) < limit:
        size = min(limit - len(found), _PAGE)
        page = await search(limit=size, cursor=cursor)
        found += page.hits
        cursor = page.cursor
        if cursor is None:
            break
    return found
