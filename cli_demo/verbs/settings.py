"""``receipts``, ``top``, ``archive``, ``mute``: what a conversation does, as this user likes it."""

from collections.abc import Callable
from enum import Enum
from typing import Annotated, Final, Protocol

import typer

import e2ecore
from cli_demo import jsonlines
from cli_demo.options import Access, Target, local, seconds
from cli_demo.running import with_engine
from cli_demo.targets import find_conversation
from cli_demo.text import now_ms
from cli_demo.words import muted_words


class Switch(Enum):
    """On or off."""

    ON = "on"
    OFF = "off"


_SWITCHES: Final = frozenset(one.value for one in Switch)
OnOff = Annotated[
    Switch | None, typer.Argument(metavar="on|off", help="Without it: say what holds.")
]


class Change(Protocol):
    """Turns something of a conversation on or off."""

    async def __call__(self, one: e2ecore.Conversation, *, on: bool) -> None:
        """Do it."""


@local
def receipts(
    where: Access,
    target: Target,
    switch: OnOff = None,
) -> None:
    """Let the others of a conversation know what you have read, or not. Off until you turn it on.

    Needs no relay; the others get to know when it is reached.
    """

    async def work(engine: e2ecore.Engine) -> None:
        conversation = await find_conversation(engine, target)
        if switch is not None:
            await conversation.share_reading(on=switch is Switch.ON)
        is_on = await conversation.shares_reading()
        uid = conversation.conversation_id.hex()
        if where.json:
            print(jsonlines.dump({"type": "receipts", "conversation": uid, "on": is_on}))
        elif switch is None:
            print("on" if is_on else "off")

    with_engine(where, work)


@local
def top(where: Access, target: Target, switch: OnOff = None) -> None:
    """Keep a conversation at the top of the list, or not any more. Nobody else gets to know."""

    async def change(one: e2ecore.Conversation, *, on: bool) -> None:
        await one.set_pinned(on=on)

    _arrange(where, target, switch, change, lambda one: one.pinned)


@local
def archive(where: Access, target: Target, switch: OnOff = None) -> None:
    """Put a conversation at the end of the list, or back. Nobody else gets to know."""

    async def change(one: e2ecore.Conversation, *, on: bool) -> None:
        await one.set_archived(on=on)

    _arrange(where, target, switch, change, lambda one: one.archived)


@local
def mute(
    where: Access,
    target: Target,
    time: Annotated[
        str | None,
        typer.Argument(
            metavar="TIME|on|off", help="10m, 8h, 7d; on: until off. Without it: say what holds."
        ),
    ] = None,
) -> None:
    """Have a conversation not disturb, for a time or for good. Nobody else gets to know."""
    span_s = None if time in {None, *_SWITCHES} else seconds(time or "")

    async def work(engine: e2ecore.Engine) -> None:
        conversation = await find_conversation(engine, target)
        if time == Switch.ON.value:
            await conversation.mute()
        elif time == Switch.OFF.value:
            await conversation.unmute()
        elif span_s is not None:
            await conversation.mute(now_ms() + span_s * 1000)
        if where.json:
            print(jsonlines.dump(jsonlines.arranged(conversation)))
        elif time is None:
            print(muted_words(conversation.muted_until_ms, now_ms()) or "off")

    with_engine(where, work)


def _arrange(
    where: Access,
    target: str,
    switch: Switch | None,
    change: Change,
    holds: Callable[[e2ecore.Conversation], bool],
) -> None:
    async def work(engine: e2ecore.Engine) -> None:
        conversation = await find_conversation(engine, target)
        if switch is not None:
            await change(conversation, on=switch is Switch.ON)
        if where.json:
            print(jsonlines.dump(jsonlines.arranged(conversation)))
        elif switch is None:
            print("on" if holds(conversation) else "off")

    with_engine(where, work)
