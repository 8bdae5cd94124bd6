"""What is typed behind a slash, carried out."""

from typing import TYPE_CHECKING, Final

import e2ecore
from cli_demo.chat.acts import Acts, subject
from cli_demo.chat.commands import Call
from cli_demo.chat.wishes import Wishes
from cli_demo.text import lasting, period
from cli_demo.views import Kind, MessageView

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from cli_demo.chat.carrier import Carrier
    from cli_demo.chat.window import Window

_SWITCH: Final = {"on": True, "off": False}


class Slash:
    """One method for each command; runs in a worker and may raise E2EError."""

    def __init__(self, window: "Window", acts: Acts, wishes: Wishes, carrier: "Carrier") -> None:
        self._window = window
        self._acts = acts
        self._wishes = wishes
        self._commands: Final[dict[str, Callable[[str], Awaitable[None]]]] = {
            "reply": self._reply,
            "react": self._react,
            "edit": self._edit,
            "recall": self._recall,
            "delete": self._delete,
            "forward": self._forward,
            "info": self._info,
            **carrier.commands,
            "find": window.find,
            "date": acts.jump_to_day,
            "contact": self._contact,
            "lifetime": self._lifetime,
            "keep": self._keep,
            "receipts": self._receipts,
            "poll": acts.polls.begin,
            "vote": self._vote,
            "close": self._close,
            "pin": self._pin,
            "pins": acts.pick_pinned,
            "top": self._top,
            "archive": self._archive,
            "mute": self._mute,
            "new": self._new,
            "group": lambda _rest: wishes.new_group(),
            "people": lambda _rest: wishes.people(),
            "verify": lambda _rest: wishes.safety(),
            "name": wishes.own_name,
            "call": wishes.name_other,
            "mydata": lambda _rest: wishes.my_data(),
            "help": lambda _rest: window.help(),
            "quit": self._quit,
        }

    async def run(self, call: Call) -> None:
        """Do it."""
        await self._commands[call.name](call.rest)

    # -- one message -----------------------------------------------------------------------------

    def _subject(self, *, own: bool) -> MessageView | None:
        """The selected message, or the newest one that it can be about."""
        history = self._window.room.history
        found = history.selected or subject(history.messages, own=own)
        if found is None:
            self._window.tell("There is no such message here.", severity="warning")
        return found

    async def _reply(self, rest: str) -> None:
        message = self._subject(own=False)
        if message is not None:
            await self._acts.reply(message)
            if rest:
                await self._window.room.send(rest)

    async def _react(self, rest: str) -> None:
        message = self._subject(own=False)
        if message is not None:
            await self._acts.react(message, rest)

    async def _edit(self, rest: str) -> None:
        message = self._subject(own=True)
        if message is None:
            return
        await self._acts.edit(_own(message))
        if rest:
            self._window.room.composer.clear()
            await self._window.room.send(rest)

    async def _recall(self, _rest: str) -> None:
        message = self._subject(own=True)
        if message is not None:
            await self._acts.recall(_own(message))

    async def _delete(self, _rest: str) -> None:
        message = self._window.room.history.selected or self._newest()
        if message is not None:
            await self._acts.delete(message)

    async def _vote(self, rest: str) -> None:
        message = self._acts.polls.subject()
        if message is not None:
            await self._acts.polls.vote(message, rest)

    async def _close(self, _rest: str) -> None:
        message = self._acts.polls.subject()
        if message is not None:
            await self._acts.polls.close(message)

    async def _pin(self, _rest: str) -> None:
        message = self._window.room.history.selected or self._newest()
        if message is not None:
            await self._acts.pin(message)

    async def _info(self, _rest: str) -> None:
        message = self._window.room.history.selected or self._newest()
        if message is not None:
            await self._acts.info(message)

    async def _forward(self, rest: str) -> None:
        message = self._window.room.history.selected or self._newest()
        if message is not None:
            await self._acts.forward(message, await self._window.desk.find(rest))

    def _newest(self) -> MessageView | None:
        messages = self._window.room.history.messages
        found = next((one for one in reversed(messages) if not one.notice), None)
        if found is None:
            self._window.tell("There is no message here.", severity="warning")
        return found

    async def _contact(self, rest: str) -> None:
        uid = self._window.room.uid
        await self._window.desk.show_contact(uid, rest.removeprefix("@"))
        await self._window.room.show_end(uid)

    # -- the conversation ------------------------------------------------------------------------

    async def _lifetime(self, rest: str) -> None:
        uid, desk = self._window.room.uid, self._window.desk
        seconds = period(rest)
        if rest != "off" and seconds is None:
            self._hint("/lifetime", (await desk.conversation(uid)).lifetime_s, rest)
            return
        await desk.set_lifetime(uid, None if rest == "off" else seconds)
        await self._window.changed(uid)

    async def _keep(self, rest: str) -> None:
        room, desk = self._window.room, self._window.desk
        seconds = period(rest)
        if rest == "off":
            await desk.keep(room.uid, None)
        elif seconds is None:
            self._hint("/keep", await desk.kept(room.uid), rest)
            return
        elif not await self._wishes.agree(
            f"Erase everything here that is older than {lasting(seconds)}, now and from now on? "
            "Others keep theirs.",
            "Erase",
        ):
            return
        else:
            await desk.keep(room.uid, seconds)
        held = "for ever" if rest == "off" else lasting(seconds or 0)
        self._window.tell(f"Messages are kept here {held}.", severity="information")

    def _hint(self, command: str, seconds: int | None, rest: str) -> None:
        """Say what holds, and how a time is written."""
        holds = "off" if seconds is None else lasting(seconds)
        hint = f"{command} is {holds} here. A time is written as 30s, 5m, 1h or 7d."
        self._window.tell(hint, severity="warning" if rest else "information")

    async def _receipts(self, rest: str) -> None:
        if rest not in _SWITCH:
            self._window.tell("It is either /receipts on or /receipts off.", severity="warning")
            return
        await self._window.desk.share_reading(self._window.room.uid, on=_SWITCH[rest])
        words = "The others get to know" if _SWITCH[rest] else "Nobody gets to know"
        self._window.tell(f"{words} what you have read here.", severity="information")

    async def _top(self, _rest: str) -> None:
        uid = self._window.room.uid
        await self._window.desk.pin(uid)
        await self._window.changed(uid)

    async def _archive(self, _rest: str) -> None:
        uid = self._window.room.uid
        await self._window.desk.put_away(uid)
        await self._window.changed(uid)

    async def _mute(self, rest: str) -> None:
        uid, seconds = self._window.room.uid, period(rest)
        if rest and seconds is None:
            self._window.tell("A time is written as 30s, 5m, 1h or 7d.", severity="warning")
            return
        until = await self._window.desk.mute(uid, seconds)
        self._window.tell(f"This conversation is {until or 'not muted'}.", severity="information")
        await self._window.changed(uid)

    # -- elsewhere -------------------------------------------------------------------------------

    async def _new(self, rest: str) -> None:
        if not rest:
            await self._wishes.new_direct()
        else:
            await self._window.open_conversation(
                await self._window.desk.start_direct(rest.removeprefix("@"))
            )

    async def _quit(self, _rest: str) -> None:
        await self._window.leave()


def _own(message: MessageView) -> MessageView:
    """A message that can be changed, because it is ours.

    Raises:
        NotYourMessageError: It is somebody else's.
        MessageGoneError: It was taken back.
    """
    if not message.own:
        raise e2ecore.NotYourMessageError
    if message.kind is Kind.RECALLED:
        raise e2ecore.MessageGoneError
    return message
