"""What the user may ask for in dialogs, from the question to the change."""

import re
from typing import TYPE_CHECKING, Final

from cli_demo.chat.dialogs import Ask, Confirm, Field, Page
from cli_demo.chat.digest import Changed, Digest
from cli_demo.chat.people import People, Wish
from cli_demo.chat.safety import Safety
from cli_demo.mydata import lines_of
from cli_demo.views import ConversationView, MemberView

if TYPE_CHECKING:
    from cli_demo.chat.window import Window

_SEPARATORS: Final = re.compile(r"[\s,;]+")
_HANDLE_HINT: Final = "A handle is the name that the other person registered."


def handles_in(text: str) -> list[str]:
    """Handles separated by spaces or commas, without doubles, in order."""
    return list(dict.fromkeys(part.lstrip("@") for part in _SEPARATORS.split(text) if part))


class Wishes:
    """Dialogs in the right order. Every method runs in a worker and may raise E2EError."""

    def __init__(self, window: "Window") -> None:
        self._window = window

    async def agree(self, question: str, yes: str) -> bool:
        """Ask before something that cannot be undone."""
        answer = await self._window.ask(Confirm(question, yes=yes))
        return answer is True

    async def new_direct(self) -> None:
        """A conversation with one person."""
        answer = await self._window.ask(
            Ask(
                "New conversation",
                [Field("Handle", "bob")],
                accept="Start",
                hint=_HANDLE_HINT,
            )
        )
        if answer:
            uid = await self._window.desk.start_direct(handles_in(answer[0])[0])
            await self._window.open_conversation(uid)

    async def my_data(self) -> None:
        """What is stored of us: as it begins, and after the passphrase the whole of it."""
        desk = self._window.desk
        answer = await self._window.ask(
            Ask(
                "What is stored of you",
                [Field("Passphrase, to see it whole", secret=True)],
                accept="Show",
                about="\n".join(lines_of(await desk.profile(None))),
            )
        )
        if answer:
            whole = await desk.profile(answer[0])
            await self._window.ask(Page("What is stored of you", "\n".join(lines_of(whole))))

    async def own_name(self, name: str) -> None:
        """What we want to be called; others get to see it."""
        await self._window.desk.set_name(name)
        self._window.tell(f"You are called {name} now.", severity="information")

    async def name_other(self, name: str) -> None:
        """Call the other person of a direct conversation by a name of one's own."""
        view = self._window.current
        if view is None or view.group:
            self._window.tell("In a group, choose somebody: Ctrl+O, then n.", severity="warning")
        elif view.handle:
            await self._call(view.handle, name)

    async def _ask_name(self, member: MemberView) -> None:
        answer = await self._window.ask(
            Ask(
                f"What do you call {member.handle}?",
                [Field("Name", value=member.name)],
                accept="Call",
                hint="Only you see it, on all your devices. off: the handle alone.",
            )
        )
        if answer is not None:
            await self._call(member.handle, answer[0])

    async def _call(self, handle: str, name: str) -> None:
        await self._window.desk.call(handle, "" if name == "off" else name)
        await self._window.changed()
        uid = bytes.fromhex(self._window.room.uid)
        again = Digest(everything=True, changed={uid: Changed(everything=True)})
        await self._window.room.refresh_messages(again)

    async def new_group(self) -> None:
        """A conversation with several."""
        answer = await self._window.ask(
            Ask(
                "New group",
                [Field("Title", "Saturday trip"), Field("Members", "bob carol dave")],
                accept="Create",
                hint="Handles with spaces between them. More can be added later.",
            )
        )
        if answer:
            title, members = answer
            uid = await self._window.desk.start_group(title, handles_in(members))
            await self._window.open_conversation(uid)

    async def people(self) -> None:
        """Members of the open conversation, and what follows from the choice."""
        view = self._window.current
        if view is None:
            return
        members = await self._window.desk.members(view.uid)
        request = await self._window.ask(
            People(view.title, members, self._window.symbols, group=view.group)
        )
        if request is None:
            return
        if request.wish is Wish.SAFETY:
            await self.compare(request.handle)
            return
        if request.wish is Wish.NAME:
            await self._ask_name(next(one for one in members if one.handle == request.handle))
            return
        if not view.open:
            self._window.notify(f"Nothing can be changed: {view.state}.", markup=False)
            return
        await self._change(view, request.wish, request.handle)
        await self._window.changed(view.uid)

    async def _change(self, view: ConversationView, wish: Wish, handle: str) -> None:
        match wish:
            case Wish.ADD:
                await self._add(view)
            case Wish.REMOVE:
                await self._remove(view, handle)
            case Wish.ROLE:
                await self._window.desk.next_role(view.uid, handle)
            case Wish.RENAME:
                await self._rename(view)
            case Wish.LEAVE:
                await self._leave(view)
            case Wish.SAFETY | Wish.NAME:
                raise AssertionError("they change nothing for the others")

    async def _add(self, view: ConversationView) -> None:
        answer = await self._window.ask(
            Ask(f"Add to {view.title}", [Field("Handles", "dave erin")], accept="Add")
        )
        if answer:
            await self._window.desk.add(view.uid, handles_in(answer[0]))

    async def _remove(self, view: ConversationView, handle: str) -> None:
        question = f"Remove {handle} from {view.title}? They keep what they have read."
        if await self._window.ask(Confirm(question, yes="Remove")):
            await self._window.desk.remove(view.uid, handle)

    async def _rename(self, view: ConversationView) -> None:
        answer = await self._window.ask(
            Ask("New title", [Field("Title", value=view.title)], accept="Rename")
        )
        if answer:
            await self._window.desk.rename(view.uid, answer[0])

    async def _leave(self, view: ConversationView) -> None:
        question = f"Leave {view.title}? You keep what you have read and get nothing more."
        if await self._window.ask(Confirm(question, yes="Leave", no="Stay")):
            await self._window.desk.leave(view.uid)

    async def safety(self) -> None:
        """Of the other person in a direct conversation; in a group, choose one first."""
        view = self._window.current
        if view is None:
            return
        if view.group:
            await self.people()
            return
        other = [one.handle for one in await self._window.desk.members(view.uid) if not one.own]
        if other:
            await self.compare(other[0])

    async def compare(self, handle: str) -> None:
        """Show the number, and remember the verdict."""
        safety = await self._window.desk.safety(handle)
        if await self._window.ask(Safety(safety, self._window.symbols)):
            await self._window.desk.verify(handle)
            await self._window.changed()
            self._window.notify(f"{handle} is verified.", markup=False)
