"""``list``, ``send``, ``history``, ``tail``: conversations from scripts."""

import sys
from typing import Annotated, Final

import anyio
import typer

import e2ecore
from cli_demo import jsonlines, words
from cli_demo.exits import CliError, Exit, RelayTimeoutError, explain
from cli_demo.naming import Names
from cli_demo.options import Db, Debug, Json, PassphraseFd, Relay, RelayCa, Timeout, access
from cli_demo.running import DEFAULT_TIMEOUT_S, at_relay, reach, with_engine
from cli_demo.targets import find_conversation
from cli_demo.text import stamp, visible

_PAGE: Final = 200
_SHORT_ID: Final = 8
"""Digits of an id that are shown: its end, for it begins with the time."""
Target = Annotated[
    str,
    typer.Argument(
        metavar="HANDLE|+TITLE|ID",
        help="A person's handle, a group's title after a plus sign, or a conversation id.",
    ),
]


def list_conversations(
    *,
    db: Db = None,
    passphrase_fd: PassphraseFd = None,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """List all conversations with their ids and unread counts."""

    async def work(engine: e2ecore.Engine) -> None:
        names = Names(engine)
        for one in await engine.conversations.list():
            title = await names.title(one)
            if json:
                print(jsonlines.dump(jsonlines.conversation(one, title)))
            else:
                unread = f"{one.unread} unread" if one.unread else ""
                state = one.state.name.lower()
                print(
                    f"{one.conversation_id.hex()}  {one.kind.name.lower():<7}{state:<9}"
                    f"{unread:<12}{visible(title)}"
                )

    with_engine(access(db, None, None, passphrase_fd, debug=debug), work)


def send(
    target: Target,
    text: Annotated[
        list[str],
        typer.Argument(
            metavar="TEXT...",
            help="The message; several words are joined. A single - reads it from standard input.",
        ),
    ],
    *,
    db: Db = None,
    relay: Relay = None,
    relay_ca: RelayCa = None,
    passphrase_fd: PassphraseFd = None,
    timeout: Timeout = DEFAULT_TIMEOUT_S,
    delivered: Annotated[
        bool, typer.Option("--delivered", help="Wait until every member's device has stored it.")
    ] = False,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Send one message and wait until the relay has it.

    If the relay cannot be reached (exit code 4) the message is stored, and goes out with the next
    command that reaches the relay.
    """
    said = sys.stdin.read().rstrip("\n") if text == ["-"] else " ".join(text)

    async def work(engine: e2ecore.Engine) -> None:
        conversation = await reach(engine, lambda: find_conversation(engine, target), timeout)
        reader = engine.events()
        sent = await conversation.send(said)
        try:
            await at_relay(engine, conversation.ready, timeout)
            await at_relay(engine, sent.accepted, timeout)
            if delivered:
                await at_relay(
                    engine, lambda: _delivered(reader, conversation, sent.message_id), timeout
                )
        except (e2ecore.TransientError, RelayTimeoutError) as error:
            note = "The message is stored and goes out as soon as the relay is reached."
            raise CliError(f"{explain(error)}\n{note}", Exit.RELAY_UNREACHABLE) from None
        if json:
            print(
                jsonlines.dump(
                    {
                        "type": "sent",
                        "conversation": conversation.conversation_id.hex(),
                        "id": sent.message_id.hex(),
                        "state": "delivered" if delivered else "accepted",
                    }
                )
            )

    with_engine(access(db, relay, relay_ca, passphrase_fd, debug=debug), work)


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


def history(
    target: Target,
    *,
    limit: Annotated[
        int, typer.Option("--limit", "-n", min=1, help="How many of the newest messages.")
    ] = 50,
    unread: Annotated[bool, typer.Option("--mark-read", help="Count them as read.")] = False,
    ids: Annotated[
        bool, typer.Option("--ids", help="Begin each line with the end of the message's id.")
    ] = False,
    db: Db = None,
    passphrase_fd: PassphraseFd = None,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Print the newest messages of a conversation, oldest first. Needs no relay."""

    async def work(engine: e2ecore.Engine) -> None:
        conversation = await find_conversation(engine, target)
        names = Names(engine)
        for one in await last_messages(conversation, limit):
            show(one, await names.of(one.sender), json=json, ids=ids)
        if unread:
            await conversation.mark_read()

    with_engine(access(db, None, None, passphrase_fd, debug=debug), work)


async def last_messages(conversation: e2ecore.Conversation, limit: int) -> list[e2ecore.Message]:
    """The newest messages, oldest first, fetched page by page."""
    found: list[e2ecore.Message] = []
    before: int | None = None
    while len(found) < limit:
        page = await conversation.messages(before=before, limit=min(limit - len(found), _PAGE))
        if not page:
            break
        found[:0] = page
        before = page[0].order
    return found


def show(
    one: e2ecore.Message, author: str, *, json: bool, title: str = "", ids: bool = False
) -> None:
    """One message as a line."""
    if json:
        line = jsonlines.dump(jsonlines.message(one, author))
    else:
        where = f" [{visible(title)}]" if title else ""
        name = f"{one.message_id.hex()[-_SHORT_ID:]}  " if ids else ""
        line = f"{name}{stamp(one.sent_ms)}{where} {visible(author)}: {words.full(one)}"
    print(line, flush=True)


def tail(
    target: Annotated[
        str | None,
        typer.Argument(metavar="[HANDLE|+TITLE|ID]", help="Only this conversation."),
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
    db: Db = None,
    relay: Relay = None,
    relay_ca: RelayCa = None,
    passphrase_fd: PassphraseFd = None,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Print messages as they arrive, those first that waited at the relay. Ctrl+C ends it."""

    async def work(engine: e2ecore.Engine) -> None:
        reader = engine.events()
        only = (
            await reach(engine, lambda: find_conversation(engine, target), DEFAULT_TIMEOUT_S)
            if target
            else None
        )
        uid = only.conversation_id if only else None
        await _Tail(engine, uid, limit, json=json, events=events).run(reader, idle)

    with_engine(access(db, relay, relay_ca, passphrase_fd, debug=debug), work)


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
        author = await self._names.of(event.message.sender)
        group = conversation.kind is e2ecore.ConversationKind.GROUP
        title = conversation.title if group and self._only is None else ""
        show(event.message, author, json=self._json, title=title)
        if self._left is not None:
            self._left -= 1
