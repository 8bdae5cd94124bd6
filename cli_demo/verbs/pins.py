"""``pin``, ``unpin``, ``pins``: messages that all members have at hand."""

import e2ecore
from cli_demo.naming import Names
from cli_demo.options import Access, Target, Which, local, online
from cli_demo.running import with_engine
from cli_demo.targets import find_conversation
from cli_demo.verbs.messages import show
from cli_demo.verbs.remarks import act_on


@online
def pin(where: Access, target: Target, message: Which) -> None:
    """Pin a message for all members; in groups admins and owners may."""
    act_on(where, target, message, lambda chat, one: chat.pin_message(one))


@online
def unpin(where: Access, target: Target, message: Which) -> None:
    """Have a message pinned for nobody any more, whoever has pinned it."""
    act_on(where, target, message, lambda chat, one: chat.unpin_message(one))


@local
def pins(where: Access, target: Target) -> None:
    """Print the pinned messages, the one pinned last first. Needs no relay."""

    async def work(engine: e2ecore.Engine) -> None:
        conversation = await find_conversation(engine, target)
        names = Names(engine)
        for one in await conversation.pinned_messages():
            await show(one, names, json=where.json, ids=True)

    with_engine(where, work)
