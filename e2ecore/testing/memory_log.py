"""The logs of the relay in memory: order, routes, cursors, epochs, as the specification has them.

Spec: protocol/spec/30-ordering.md
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from e2ecore_protocol.errors import ErrorCode
from e2ecore_protocol.frames.conversations import (
    Commit,
    ConversationKind,
    DeviceAddress,
    direct_conversation_id,
    kind_of_conversation,
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
from e2ecore_protocol.limits import MAX_DIRECT_ATTEMPT, PAST_EPOCHS_ACCEPTED


class RefusedError(Exception):
    """The relay says no; becomes a Failed frame or a Refused result."""

    def __init__(self, code: ErrorCode, data: int | bytes | None = None) -> None:
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
        if not self.is_member(sender):
            raise RefusedError(ErrorCode.NOT_A_MEMBER)
        self._check_epoch(envelope.kind, envelope.epoch)
        draft = delivery(envelope.kind, envelope.epoch, envelope.envelope_id, envelope.payload)
        return self.append(sender, draft, now_ms, envelope.lifetime_s)

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
        for address in frame.removed:
            if not self.is_member(address.device_id):
                raise RefusedError(ErrorCode.NOT_A_MEMBER)
        change = RouteChange(frame.added, frame.removed)
        draft = delivery(EnvelopeKind.COMMIT, frame.epoch, frame.envelope_id, frame.payload, change)
        accepted = self.append(sender.device_id, draft, now_ms, lifetime_s)
        self.epoch += 1
        for address in frame.removed:
            self.readers[address.device_id].until = self.head
        for address in frame.added:
            self.readers[address.device_id] = Reader(self.head + 1, self.head)
        return accepted

    def unread(self, device: bytes, after: int, limit: int) -> tuple[list[Delivery], int]:
        """Return what a device may read behind a number, and the highest number looked at."""
        reader = self.readers[device]
        last = self.head if reader.until is None else reader.until
        found: list[Delivery] = []
        scanned = after
        for one in self.items:
            seq = one.delivery.seq
            if seq <= after or seq < reader.first:
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
    if frame.create_kind != kind_of_conversation(frame.conversation):
        raise RefusedError(ErrorCode.MALFORMED)
    if frame.create_kind != ConversationKind.DIRECT:
        return
    pair = sorted(set(accounts))
    ids = {
        direct_conversation_id(pair[0], pair[-1], attempt)
        for attempt in range(MAX_DIRECT_ATTEMPT + 1)
    }
    if len(pair) != 2 or frame.conversation not in ids:  # noqa: PLR2004
        raise RefusedError(ErrorCode.MALFORMED)
