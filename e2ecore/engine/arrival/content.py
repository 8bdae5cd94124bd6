"""Application messages: decrypted, counted, stored. The receiver's hot path."""

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias, cast

from e2ecore.engine.account.blocks import is_with_blocked
from e2ecore.engine.arrival.ballots import note_deadline
from e2ecore.engine.arrival.file_taking import take_again, take_files, take_request
from e2ecore.engine.arrival.listed import Listed, bounded, form_of
from e2ecore.engine.arrival.remarks import Remark, take_early, take_remark
from e2ecore.engine.erasure.expiring import expire
from e2ecore.engine.family.guardian_notes import GuardianNote, take_note
from e2ecore.engine.own_talk.oplog import is_gone
from e2ecore.engine.own_talk.own_topics import take_own
from e2ecore.engine.running.job import Job
from e2ecore.engine.running.mirror import Mirror, Peer
from e2ecore.engine.running.state import group_of
from e2ecore.engine.talk.showing import show_one
from e2ecore.engine.talk.speaker import Speaker
from e2ecore.engine.telling.events import (
    Delivered,
    Event,
    MessageReceived,
    MessagesMissing,
    MessagesRead,
    ProfileChanged,
)
from e2ecore.engine.values import ConversationState, Message, MessageKind, MessageState
from e2ecore.errors import PeerError
from e2ecore.ids import AccountId, DeviceId, GroupId, MessageId
from e2ecore.messaging.counters import accept, dropped
from e2ecore.messaging.identity import ACCOUNT_ID_BYTES, encode_identity
from e2ecore.messaging.pins import check_pin
from e2ecore.messaging.receipts import Delivery as Confirmed
from e2ecore.messaging.receipts import advance, clip
from e2ecore.mls.errors import EpochTooOldError, UnknownSenderError
from e2ecore.mls.received import ApplicationMessage
from e2ecore.storage import chains, messages, reading
from e2ecore.storage.members import NO_LEAF
from e2ecore.storage.messages import MessageRow, message_row_id
from e2ecore.storage.reading import ReadRow
from e2ecore_protocol.content.attachments import (
    AttachmentAgain,
    AttachmentRequest,
    Attachments,
)
from e2ecore_protocol.content.guardians import (
    GuardianInvitation,
    GuardianRefusal,
    GuardianRequest,
)
from e2ecore_protocol.content.messages import (
    AnyContent,
    Profile,
    Receipt,
    Text,
    UnknownContent,
    decode_content,
    decode_counter,
)
from e2ecore_protocol.content.own import Own
from e2ecore_protocol.content.pins import Pin
from e2ecore_protocol.content.polls import PollClose, Vote, VoteReveal
from e2ecore_protocol.content.reactions import Reaction
from e2ecore_protocol.content.reading import ReadReceipt
from e2ecore_protocol.content.revisions import Edit, Recall
from e2ecore_protocol.errors import MalformedError
from e2ecore_protocol.frames.delivery import Delivery, EnvelopeKind
from e2ecore_protocol.limits import MAX_CLOCK_DIFFERENCE_MS

_Message: TypeAlias = Text | Listed | UnknownContent
_TEXT: Final = int(MessageKind.TEXT)
_RECEIVED: Final = int(MessageState.RECEIVED)
_LEFT: Final = ConversationState.LEFT


class FormerMemberError(PeerError):
    """Somebody who is no longer a member tried to be heard. It was refused.

    The relay takes nothing from former members, and delivers in order: only a relay that lies lets
    a message of an earlier epoch come behind the commit that removed its sender.
    """


class LapsedDeviceError(PeerError):
    """A device that its account has removed, or that no consent covers any more, wants to be heard.

    It was refused. The relay takes nothing from such devices: this one lies.
    """


class OutOfPlaceError(PeerError):
    """A member said something that has no place in this conversation. It was refused.

    What own devices tell each other stays among them, and nothing else is said there.
    """


