"""What the screens and scripts show: small values, cut loose from the engine's live objects."""

from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from cli_demo.naming import shown_name


class Mark(Enum):
    """How far one of our own messages has come."""

    QUEUED = "queued"
    """Stored on this device, not yet taken by the relay."""
    ACCEPTED = "accepted"
    """The relay has it, durably."""
    DELIVERED = "delivered"
    """Stored by every other member's device."""
    FAILED = "failed"
    """It will not be sent: see the notice beside it."""
    RECEIVED = "received"
    """Somebody else's message."""


class Kind(Enum):
    """What a message is, as far as it can be shown."""

    TEXT = "text"
    RECALLED = "recalled"
    """Taken back by its author: there is nothing to see any more."""
    CARD = "card"
    """Shows somebody."""
    FILES = "files"
    """Files; its text is what is said of them."""
    POLL = "poll"
    """A question with answers to choose from."""
    UNKNOWN = "unknown"
    """Made by a newer version of the program."""


class Trust(Enum):
    """The three states of a contact's keys. There is no fourth."""

    UNVERIFIED = "unverified"
    VERIFIED = "verified"
    CHANGED = "changed"


class Link(Enum):
    """The way to the relay."""

    OFFLINE = "offline"
    CONNECTING = "connecting"
    CATCHING_UP = "catching up"
    ONLINE = "connected"


@dataclass(frozen=True, slots=True)
class QuoteView:
    """What a message answers."""

    author: str
    text: str | None
    """None: it is not here, or was taken back."""
    order: int | None
    """Its place in the conversation; None: it is not here."""
    intact: bool
    """It still says what it said when it was answered."""


@dataclass(frozen=True, slots=True)
class SignView:
    """One reaction to a message, with how many share it."""

    sign: str
    names: tuple[str, ...]
    own: bool
    """We are among them."""


@dataclass(frozen=True, slots=True)
class OptionView:
    """One answer that a poll offers."""

    text: str
    votes: int = 0
    """How often it was chosen, of the votes that were opened."""
    own: bool = False
    """Our vote chooses it."""


@dataclass(frozen=True, slots=True)
class PollView:
    """How a poll stands."""

    question: str
    options: tuple[OptionView, ...]
    most: int
    """How many of them one vote may choose."""
    closes_ms: int | None = None
    """When it is to be closed."""
    closed_by: str = ""
    """Who closed it; empty: it is open, and all votes are sealed."""
    voters: tuple[str, ...] = ()
    """Who has voted, of those whose votes count."""
    unopened: tuple[str, ...] = ()
    """Whose votes count and were not opened yet."""
    late: tuple[str, ...] = ()
    """Whose votes do not count: they came too late, or were left out."""

    @property
    def is_open(self) -> bool:
        """One may vote."""
        return not self.closed_by


@dataclass(frozen=True, slots=True)
class FileView:
    """One file of a message."""

    number: int
    """What commands call it."""
    name: str
    about: str
    """What it is."""
    where: str
    """Where it is, who waits for it, how long."""
    size: int = 0
    """Bytes."""
    is_pending: bool = False
    """It lies at the relay: who has it, and whether it still does, may be asked."""
    preview: bytes = field(default=b"", repr=False)
    """A small JPEG, or empty."""
    shape: tuple[int, int] = (0, 0)
    """Width and height of the whole picture, as its sender says."""
    wave: bytes = b""
    """Loudness of a voice note."""
    length: str = ""
    """Of a voice note; empty: it is none."""


