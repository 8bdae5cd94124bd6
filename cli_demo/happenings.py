"""What happened to a conversation, in words. Pure."""

from collections.abc import Callable
from typing import Final

import e2ecore
from cli_demo.naming import Names
from cli_demo.text import counted, joined, lasting, one_line

Calls = Callable[[bytes], str]
"""From an account id to the name that the screen shows for it; ``you`` for our own."""
_TITLE_CELLS: Final = 60
_ROLES: Final = {
    e2ecore.Role.MEMBER: "a member",
    e2ecore.Role.ADMIN: "an admin",
    e2ecore.Role.OWNER: "an owner",
}


def sentence(notice: e2ecore.Notice, names: Calls) -> str:
    """One line of the history that nobody wrote.

    Args:
        notice: What happened.
        names: How to call an account.
    """
    kinds = e2ecore.NoticeKind
    by = "somebody" if notice.by is None else names(notice.by)
    whom = joined([names(one) for one in notice.accounts]) or "somebody"
    alone = notice.by in {None, *notice.accounts}
    role = _ROLES[notice.role] if notice.role is not None else "something else"
    said = {
        kinds.JOINED: f"{whom} joined" if alone else f"{by} added {whom}",
        kinds.LEFT: f"{whom} left",
        kinds.REMOVED: f"{by} removed {whom}",
        kinds.ROLE: f"{by} made {whom} {role}",
        kinds.TITLE: f"{by} changed the title to {one_line(notice.title, _TITLE_CELLS)}",
        kinds.POLICY: f"{by} changed the rules: {_stay(notice.lifetime_s)}",
        kinds.KEYS: f"the devices of {whom} changed: compare the safety number again (Ctrl+T)",
        kinds.EXPIRED: f"{counted(notice.count, 'message')} expired at the relay, unread",
    }
    return said[notice.kind]


def _stay(lifetime_s: int | None) -> str:
    if lifetime_s is None:
        return "messages stay"
    return f"messages erase themselves after {lasting(lifetime_s)}"


async def told(notice: e2ecore.Notice, names: Names) -> str:
    """The same with the names that this database knows; we are "you"."""
    own = names.own
    called: dict[bytes, str] = {own: "you"}
    for one in (notice.by, *notice.accounts):
        if one is not None and one != own:
            called[one] = await names.of(one)
    return sentence(notice, lambda account: called[account])
