"""``poll ...``: ask, vote, close, and see how it stands."""

import sys
from collections.abc import Awaitable, Callable
from typing import Annotated, Final

import typer

import e2ecore
from cli_demo import jsonlines, polls
from cli_demo.naming import Names
from cli_demo.options import Access, Target, local, online, seconds
from cli_demo.running import go_out, reach, with_engine
from cli_demo.targets import find_conversation, find_poll
from cli_demo.text import now_ms, visible
from cli_demo.views import symbols_for

app = typer.Typer(
    name="poll",
    help="Ask, vote, close. Nobody sees what others chose before a poll is closed.",
    no_args_is_help=True,
)
WhichPoll = Annotated[
    str,
    typer.Argument(
        metavar="POLL",
        help="The id of the poll as `history --ids` prints it, or `last` for the newest one.",
    ),
]
Act = Callable[[e2ecore.Conversation, e2ecore.Message], Awaitable[e2ecore.SentMessage]]
_NOTE: Final = "It is stored and goes out as soon as the relay is reached."
_CELLS: Final = 72


@app.command()
@online
def ask(
    where: Access,
    target: Target,
    question: Annotated[str, typer.Argument(help="At most 300 characters.")],
    choices: Annotated[
        list[str], typer.Argument(metavar="CHOICE", help="2 to 12, at most 100 characters each.")
    ],
    *,
    most: Annotated[
        int, typer.Option("--most", metavar="N", min=1, help="How many one vote may choose.")
    ] = 1,
    closes: Annotated[
        int | None,
        typer.Option(
            "--for", metavar="TIME", parser=seconds, help="Close it after this time: 10m, 8h, 7d."
        ),
    ] = None,
) -> None:
    """Begin a poll. You close it, or an admin or owner, or its time does."""
    closes_ms = None if closes is None else now_ms() + closes * 1000

    async def work(engine: e2ecore.Engine) -> None:
        conversation = await reach(engine, lambda: find_conversation(engine, target), where.timeout)
        sent = await conversation.ask(question, choices, max_choices=most, closes_ms=closes_ms)
        for waiting in (conversation.ready, sent.accepted):
            await go_out(engine, waiting, where.timeout, _NOTE)
        if where.json:
            print(jsonlines.dump(jsonlines.sent(conversation, sent)))

    with_engine(where, work)


@app.command()
@online
def vote(
    where: Access,
    target: Target,
    poll: WhichPoll,
    numbers: Annotated[
        list[int] | None,
        typer.Argument(metavar="NUMBER", help="Of the choices, from 1; none takes it back."),
    ] = None,
) -> None:
    """Vote, instead of an earlier vote of yours. It is sealed until the poll is closed."""

    async def act(chat: e2ecore.Conversation, one: e2ecore.Message) -> e2ecore.SentMessage:
        if one.poll is None:
            raise e2ecore.NotAPollError
        return await chat.vote(one, polls.choices(numbers or (), len(one.poll.options)))

    _act(where, target, poll, act)


@app.command()
@online
def close(where: Access, target: Target, poll: WhichPoll) -> None:
    """Close a poll: the votes that came until now count, and are opened.

    Who asked may, and in groups admins and owners.
    """
    _act(where, target, poll, lambda chat, one: chat.close_poll(one))


@app.command()
@local
def show(
    where: Access,
    target: Target,
    poll: Annotated[
        str, typer.Argument(metavar="POLL", help="As for `vote`; default: the newest one.")
    ] = "last",
) -> None:
    """Print how a poll stands. Needs no relay."""

    async def work(engine: e2ecore.Engine) -> None:
        conversation = await find_conversation(engine, target)
        one = await find_poll(conversation, poll)
        result = await conversation.poll(one)
        if where.json:
            print(jsonlines.dump(jsonlines.poll(one, result)))
            return
        view = await polls.view(result, Names(engine))
        print(visible(view.question))
        for line in polls.lines(view, _CELLS, symbols_for(sys.stdout.encoding)):
            print("".join(part.text for part in line).rstrip())

    with_engine(where, work)


def _act(where: Access, target: str, which: str, act: Act) -> None:
    """Do something with a poll, and wait until the relay has it."""

    async def work(engine: e2ecore.Engine) -> None:
        conversation = await reach(engine, lambda: find_conversation(engine, target), where.timeout)
        sent = await act(conversation, await find_poll(conversation, which))
        await go_out(engine, sent.accepted, where.timeout, _NOTE)
        if where.json:
            print(jsonlines.dump(jsonlines.sent(conversation, sent)))

    with_engine(where, work)
