"""``list``, ``send``, ``history``, ``tail``: conversations from scripts."""

import sys
from typing import Annotated, Final

import anyio
import typer

import e2ecore
from cli_demo import jsonlines, words
from cli_demo.exits import explain
from cli_demo.happenings import told
from cli_demo.naming import Names
from cli_demo.options import Access, Lifetime, Mentioned, Target, day_ms, local, online
from cli_demo.running import at_relay, go_out, reach, with_engine
from cli_demo.targets import (
    find_conversation,
    find_mentions,
    find_message,
    last_messages,
    messages_from,
)
from cli_demo.text import moment, now_ms, stamp, visible
from cli_demo.views import symbols_for

_PAGE: Final = 200
_SHORT_ID: Final = 8
"""Digits of an id that are shown: its end, for it begins with the time."""


@local
def list_conversations(
    where: Access,
    *,
    unread: Annotated[
        bool, typer.Option("--unread", help="Only those with unread messages.")
    ] = False,
) -> None:
    """List conversations with their ids and unread counts, the newest first. Needs no relay."""

    async def work(engine: e2ecore.Engine) -> None:
        names = Names(engine)
        for one in await engine.conversations.list():
            if unread and not one.unread:
                continue
            title = await names.title(one)
            if where.json:
                print(jsonlines.dump(jsonlines.conversation(one, title)))
            else:
                print(_line(one, title))

    with_engine(where, work)


def _line(one: e2ecore.Conversation, title: str) -> str:
    unread = f"{one.unread} unread" if one.unread else ""
    newest = one.last_message
    last = moment(newest.stored_ms) if newest else ""
    kind, state = one.kind.name.lower(), one.state.name.lower()
    said = {
        "top": one.pinned,
        "archived": one.archived,
        words.muted_words(one.muted_until_ms, now_ms()): True,
        "draft": one.draft is not None,
    }
    marks = ", ".join(word for word, holds in said.items() if word and holds)
    return (
        f"{one.conversation_id.hex()}  {kind:<9}{state:<9}{unread:<12}{last:<18}{visible(title)}"
        f"{f' ({marks})' if marks else ''}"
    )


@online
def send(
    where: Access,
    target: Target,
    text: Annotated[
        list[str],
        typer.Argument(
            metavar="TEXT",
            help="The message; several words are joined. A single - reads it from standard input.",
        ),
    ],
    *,
    delivered: Annotated[
        bool, typer.Option("--delivered", help="Wait until every member's device has stored it.")
    ] = False,
    mention: Mentioned = None,
    lifetime: Lifetime = None,
) -> None:
    """Send one message and wait until the relay has it.

    If the relay cannot be reached (exit code 4) the message is stored, and goes out with the next
    command that reaches the relay.
    """
    said = sys.stdin.read().rstrip("\n") if text == ["-"] else " ".join(text)

    async def work(engine: e2ecore.Engine) -> None:
        conversation = await reach(engine, lambda: find_conversation(engine, target), where.timeout)
        named = await find_mentions(conversation, said, mention or ())
        reader = engine.events()
        if named or lifetime is not None:
            sent = await conversation.send_rich(said, mentions=named, lifetime_s=lifetime)
        else:
            sent = await conversation.send(said)
        note = "The message is stored and goes out as soon as the relay is reached."

        async def arrived() -> None:
            await _delivered(reader, conversation, sent.message_id)

        for waiting in (conversation.ready, sent.accepted, *((arrived,) if delivered else ())):
            await go_out(engine, waiting, where.timeout, note)
        if where.json:
            state = "delivered" if delivered else "accepted"
            print(jsonlines.dump(jsonlines.sent(conversation, sent, state)))

    with_engine(where, work)


@online
def share(
    where: Access,
    target: Target,
    handle: Annotated[str, typer.Argument(help="Who is shown to the others.")],
) -> None:
    """Send a contact card: the others can look the person up and write to them.

    The names on a card are its sender's word. Nobody is verified by it.
    """

    async def work(engine: e2ecore.Engine) -> None:
        conversation = await reach(engine, lambda: find_conversation(engine, target), where.timeout)
        contact = await at_relay(engine, lambda: engine.contacts.find(handle), where.timeout)
        sent = await conversation.share_contact(contact)
        note = "The card is stored and goes out as soon as the relay is reached."
        for waiting in (conversation.ready, sent.accepted):
            await go_out(engine, waiting, where.timeout, note)
        if where.json:
            print(jsonlines.dump(jsonlines.sent(conversation, sent)))

    with_engine(where, work)


async def _delivered(
    reader: e2ecore.EventReader, conversation: e2ecore.Conversation, message_id: e2ecore.MessageId
) -> None:
    """Wait until a message is stored on every other device of the conversation."""
    while True:
        for one in await conversation.messages(limit=_PAGE):
            if one.message_id == message_id and one.state is e2ecore.MessageState.DELIVERED:
                return
        async for event in reader:
            if isinstance(event, e2ecore.Delivered):
                break