@dataclass(frozen=True, slots=True)
class MessageView:
    """One message, or one line about the conversation (``notice``)."""

    key: str
    """Stable within its conversation: the message id in hex, or a name made for a notice."""
    author: str
    text: str
    time_ms: int
    mark: Mark
    notice: bool = False
    order: int = 0
    """Place in the conversation, ascending; 0 for notices, which have none."""
    kind: Kind = Kind.TEXT
    quote: QuoteView | None = None
    named: tuple[str, ...] = ()
    """Parts of the text that name members."""
    names_us: bool = False
    """We are one of these members."""
    signs: tuple[SignView, ...] = ()
    forwards: int = 0
    """How often it was forwarded to come here."""
    edited: bool = False
    pinned: bool = False
    until_ms: int = 0
    """When it erases itself, by our clock; 0: it stays."""
    readers: tuple[str, ...] = ()
    """Of our own: who has read it, of those who tell."""
    counter: int = 0
    """Its sender's counter."""
    account: bytes = b""
    """Of a card: whom it shows."""
    poll: PollView | None = None
    """Of a poll: how it stands."""
    files: tuple[FileView, ...] = ()

    @property
    def own(self) -> bool:
        """Sent from this account."""
        return not self.notice and self.mark is not Mark.RECEIVED

    @property
    def brief(self) -> str:
        """Its words, or the names of its files."""
        return self.text or ", ".join(
            f"voice note {one.length}" if one.length else one.name for one in self.files
        )


@dataclass(frozen=True, slots=True)
class MemberView:
    """One person in a conversation."""

    handle: str
    role: str
    trust: Trust
    own: bool
    name: str = ""
    """What the user calls them; empty: nothing of their own."""

    @property
    def shown(self) -> str:
        """How they are called on the screen."""
        return shown_name(self.handle, self.name)


@dataclass(frozen=True, slots=True)
class ConversationView:
    """One line of the conversation list."""

    uid: str
    """The conversation's id in hex."""
    title: str
    group: bool
    unread: int
    preview: str
    time_ms: int
    open: bool
    """False once we left or were removed: it can be read, not written."""
    state: str
    trust: Trust | None = None
    """Of the other person in a direct conversation."""
    lifetime_s: int | None = None
    """Seconds after which messages erase themselves; None: they stay."""
    pinned: bool = False
    archived: bool = False
    muted: bool = False
    """Its unread messages shall not stand out."""
    handle: str = ""
    """Of the other person in a direct conversation."""

    @property
    def address(self) -> str:
        """How commands call it."""
        return f"+{self.title}" if self.group else self.handle or self.title


@dataclass(frozen=True, slots=True)
class SafetyView:
    """What two people compare before they trust the names on their screens."""

    handle: str
    digits: str
    qr: bytes
    trust: Trust


@dataclass(frozen=True, slots=True)
class Symbols:
    """The few signs outside ASCII, or what stands for them where they cannot be shown."""

    queued: str
    accepted: str
    delivered: str
    failed: str
    online: str
    offline: str
    busy: str
    verified: str
    warning: str
    bullet: str
    answer: str
    rule: str
    more: str
    pinned: str
    bar: str
    chosen: str
    levels: str
    """From silence to loud."""

    def mark(self, mark: Mark) -> str:
        """The sign of one delivery state; received messages have none."""
        return {
            Mark.QUEUED: self.queued,
            Mark.ACCEPTED: self.accepted,
            Mark.DELIVERED: self.delivered,
            Mark.FAILED: self.failed,
            Mark.RECEIVED: "",
        }[mark]


UNICODE: Final = Symbols(
    *("◷", "✓", "✓✓", "✗", "●", "○", "◌", "✓", "!", "•", "↪", "─", "…", "^", "█", "✓"),
    "▁▂▃▄▅▆▇█",
)
ASCII: Final = Symbols(
    *("..", "+", "++", "x", "*", "o", "~", "+", "!", "*", ">", "-", "...", "^", "#", "*"),
    "_.:-=+*#",
)


def symbols_for(encoding: str | None) -> Symbols:
    """Signs that a stream of this encoding can carry."""
    try:
        "".join((UNICODE.queued, UNICODE.accepted, UNICODE.online, UNICODE.busy)).encode(
            encoding or "ascii"
        )
    except (UnicodeEncodeError, LookupError):
        return ASCII
    return UNICODE
