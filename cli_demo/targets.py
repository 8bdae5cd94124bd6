"""What a script may write to name a conversation: a handle, ``+TITLE``, or a conversation id."""

import re
from collections.abc import Sequence
from typing import Final

import e2ecore
from cli_demo.exits import CliError, Exit
from cli_demo.naming import Names
from cli_demo.text import one_line

_ID: Final = re.compile(r"[0-9a-f]{32}\Z")
_TITLE_CELLS: Final = 40
_ENDED: Final = frozenset({e2ecore.ConversationState.FAILED, e2ecore.ConversationState.LOST})


async def find_conversation(engine: e2ecore.Engine, target: str) -> e2ecore.Conversation:
    """An existing conversation, or a new one with the person of that handle.

    A bare word is always a handle: a stranger cannot lure a text into a group by giving the group
    somebody's name.

    Raises:
        CliError: No conversation, or more than one, has that title.
        E2EError: There is no such handle or id.
    """
    if _ID.match(target):
        uid = e2ecore.GroupId(bytes.fromhex(target))
        return await engine.conversations.get(uid)
    if target.startswith("+"):
        return await _by_title(engine, target[1:])
    handle = target.removeprefix("@")
    known = await _with(engine, handle)
    if known is not None:
        return known
    contact = await engine.contacts.find(handle)
    return await engine.conversations.direct(contact)


async def _with(engine: e2ecore.Engine, handle: str) -> e2ecore.Conversation | None:
    """The conversation with a person that this database knows; needs no relay."""
    names = Names(engine)
    for one in await engine.conversations.list():
        usable = one.state not in _ENDED
        if one.peer is not None and usable and await names.of(one.peer) == handle:
            return one
    return None


async def find_group(engine: e2ecore.Engine, target: str) -> e2ecore.Conversation:
    """An existing group, by title (with or without the plus sign) or id."""
    if _ID.match(target):
        return await find_conversation(engine, target)
    return await _by_title(engine, target.removeprefix("+"))


async def _by_title(engine: e2ecore.Engine, title: str) -> e2ecore.Conversation:
    found = [
        one
        for one in await engine.conversations.list()
        if one.kind is e2ecore.ConversationKind.GROUP and one.title == title
    ]
    if len(found) == 1:
        return found[0]
    shown = one_line(title, _TITLE_CELLS)
    if not found:
        raise CliError(f"no group is called {shown!r}; `e2e list` shows all", Exit.USAGE)
    raise CliError(
        f"several groups are called {shown!r}: use an id: {await _ids(engine, found)}", Exit.USAGE
    )


async def _ids(engine: e2ecore.Engine, found: Sequence[e2ecore.Conversation]) -> str:
    names = Names(engine)
    ids = []
    for one in found:
        members = [await names.of(member.account_id) for member in await one.members()]
        ids.append(f"{one.conversation_id.hex()} ({', '.join(members)})")
    return "; ".join(ids)
