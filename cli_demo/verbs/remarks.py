"""``reply``, ``react``, ``edit``, ``recall``, ``delete``: what is done with single messages."""

import re
from collections.abc import Awaitable, Callable
from typing import Annotated, Final

import typer

import e2ecore
from cli_demo.exits import CliError, Exit, RelayTimeoutError, explain
from cli_demo.options import Access, Db, Debug, PassphraseFd, Relay, RelayCa, Timeout, access
from cli_demo.running import DEFAULT_TIMEOUT_S, at_relay, with_engine
from cli_demo.targets import find_conversation
from cli_demo.verbs.messages import Target, last_messages

_ID: Final = re.compile(r"[0-9a-f]{8,32}\Z")
_FULL: Final = 32
_LOOKED_AT: Final = 1_000
Which = Annotated[
    str,
    typer.Argument(
        metavar="MESSAGE",
        help="The id of a message as `history --ids` prints it, or `last` for the newest one.",
    ),
]
Words = Annotated[
    list[str], typer.Argument(metavar="TEXT...", help="The text; several words are joined.")
]
Act = Callable[[e2ecore.Conversation, e2ecore.Message], Awaitable[e2ecore.SentMessage]]


async def find_message(conversation: e2ecore.Conversation, which: str) -> e2ecore.Message:
    """The message that a script names.

    Raises:
        CliError: There is none, or more than one.
    """
    if which == "last":
        found = await conversation.messages(limit=1)
    elif not _ID.match(which):
        raise CliError("a message is named by its id (`e2e history --ids`) or `last`", Exit.USAGE)
    elif len(which) == _FULL:
        one = await conversation.find_message(e2ecore.MessageId(bytes.fromhex(which)))
        found = [] if one is None else [one]
    else:
        newest = await last_messages(conversation, _LOOKED_AT)
        found = [one for one in newest if one.message_id.hex().endswith(which)]
    if len(found) != 1:
        raise CliError(f"{'no' if not found else 'more than one'} such message", Exit.USAGE)
    return found[0]


def reply(
    target: Target,
    message: Which,
    text: Words,
    *,
    db: Db = None,
    relay: Relay = None,
    relay_ca: RelayCa = None,
    passphrase_fd: PassphraseFd = None,
    timeout: Timeout = DEFAULT_TIMEOUT_S,
    debug: Debug = False,
) -> None:
    """Answer a message."""
    words = " ".join(text)
    _act(
        target,
        message,
        lambda chat, one: chat.send_rich(words, reply_to=one),
        access(db, relay, relay_ca, passphrase_fd, debug=debug),
        timeout,
    )


def react(
    target: Target,
    message: Which,
    signs: Annotated[
        list[str] | None,
        typer.Argument(metavar="[SIGN...]", help="Usually one emoji; none takes them back."),
    ] = None,
    *,
    db: Db = None,
    relay: Relay = None,
    relay_ca: RelayCa = None,
    passphrase_fd: PassphraseFd = None,
    timeout: Timeout = DEFAULT_TIMEOUT_S,
    debug: Debug = False,
) -> None:
    """Let all see what you think of a message."""
    _act(
        target,
        message,
        lambda chat, one: chat.react(one, *(signs or ())),
        access(db, relay, relay_ca, passphrase_fd, debug=debug),
        timeout,
    )


def edit(
    target: Target,
    message: Which,
    text: Words,
    *,
    db: Db = None,
    relay: Relay = None,
    relay_ca: RelayCa = None,
    passphrase_fd: PassphraseFd = None,
    timeout: Timeout = DEFAULT_TIMEOUT_S,
    debug: Debug = False,
) -> None:
    """Put a message of yours in other words, within 24 hours. Others can see what it said."""
    words = " ".join(text)
    _act(
        target,
        message,
        lambda chat, one: chat.edit(one, words),
        access(db, relay, relay_ca, passphrase_fd, debug=debug),
        timeout,
    )


def recall(
    target: Target,
    message: Which,
    *,
    db: Db = None,
    relay: Relay = None,
    relay_ca: RelayCa = None,
    passphrase_fd: PassphraseFd = None,
    timeout: Timeout = DEFAULT_TIMEOUT_S,
    debug: Debug = False,
) -> None:
    """Have everybody erase a message of yours. Who has read it has read it."""
    _act(
        target,
        message,
        lambda chat, one: chat.recall(one),
        access(db, relay, relay_ca, passphrase_fd, debug=debug),
        timeout,
    )


def delete(
    target: Target,
    message: Which,
    *,
    db: Db = None,
    passphrase_fd: PassphraseFd = None,
    debug: Debug = False,
) -> None:
    """Erase a message from this database only. Others keep it. Needs no relay."""

    async def work(engine: e2ecore.Engine) -> None:
        conversation = await find_conversation(engine, target)
        await conversation.delete_messages([await find_message(conversation, message)])

    with_engine(access(db, None, None, passphrase_fd, debug=debug), work)


def _act(target: str, which: str, act: Act, where: Access, timeout: float) -> None:
    """Do something with a message, and wait until the relay has what follows from it."""

    async def work(engine: e2ecore.Engine) -> None:
        conversation = await find_conversation(engine, target)
        sent = await act(conversation, await find_message(conversation, which))
        try:
            await at_relay(engine, sent.accepted, timeout)
        except (e2ecore.TransientError, RelayTimeoutError) as error:
            note = "It is stored and goes out as soon as the relay is reached."
            raise CliError(f"{explain(error)}\n{note}", Exit.RELAY_UNREACHABLE) from None

    with_engine(where, work)
