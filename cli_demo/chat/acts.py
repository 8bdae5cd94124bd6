"""What is done with single messages: chosen from the menu, by a letter, or behind a slash."""

from datetime import datetime
from typing import TYPE_CHECKING, Final

from cli_demo.chat.completion import ASCII_SIGNS, SIGNS
from cli_demo.chat.dialogs import Ask, Choice, Choose, Confirm, Field, Page
from cli_demo.chat.menu import ANSWERED, Act, acts_for, choices
from cli_demo.chat.polling import Polls
from cli_demo.places import default_downloads
from cli_demo.text import joined, one_line, stamp
from cli_demo.views import ASCII, Kind, Mark, MessageView

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from cli_demo.chat.carrier import Carrier
    from cli_demo.chat.window import Window

_SHOWN_CELLS: Final = 46
_OTHER: Final = "other"
_NONE: Final = "none"
_STATES: Final = {
    Mark.QUEUED: "stored on this device; the relay has not got it yet",
    Mark.ACCEPTED: "the relay has it",
    Mark.DELIVERED: "stored on every device of the conversation",
    Mark.FAILED: "not sent: the relay refused it",
    Mark.RECEIVED: "received",
}


class Acts:
    """Every method runs in a worker and may raise E2EError."""

    def __init__(self, window: "Window", carrier: "Carrier") -> None:
        self._window = window
        self.polls = Polls(window)
        self._carrier = carrier
        self._doing: Final[dict[Act, Callable[[MessageView], Awaitable[None]]]] = {
            Act.REPLY: self.reply,
            Act.REACT: self.pick_sign,
            Act.EDIT: self.edit,
            Act.FORWARD: self.pick_place,
            Act.VOTE: self.polls.vote,
            Act.CLOSE: self.polls.close,
            Act.PIN: self.pin,
            Act.JUMP: self.jump,
            Act.CONTACT: self.write_to,
            Act.SAVE: self.save,
            Act.INFO: self.info,
            Act.RECALL: self.recall,
            Act.DELETE: self.delete,
        }

    async def menu(self, message: MessageView) -> None:
        """Ask what is to be done, and do it."""
        acts = acts_for(message, writable=self._window.room.writable)
        screen = Choose(self._brief(message), choices(acts), hint="Enter or the letter does it.")
        answer = await self._window.ask(screen)
        if answer is not None:
            await self.do(Act(answer), message)

    async def do(self, act: Act, message: MessageView) -> None:
        """Do it, if it makes sense."""
        if act in acts_for(message, writable=self._window.room.writable):
            await self._doing[act](message)

    def _brief(self, message: MessageView) -> str:
        more = self._window.symbols.more
        return one_line(f"{message.author}: {message.brief}", _SHOWN_CELLS, more)

    # -- writing ---------------------------------------------------------------------------------

    async def reply(self, message: MessageView) -> None:
        """What is written next answers it."""
        self._window.room.answer(message)

    async def edit(self, message: MessageView) -> None:
        """What is written next stands in its place."""
        self._window.room.rewrite(message)

    async def pick_sign(self, message: MessageView) -> None:
        """Ask for a reaction."""
        own = [one.sign for one in message.signs if one.own]
        signs = ASCII_SIGNS if self._window.symbols is ASCII else SIGNS
        lines = [Choice(f"={one}", f"{one}  {about}", str(n % 10)) for n, (one, about) in
                 enumerate(signs, 1)]  # fmt: skip
        lines.append(Choice(_OTHER, "something else", "e"))
        if own:
            lines.append(Choice(_NONE, f"take back {' '.join(own)}", "t"))
        answer = await self._window.ask(Choose(self._brief(message), lines))
        if answer == _OTHER:
            typed = await self._window.ask(Ask("React", [Field("Sign")], accept="React"))
            answer = f"={typed[0]}" if typed else None
        if answer is not None:
            await self.react(message, answer.removeprefix("=") if answer != _NONE else "")

    async def react(self, message: MessageView, signs: str) -> None:
        """Say what we think of it; no sign takes that back."""
        distinct = list(dict.fromkeys(signs.split()))
        await self._window.desk.messages.react(self._uid, message.order, distinct)

    async def pick_place(self, message: MessageView) -> None:
        """Ask where to forward it."""
        places = [Choice(uid, name) for uid, name in self._window.places()]
        answer = await self._window.ask(Choose("Forward to", places))
        if answer is not None:
            await self.forward(message, answer)

    async def forward(self, message: MessageView, uid: str) -> None:
        """Send it to another conversation."""
        if not message.files:
            await self._window.desk.messages.forward(self._uid, message.order, uid)
        elif not await self._carrier.forward(message, uid):
            return
        view = await self._window.desk.conversation(uid)
        self._window.tell(f"Forwarded to {view.title}.", severity="information")

    async def pin(self, message: MessageView) -> None:
        """Have all see it among the pinned ones, or not any more."""
        desk = self._window.desk
        await desk.messages.pin(self._uid, message.order, on=not message.pinned)

    async def pick_pinned(self, _rest: str) -> None:
        """Go to one of the pinned messages."""
        found = await self._window.desk.messages.pinned(self._uid)
        lines = [Choice(str(one.order), self._brief(one)) for one in found]
        title = "Pinned messages" if lines else "No message is pinned here"
        answer = await self._window.ask(Choose(title, lines))
        if answer is not None:
            await self._window.jump(self._uid, int(answer))

    # -- taking away -----------------------------------------------------------------------------

    async def recall(self, message: MessageView) -> None:
        """Have everybody erase it, after a question."""
        question = (
            f'Take back "{self._brief(message)}"? Everybody\'s device erases it. '
            "Who has read it has read it."
        )
        if await self._window.ask(Confirm(question, yes="Take back")):
            self._window.room.history.unselect()
            await self._window.desk.messages.recall(self._uid, message.order)

    async def delete(self, message: MessageView) -> None:
        """Erase it here, after a question."""
        question = f'Delete "{self._brief(message)}" from this device? Others keep it.'
        if await self._window.ask(Confirm(question, yes="Delete")):
            await self._window.desk.messages.delete(self._uid, message.order)

    # -- looking ---------------------------------------------------------------------------------

    async def jump(self, message: MessageView) -> None:
        """To the message that it answers."""
        if message.quote is not None and message.quote.order is not None:
            await self._window.jump(self._uid, message.quote.order)

    async def jump_to_day(self, text: str) -> None:
        """To the first message of a day."""
        try:
            day = datetime.strptime(text, "%Y-%m-%d").astimezone()
        except (ValueError, OverflowError):
            self._window.tell("A day is written as 2026-11-23.")
            return
        order = await self._window.desk.messages.place_of(self._uid, int(day.timestamp() * 1000))
        if order is None:
            self._window.tell("Nothing was written on that day or later.", severity="warning")
        else:
            await self._window.jump(self._uid, order)

    async def save(self, message: MessageView) -> None:
        """Fetch its files."""
        for one in message.files:
            self._carrier.fetch(message, one, default_downloads())

    async def write_to(self, message: MessageView) -> None:
        """To the conversation with whom a card shows."""
        uid = await self._window.desk.write_to(message.account)
        await self._window.open_conversation(uid)

    async def info(self, message: MessageView) -> None:
        """All that is known of it."""
        earlier = await self._earlier(message) if message.edited else []
        await self._window.ask(Page("Message", _about(message, earlier)))

    async def _earlier(self, message: MessageView) -> list[str]:
        return await self._window.desk.messages.earlier(self._uid, message.order)

    @property
    def _uid(self) -> str:
        return self._window.room.uid


def subject(room_messages: list[MessageView], *, own: bool) -> MessageView | None:
    """The message that a command is about when none is selected: the newest that makes sense."""
    kinds = {Kind.TEXT} if own else ANSWERED
    return next(
        (
            one
            for one in reversed(room_messages)
            if not one.notice and one.own is own and one.kind in kinds
        ),
        None,
    )


def _about(message: MessageView, earlier: list[str]) -> str:
    lines = [
        f"From       {message.author}",
        f"Written    {stamp(message.time_ms)}",
        f"State      {_STATES[message.mark]}",
    ]
    if message.readers:
        lines.append(f"Read by    {joined(message.readers)}")
    if message.until_ms:
        lines.append(f"Until      {stamp(message.until_ms)}; then it erases itself")
    if message.forwards:
        lines.append(f"Forwarded  {message.forwards} times, as its senders say")
    lines += [f"{one.sign}  {joined(one.names)}" for one in message.signs]
    if earlier:
        lines += ["", "It said before:", *(f"  {one}" for one in earlier)]
    if message.kind is Kind.UNKNOWN:
        lines += ["", "A newer version of e2e made this message. It is kept; update to see it."]
    return "\n".join(lines)
