"""What can be done with one message, and with which letter. Pure."""

from enum import Enum
from typing import Final

from cli_demo.chat.dialogs import Choice
from cli_demo.views import Kind, Mark, MessageView


class Act(Enum):
    """What one can do with a message; the value is its letter."""

    REPLY = "r"
    REACT = "a"
    EDIT = "e"
    FORWARD = "f"
    VOTE = "v"
    CLOSE = "x"
    PIN = "p"
    JUMP = "g"
    CONTACT = "c"
    SAVE = "s"
    INFO = "i"
    RECALL = "t"
    DELETE = "d"


_WORDS: Final = {
    Act.REPLY: "Reply",
    Act.REACT: "React",
    Act.EDIT: "Edit",
    Act.FORWARD: "Forward",
    Act.VOTE: "Vote",
    Act.CLOSE: "Close the poll: votes are opened",
    Act.PIN: "Pin for all, or not any more",
    Act.JUMP: "Go to what it answers",
    Act.CONTACT: "Write to this contact",
    Act.SAVE: "Save its files",
    Act.INFO: "Info: times, readers, reactions, earlier words",
    Act.RECALL: "Take back: everybody erases it",
    Act.DELETE: "Delete here; others keep it",
}
_WRITING: Final = frozenset(
    {Act.REPLY, Act.REACT, Act.EDIT, Act.VOTE, Act.CLOSE, Act.PIN, Act.RECALL}
)


ANSWERED: Final = frozenset({Kind.TEXT, Kind.CARD, Kind.FILES, Kind.POLL})
"""What can be answered."""
_FORWARDED: Final = frozenset({Kind.TEXT, Kind.CARD, Kind.FILES, Kind.POLL})


def acts_for(message: MessageView, *, writable: bool) -> list[Act]:
    """What makes sense.

    Args:
        message: With what.
        writable: Something can be sent in its conversation.
    """
    is_text = message.kind is Kind.TEXT
    is_open = message.poll is not None and message.poll.is_open
    is_there = message.kind is not Kind.RECALLED
    sense = {
        Act.REPLY: message.kind in ANSWERED,
        Act.REACT: is_there,
        Act.EDIT: is_text and message.own and message.mark is not Mark.FAILED,
        Act.FORWARD: message.kind in _FORWARDED,
        Act.VOTE: is_open,
        Act.CLOSE: is_open,
        Act.PIN: is_there,
        Act.JUMP: message.quote is not None and message.quote.order is not None,
        Act.CONTACT: message.kind is Kind.CARD and bool(message.account),
        Act.SAVE: bool(message.files),
        Act.INFO: True,
        Act.RECALL: is_there and message.own,
        Act.DELETE: True,
    }
    return [act for act in Act if sense[act] and (writable or act not in _WRITING)]


def choices(acts: list[Act]) -> list[Choice]:
    """The lines of the menu."""
    return [Choice(act.value, _WORDS[act], act.value) for act in acts]
