"""``receipts``: what a conversation does by itself, as this user likes it."""

from enum import Enum
from typing import Annotated

import typer

import e2ecore
from cli_demo import jsonlines
from cli_demo.options import Access, Target, local
from cli_demo.running import with_engine
from cli_demo.targets import find_conversation


class Switch(Enum):
    """On or off."""

    ON = "on"
    OFF = "off"


@local
def receipts(
    where: Access,
    target: Target,
    switch: Annotated[
        Switch | None, typer.Argument(metavar="[on|off]", help="Without it: say what holds.")
    ] = None,
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
