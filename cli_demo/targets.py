"""What a script may write to name a conversation, a message, or a member in a text."""

import itertools
import re
from collections.abc import Sequence
from typing import Final

import e2ecore
from cli_demo.exits import CliError, Exit
from cli_demo.naming import Names
from cli_demo.text import one_line

_ID: Final = re.compile(r"[0-9a-f]{32}\Z")
_SHORT: Final = re.compile(r"[0-9a-f]{8,32}\Z")
_LOOKED_AT: Final = 1_000
"""Messages among which the end of an id is looked for."""
_PAGE: Final = 200
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
        if one.peer is not None and usable and await names.handle_of(one.peer) == handle:
            return one
    return None


async def find_account(engine: e2ecore.Engine, handle: str) -> e2ecore.AccountId:
    """The account of a handle, ours or that of somebody whom this database knows.

    Raises:
        CliError: It knows nobody of that handle.
    """
    handle = handle.removeprefix("@")
    own = engine.account
    if own is not None and own.handle == handle:
        return own.account_id
    for one in await engine.contacts.list():
        if one.handle == handle:
            return one.account_id
    raise CliError(f"nobody here has the handle {one_line(handle, _TITLE_CELLS)}", Exit.USAGE)


async def find_own_device(engine: e2ecore.Engine, begins: str, unknown: str) -> e2ecore.Device:
    """The one device of ours in use whose id begins so.

    Args:
        engine: Whose account it is.
        begins: Hexadecimal digits.
        unknown: What to say if there is none, or several.

    Raises:
        CliError: There is none, or several.
    """
    found = [
        one
        for one in await engine.devices.list()
        if one.removed_ms is None and one.device_id.hex().startswith(begins.lower())
    ]
    if len(found) != 1:
        raise CliError(unknown, Exit.USAGE)
    return found[0]


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


async def find_mentions(
    conversation: e2ecore.Conversation, text: str, handles: Sequence[str]
) -> list[e2ecore.Mention]:
    """Where a text names members as ``@HANDLE``, in order.

    Raises:
        CliError: A handle is no member's, or the text does not name it.
    """
    found = []
    members = {one.handle: one.account_id for one in await conversation.members()}
    for handle in {one.removeprefix("@") for one in handles}:
        if handle not in members:
            raise CliError(f"nobody in this conversation has the handle {handle}", Exit.USAGE)
        places = list(re.finditer(rf"@{re.escape(handle)}(?![a-z0-9_]|\.[a-z0-9_])", text))
        if not places:
            raise CliError(f"the text does not say @{handle}", Exit.USAGE)
        for place in places:
            one = e2ecore.Mention(members[handle], place.start(), place.end() - place.start())
            found.append(one)
    return sorted(found, key=lambda one: one.start)


async def last_messages(
    conversation: e2ecore.Conversation, limit: int, before: int | None = None
) -> list[e2ecore.Message]:
    """The newest messages, or those before a place, oldest first, fetched page by page."""
    found: list[e2ecore.Message] = []
    while len(found) < limit:
        page = await conversation.messages(before=before, limit=min(limit - len(found), _PAGE))
        if not page:
            break
        found[:0] = page
        before = page[0].order
    return found


async def messages_from(
    conversation: e2ecore.Conversation, time_ms: int, limit: int
) -> list[e2ecore.Message]:
    """The first messages sent at a time or later, oldest first, fetched page by page."""
    page = await conversation.messages(at_ms=time_ms, limit=_PAGE)
    found = list(itertools.dropwhile(lambda one: one.sent_ms < time_ms, page))
    while found and len(found) < limit:
        page = await conversation.messages(after=found[-1].order, limit=_PAGE)
        if not page:
            break
        found += page
    return found[:limit]


async def find_message(conversation: e2ecore.Conversation, which: str) -> e2ecore.Message:
    """The message that a script names; ``last`` is the newest one that somebody wrote.

    Raises:
        CliError: There is none, or more than one.
    """
    if which == "last":
        newest = await last_messages(conversation, _PAGE)
        found = [one for one in newest if one.notice is None][-1:]
    elif not _SHORT.match(which):
        raise CliError("a message is named by its id (`e2e history --ids`) or `last`", Exit.USAGE)
    elif _ID.match(which):
        one = await conversation.find_message(e2ecore.MessageId(bytes.fromhex(which)))
        found = [] if one is None else [one]
    else:
        newest = await last_messages(conversation, _LOOKED_AT)
        found = [one for one in newest if one.message_id.hex().endswith(which)]
    if len(found) != 1:
        raise CliError(f"{'no' if not found else 'more than one'} such message", Exit.USAGE)
    return found[0]


async def find_poll(conversation: e2ecore.Conversation, which: str) -> e2ecore.Message:
    """The poll that a script names; ``last`` is the newest one.

    Raises:
        CliError: There is none, or more than one.
    """
    if which != "last":
        return await find_message(conversation, which)
    newest = await last_messages(conversation, _LOOKED_AT)
    found = next((one for one in reversed(newest) if one.poll is not None), None)
    if found is None:
        raise CliError("there is no poll here", Exit.USAGE)
    return found


async def _ids(engine: e2ecore.Engine, found: Sequence[e2ecore.Conversation]) -> str:
    names = Names(engine)
    ids = []
    for one in found:
        members = [await names.of(member.account_id) for member in await one.members()]
        ids.append(f"{one.conversation_id.hex()} ({', '.join(members)})")
    return "; ".join(ids)
