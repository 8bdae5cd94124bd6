"""From a burst of engine events to one small list of things to redraw. Pure."""

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

import e2ecore
from cli_demo.chat.guardian_news import guardian_news
from cli_demo.naming import short
from cli_demo.text import counted, visible

Names = Callable[[bytes], str]
"""From an account id to the name that the screen shows for it."""

_MEMBERS: Final = (
    e2ecore.MemberJoined,
    e2ecore.MemberLeft,
    e2ecore.RoleChanged,
    e2ecore.ConversationReady,
    e2ecore.ConversationHealed,
)
_DEVICES: Final = (e2ecore.OwnDevicesChanged, e2ecore.DeviceConfirmed, e2ecore.AccountMoved)
_SENTENCES: Final[Mapping[type[e2ecore.Event], str]] = {
    e2ecore.MessagesMissing: "{count} of {account_id} did not arrive (yet)",
    e2ecore.EnvelopeQuarantined: "something invalid arrived and was set aside ({error})",
    e2ecore.MessageFailed: "a message was not sent: {error}",
    e2ecore.RelaySetBack: "the relay was set back to an older state; what it forgot was sent again",
    e2ecore.WaitingForContact: "{account_id} was away for long and is added when back online",
    e2ecore.IntentFailed: "a change was not made: {error}",
    e2ecore.DefectMet: "something failed inside e2e while {doing} ({error}); the rest goes on",
    e2ecore.MemberMisbehaved: "{account_id} sent a change that breaks the rules ({error}); "
    "it has no effect",
    e2ecore.ConversationHealing: "this device could not follow and asked to be added again",
    e2ecore.ConversationHealed: "this device was added again; what was said between may be missing",
    e2ecore.ConversationLost: "the relay does not know this conversation any more; begin another",
    e2ecore.AttachmentAsked: "{account_id} asks for file {attachment_id} once more: "
    "/again {attachment_id} sends it",
    e2ecore.AttachmentOffered: "file {attachment_id} is at the relay again: "
    "/get {attachment_id} fetches it",
    e2ecore.UploadFailed: "files were not sent: {error}",
    e2ecore.DeletionReceiptLate: "the relay promised to delete file {attachment_id} by now, and "
    "has not signed that it did",
    e2ecore.PollClosed: "{by} closed a poll: its votes are opened",
    e2ecore.KeyChanged: "The devices of {account_id} changed.",
    e2ecore.ThisDeviceRemoved: "This device was removed from your account. Everything on it is "
    "erased now.",
    e2ecore.OwnDeviceForked: "One of your devices contradicts itself: it was set back to an old "
    "copy, or somebody else has its key. If you did not restore it: e2e device remove {device_id}",
    e2ecore.DeviceReceiptLate: "The relay has not signed yet that it keeps nothing for the device "
    "that was removed: {device_id}",
    e2ecore.ContactChainInvalid: "The relay served false keys for {account_id}; they were not used "
    "({error}).",
}
"""What is said of an event; words in braces are its fields. Who joins, leaves and so on stands in
the history itself: see ``happenings``."""


_EVERYWHERE: Final = (
    e2ecore.EventsDropped,
    e2ecore.ProfileChanged,
    e2ecore.KeyChanged,
    e2ecore.ContactEdited,
)
"""After these any line may look different."""


@dataclass(frozen=True, slots=True)
class Notice:
    """One line about a conversation, to be shown among its messages while it is open."""

    conversation: bytes
    text: str


@dataclass(slots=True)
class Changed:
    """What is different in the history of one conversation."""

    orders: set[int] = field(default_factory=set)
    """Places of messages that are new, changed or gone."""
    everything: bool = False
    """More than ``orders`` lists."""
    receipts: bool = False
    """Devices confirmed messages of ours."""
    read: dict[bytes, int] = field(default_factory=dict)
    """Who has read our messages, up to which counter."""


@dataclass(slots=True)
class Digest:
    """What a batch of news comes to."""

    conversations: set[bytes] = field(default_factory=set)
    """Whose messages, marks or titles changed."""
    changed: dict[bytes, Changed] = field(default_factory=dict)
    """By conversation: which of its messages."""
    members: set[bytes] = field(default_factory=set)
    """Conversations in which others are members now, or have other roles."""
    typing: set[bytes] = field(default_factory=set)
    """Conversations in which somebody began to type, or stopped."""
    notices: list[Notice] = field(default_factory=list)
    devices: bool = False
    """The account has other devices now. It is said whatever is open."""
    alerts: list[str] = field(default_factory=list)
    """To be shown whatever is open: keys changed, false keys served."""
    connection: e2ecore.ConnectionChanged | None = None
    """The last state of the connection in this batch."""
    everything: bool = False
    """Events were missed, or names or keys changed: read all again."""


def digest(
    events: Iterable[e2ecore.Event],
    names: Names,
    own: bytes,
    changes: Iterable[e2ecore.ConversationChanged] = (),
) -> Digest:
    """Sum up a burst.

    Args:
        events: In the order in which they came.
        names: How to call an account.
        own: Our own account id; we are "you" in notices.
        changes: The rows that are different.
    """
    result = Digest(changed=_merged(changes))
    result.conversations.update(result.changed)
    for event in events:
        if isinstance(event, e2ecore.TypingChanged):
            result.typing.add(event.conversation_id)
            continue
        result.devices |= isinstance(event, _DEVICES)
        if isinstance(event, e2ecore.ConnectionChanged):
            result.connection = event
        elif isinstance(event, _EVERYWHERE):
            result.everything = True
        elif isinstance(event, e2ecore.MessagesRead):
            changed = result.changed.setdefault(event.conversation_id, Changed())
            changed.read[event.account_id] = event.upto_counter
        conversation = getattr(event, "conversation_id", None)
        if isinstance(event, _MEMBERS):
            result.members.add(event.conversation_id)
        if isinstance(conversation, bytes):
            result.conversations.add(conversation)
        text = sentence(event, names, own) or guardian_news(event, names)
        if isinstance(conversation, bytes) and text:
            result.notices.append(Notice(conversation, text))
        elif text:
            result.alerts.append(text)
    return result


def _merged(changes: Iterable[e2ecore.ConversationChanged]) -> dict[bytes, Changed]:
    found: dict[bytes, Changed] = {}
    for one in changes:
        changed = found.setdefault(one.conversation_id, Changed())
        changed.orders.update(one.orders)
        changed.everything |= one.everything
        changed.receipts |= one.receipts
    return found


def sentence(event: e2ecore.Event, names: Names, own: bytes) -> str:
    """What an event says to people; empty for those that are seen in other ways."""
    template = _SENTENCES.get(type(event), "")
    if not template:
        return ""
    if isinstance(event, e2ecore.KeyChanged) and event.was_verified:
        template += " You had verified them: compare the safety number again."
    shown = {
        one.name: _shown(one.name, getattr(event, one.name), names, own)
        for one in dataclasses.fields(event)
    }
    return template.format(**shown)


def _shown(field_name: str, value: object, names: Names, own: bytes) -> str:
    if field_name in {"by", "account_id"}:
        if not isinstance(value, bytes):
            return "somebody"
        return "you" if value == own else visible(names(value))
    if field_name == "device_id" and isinstance(value, bytes):
        return short(value)
    if field_name == "count" and isinstance(value, int):
        return counted(value, "message")
    return visible(str(value))
