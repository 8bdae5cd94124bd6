"""The typed events that ``Engine.events`` yields.

Each is emitted after what it tells is safely stored; but for ``TypingChanged``, which never is.
"""

from dataclasses import dataclass

from e2ecore.consent.ledger import ConsentState
from e2ecore.engine.values import ConnectionState, Message
from e2ecore.errors import E2EError
from e2ecore.ids import AccountId, DeviceId, GroupId, MessageId
from e2ecore_protocol.content.conversation import Role


@dataclass(frozen=True, slots=True)
class Event:
    """Root of all events."""


@dataclass(frozen=True, slots=True)
class MessageReceived(Event):
    """Somebody else's message was stored."""

    conversation_id: GroupId
    message: Message


@dataclass(frozen=True, slots=True)
class MessageEdited(Event):
    """Somebody else has put a message in other words."""

    conversation_id: GroupId
    message: Message
    """As it is now."""


@dataclass(frozen=True, slots=True)
class MessageRecalled(Event):
    """Somebody else has taken a message back. Its words were erased here."""

    conversation_id: GroupId
    message_id: MessageId
    order: int
    """As in ``Message.order``."""
    account_id: AccountId


@dataclass(frozen=True, slots=True)
class ReactionChanged(Event):
    """Somebody else thinks something of a message, or no longer does."""

    conversation_id: GroupId
    message_id: MessageId
    order: int
    """As in ``Message.order``."""
    account_id: AccountId
    """Who reacted."""
    signs: tuple[str, ...]
    """All of them; none: they were taken back."""


@dataclass(frozen=True, slots=True)
class MessagesRead(Event):
    """Somebody has read our messages up to a counter, and lets us know."""

    conversation_id: GroupId
    account_id: AccountId
    upto_counter: int
    """Compare with ``Message.counter``."""


@dataclass(frozen=True, slots=True)
class MessageAccepted(Event):
    """The relay has given one of our messages its place."""

    conversation_id: GroupId
    message_id: MessageId


@dataclass(frozen=True, slots=True)
class MessageFailed(Event):
    """The relay refused one of our messages for good. It stays in the history, marked as failed."""

    conversation_id: GroupId
    message_id: MessageId
    error: E2EError


@dataclass(frozen=True, slots=True)
class Delivered(Event):
    """A member's device has stored our messages up to a counter.

    One event may cover many messages.
    """

    conversation_id: GroupId
    account_id: AccountId
    device_id: DeviceId
    upto_counter: int
    """Compare with ``Message.counter``."""
    missing: tuple[int, ...]
    """Counters up to there that the device has not."""


@dataclass(frozen=True, slots=True)
class ConversationAdded(Event):
    """A conversation appeared: somebody added this account to it."""

    conversation_id: GroupId
    by: AccountId | None
    """Who added us; None where it cannot be told."""


@dataclass(frozen=True, slots=True)
class ConversationReady(Event):
    """A conversation that we created now exists at the relay."""

    conversation_id: GroupId


@dataclass(frozen=True, slots=True)
class MemberJoined(Event):
    """An account was added to a conversation."""

    conversation_id: GroupId
    account_id: AccountId
    by: AccountId


@dataclass(frozen=True, slots=True)
class MemberLeft(Event):
    """An account left a conversation or was removed from it."""

    conversation_id: GroupId
    account_id: AccountId
    by: AccountId
    """The account itself when it left."""


@dataclass(frozen=True, slots=True)
class TitleChanged(Event):
    """A conversation has a new title."""

    conversation_id: GroupId
    title: str
    by: AccountId


@dataclass(frozen=True, slots=True)
class RoleChanged(Event):
    """An account has a new role in a conversation."""

    conversation_id: GroupId
    account_id: AccountId
    role: Role
    by: AccountId


@dataclass(frozen=True, slots=True)
class RemovedFromConversation(Event):
    """This account was removed.

    The conversation is read-only from now on, and its keys are deleted.
    """

    conversation_id: GroupId
    by: AccountId | None


@dataclass(frozen=True, slots=True)
class ConversationHealing(Event):
    """This device could not follow a change; it has asked the members to add it again."""

    conversation_id: GroupId
    error: str


@dataclass(frozen=True, slots=True)
class ConversationHealed(Event):
    """A member has added this device again. Messages of the time between may be missing."""

    conversation_id: GroupId


@dataclass(frozen=True, slots=True)
class ConversationLost(Event):
    """The relay does not know a conversation any more: its data are older than the conversation.

    The history stays. What waited to be sent has failed. To go on, begin another conversation:
    ``Conversations.direct`` does that for a direct one.
    """

    conversation_id: GroupId


@dataclass(frozen=True, slots=True)
class KeyChanged(Event):
    """A contact's devices changed.

    If the contact was verified, sending stops until that is settled.
    """

    account_id: AccountId
    was_verified: bool


