"""What the public calls hand out: small frozen values, never live rows."""

from dataclasses import dataclass
from enum import Enum, IntEnum

from e2ecore.engine.files.file_errors import AttachmentNotHereError
from e2ecore.engine.files.file_values import Attachment
from e2ecore.ids import AccountId, DeviceId, GroupId, MessageId
from e2ecore.messaging.notices import NoticeKind
from e2ecore.messaging.polls import BallotState
from e2ecore_protocol.content.conversation import HistorySharing, Role


class ConversationKind(IntEnum):
    """The two shapes of a conversation."""

    DIRECT = 1
    """Exactly two accounts; nobody can be added."""
    GROUP = 2
    """Any number of accounts, with roles and a title."""
    IMPORTED = 3
    """Brought in from a file: read only, in no group. Who wrote what is the file's word."""


class ConversationState(IntEnum):
    """Whether a conversation can be written to. The numbers are stored: never change one."""

    CREATING = 1
    """Exists here and not yet at the relay; what is sent now waits."""
    ACTIVE = 2
    """Usual state."""
    LEFT = 3
    """This account left. History can be read."""
    REMOVED = 4
    """This account was removed. History can be read; the keys are deleted."""
    HEALING = 5
    """This device could not follow a change and has asked to be added again. What is sent waits."""
    FAILED = 6
    """It could not be created; an ``IntentFailed`` event said why."""
    LOST = 7
    """The relay does not know it any more. History can be read; begin another one to go on."""


@dataclass(frozen=True, slots=True)
class ContactDevice:
    """A device of an account, as its chain tells; times in milliseconds since the Unix epoch."""

    device_id: DeviceId
    added_ms: int
    """By the clock of the device that added it."""
    removed_ms: int | None
    """None: it is still there."""
    is_valid: bool
    """Is it talked to? Not if it was removed, or if the consent to several devices is over."""


class MessageState(IntEnum):
    """How far a message has come.

    The numbers are stored (DELIVERED is computed): never change one.
    """

    RECEIVED = 0
    """Came from somebody else, or from another device of this account, and is stored."""
    QUEUED = 1
    """Stored here; the relay has not confirmed it yet."""
    ACCEPTED = 2
    """The relay has given it its place."""
    FAILED = 3
    """The relay refused it for good; nobody will get it."""
    DELIVERED = 4
    """Every other member device has confirmed that it is stored there."""


class MessageKind(IntEnum):
    """What a stored message is. The numbers are stored: never change one."""

    TEXT = 1
    """Something a person wrote."""
    RECALLED = 2
    """Its author has taken it back; only that there was a message is left."""
    CARD = 3
    """A contact card: somebody was shown to the others."""
    NOTICE = 4
    """Nothing that anybody wrote: something happened to the conversation; see ``notice``."""
    FILES = 5
    """Files, and what was said of them: see ``Message.attachments``."""
    POLL = 6
    """A question with options to vote on; see ``Conversation.poll``."""
    UNKNOWN = 0
    """Content of a newer version of the protocol, kept as it came."""


class Verification(Enum):
    """What is known about a contact's keys."""

    UNVERIFIED = "unverified"
    """Nobody has compared the safety number yet."""
    VERIFIED = "verified"
    """Compared, and still the same."""
    CHANGED = "changed"
    """Compared once, and different now. Sending stops until it is compared again or accepted."""


class ConnectionState(Enum):
    """Where the connection to the relay is."""

    OFFLINE = "offline"
    """No relay is configured, the account is not registered, or the engine is closed."""
    CONNECTING = "connecting"
    """On the way."""
    CATCHING_UP = "catching up"
    """Connected; what came while away is being received."""
    ONLINE = "online"
    """Connected, nothing unread at the relay."""
    WAITING = "waiting"
    """The relay was not reached; the next try comes by itself."""


@dataclass(frozen=True, slots=True)
class Account:
    """The account that this database belongs to."""

    account_id: AccountId
    device_id: DeviceId
    handle: str | None
    display_name: str | None


@dataclass(frozen=True, slots=True)
class Mention:
    """Part of a text that names somebody."""

    account_id: AccountId
    start: int
    """Where it begins in the text, in characters."""
    length: int


@dataclass(frozen=True, slots=True)
class Draft:
    """What was begun to be written in a conversation."""

    text: str
    reply_to: int | None
    """``Message.order`` of the message that it answers; None: none. It may be gone meanwhile."""
    mentions: tuple[Mention, ...]
    changed_ms: int
    """When it was last changed, by our clock."""


@dataclass(frozen=True, slots=True)
class Quote:
    """The message that a text answers."""

    message_id: MessageId
    author: AccountId
    text: str | None
    """What it says now; None: it is not here, or was taken back."""
    order: int | None
    """Its place in the conversation; None: it is not here."""
    is_intact: bool
    """It says what it said when it was answered. If not, show that."""
    kind: MessageKind | None = None
    """What it is; None: it is not here. ``text`` is of a card its names, of a poll its question, of
    files their names where nothing was said of them."""


