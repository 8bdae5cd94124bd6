"""What can be typed behind a slash: the table, and what a typed line means. Pure."""

import difflib
from dataclasses import dataclass
from typing import Final, TypeAlias


@dataclass(frozen=True, slots=True)
class Command:
    """One word behind the slash."""

    name: str
    takes: str
    """What comes after the word, for people; empty: nothing."""
    about: str
    needs: bool = False
    """Without what it takes it makes no sense."""


COMMANDS: Final = {
    one.name: one
    for one in (
        Command("reply", "TEXT", "answer the selected message"),
        Command("react", "SIGN...", "what you think of it; none: take back"),
        Command("edit", "TEXT", "put your message in other words"),
        Command("recall", "", "have everybody erase your message"),
        Command("delete", "", "erase the message here; others keep it"),
        Command("forward", "HANDLE or +TITLE", "send the message elsewhere", needs=True),
        Command("poll", "QUESTION | A | B...", "ask all; votes are sealed"),
        Command("vote", "NUMBER...", "vote on the newest poll"),
        Command("close", "", "close the poll: votes are opened"),
        Command("pin", "", "pin the message for all, or not any more"),
        Command("info", "", "times, readers, earlier words"),
        Command("send", "FILE...", "send files; a second line says what of", needs=True),
        Command("voice", "FILE", "send a sound file as a voice note", needs=True),
        Command("get", "N FOLDER", "fetch file N; the downloads folder"),
        Command("ask", "N", "ask its sender for an expired file"),
        Command("again", "N", "send your file once more to who asks"),
        Command("pause", "N", "stop what is on its way, for now"),
        Command("resume", "N", "go on with it"),
        Command("cancel", "N", "give it up"),
        Command("find", "WORDS", "search here, or everywhere"),
        Command("date", "YEAR-MONTH-DAY", "go to that day", needs=True),
        Command("contact", "HANDLE", "show somebody to the others", needs=True),
        Command("lifetime", "TIME or off", "new messages erase themselves everywhere"),
        Command("keep", "TIME or off", "erase here whatever is older"),
        Command("receipts", "on or off", "tell the others what you have read", needs=True),
        Command("pins", "", "go to one of the pinned messages"),
        Command("top", "", "keep it at the top of the list, or not"),
        Command("archive", "", "put it at the end of the list, or back"),
        Command("mute", "TIME", "let it not stand out in the list, or again"),
        Command("new", "HANDLE", "write to somebody"),
        Command("group", "", "make a group"),
        Command("people", "", "members: roles, add, remove, leave"),
        Command("verify", "", "the safety number"),
        Command("name", "NAME", "what you want to be called", needs=True),
        Command("call", "NAME or off", "your own name for the other person", needs=True),
        Command("mydata", "", "what is stored of you"),
        Command("help", "", "all keys and commands"),
        Command("quit", "", "leave; what waits is sent later"),
    )
}
_CLOSE_ENOUGH: Final = 0.6


@dataclass(frozen=True, slots=True)
class Words:
    """Something to be sent."""

    text: str


@dataclass(frozen=True, slots=True)
class Call:
    """Something to be done."""

    name: str
    rest: str
    """What was typed behind the command, without white space around it."""


@dataclass(frozen=True, slots=True)
class Puzzle:
    """No such command, or something is missing."""

    hint: str


Typed: TypeAlias = Words | Call | Puzzle


def read(text: str) -> Typed:
    """What a line means. Two slashes at its beginning stand for one that is to be sent."""
    if not text.startswith("/"):
        return Words(text)
    if text.startswith("//"):
        return Words(text[1:])
    word, rest = (*text[1:].split(None, 1), "", "")[:2]
    if text[1:2].isspace():
        word, rest = "", ""
    command = COMMANDS.get(word.lower())
    if command is None:
        return Puzzle(_unknown(word))
    if command.needs and not rest:
        return Puzzle(f"/{command.name} needs {command.takes}: {command.about}.")
    if rest and not command.takes:
        return Puzzle(f"/{command.name} takes nothing more. To send this as it is, begin with //.")
    return Call(command.name, rest.rstrip())


def _unknown(word: str) -> str:
    close = [name for name in COMMANDS if word and name.startswith(word.lower())]
    close = close or difflib.get_close_matches(word.lower(), COMMANDS, 1, _CLOSE_ENOUGH)
    meant = f" Did you mean {' or '.join(f'/{one}' for one in close)}?" if close else ""
    shown = word if len(word) <= 20 else word[:20] + "…"  # noqa: PLR2004 (a hint is one line)
    return f"There is no command /{shown}.{meant} F1 lists all; // sends a slash."