@dataclass(frozen=True, slots=True)
class OwnDevicesChanged(Event):
    """A device was linked to this account, or removed from it. Always tell the user.

    If they did not do it themselves: remove the device at once, see ``Engine.devices``.
    """

    account_id: AccountId
    added: tuple[DeviceId, ...]
    removed: tuple[DeviceId, ...]


@dataclass(frozen=True, slots=True)
class ProfileChanged(Event):
    """A contact chose another display name."""

    account_id: AccountId
    display_name: str


@dataclass(frozen=True, slots=True)
class ContactChainInvalid(Event):
    """The relay served an account chain that is forged, forked, cut short or beyond our version.

    It was not used.
    """

    account_id: AccountId
    error: str


@dataclass(frozen=True, slots=True)
class MessagesMissing(Event):
    """A member's messages are known to exist and did not come. They may still come late."""

    conversation_id: GroupId
    account_id: AccountId
    count: int


@dataclass(frozen=True, slots=True)
class MessagesExpired(Event):
    """Messages were thrown away by the relay, unread, because their time was over."""

    conversation_id: GroupId
    count: int


@dataclass(frozen=True, slots=True)
class EnvelopeQuarantined(Event):
    """Something that cannot be right arrived.

    It was set aside with its error; everything else goes on.
    """

    conversation_id: GroupId | None
    error: str


@dataclass(frozen=True, slots=True)
class MemberMisbehaved(Event):
    """A member sent a commit that breaks the rules. It has no effect, and the conversation goes on.

    Nobody is removed for it: that is for the app, or its user, to do.
    """

    conversation_id: GroupId
    account_id: AccountId
    error: str
    """What was wrong. ``VotedDownError``: most members could not open it. ``RouteFaultError``: the
    relay was told to deliver to others than to the members, which is put right."""
    is_proven: bool
    """The member has signed it. Else it is the relay's word."""


@dataclass(frozen=True, slots=True)
class DefectMet(Event):
    """Something in the engine failed that must not fail.

    It was contained: what the engine was doing was given up or begun anew, everything else goes on.
    Please report it; the log of ``e2ecore`` names the place, without content.
    """

    doing: str
    """What the engine was doing."""
    error: str
    """Name of the error's class."""
    conversation_id: GroupId | None = None


@dataclass(frozen=True, slots=True)
class MessagesErased(Event):
    """Messages were erased on this device: on request, or because their time was over."""

    conversation_id: GroupId
    count: int


@dataclass(frozen=True, slots=True)
class SearchDegraded(Event):
    """The search index is damaged. It is made anew in the background; no message is affected.

    Until ``SearchRestored`` searches read the history itself: as complete, and slower.
    """


@dataclass(frozen=True, slots=True)
class SearchProgress(Event):
    """Many messages are being indexed, after an import or because the index is made anew."""

    indexed: int
    """Arrival number up to which messages are indexed."""
    newest: int
    """Arrival number of the newest message."""


@dataclass(frozen=True, slots=True)
class SearchRestored(Event):
    """The search index was made anew."""


@dataclass(frozen=True, slots=True)
class ChangeApplied(Event):
    """A change that we asked for (add, remove, leave, rename, role, update, create) is in force."""

    conversation_id: GroupId
    change_id: int


@dataclass(frozen=True, slots=True)
class IntentFailed(Event):
    """A change that we asked for was given up: it is no longer possible or no longer allowed."""

    conversation_id: GroupId
    change_id: int
    error: E2EError


@dataclass(frozen=True, slots=True)
class RelaySetBack(Event):
    """The relay has forgotten what it had confirmed: its data are older than they were.

    Nothing is lost on this device. What can be given to the relay again was given to it, and
    sending goes on. What others had sent and nobody had received yet is lost.
    """

    conversation_ids: tuple[GroupId, ...]
    """Conversations whose order goes on from an earlier number."""
    forgot_account: bool
    """It did not know this account any more, which was registered again."""


@dataclass(frozen=True, slots=True)
class WaitingForContact(Event):
    """Somebody cannot be added now, because their devices were away for very long.

    The change stays: it is carried out by itself when they were online again. Told once each time
    the engine is opened. Removing them from the conversation withdraws it.
    """

    conversation_id: GroupId
    change_id: int
    account_id: AccountId


@dataclass(frozen=True, slots=True)
class ConnectionChanged(Event):
    """The connection to the relay has another state."""

    state: ConnectionState
    error: E2EError | None = None
    """Why it broke, or why it could not be made."""


@dataclass(frozen=True, slots=True)
class CaughtUp(Event):
    """Everything that waited at the relay when we connected has been received and stored."""


@dataclass(frozen=True, slots=True)
class EventsDropped(Event):
    """This reader was too slow and missed events. Nothing is lost: read the conversations again."""

    count: int


@dataclass(frozen=True, slots=True)
class ConsentChanged(Event):
    """A consent of this account was given or withdrawn, or everybody has learned of that."""

    purpose: str
    consent_id: bytes
    state: ConsentState