@dataclass(frozen=True, slots=True)
class ContactCard:
    """Somebody whom a message shows. The names are its sender's word and prove nothing.

    ``Contacts.get`` finds the account itself, ``Conversations.direct`` writes to it.
    """

    account_id: AccountId
    handle: str | None
    """As the sender knew it; None: not at all."""
    display_name: str | None


@dataclass(frozen=True, slots=True)
class Revision:
    """What an edited message said before."""

    text: str
    said_ms: int
    """When it was said, by its author's clock."""
    device_id: DeviceId
    """On which device."""


@dataclass(frozen=True, slots=True)
class Poll:
    """What a poll asks. Who has voted, and the result: ``Conversation.poll``."""

    question: str
    options: tuple[str, ...]
    """Numbered from 0."""
    max_choices: int
    """How many of them one vote may choose."""
    closes_ms: int | None
    """When it is to be closed, by the clock of whoever asked; None: when somebody closes it."""


@dataclass(frozen=True, slots=True)
class PollBallot:
    """The vote of one account."""

    account_id: AccountId
    state: BallotState
    choices: tuple[int, ...]
    """Numbers of options; only of an opened one."""


@dataclass(frozen=True, slots=True)
class PollResult:
    """How a poll stands."""

    poll: Poll
    closed_by: AccountId | None
    """Who closed it; None: it is open, and nobody knows what others have chosen."""
    ballots: tuple[PollBallot, ...]
    """Who has voted, by account."""
    votes: tuple[int, ...]
    """How often each option was chosen in the votes that count and were opened."""
    own_choices: tuple[int, ...] | None
    """What this user has chosen last, on this device; None: nothing."""


@dataclass(frozen=True, slots=True)
class Reaction:
    """What one person thinks of a message."""

    account_id: AccountId
    signs: tuple[str, ...]
    """Usually emoji. Text of a stranger: treat it like a message."""


@dataclass(frozen=True, slots=True)
class Notice:
    """What happened to a conversation, for the app to put into words; as far as the kind tells."""

    kind: NoticeKind
    by: AccountId | None
    """Who did it; None: nobody, or it cannot be told."""
    accounts: tuple[AccountId, ...] = ()
    """Whom it is about."""
    role: Role | None = None
    """Their new role."""
    title: str = ""
    """The new title."""
    lifetime_s: int | None = None
    """Of new rules: seconds after which messages erase themselves; None: never."""
    attachment_ttl_s: int | None = None
    """Of new rules: seconds for which attachments can be fetched at most."""
    history_sharing: HistorySharing | None = None
    """Of new rules: who may give older messages to new members."""
    count: int = 0
    """How many messages expired unread."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a conversation, as stored."""

    message_id: MessageId
    conversation_id: GroupId
    sender: AccountId
    sender_device: DeviceId
    mine: bool
    kind: MessageKind
    text: str
    """What is searched: of a card its names, of a poll question and options.
    Empty for other kinds that are not text."""
    sent_ms: int
    """The sender's clock. Shown to people, never used for order."""
    stored_ms: int
    """Our clock when it was stored."""
    order: int
    """Place in the conversation, ascending; the cursor for ``Conversation.messages``."""
    state: MessageState
    counter: int
    """The sender's counter for this message."""
    reply: Quote | None = None
    """What it answers."""
    mentions: tuple[Mention, ...] = ()
    forwards: int = 0
    """How often it was forwarded to come here, as its senders say; 0: it was written here."""
    edited_ms: int | None = None
    """When its author last edited it, by their clock; None: never."""
    reactions: tuple[Reaction, ...] = ()
    read_by: tuple[AccountId, ...] = ()
    """Of own messages: who has read it, of those who let others know."""
    lifetime_s: int | None = None
    """It erases itself so many seconds after it was stored; None: it stays."""
    notice: Notice | None = None
    """What happened, if it is a notice. ``sender`` is who did it then, or all zeros."""
    card: ContactCard | None = None
    """Of a card: whom it shows."""
    poll: Poll | None = None
    """Of a poll: what it asks."""
    attachments: tuple[Attachment, ...] = ()
    """Its files, in order."""

    @property
    def attachment(self) -> Attachment:
        """The first of its files.

        Raises:
            AttachmentNotHereError: It has none.
        """
        if not self.attachments:
            raise AttachmentNotHereError
        return self.attachments[0]


@dataclass(frozen=True, slots=True)
class Member:
    """One account in a conversation."""

    account_id: AccountId
    handle: str | None
    """None where the account has none, or it is not known here."""
    display_name: str | None
    role: Role
    device_ids: tuple[DeviceId, ...]
    is_self: bool
    verification: Verification
    name: str | None = None
    """What this user calls them; None: nothing of their own."""
