"""``draft ...``: what was begun to be written, as the chat window keeps it."""

from typing import Annotated

import typer

import e2ecore
from cli_demo import jsonlines
from cli_demo.naming import Names
from cli_demo.options import Access, Mentioned, Target, Words, local, online
from cli_demo.running import go_out, with_engine
from cli_demo.targets import find_conversation, find_mentions, find_message
from cli_demo.text import moment, visible

app = typer.Typer(
    name="draft",
    help="What was begun to be written; the chat window goes on with it.",
    no_args_is_help=True,
)
_NOTE = "The message is stored and goes out as soon as the relay is reached."


@app.command("list")
@local
def list_drafts(where: Access) -> None:
    """Print all drafts with their conversations. Needs no relay."""

    async def work(engine: e2ecore.Engine) -> None:
        names = Names(engine)
        for one in await engine.conversations.list():
            if one.draft is not None:
                await _print(where, one, one.draft, f"[{visible(await names.title(one))}] ")

    with_engine(where, work)


@app.command()
@local
def show(where: Access, target: Target) -> None:
    """Print the draft of a conversation, then those begun on other devices. Needs no relay."""

    async def work(engine: e2ecore.Engine) -> None:
        conversation = await find_conversation(engine, target)
        if conversation.draft is not None:
            await _print(where, conversation, conversation.draft)
        for other in await conversation.other_drafts():
            await _print(where, conversation, other)

    with_engine(where, work)


@app.command()
@local
def write(
    where: Access,
    target: Target,
    text: Words,
    *,
    answer: Annotated[
        str | None,
        typer.Option("--answer", metavar="MESSAGE", help="The message that it will answer."),
    ] = None,
    mention: Mentioned = None,
) -> None:
    """Keep a draft, instead of the one before. Own other devices get it; nobody else does."""
    words = " ".join(text)

    async def work(engine: e2ecore.Engine) -> None:
        conversation = await find_conversation(engine, target)
        answered = None if answer is None else await find_message(conversation, answer)
        named = await find_mentions(conversation, words, mention or ())
        await conversation.set_draft(words, reply_to=answered, mentions=named)
        if where.json and conversation.draft is not None:
            await _print(where, conversation, conversation.draft)

    with_engine(where, work)


@app.command()
@online
def send(where: Access, target: Target) -> None:
    """Send the draft of a conversation, and forget it."""

    async def work(engine: e2ecore.Engine) -> None:
        conversation = await find_conversation(engine, target)
        sent = await conversation.send_draft()
        for waiting in (conversation.ready, sent.accepted):
            await go_out(engine, waiting, where.timeout, _NOTE)
        if where.json:
            print(jsonlines.dump(jsonlines.sent(conversation, sent)))

    with_engine(where, work)


@app.command()
@local
def discard(where: Access, target: Target) -> None:
    """Erase the draft of a conversation. Needs no relay."""

    async def work(engine: e2ecore.Engine) -> None:
        await (await find_conversation(engine, target)).set_draft("")

    with_engine(where, work)


async def _print(
    where: Access, conversation: e2ecore.Conversation, draft: e2ecore.Draft, lead: str = ""
) -> None:
    if where.json:
        order = draft.reply_to
        found = [] if order is None else await conversation.messages_at([order])
        answers = found[0].message_id if found else None
        print(jsonlines.dump(jsonlines.draft(conversation, draft, answers)))
    else:
        print(f"{moment(draft.changed_ms)} {lead}{visible(draft.text)}")
