"""The logs of the relay in memory: order, routes, cursors, epochs, as the specification has them.

Spec: protocol/spec/30-ordering.md
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from e2ecore_protocol.errors import ErrorCode
from e2ecore_protocol.frames.conversations import (
    Commit,
    ConversationKind,
    DeviceAddress,
    direct_conversation_id,
    is_group_conversation,
    is_self_conversation,
)
from e2ecore_protocol.frames.delivery import (
    NO_ENVELOPE,
    Accepted,
    Delivery,
    DeliveryExtra,
    Envelope,
    EnvelopeKind,
    Gap,
    Refused,
    RouteChange,
)
from e2ecore_protocol.limits import MAX_DIRECT_ATTEMPT, PAST_EPOCHS_ACCEPTED, VACANCY_S

MAX_OUTSIDE_BYTES: Final = 512
"""Largest re-add request of a device outside of the route."""


class RefusedError(Exception):
    """The relay says no; becomes a Failed frame or a Refused result."""

    def __init__(self, code: ErrorCode, data: int | bytes | str | None = None) -> None:
        super().__init__(code.value)
        self.code = code
        self.data = data

    def as_result(self) -> Refused:
        """Return what stands in a Submitted frame."""
        epoch = self.data if isinstance(self.data, int) else None
        return Refused(self.code, 1_000 if self.code.retry else 0, epoch)


@dataclass
class Reader:
    """One device in the route of a log."""

    first: int
    """The first number that it may read."""
    cursor: int
    until: int | None = None
    """The last number that it may read, once it was removed."""
    holes: list[tuple[int, int]] = field(default_factory=list)
    """Numbers, both inclusive, that it must never see: it was out of the route in between."""

    def may_read(self, seq: int) -> bool:
        """Tell whether an envelope is for this reader."""
        return seq >= self.first and not any(low <= seq <= high for low, high in self.holes)


@dataclass
class Stored:
    """One envelope in a log."""

    delivery: Delivery
    sender: bytes
    expires_ms: int


@dataclass
class MemoryLog:
    """One log: of a conversation, or the inbox of a device."""

    log_id: bytes
    kind: int = 0
    epoch: int = 0
    head: int = 0
    items: list[Stored] = field(default_factory=list)
    readers: dict[bytes, Reader] = field(default_factory=dict)
    answers: dict[tuple[bytes, bytes], Accepted] = field(default_factory=dict)
    vacant_ms: dict[bytes, int] = field(default_factory=dict)
    """Devices that took another one's place, and when: no commit has added them since."""

    def is_member(self, device: bytes) -> bool:
        """Tell whether a device is in the route now."""
        reader = self.readers.get(device)
        return reader is not None and reader.until is None

    def append(self, sender: bytes, draft: Delivery, now_ms: int, lifetime_s: int) -> Accepted:
        """Give an envelope its place."""
        self.head += 1
        place = draft._replace(log_id=self.log_id, seq=self.head, time_ms=now_ms)
        self.items.append(Stored(place, sender, now_ms + 1_000 * lifetime_s))
        accepted = Accepted(self.head, now_ms)
        if sender:
            self.answers[draft.envelope_id, sender] = accepted
            self.acknowledge(sender, 0)
        return accepted

    def submit(self, sender: bytes, envelope: Envelope, now_ms: int) -> Accepted:
        """Take an envelope from a member.

        Raises:
            RefusedError: Not a member, or not an epoch that is accepted.
        """
        known = self.answers.get((envelope.envelope_id, sender))
        if known is not None:
            return known
        is_request = envelope.kind == EnvelopeKind.READD_REQUEST
        if not self.is_member(sender) and not (is_request and self._takes_outside(envelope)):
            raise RefusedError(ErrorCode.NOT_A_MEMBER)
        self._check_epoch(envelope.kind, envelope.epoch)
        self._check_vacancy(envelope.kind, now_ms)
        draft = delivery(envelope.kind, envelope.epoch, envelope.envelope_id, envelope.payload)
        accepted = self.append(b"" if is_request else sender, draft, now_ms, envelope.lifetime_s)
        self.answers[draft.envelope_id, sender] = accepted
        return accepted

    def _takes_outside(self, envelope: Envelope) -> bool:
        return self.kind == ConversationKind.GROUP and len(envelope.payload) <= MAX_OUTSIDE_BYTES

    def _check_epoch(self, kind: int, epoch: int) -> None:
        if kind == EnvelopeKind.READD_REQUEST:
            return
        if epoch > self.epoch:
            raise RefusedError(ErrorCode.FUTURE_EPOCH, self.epoch)
        oldest = self.epoch
        if kind == EnvelopeKind.APPLICATION:
            oldest -= PAST_EPOCHS_ACCEPTED
        if epoch < oldest:
            raise RefusedError(ErrorCode.STALE_EPOCH, self.epoch)

    def _check_vacancy(self, kind: int, now_ms: int) -> None:
        """A device that took the place of another one could not open it yet."""
        since = [when for who, when in self.vacant_ms.items() if self.is_member(who)]
        if not since or kind != EnvelopeKind.APPLICATION:
            return
        if self.kind == ConversationKind.DIRECT:
            raise RefusedError(ErrorCode.STALE_EPOCH, self.epoch)
        if now_ms < max(since) + VACANCY_S * 1_000:
            raise RefusedError(ErrorCode.RATE_LIMITED)

    def commit(
        self, sender: DeviceAddress, frame: Commit, now_ms: int, lifetime_s: int
    ) -> Accepted:
        """End the epoch: compare-and-set, route change, log entry.

        Raises:
            RefusedError: The epoch is another, or the sender is no member.
        """
        if frame.epoch != self.epoch:
            late = frame.epoch < self.epoch
            code = ErrorCode.STALE_EPOCH if late else ErrorCode.FUTURE_EPOCH
            raise RefusedError(code, self.epoch)
        self._check_lists(sender, frame)
        change = RouteChange(frame.added, frame.removed, sender)
        draft = delivery(EnvelopeKind.COMMIT, frame.epoch, frame.envelope_id, frame.payload, change)
        accepted = self.append(sender.device_id, draft, now_ms, lifetime_s)
        self.epoch += 1
        staying = {one.device_id for one in frame.added if self.is_member(one.device_id)}
        for address in frame.removed:
            if address.device_id not in staying and self.is_member(address.device_id):
                self.readers[address.device_id].until = self.head
        for address in frame.added:
            self.vacant_ms.pop(address.device_id, None)
            if address.device_id not in staying:
                self._admit(address.device_id)
        return accepted

    def _check_lists(self, sender: DeviceAddress, frame: Commit) -> None:
        lists = (*frame.added, *frame.removed)
        unwelcome = bool(frame.added) != (frame.welcome is not None)
        twice = len({*frame.added}) + len({*frame.removed}) != len(lists)
        if unwelcome or twice or sender in lists:
            raise RefusedError(ErrorCode.MALFORMED)

    def _admit(self, device: bytes) -> None:
        reader = self.readers.get(device)
        if reader is None or reader.until is None:
            self.readers[device] = Reader(self.head + 1, self.head)
            return
        reader.holes.append((reader.until + 1, self.head))
        reader.until = None

    def unread(self, device: bytes, after: int, limit: int) -> tuple[list[Delivery], int]:
        """Return what a device may read behind a number, and the highest number looked at."""
        reader = self.readers[device]
        last = self.head if reader.until is None else reader.until
        found: list[Delivery] = []
        scanned = after
        for one in self.items:
            seq = one.delivery.seq
            if seq <= after or not reader.may_read(seq):
                continue
            if seq > last or len(found) == limit:
                return found, scanned
            if one.sender != device:
                found.append(one.delivery)
            scanned = seq
        return found, last

    def acknowledge(self, device: bytes, upto: int) -> None:
        """Move a cursor, then forget what everybody has read."""
        reader = self.readers.get(device)
        if reader is None or upto > self.head:
            return
        reader.cursor = max(reader.cursor, upto)
        own = {one.delivery.seq for one in self.items if one.sender == device}
        while reader.cursor + 1 in own:
            reader.cursor += 1
        if reader.until is not None and reader.cursor >= reader.until:
            del self.readers[device]
        floor = min((one.cursor for one in self.readers.values()), default=self.head)
        self.items = [one for one in self.items if one.delivery.seq > floor]

    def expire(self, now_ms: int) -> None:
        """Replace what expired unread by a marker."""
        late = [one for one in self.items if one.expires_ms <= now_ms]
        if not late:
            return
        rest = [one for one in self.items if one.expires_ms > now_ms]
        first, last = late[0].delivery.seq, late[-1].delivery.seq
        if isinstance(late[0].delivery.extra, Gap):
            first = late[0].delivery.extra.from_seq
        marker = delivery(EnvelopeKind.GAP, 0, NO_ENVELOPE, b"", Gap(first, last))
        place = marker._replace(log_id=self.log_id, seq=last, time_ms=now_ms)
        self.items = [Stored(place, b"", now_ms + (1 << 50)), *rest]


def delivery(
    kind: int, epoch: int, envelope_id: bytes, payload: bytes, extra: DeliveryExtra = None
) -> Delivery:
    """Return an envelope without a place yet."""
    return Delivery(b"", 0, int(kind), epoch, envelope_id, 0, payload, extra)


def check_creation(frame: Commit, accounts: Iterable[bytes]) -> None:
    """Check that the id of a new conversation is one of its kind, and of its two accounts.

    Raises:
        RefusedError: It is not.
    """
    is_group = frame.create_kind == ConversationKind.GROUP
    if is_group != is_group_conversation(frame.conversation):
        raise RefusedError(ErrorCode.MALFORMED)
    if is_group:
        return
    pair = sorted(set(accounts))
    if frame.create_kind == ConversationKind.SELF:
        if len(pair) != 1 or not is_self_conversation(frame.conversation, pair[0]):
            raise RefusedError(ErrorCode.MALFORMED)
        return
    ids = {
        direct_conversation_id(pair[0], pair[-1], attempt)
        for attempt in range(MAX_DIRECT_ATTEMPT + 1)
    }
    if len(pair) != 2 or frame.conversation not in ids:  # noqa: PLR2004
        raise RefusedError(ErrorCode.MALFORMED)
