"""What every format is read into: headings of conversations, and entries below them."""

import hashlib
from dataclasses import dataclass
from enum import Enum
from typing import Final, NamedTuple

from e2ecore_protocol.content.attachments import FileItem

MAX_TEXT_BYTES: Final = 1 << 20
"""Longest text of one message, in UTF-8, as on the wire. A longer one is cut into several."""
MAX_NAME_CHARS: Final = 128
"""Longest name of a person or a conversation that is kept; the rest is cut."""
TEXT: Final = 1
"""``messages.kind`` of a text."""
_CONVERSATION: Final = b"e2ecore imported conversation v1"
_SENDER: Final = b"e2ecore imported sender v1"
_MESSAGE: Final = b"e2ecore imported message v1"


class ImportFormat(Enum):
    """Which file it is."""

    E2ECORE = "e2ecore"
    """Our own export."""
    WHATSAPP = "whatsapp"
    """"Export chat" of WhatsApp: a text file, or a zip archive with one."""
    TELEGRAM = "telegram"
    """``result.json`` of Telegram Desktop: one chat or all."""
    SIGNAL = "signal"
    """``main.jsonl`` of Signal Desktop's export."""
    CSV = "csv"
    """A table with a heading line: time, sender, text, and perhaps conversation."""


class Begun(NamedTuple):
    """What was begun to be written."""

    text: str
    at_ms: int
    reply: bytes = b""
    """16 bytes: the message that it answers; empty: none."""

    def __repr__(self) -> str:
        return f"<Begun at {self.at_ms}>"


class Belongings(NamedTuple):
    """What belongs to a conversation besides its messages."""

    begun: Begun | None = None
    pinned_ms: int = 0
    """When it was pinned to the top of the list; 0: it is not."""
    muted_ms: int = 0
    """Until when it shall not disturb; 0: it may."""
    is_archived: bool = False
    keep_ms: int | None = None
    """How long its messages are kept; None: for ever."""
    lifetime_s: int | None = None
    """After how long they erase themselves at everybody's; None: never."""
    keeps_earlier: bool | None = None
    """Is kept what edited messages said before? None: as everywhere."""


NO_BELONGINGS: Final = Belongings()


@dataclass(frozen=True, slots=True)
class Heading:
    """Where the entries behind it belong."""

    key: bytes
    """32 bytes: tells it from others; the same whenever it is imported."""
    title: str
    live_uid: bytes = b""
    """16 bytes: the conversation that it was exported from, if this very account exported it."""
    created_ms: int = 0
    belongings: Belongings = NO_BELONGINGS


class Entry(NamedTuple):
    """One message of a file."""

    uid: bytes
    """16 bytes: the same whenever it is imported."""
    account_id: bytes
    """20 bytes: who sent it; made from the name where the file knows no accounts."""
    name: str
    """Who sent it, in words; empty: nobody, a notice of the program."""
    is_mine: bool
    sent_ms: int
    text: str
    device_id: bytes = bytes(16)
    counter: int = 0
    kind: int = TEXT
    content: bytes = b""
    expires_ms: int | None = None
    """When it erases itself; None: never."""
    said: "Said | None" = None
    seq: int = 0
    """Number in the relay's log, where another device of the same person says it."""


class Reaction(NamedTuple):
    """What somebody thinks of a message."""

    account_id: bytes
    device_id: bytes
    changed_ms: int
    signs: tuple[str, ...]
    name: str = ""
    """Who that is, in words; empty in an export."""


class Earlier(NamedTuple):
    """What an edited message said before."""

    changed_ms: int
    device_id: bytes
    text: str

    def __repr__(self) -> str:
        return f"<Earlier of {self.changed_ms}>"


class Pin(NamedTuple):
    """Who has pinned a message last, or has taken the pin away."""

    account_id: bytes
    device_id: bytes
    changed_ms: int
    is_pinned: bool


class Vote(NamedTuple):
    """A sealed vote on a poll."""

    account_id: bytes
    device_id: bytes
    changed_ms: int
    commitment: bytes
    choices: int | None = None
    """Of our own: what is in it, bit 0 is the first option."""

    def __repr__(self) -> str:
        return f"<Vote of {self.changed_ms}>"


class Opened(NamedTuple):
    """A vote on a poll that was opened."""

    account_id: bytes
    commitment: bytes
    choices: int


class Close(NamedTuple):
    """The close of a poll that counts."""

    account_id: bytes
    seq: int
    counted: tuple[tuple[bytes, bytes], ...]
    """Accounts, and the commitments of their votes."""


class Said(NamedTuple):
    """What was said of a message after it, and what belongs to it."""

    reactions: tuple[Reaction, ...] = ()
    earlier: tuple[Earlier, ...] = ()
    files: tuple[FileItem, ...] = ()
    """In their order; with nothing in the place of what opens them."""
    pins: tuple[Pin, ...] = ()
    """One at most."""
    votes: tuple[Vote, ...] = ()
    opened: tuple[Opened, ...] = ()
    closes: tuple[Close, ...] = ()
    """One at most."""

    @property
    def weight(self) -> int:
        """How much memory it takes, roughly, in bytes."""
        found = sum(len(one.text) for one in self.earlier)
        found += sum(len(one.preview) for one in self.files)
        found += 200 * (len(self.reactions) + len(self.votes) + len(self.opened))
        return found + sum(100 * len(one.counted) for one in self.closes)


@dataclass(slots=True)
class Position:
    """How far a reader is in its file."""

    done: int = 0
    """Bytes read, unpacked."""
    total: int = 0
    """Bytes there are, unpacked; 0: unknown."""
    skipped: int = 0
    """Records that hold no message that could be kept."""


def _digest(label: bytes, *parts: bytes) -> bytes:
    """Hash a label and parts of any length so that no two lists of parts are one."""
    hashed = hashlib.sha256(label)
    for part in parts:
        hashed.update(len(part).to_bytes(8, "big"))
        hashed.update(part)
    return hashed.digest()


def conversation_key(source: ImportFormat, *parts: str) -> bytes:
    """Return 32 bytes that name a conversation of a file, made from what tells it from others."""
    return _digest(_CONVERSATION, source.value.encode(), *(_utf8(part) for part in parts))


def sender_id(key: bytes, name: str) -> bytes:
    """Return the 20-byte stand-in for the account of somebody of whom there is only a name."""
    return _digest(_SENDER, key, _utf8(name))[:20]


def message_uid(key: bytes, *parts: str | int) -> bytes:
    """Return the 16-byte id of an imported message, made from what tells it from others."""
    return _digest(_MESSAGE, key, *(_utf8(str(part)) for part in parts))[:16]


def clean_name(name: str) -> str:
    """Return a name as it is kept: of valid Unicode, on one line, not too long."""
    return " ".join(scalar(name).split())[:MAX_NAME_CHARS]


def scalar(text: str) -> str:
    """Return a text without lone surrogates, which JSON can spell and UTF-8 cannot."""
    if text.isascii():
        return text
    return text.encode("utf-8", "replace").decode("utf-8")


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
