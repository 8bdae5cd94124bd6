"""What may stand where the cursor is: commands, members, people to forward to, signs. Pure."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from cli_demo.chat.commands import COMMANDS

MAX_OFFERS: Final = 50
_COMMAND: Final = re.compile(r"/([a-z]*)")
_ARGUMENT: Final = re.compile(r"/([a-z]+) +(\S*)")
_PLACE: Final = re.compile(r"/(?:forward|contact|new) +(.*)")
_MENTION: Final = re.compile(r"(?:.*[^\w@.])?@([a-z0-9_.]*)", re.DOTALL)
SIGNS: Final = (
    ("👍", "yes, good"), ("❤", "love"), ("😂", "laughing"), ("😮", "oh"), ("😢", "sad"),
    ("🎉", "hurray"), ("🙏", "thank you"), ("✅", "done"), ("👀", "looking at it"), ("👎", "no"),
)  # fmt: skip
ASCII_SIGNS: Final = (
    ("+1", "yes, good"), ("<3", "love"), (":)", "glad"), (":D", "laughing"), (":o", "oh"),
    (":(", "sad"), ("thanks", "thank you"), ("done", "done"), ("-1", "no"),
)  # fmt: skip
_CHOICES: Final = {
    "lifetime": ("off", "30s", "5m", "1h", "1d", "7d"),
    "keep": ("off", "1d", "7d", "30d", "365d"),
    "receipts": ("on", "off"),
    "mute": ("1h", "8h", "7d"),
}


@dataclass(frozen=True, slots=True)
class Offer:
    """One way to go on."""

    text: str
    """What is put in the place of what was typed of it."""
    shown: str
    about: str = ""


@dataclass(frozen=True, slots=True)
class Offers:
    """Ways to go on, best first."""

    start: int = 0
    """Where in the text what was typed of it begins."""
    offers: tuple[Offer, ...] = ()


@dataclass(frozen=True, slots=True)
class Known:
    """What completion may offer besides commands."""

    members: Sequence[str] = ()
    """Handles of the other members."""
    places: Sequence[str] = ()
    """Handles and ``+TITLE`` of conversations."""
    signs: Sequence[tuple[str, str]] = SIGNS


def complete(before: str, known: Known) -> Offers:
    """Ways to go on.

    Args:
        before: The text before the cursor.
        known: Who and what there is.
    """
    if before.startswith("//") or not before:
        return Offers()
    if match := _COMMAND.fullmatch(before):
        return _commands(match[1])
    if match := _PLACE.fullmatch(before):
        is_place = before.startswith("/forward")
        places = ((one, "") for one in known.places if is_place or not one.startswith("+"))
        return _listed(match.start(1), match[1], places)
    if match := _ARGUMENT.fullmatch(before):
        return _argument(match, known)
    if match := _MENTION.fullmatch(before):
        members = ((f"@{one} ", "") for one in known.members)
        return _listed(match.start(1) - 1, f"@{match[1]}", members)
    return Offers()


def _commands(typed: str) -> Offers:
    found = [
        Offer(
            f"/{one.name}{' ' if one.takes else ''}",
            f"/{one.name} {one.takes}".rstrip(),
            one.about,
        )
        for one in COMMANDS.values()
        if one.name.startswith(typed)
    ]
    return Offers(0, tuple(found))


def _argument(match: re.Match[str], known: Known) -> Offers:
    name, typed = match[1], match[2]
    if name == "react":
        found = [
            Offer(sign, sign, about)
            for sign, about in known.signs
            if sign.startswith(typed) or (typed and about.startswith(typed))
        ]
        return Offers(match.start(2), () if _is_sign(typed, known) else tuple(found))
    if name in _CHOICES:
        return _listed(match.start(2), typed, ((one, "") for one in _CHOICES[name]))
    if name == "reply" and (mention := _MENTION.fullmatch(typed)):
        members = ((f"@{one} ", "") for one in known.members)
        return _listed(match.start(2) + mention.start(1) - 1, f"@{mention[1]}", members)
    return Offers()


def _is_sign(typed: str, known: Known) -> bool:
    return any(sign == typed for sign, _ in known.signs)


def _listed(start: int, typed: str, choices: Iterable[tuple[str, str]]) -> Offers:
    """Choices that begin like what was typed; none if it is one of them already."""
    low = typed.lower()
    found = [
        Offer(text, text.strip(), about) for text, about in choices if text.lower().startswith(low)
    ]
    if any(one.text.strip() == typed for one in found):
        return Offers()
    return Offers(start, tuple(found[:MAX_OFFERS]))