class Inbox:
    """Application messages of one batch."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._tx = job.tx
        self._effects = job.effects
        self._state = job.state
        self._rows: list[MessageRow] = []
        self._events: list[Event] = job.effects.events
        self._now_ms = job.now_ms
        self._own_id = job.own.account_id
        self._taken_ms = 0
        """When the relay took the last envelope, by its clock."""
        self._seq = 0
        """The relay's number of what is being taken."""
        self._is_late = False

    def flush(self) -> None:
        """Store the messages taken so far."""
        if self._rows:
            messages.insert(self._tx, self._rows)
            self._rows = []

    def take(self, mirror: Mirror, item: Delivery) -> None:
        """Take one application message.

        Raises:
            EpochInFutureError: Its epoch has not begun here.
            PeerError: It is not right. Its key is used up if it was authentic.
            MalformedError: It is authentic, and not content.
            FormerMemberError: Its sender was removed in the meantime.
            OutOfPlaceError: It does not belong here.
            LapsedDeviceError: Its sender's account has no such device any more.
        """
        message = group_of(mirror).receive(item.payload, now_ms=self._now_ms)
        if not isinstance(message, ApplicationMessage):
            raise EpochTooOldError("a handshake where a message was announced")
        device_id = message.sender.identity[ACCOUNT_ID_BYTES:]
        sender = mirror.devices.get(device_id)
        if sender is None:
            raise UnknownSenderError
        if sender.leaf == NO_LEAF:
            raise FormerMemberError
        self._check_device(sender, item.time_ms)
        counter = decode_counter(message.authenticated_data)
        step = accept(sender.heard, counter)
        sender.heard = step.state
        mirror.touch(sender)
        mirror.traffic = True
        if step.skipped:
            uid = GroupId(mirror.uid)
            self._events.append(MessagesMissing(uid, AccountId(sender.account_id), step.skipped))
        content = decode_content(message.data)
        if isinstance(content, Own) is not mirror.is_own:
            raise OutOfPlaceError
        if self._is_unwanted(mirror, sender, content):
            sender.heard = dropped(sender.heard, counter)
            return
        self._taken_ms = item.time_ms
        self._seq = item.seq
        taker = _TAKERS.get(type(content))
        if taker is not None:
            taker(self, mirror, sender, content, counter)
        elif mirror.state != _LEFT:
            self._message(mirror, sender, item, cast("_Message", content), counter)

    def _is_unwanted(self, mirror: Mirror, sender: Peer, content: AnyContent) -> bool:
        """Is it from somebody who is blocked, said to us alone?"""
        return (
            sender.account_id == mirror.peer
            and type(content) not in _HEARD_ANYWAY
            and is_with_blocked(self._job, mirror)
        )

    def _check_device(self, sender: Peer, time_ms: int) -> None:
        """Ask the sender's account whether it could speak when the relay took this, [CHN-20]."""
        chain = self._state.chain(self._tx, sender.account_id)
        since_ms = time_ms - MAX_CLOCK_DIFFERENCE_MS
        if chain is not None and not chain.was_valid(sender.device_id, since_ms):
            raise LapsedDeviceError

    def take_late(self, mirror: Mirror, item: Delivery) -> None:
        """Take an envelope behind the cursor: a repeat, or a number that the relay gave twice.

        The keys of a repeat are used up, so it is refused like any other.
        """
        if item.kind != EnvelopeKind.APPLICATION or mirror.group is None:
            return
        self._is_late = True
        try:
            self.take(mirror, item)
        except (PeerError, MalformedError):
            return
        finally:
            self._is_late = False

    def _message(
        self, mirror: Mirror, sender: Peer, item: Delivery, content: _Message, counter: int
    ) -> None:
        receipts = self._effects.receipts
        receipts[mirror.cid] = receipts.get(mirror.cid, 0) + 1
        named = item.envelope_id if isinstance(content, UnknownContent) else content.message_id
        if is_gone(self._job, mirror, named, sender.account_id, self._place(item)):
            return
        mine = sender.account_id == self._own_id
        order, mid = self._next_place(mirror, item, mine=mine)
        now_ms = self._now_ms
        if mirror.lifetime_s is not None and not isinstance(content, UnknownContent):
            content = bounded(content, mirror.lifetime_s)
        if isinstance(content, Text):
            uid, sent_ms, kind = content.message_id, content.sent_ms, _TEXT
            text, raw = content.text, b""
        elif isinstance(content, UnknownContent):
            uid, sent_ms, kind = item.envelope_id, item.time_ms, int(MessageKind.UNKNOWN)
            text, raw = "", content.raw
        else:
            uid, sent_ms = content.message_id, content.sent_ms
            kind, text, raw = form_of(content)
        self._rows.append(
            MessageRow(
                message_row_id(mirror.cid, order), mid, uid, sender.account_id, sender.device_id,
                counter, item.seq, sent_ms, now_ms, kind, _RECEIVED, text, raw,
            )
        )  # fmt: skip
        if raw or uid in mirror.awaited or kind == MessageKind.FILES:
            self._special(mirror, uid, content)
            return
        group_id = GroupId(mirror.uid)
        self._events.append(
            MessageReceived(
                group_id,
                Message(
                    MessageId(uid), group_id, AccountId(sender.account_id),
                    DeviceId(sender.device_id), mine, MessageKind(kind), text, sent_ms, now_ms,
                    order, MessageState.RECEIVED, counter,
                ),
            )
        )  # fmt: skip

    def _place(self, item: Delivery) -> int:
        """Return its number in the relay's log, by which marks are set; 0: that was given twice.

        What opens behind the cursor was never here: the relay was set back, and the marks are about
        what had the number before. They are lowered when it says how far it is.
        """
        return 0 if self._is_late else item.seq

    def _next_place(self, mirror: Mirror, item: Delivery, *, mine: bool) -> tuple[int, int]:
        """Return the order and the arrival number of the next message; count it if unread."""
        order = mirror.next_order
        mirror.next_order = order + 1
        mirror.last_mid = self._state.next_mid(self._tx)
        if 0 < self._place(item) <= mirror.marks.read_seq:
            mirror.read_order = order + 1  # read on another device, and all before it
        else:
            mirror.unread += not mine
        return order, mirror.last_mid

    def _special(self, mirror: Mirror, uid: bytes, content: _Message) -> None:
        """The last message is more than a plain text, or something was said of it already."""
        row = self._rows[-1]
        self.flush()
        expire(self._tx, row, mirror.lifetime_s)
        if isinstance(content, Attachments):
            take_files(self._job, row.id, content)
        note_deadline(self._job, mirror, row)
        own_id = self._job.own.account_id
        shown = show_one(self._tx, mirror.uid, row, own_id, self._state.files)
        self._events.append(MessageReceived(GroupId(mirror.uid), shown))
        if uid in mirror.awaited:
            take_early(self._job, mirror, row)

    def take_remark(self, mirror: Mirror, sender: Peer, content: AnyContent, counter: int) -> None:
        """Take what refers to a message."""
        self.flush()
        if self._is_late and isinstance(content, PollClose):
            return  # its sender may have seen votes that were opened
        if mirror.state != _LEFT:
            by = Speaker(sender.account_id, sender.device_id, counter, seq=self._seq)
            take_remark(self._job, mirror, by, cast("Remark", content))

    def take_pin(self, mirror: Mirror, sender: Peer, content: AnyContent, counter: int) -> None:
        """Take that a message is pinned, or not any more, from who may say so."""
        pin = cast("Pin", content)
        check_pin(mirror.roster(), sender.account_id, pin.changed_ms, self._taken_ms)
        self.take_remark(mirror, sender, pin, counter)

    def take_file_wish(
        self, mirror: Mirror, sender: Peer, content: AnyContent, _counter: int
    ) -> None:
        """Take a request for a file, or where one is now."""
        self.flush()
        if mirror.state != _LEFT:
            take = take_again if isinstance(content, AttachmentAgain) else take_request
            take(self._job, mirror, sender.account_id, content)

    def take_read(self, mirror: Mirror, sender: Peer, content: AnyContent, counter: int) -> None:
        """Take how far somebody has read."""
        if sender.receipted == counter - 1:
            sender.receipted = counter  # a receipt deserves no receipt
        own = self._job.own
        if sender.account_id == own.account_id:
            return  # what we have read ourselves is no news of others
        me = encode_identity(own.account_id, own.device_id)
        for who, upto in cast("ReadReceipt", content).read:
            read = ReadRow(mirror.cid, sender.account_id, min(upto, mirror.own_counter))
            if who == me and read.upto and reading.advance(self._tx, read):
                uid, reader = GroupId(mirror.uid), AccountId(sender.account_id)
                self._events.append(MessagesRead(uid, reader, read.upto))

    def take_receipt(self, mirror: Mirror, sender: Peer, content: AnyContent, counter: int) -> None:
        """Take how far somebody has stored what this device sent."""
        if sender.receipted == counter - 1:
            sender.receipted = counter  # a receipt deserves no receipt
        own = self._job.own
        me = encode_identity(own.account_id, own.device_id)
        for who, upto, missing in cast("Receipt", content).stored:
            if who != me:
                continue
            reported = clip(Confirmed(upto, missing), mirror.own_counter)
            merged = advance(sender.delivered, reported)
            if merged is not None:
                sender.delivered = merged
            if merged is not None and sender.account_id != own.account_id:
                self._events.append(
                    Delivered(
                        GroupId(mirror.uid), AccountId(sender.account_id),
                        DeviceId(sender.device_id), merged.upto, merged.missing,
                    )
                )  # fmt: skip

    def take_profile(
        self, _mirror: Mirror, sender: Peer, content: AnyContent, _counter: int
    ) -> None:
        """Take how somebody wants to be called."""
        profile = cast("Profile", content)
        row = chains.account(self._tx, sender.account_id)
        if row is None or row.display_name == profile.display_name:
            return
        chains.save_account(self._tx, row._replace(display_name=profile.display_name))
        self._events.append(ProfileChanged(AccountId(sender.account_id), profile.display_name))

    def take_own(self, mirror: Mirror, sender: Peer, content: AnyContent, counter: int) -> None:
        """Take what another device of ours has to tell."""
        sender.receipted = counter
        self.flush()
        take_own(self._job, mirror, sender, cast("Own", content))

    def take_guardian_note(
        self, mirror: Mirror, sender: Peer, content: AnyContent, _counter: int
    ) -> None:
        """Take what ward or guardian say to each other."""
        take_note(self._job, mirror, sender.account_id, cast("GuardianNote", content))


_HEARD_ANYWAY: Final = frozenset({Receipt, ReadReceipt})
"""What somebody who is blocked may still say: it is about what they were told before."""
_Taker: TypeAlias = Callable[[Inbox, Mirror, Peer, AnyContent, int], None]
_TAKERS: Final[Mapping[type[AnyContent], _Taker]] = {
    Receipt: Inbox.take_receipt,
    Profile: Inbox.take_profile,
    ReadReceipt: Inbox.take_read,
    Reaction: Inbox.take_remark,
    Edit: Inbox.take_remark,
    Recall: Inbox.take_remark,
    Pin: Inbox.take_pin,
    AttachmentRequest: Inbox.take_file_wish,
    AttachmentAgain: Inbox.take_file_wish,
    Vote: Inbox.take_remark,
    PollClose: Inbox.take_remark,
    VoteReveal: Inbox.take_remark,
    Own: Inbox.take_own,
    GuardianInvitation: Inbox.take_guardian_note,
    GuardianRequest: Inbox.take_guardian_note,
    GuardianRefusal: Inbox.take_guardian_note,
}
"""Who takes content that is no message of its own."""


def is_unlisted(content: AnyContent) -> bool:
    """Is it known, and no message of its own?"""
    return type(content) in _TAKERS
