"""Application messages: decrypted, counted, stored. The receiver's hot path."""

from typing import Final

from e2ecore.engine.events import Delivered, Event, MessageReceived, MessagesMissing, ProfileChanged
from e2ecore.engine.job import Job
from e2ecore.engine.mirror import Mirror, Peer
from e2ecore.engine.state import group_of
from e2ecore.engine.values import ConversationState, Message, MessageKind, MessageState
from e2ecore.errors import PeerError
from e2ecore.ids import AccountId, DeviceId, GroupId, MessageId
from e2ecore.messaging.counters import accept
from e2ecore.messaging.identity import ACCOUNT_ID_BYTES, encode_identity
from e2ecore.messaging.receipts import Delivery as Confirmed
from e2ecore.messaging.receipts import advance, clip
from e2ecore.mls.errors import EpochTooOldError, UnknownSenderError
from e2ecore.mls.received import ApplicationMessage
from e2ecore.storage import chains, messages
from e2ecore.storage.members import NO_LEAF
from e2ecore.storage.messages import MessageRow, message_row_id
from e2ecore_protocol.content.messages import (
    Profile,
    Receipt,
    Text,
    UnknownContent,
    decode_content,
    decode_counter,
)
from e2ecore_protocol.errors import MalformedError
from e2ecore_protocol.frames.delivery import Delivery, EnvelopeKind

_FOREIGN: Final = False
_TEXT: Final = int(MessageKind.TEXT)
_RECEIVED: Final = int(MessageState.RECEIVED)
_LEFT: Final = ConversationState.LEFT


class FormerMemberError(PeerError):
    """Somebody who is no longer a member tried to be heard. It was refused.

    The relay takes nothing from former members, and delivers in order: only a relay that lies lets
    a message of an earlier epoch come behind the commit that removed its sender.
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
        counter = decode_counter(message.authenticated_data)
        step = accept(sender.heard, counter)
        sender.heard = step.state
        mirror.touch(sender)
        mirror.traffic = True
        if step.skipped:
            uid = GroupId(mirror.uid)
            self._events.append(MessagesMissing(uid, AccountId(sender.account_id), step.skipped))
        content = decode_content(message.data)
        if isinstance(content, Receipt):
            self._receipt(mirror, sender, content, counter)
        elif isinstance(content, Profile):
            self._profile(sender, content)
        elif mirror.state != _LEFT:
            self._message(mirror, sender, item, content, counter)

    def take_late(self, mirror: Mirror, item: Delivery) -> None:
        """Take an envelope behind the cursor: a repeat, or a number that the relay gave twice.

        The keys of a repeat are used up, so it is refused like any other.
        """
        if item.kind != EnvelopeKind.APPLICATION or mirror.group is None:
            return
        try:
            self.take(mirror, item)
        except (PeerError, MalformedError):
            return

    def _message(
        self, mirror: Mirror, sender: Peer, item: Delivery, content: Text | UnknownContent,
        counter: int,
    ) -> None:  # fmt: skip
        order = mirror.next_order
        mirror.next_order = order + 1
        mirror.last_mid = mid = self._state.next_mid(self._tx)
        mirror.unread += 1
        now_ms = self._now_ms
        if isinstance(content, Text):
            uid, sent_ms, kind = content.message_id, content.sent_ms, _TEXT
            text, raw = content.text, b""
        else:
            uid, sent_ms, kind = item.envelope_id, item.time_ms, int(MessageKind.UNKNOWN)
            text, raw = "", content.raw
        self._rows.append(
            MessageRow(
                message_row_id(mirror.cid, order), mid, uid, sender.account_id, sender.device_id,
                counter, item.seq, sent_ms, now_ms, kind, _RECEIVED, text, raw,
            )
        )  # fmt: skip
        receipts = self._effects.receipts
        receipts[mirror.cid] = receipts.get(mirror.cid, 0) + 1
        group_id = GroupId(mirror.uid)
        self._events.append(
            MessageReceived(
                group_id,
                Message(
                    MessageId(uid), group_id, AccountId(sender.account_id),
                    DeviceId(sender.device_id), _FOREIGN, MessageKind(kind), text, sent_ms, now_ms,
                    order, MessageState.RECEIVED, counter,
                ),
            )
        )  # fmt: skip

    def _receipt(self, mirror: Mirror, sender: Peer, receipt: Receipt, counter: int) -> None:
        if sender.receipted == counter - 1:
            sender.receipted = counter  # a receipt deserves no receipt
        own = self._job.own
        me = encode_identity(own.account_id, own.device_id)
        for who, upto, missing in receipt.stored:
            if who != me:
                continue
            reported = clip(Confirmed(upto, missing), mirror.own_counter)
            merged = advance(sender.delivered, reported)
            if merged is not None:
                sender.delivered = merged
                self._events.append(
                    Delivered(
                        GroupId(mirror.uid), AccountId(sender.account_id),
                        DeviceId(sender.device_id), merged.upto, merged.missing,
                    )
                )  # fmt: skip

    def _profile(self, sender: Peer, profile: Profile) -> None:
        row = chains.account(self._tx, sender.account_id)
        if row is None or row.display_name == profile.display_name:
            return
        chains.save_account(self._tx, row._replace(display_name=profile.display_name))
        self._events.append(ProfileChanged(AccountId(sender.account_id), profile.display_name))
