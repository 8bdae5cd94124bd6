"""``reply``, ``forward``, ``react``, ``edit``, ...: what is done with single messages."""

from collections.abc import Awaitable, Callable
from typing import Annotated

import typer

import e2ecore
from cli_demo import jsonlines
from cli_demo.file_words import name_of
from cli_demo.options import Access, Lifetime, Mentioned, Target, Which, Words, local, online
from cli_demo.running import go_out, reach, with_engine
from cli_demo.targets import find_conversation, find_mentions, find_message
from cli_demo.text import visible
from cli_demo.verbs.files import carry

Act = Callable[[e2ecore.Conversation, e2ecore.Message], Awaitable[e2ecore.SentMessage]]
_NOTE = "It is stored and goes out as soon as the relay is reached."


@online
def reply(
    where: Access,
    target: Target,
    message: Which,
    text: Words,
    *,
    mention: Mentioned = None,
    lifetime: Lifetime = None,
) -> None:
    """Answer a message."""
    words = " ".join(text)

    async def act(chat: e2ecore.Conversation, one: e2ecore.Message) -> e2ecore.SentMessage:
        named = await find_mentions(chat, words, mention or ())
        return await chat.send_rich(words, reply_to=one, mentions=named, lifetime_s=lifetime)

    act_on(where, target, message, act)


@online
def forward(
    where: Access,
    target: Target,
    message: Which,
    to: Annotated[
        str, typer.Argument(metavar="TO", help="The conversation to send it to, named alike.")
    ],
) -> None:
    """Send a text, files, a contact card or a poll on. A text is marked as forwarded.

    Who wrote it is not told. Of a poll a new one is begun: votes stay where they were given. Files
    that are not here are fetched first.
    """

    async def work(engine: e2ecore.Engine) -> None:
        one = await find_message(await find_conversation(engine, target), message)
        other = await reach(engine, lambda: find_conversation(engine, to), where.timeout)
        if one.attachments:
            name = name_of([file.name for file in one.attachments])
            await carry(
                engine, where, other, name, lambda bar: other.forward_files(one, on_progress=bar)
            )
            return
        sent = await other.forward(one)
        for waiting in (other.ready, sent.accepted):
            await go_out(engine, waiting, where.timeout, _NOTE)
        if where.json:
            print(jsonlines.dump(jsonlines.sent(other, sent)))

    with_engine(where, work)


@online
def react(
    where: Access,
    target: Target,
    message: Which,
    signs: Annotated[
        list[str] | None,
        typer.Argument(metavar="SIGN", help="Usually one emoji; none takes them back."),
    ] = None,
) -> None:
    """Let all see what you think of a message."""
    act_on(where, target, message, lambda chat, one: chat.react(one, *(signs or ())))


@online
def edit(
    where: Access,
    target: Target,
    message: Which,
    text: Words,
    *,
    mention: Mentioned = None,
) -> None:
    """Put a message of yours in other words, within 24 hours. Others can see what it said."""
    words = " ".join(text)

    async def act(chat: e2ecore.Conversation, one: e2ecore.Message) -> e2ecore.SentMessage:
        return await chat.edit(one, words, await find_mentions(chat, words, mention or ()))

    act_on(where, target, message, act)


@online
def recall(where: Access, target: Target, message: Which) -> None:
    """Have everybody erase a message of yours. Who has read it has read it."""
    act_on(where, target, message, lambda chat, one: chat.recall(one))


@local
def earlier(where: Access, target: Target, message: Which) -> None:
    """Print what an edited message said before, the first words first. Needs no relay."""

    async def work(engine: e2ecore.Engine) -> None:
        conversation = await find_conversation(engine, target)
        one = await find_message(conversation, message)
        for text in await conversation.earlier_texts(one):
            fields = {"type": "earlier", "id": one.message_id.hex(), "text": text}
            print(jsonlines.dump(fields) if where.json else visible(text))

    with_engine(where, work)


@local
def delete(where: Access, target: Target, message: Which) -> None:
    """Erase a message here and on your other devices. Others keep it. Needs no relay."""

    async def work(engine: e2ecore.Engine) -> None:
        conversation = await find_conversation(engine, target)
        one = await find_message(conversation, message)
        await conversation.delete_messages([one])
        if where.json:
            print(jsonlines.dump({"type": "deleted", "id": one.message_id.hex()}))

    with_engine(where, work)


def act_on(where: Access, target: str, which: str, act: Act) -> None:
    """Do something with a message, and wait until the relay has what follows from it."""

    async def work(engine: e2ecore.Engine) -> None:
        conversation = await find_conversation(engine, target)
        sent = await act(conversation, await find_message(conversation, which))
        await go_out(engine, sent.accepted, where.timeout, _NOTE)
        if where.json:
            print(jsonlines.dump(jsonlines.sent(conversation, sent)))

    with_engine(where, work)
