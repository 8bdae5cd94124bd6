"""What is done with polls in the window: begin one, vote, close."""

from typing import TYPE_CHECKING, Final

import e2ecore
from cli_demo import polls
from cli_demo.chat.ballot import Asked, AskPoll, Ballot, asked
from cli_demo.chat.dialogs import Choice, Choose, Confirm
from cli_demo.text import one_line
from cli_demo.views import MessageView, PollView

if TYPE_CHECKING:
    from cli_demo.chat.window import Window

_TITLE_CELLS: Final = 56
_KEYS: Final = "123456789"
_NONE: Final = "none"


class Polls:
    """Every method runs in a worker and may raise E2EError."""

    def __init__(self, window: "Window") -> None:
        self._window = window

    async def begin(self, rest: str) -> None:
        """Ask all; what was typed may be the whole poll, or the question."""
        if not self._window.room.writable:
            return
        poll: Asked | None = asked(rest) or await self._window.ask(AskPoll(rest))
        if poll is not None:
            uid = self._window.room.uid
            await self._window.desk.messages.ask(uid, poll)
            await self._window.room.show_end(uid)

    async def vote(self, message: MessageView, rest: str = "") -> None:
        """Vote by numbers, or ask for which."""
        if message.poll is None:
            raise e2ecore.NotAPollError
        if not message.poll.is_open:
            raise e2ecore.PollClosedError
        if rest:
            await self._vote(message, _numbers(rest, len(message.poll.options)))
        elif message.poll.most > 1:
            marked = await self._window.ask(Ballot(message.poll))
            if marked is not None:
                await self._vote(message, marked)
        else:
            await self._vote_one(message, message.poll)

    async def _vote_one(self, message: MessageView, poll: PollView) -> None:
        lines = [
            Choice(str(number), one.text, _KEYS[number : number + 1])
            for number, one in enumerate(poll.options)
        ]
        if any(one.own for one in poll.options):
            lines.append(Choice(_NONE, "take back your vote", "t"))
        title = one_line(poll.question, _TITLE_CELLS, self._window.symbols.more)
        answer = await self._window.ask(Choose(title, lines, hint="Your vote is sealed."))
        if answer is not None:
            await self._vote(message, () if answer == _NONE else (int(answer),))

    async def _vote(self, message: MessageView, choices: "tuple[int, ...]") -> None:
        await self._window.desk.messages.vote(self._window.room.uid, message.order, choices)

    async def close(self, message: MessageView) -> None:
        """Close it, after a question."""
        if message.poll is None:
            raise e2ecore.NotAPollError
        title = one_line(message.poll.question, _TITLE_CELLS, self._window.symbols.more)
        question = f'Close "{title}" now? The votes that came count, and all see them.'
        if await self._window.ask(Confirm(question, yes="Close it")):
            await self._window.desk.messages.close(self._window.room.uid, message.order)

    def subject(self) -> MessageView | None:
        """The selected poll, or the newest one that is open, or else the newest one."""
        history = self._window.room.history
        if history.selected is not None:
            return history.selected
        found = [one for one in history.messages if one.poll is not None]
        still = [one for one in found if one.poll is not None and one.poll.is_open]
        if not found:
            self._window.tell("There is no poll here. /poll begins one.", severity="warning")
            return None
        return (still or found)[-1]


def _numbers(text: str, options: int) -> tuple[int, ...]:
    """Which choices somebody means.

    Raises:
        BadChoiceError: They are not numbers, or there are no such choices.
    """
    words = text.replace(",", " ").split()
    if not all(one.isascii() and one.isdigit() for one in words):
        raise e2ecore.BadChoiceError
    return tuple(polls.choices([int(one) for one in words], options))