@local
def history(
    where: Access,
    target: Target,
    *,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many messages.")] = 50,
    date: Annotated[
        int | None,
        typer.Option(
            "--date", metavar="YEAR-MONTH-DAY", parser=day_ms, help="From that day on instead."
        ),
    ] = None,
    before: Annotated[
        str | None,
        typer.Option("--before", metavar="MESSAGE", help="Those before this one instead."),
    ] = None,
    unread: Annotated[bool, typer.Option("--mark-read", help="Count them as read.")] = False,
    ids: Annotated[
        bool, typer.Option("--ids", help="Begin each line with the end of the message's id.")
    ] = False,
) -> None:
    """Print the newest messages of a conversation, or older ones, oldest first. Needs no relay."""
    if date is not None and before is not None:
        raise typer.BadParameter("either --date or --before")

    async def work(engine: e2ecore.Engine) -> None:
        conversation = await find_conversation(engine, target)
        names = Names(engine)
        if date is not None:
            found = await messages_from(conversation, date, limit)
        else:
            end = None if before is None else (await find_message(conversation, before)).order
            found = await last_messages(conversation, limit, end)
        for one in found:
            await show(one, names, json=where.json, ids=ids)
        if unread:
            await conversation.mark_read()

    with_engine(where, work)


async def show(
    one: e2ecore.Message, names: Names, *, json: bool, title: str = "", ids: bool = False
) -> None:
    """One message as a line."""
    author = await (names.handle_of if json else names.of)(one.sender)
    symbols = symbols_for(sys.stdout.encoding)
    where = f" [{visible(title)}]" if title else ""
    name = f"{one.message_id.hex()[-_SHORT_ID:]}  " if ids else ""
    if json:
        line = jsonlines.dump(jsonlines.message(one, author))
    elif one.notice is not None:
        line = f"{name}{stamp(one.stored_ms)}{where} * {visible(await told(one.notice, names))}"
    else:
        line = f"{name}{stamp(one.sent_ms)}{where} {visible(author)}: {words.full(one, symbols)}"
    print(line, flush=True)


@online
def tail(
    where: Access,
    target: Annotated[
        str | None,
        typer.Argument(metavar="HANDLE|+TITLE|ID", help="Only this conversation."),
    ] = None,
    *,
    limit: Annotated[
        int, typer.Option("--limit", "-n", min=0, help="Stop after so many messages; 0: never.")
    ] = 0,
    idle: Annotated[
        float,
        typer.Option(
            "--idle", metavar="SECONDS", min=0, help="Stop after so long a silence; 0: never."
        ),
    ] = 0,
    events: Annotated[
        bool, typer.Option("--events", help="With --json: also everything else that happens.")
    ] = False,
) -> None:
    """Print messages as they arrive, those first that waited at the relay. Ctrl+C ends it."""

    async def work(engine: e2ecore.Engine) -> None:
        reader = engine.events()
        only = (
            await reach(engine, lambda: find_conversation(engine, target), where.timeout)
            if target
            else None
        )
        uid = only.conversation_id if only else None
        await _Tail(engine, uid, limit, json=where.json, events=events).run(reader, idle)

    with_engine(where, work)


class _Tail:
    """Prints what comes."""

    def __init__(
        self,
        engine: e2ecore.Engine,
        only: e2ecore.GroupId | None,
        limit: int,
        *,
        json: bool,
        events: bool,
    ) -> None:
        self._engine = engine
        self._names = Names(engine)
        self._only = only
        self._left = limit or None
        self._json = json
        self._events = events

    async def run(self, reader: e2ecore.EventReader, idle_s: float) -> None:
        """Until enough came, or nothing came for long enough, or the reader ends."""
        while self._left is None or self._left > 0:
            with anyio.move_on_after(idle_s or None) as scope:
                event = await anext(reader, None)
            if scope.cancelled_caught or event is None:
                return
            await self._print(event)

    async def _print(self, event: e2ecore.Event) -> None:
        if self._only is not None and getattr(event, "conversation_id", None) != self._only:
            return
        if isinstance(event, e2ecore.MessageReceived):
            await self._print_message(event)
        elif self._json and self._events:
            print(jsonlines.dump(jsonlines.event(event)), flush=True)
        elif isinstance(event, e2ecore.ConnectionChanged) and event.error is not None:
            print(f"e2e: {explain(event.error)}", file=sys.stderr)

    async def _print_message(self, event: e2ecore.MessageReceived) -> None:
        conversation = await self._engine.conversations.get(event.conversation_id)
        group = conversation.kind is e2ecore.ConversationKind.GROUP
        title = conversation.title if group and self._only is None else ""
        await show(event.message, self._names, json=self._json, title=title)
        if self._left is not None:
            self._left -= 1
