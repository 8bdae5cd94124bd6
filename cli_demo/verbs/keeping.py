"""``lifetime``, ``keep``, ``keep-earlier``: how long messages and their earlier words stay."""

from enum import Enum
from typing import Annotated, Final

import typer

import e2ecore
from cli_demo import jsonlines
from cli_demo.options import Access, Target, local, online, seconds
from cli_demo.running import go_out, reach, with_engine
from cli_demo.targets import find_conversation
from cli_demo.text import lasting

_OFF: Final = "off"
_NOTE: Final = "The change is stored and is made as soon as the relay is reached."
Time = Annotated[
    str | None,
    typer.Argument(metavar="TIME|off", help="30s, 10m, 8h, 7d. Without it: say what holds."),
]


class Choice(Enum):
    """On, off, or as everywhere."""

    ON = "on"
    OFF = "off"
    USUAL = "usual"


@online
def lifetime(where: Access, target: Target, time: Time = None) -> None:
    """Have messages of a conversation erase themselves at everybody's, those sent from now on.

    In groups admins and owners may. Whoever wants to keep a message can.
    """
    wanted = _seconds(time)

    async def work(engine: e2ecore.Engine) -> None:
        if time is None:
            conversation = await find_conversation(engine, target)
        else:
            conversation = await reach(
                engine, lambda: find_conversation(engine, target), where.timeout
            )
            change = await conversation.set_lifetime(wanted)
            await go_out(engine, change.applied, where.timeout, _NOTE)
            await conversation.refresh()
        _say(where, conversation, "lifetime", conversation.lifetime_s, quiet=time is not None)

    with_engine(where, work)


@local
def keep(where: Access, target: Target, time: Time = None) -> None:
    """Erase here what is older, whoever wrote it, now and from now on. Others keep theirs."""
    wanted = _seconds(time)

    async def work(engine: e2ecore.Engine) -> None:
        conversation = await find_conversation(engine, target)
        if time is not None:
            await conversation.set_retention(None if wanted is None else wanted * 1000)
        held_ms = await conversation.retention()
        held = None if held_ms is None else held_ms // 1000
        _say(where, conversation, "keep", held, quiet=time is not None)

    with_engine(where, work)


@local
def keep_earlier(
    where: Access,
    choice: Annotated[
        Choice | None,
        typer.Argument(
            metavar="on|off|usual",
            help="usual: as everywhere, with --in. Without it: say what holds.",
        ),
    ] = None,
    *,
    within: Annotated[
        str | None,
        typer.Option("--in", metavar="HANDLE|+TITLE|ID", help="Only in this conversation."),
    ] = None,
) -> None:
    """Keep what edited messages said before, or erase it here and keep no more. On at first."""
    if choice is Choice.USUAL and within is None:
        raise typer.BadParameter("usual is for one conversation: name it with --in")

    async def work(engine: e2ecore.Engine) -> None:
        one = None if within is None else await find_conversation(engine, within)
        if choice is not None:
            await _choose(engine, one, choice)
        is_on = await (engine.my_data if one is None else one).keeps_earlier_texts()
        if where.json:
            uid = None if one is None else one.conversation_id.hex()
            print(jsonlines.dump({"type": "keep_earlier", "conversation": uid, "on": is_on}))
        elif choice is None:
            print("on" if is_on else "off")

    with_engine(where, work)


async def _choose(engine: e2ecore.Engine, one: e2ecore.Conversation | None, choice: Choice) -> None:
    if one is None:
        await engine.my_data.keep_earlier_texts(on=choice is Choice.ON)
    else:
        await one.keep_earlier_texts(on=None if choice is Choice.USUAL else choice is Choice.ON)


def _seconds(time: str | None) -> int | None:
    return None if time is None or time == _OFF else seconds(time)


def _say(
    where: Access, one: e2ecore.Conversation, kind: str, held_s: int | None, *, quiet: bool
) -> None:
    if where.json:
        uid = one.conversation_id.hex()
        print(jsonlines.dump({"type": kind, "conversation": uid, "seconds": held_s}))
    elif not quiet:
        print(_OFF if held_s is None else lasting(held_s))
