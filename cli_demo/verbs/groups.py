"""``group …``: make groups, change who is in them and what they may do."""

import sys
from collections.abc import Awaitable, Callable
from enum import Enum
from typing import Annotated, Final

import typer

import e2ecore
from cli_demo import jsonlines
from cli_demo.exits import RelayTimeoutError
from cli_demo.naming import Names
from cli_demo.options import Access, local, online
from cli_demo.running import at_relay, go_out, reach, with_engine
from cli_demo.targets import find_group
from cli_demo.text import visible

app = typer.Typer(
    name="group",
    help="Make groups, change who is in them and what they may do.",
    no_args_is_help=True,
)
Group = Annotated[
    str, typer.Argument(metavar="GROUP", help="A group's title (+TITLE works too) or its id.")
]
Handles = Annotated[list[str], typer.Argument(metavar="HANDLE", help="Who.")]


_LEAVING_S: Final = 5.0
"""How long leaving waits for another member's device, which has to be online to complete it."""


class RoleName(Enum):
    """The roles by name."""

    MEMBER = "member"
    ADMIN = "admin"
    OWNER = "owner"


@app.command()
@online
def create(
    where: Access,
    title: Annotated[str, typer.Argument(help="At most 128 characters.")],
    handles: Handles,
) -> None:
    """Make a group. You are its owner. Prints its id."""

    async def work(engine: e2ecore.Engine) -> None:
        async def begin() -> e2ecore.Conversation:
            people = [await engine.contacts.find(one) for one in handles]
            group = await engine.conversations.create_group(title, people)
            await group.ready()
            return group

        group = await at_relay(engine, begin, where.timeout)
        uid = group.conversation_id.hex()
        print(
            jsonlines.dump({"type": "group", "conversation": uid, "title": title})
            if where.json
            else uid
        )

    with_engine(where, work)


@app.command()
@local
def members(
    where: Access,
    group: Annotated[
        str, typer.Argument(metavar="GROUP", help="A group's title, or any conversation's id.")
    ],
) -> None:
    """List the members with their roles and whether they are verified."""

    async def work(engine: e2ecore.Engine) -> None:
        names = Names(engine)
        for one in await (await find_group(engine, group)).members():
            name = await (names.handle_of if where.json else names.of)(one.account_id)
            if where.json:
                print(jsonlines.dump(jsonlines.member(one, name)))
            else:
                state = "you" if one.is_self else one.verification.value
                print(f"{visible(name):<34}{one.role.name.lower():<8}{state}")

    with_engine(where, work)


@app.command()
@online
def add(
    where: Access,
    group: Group,
    handles: Handles,
) -> None:
    """Add people. They read what comes from now on, nothing older."""

    async def ask(
        engine: e2ecore.Engine, conversation: e2ecore.Conversation
    ) -> list[e2ecore.Change]:
        return [await conversation.add(await engine.contacts.find(one)) for one in handles]

    _change(where, group, ask)


@app.command()
@online
def remove(
    where: Access,
    group: Group,
    handles: Handles,
) -> None:
    """Remove people. They keep what they have and can read nothing that comes later."""

    async def ask(
        engine: e2ecore.Engine, conversation: e2ecore.Conversation
    ) -> list[e2ecore.Change]:
        return [await conversation.remove(await engine.contacts.find(one)) for one in handles]

    _change(where, group, ask)


@app.command()
@online
def leave(
    where: Access,
    group: Group,
) -> None:
    """Leave. You keep what you have and get nothing more."""

    async def work(engine: e2ecore.Engine) -> None:
        conversation = await reach(engine, lambda: find_group(engine, group), where.timeout)
        change = await conversation.leave()
        try:
            await at_relay(engine, change.applied, min(where.timeout, _LEAVING_S))
        except RelayTimeoutError:
            print("left; the next member's device that is online completes it", file=sys.stderr)
        if where.json:
            print(jsonlines.dump(jsonlines.changed(conversation)))

    with_engine(where, work)


@app.command()
@online
def title(
    where: Access,
    group: Group,
    new: Annotated[str, typer.Argument(metavar="TITLE", help="At most 128 characters.")],
) -> None:
    """Change the title."""

    async def ask(
        engine: e2ecore.Engine,  # noqa: ARG001
        conversation: e2ecore.Conversation,
    ) -> list[e2ecore.Change]:
        return [await conversation.rename(new)]

    _change(where, group, ask)


@app.command()
@online
def role(
    where: Access,
    group: Group,
    handle: Annotated[str, typer.Argument(help="Who.")],
    new: Annotated[RoleName, typer.Argument(metavar="ROLE", help="member, admin or owner.")],
) -> None:
    """Give somebody a role. Admins add and remove people; owners also give roles."""

    async def ask(
        engine: e2ecore.Engine, conversation: e2ecore.Conversation
    ) -> list[e2ecore.Change]:
        contact = await engine.contacts.find(handle)
        return [await conversation.set_role(contact, e2ecore.Role[new.name])]

    _change(where, group, ask)


Asking = Callable[[e2ecore.Engine, e2ecore.Conversation], Awaitable[list[e2ecore.Change]]]


def _change(where: Access, group: str, ask: Asking) -> None:
    """Ask for changes and wait until they are in force for everybody."""

    async def work(engine: e2ecore.Engine) -> None:
        conversation = await reach(engine, lambda: find_group(engine, group), where.timeout)
        changes = await at_relay(engine, lambda: ask(engine, conversation), where.timeout)
        note = "The change is stored and is made as soon as the relay is reached."
        for change in changes:
            await go_out(engine, change.applied, where.timeout, note)
        if where.json:
            print(jsonlines.dump(jsonlines.changed(conversation)))

    with_engine(where, work)
