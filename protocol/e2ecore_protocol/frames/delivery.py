"""The hot frames: envelopes to the relay, envelopes to their readers, and both acknowledgements.

Items are named tuples, checked in one loop each, because every message passes here four times.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from functools import partial
from typing import ClassVar, Final, NamedTuple, Self, TypeAlias, cast

from e2ecore_protocol.codec import Wire
from e2ecore_protocol.errors import ErrorCode, MalformedError
from e2ecore_protocol.frames.conversations import (
    DeviceAddress,
    address,
    address_list,
    conversation_id,
)
from e2ecore_protocol.frames.frame import Frame
from e2ecore_protocol.limits import (
    CONVERSATION_ID_BYTES,
    ENVELOPE_ID_BYTES,
    MAX_ACKNOWLEDGED_LOGS,
    MAX_BATCH_BYTES,
    MAX_BATCH_ENVELOPES,
    MAX_COMMIT_BYTES,
    MAX_ENVELOPE_BYTES,
    MAX_ENVELOPE_LIFETIME_S,
    MAX_INTEGER,
    MAX_RETRY_AFTER_MS,
    MAX_WELCOME_BYTES,
)
from e2ecore_protocol.shape import Check, choice, integer, maybe, number, record
from e2ecore_protocol.shape import request as a_request

INBOX: Final = b""
"""The log id of a device's own inbox."""

NO_ENVELOPE: Final = bytes(ENVELOPE_ID_BYTES)
"""The envelope id of a gap marker, which stands for envelopes that are gone."""


class EnvelopeKind(IntEnum):
    """What the relay does with an envelope. Spec: protocol/spec/30-ordering.md, [ORD-10]."""

    APPLICATION = 1
    """An MLS application message. Needs a current or recent epoch of the log."""

    PROPOSAL = 2
    """An MLS proposal. Needs the log's current epoch."""

    COMMIT = 3
    """An MLS commit; travels in a Commit frame, never in a Submit."""

    WELCOME = 4
    """An MLS Welcome, in an inbox."""

    READD_REQUEST = 5
    """A member that cannot follow asks to be added again. Any epoch; its sender gets it, too."""

    NOTICE = 6
    """A word of the relay to one device, in its inbox; see ``notices``."""

    GAP = 7
    """Envelopes that expired before this device read them."""


class Envelope(NamedTuple):
    """One ciphertext on its way to a conversation's log.

    ``kind`` is APPLICATION, PROPOSAL or READD_REQUEST; ``lifetime_s`` counts from acceptance.
    """

    conversation: bytes
    envelope_id: bytes
    kind: int
    epoch: int
    lifetime_s: int
    payload: bytes


class Accepted(NamedTuple):
    """The envelope is durable; its place in the log, and when (the relay's clock)."""

    seq: int
    time_ms: int


class Refused(NamedTuple):
    """The envelope was not taken. ``current_epoch`` is there for stale_epoch and future_epoch."""

    code: ErrorCode
    retry_after_ms: int
    current_epoch: int | None


SubmitResult: TypeAlias = Accepted | Refused


class RouteChange(NamedTuple):
    """What the relay says of a commit: who came into the route, who left it, who sent it."""

    added: tuple[DeviceAddress, ...]
    removed: tuple[DeviceAddress, ...]
    sender: DeviceAddress


class Gap(NamedTuple):
    """The first and the last missing number, both inclusive."""

    from_seq: int
    to_seq: int


DeliveryExtra: TypeAlias = bytes | RouteChange | Gap | None


class Delivery(NamedTuple):
    """One envelope for this device.

    ``log_id`` is a conversation id, or INBOX. ``extra`` is a RouteChange for COMMIT, the
    conversation id for WELCOME, a Gap for GAP, else None. A WELCOME has the epoch that it leads to.
    A GAP has the seq of its last missing envelope, epoch 0, NO_ENVELOPE and no payload.
    A NOTICE has epoch 0.
    """

    log_id: bytes
    seq: int
    kind: int
    epoch: int
    envelope_id: bytes
    time_ms: int
    payload: bytes
    extra: DeliveryExtra


class AcknowledgedLog(NamedTuple):
    """Everything in this log up to and including ``upto_seq`` is durable on the device."""

    log_id: bytes
    upto_seq: int


@dataclass(frozen=True, slots=True)
class Submit(Frame):
    """Client: append these envelopes, in this order. Answered by one Submitted.

    Each envelope stands for itself: one may be refused and the next accepted. Payloads together
    have at most MAX_BATCH_BYTES, or it is one envelope.
    """

    TYPE: ClassVar[int] = 16
    request: int
    envelopes: tuple[Envelope, ...]

    @classmethod
    def from_wire(cls, wire: tuple[Wire, ...]) -> Self:
        """Check the fields. Raises: MalformedError."""
        number_of_request, items = _two(wire)
        return cls(a_request(number_of_request), _envelopes(items))


@dataclass(frozen=True, slots=True)
class Submitted(Frame):
    """Relay: one result per envelope, in the same order, after all accepted ones are durable."""

    TYPE: ClassVar[int] = 80
    request: int
    results: tuple[SubmitResult, ...]

    @classmethod
    def from_wire(cls, wire: tuple[Wire, ...]) -> Self:
        """Check the fields. Raises: MalformedError."""
        number_of_request, items = _two(wire)
        return cls(a_request(number_of_request), _results(items))


@dataclass(frozen=True, slots=True)
class Deliver(Frame):
    """Relay: envelopes for this device, each log in the order of its numbers.

    Nothing is forgotten until it is acknowledged; after a new connection everything that was not
    comes again. Payloads together have at most MAX_BATCH_BYTES, or it is one envelope.
    """

    TYPE: ClassVar[int] = 82
    deliveries: tuple[Delivery, ...]

    @classmethod
    def from_wire(cls, wire: tuple[Wire, ...]) -> Self:
        """Check the fields. Raises: MalformedError."""
        if len(wire) != 2:  # noqa: PLR2004
            raise MalformedError("expected 1 field")
        return cls(_deliveries(wire[1]))


@dataclass(frozen=True, slots=True)
class CaughtUp(Frame):
    """Relay: all that waited when the device connected has been sent; from here on it is live."""

    TYPE: ClassVar[int] = 69
    SHAPE: ClassVar[tuple[Check[object], ...]] = ()


@dataclass(frozen=True, slots=True)
class Ack(Frame):
    """Client: forget these for me; I have committed them to disk. Not answered.

    Cumulative per log. A number behind the cursor changes nothing; one beyond the end counts as it.
    """

    TYPE: ClassVar[int] = 18
    logs: tuple[AcknowledgedLog, ...]

    @classmethod
    def from_wire(cls, wire: tuple[Wire, ...]) -> Self:
        """Check the fields. Raises: MalformedError."""
        if len(wire) != 2:  # noqa: PLR2004
            raise MalformedError("expected 1 field")
        return cls(_logs(wire[1]))


def make_envelope_id(now_ms: int, random: bytes) -> bytes:
    """Return an envelope id that sorts by time.

    Args:
        now_ms: Milliseconds since the Unix epoch.
        random: 10 random bytes, fresh for every envelope.
    """
    return now_ms.to_bytes(ENVELOPE_ID_BYTES - _RANDOM_BYTES) + random


_RANDOM_BYTES: Final = 10
_SUBMITTED_KINDS: Final = frozenset(
    map(int, (EnvelopeKind.APPLICATION, EnvelopeKind.PROPOSAL, EnvelopeKind.READD_REQUEST))
)
_INBOX_KINDS: Final = frozenset(map(int, (EnvelopeKind.WELCOME, EnvelopeKind.NOTICE)))
_MAX_PAYLOAD: Final[Mapping[int, int]] = {
    int(EnvelopeKind.APPLICATION): MAX_ENVELOPE_BYTES,
    int(EnvelopeKind.PROPOSAL): MAX_ENVELOPE_BYTES,
    int(EnvelopeKind.COMMIT): MAX_COMMIT_BYTES,
    int(EnvelopeKind.WELCOME): MAX_WELCOME_BYTES,
    int(EnvelopeKind.READD_REQUEST): MAX_ENVELOPE_BYTES,
    int(EnvelopeKind.NOTICE): MAX_ENVELOPE_BYTES,
    int(EnvelopeKind.GAP): 0,
}
_APPLICATION: Final = int(EnvelopeKind.APPLICATION)
_PAIR: Final = 2
_make_envelope = partial(tuple.__new__, Envelope)
_make_delivery = partial(tuple.__new__, Delivery)
_make_accepted = partial(tuple.__new__, Accepted)
_make_log = partial(tuple.__new__, AcknowledgedLog)
_seq = integer(min_value=1)
_route_change = record(RouteChange._make, address_list, address_list, address)
_gap = record(Gap._make, _seq, _seq)
_refused = record(Refused._make, choice(ErrorCode), integer(MAX_RETRY_AFTER_MS), maybe(number))


def _two(wire: tuple[Wire, ...]) -> tuple[Wire, Wire]:
    if len(wire) != 3:  # noqa: PLR2004
        raise MalformedError("expected 2 fields")
    return wire[1], wire[2]


def _items(value: Wire, max_items: int = MAX_BATCH_ENVELOPES) -> tuple[tuple[Wire, ...], ...]:
    """Check the length of an array. The caller unpacks each item, which checks the rest."""
    if type(value) is not tuple or not 1 <= len(value) <= max_items:
        raise MalformedError(f"expected an array of 1 to {max_items} elements")
    return cast("tuple[tuple[Wire, ...], ...]", value)


def _check_total(items: int, payload_bytes: int) -> None:
    if items > 1 and payload_bytes > MAX_BATCH_BYTES:
        raise MalformedError(f"payloads together exceed {MAX_BATCH_BYTES} bytes")


def _envelopes(value: Wire) -> tuple[Envelope, ...]:
    items = _items(value)
    total = 0
    try:
        for conversation, envelope_id, kind, epoch, lifetime_s, payload in items:
            if not (
                type(conversation) is bytes
                and len(conversation) == CONVERSATION_ID_BYTES
                and type(envelope_id) is bytes
                and len(envelope_id) == ENVELOPE_ID_BYTES
                and type(kind) is int
                and kind in _SUBMITTED_KINDS
                and type(epoch) is int
                and 0 <= epoch <= MAX_INTEGER
                and type(lifetime_s) is int
                and 1 <= lifetime_s <= MAX_ENVELOPE_LIFETIME_S
                and type(payload) is bytes
                and 1 <= len(payload) <= MAX_ENVELOPE_BYTES
            ):
                raise MalformedError("not an envelope")
            total += len(payload)
    except (TypeError, ValueError):
        raise MalformedError("not an envelope") from None
    _check_total(len(items), total)
    return tuple(map(_make_envelope, items))


def _deliveries(value: Wire) -> tuple[Delivery, ...]:
    items = _items(value)
    total = 0
    found = []
    try:
        for item in items:
            log_id, seq, kind, epoch, envelope_id, time_ms, payload, extra = item
            if not (
                type(log_id) is bytes
                and (len(log_id) == CONVERSATION_ID_BYTES or log_id == INBOX)
                and type(seq) is int
                and 1 <= seq <= MAX_INTEGER
                and type(kind) is int
                and type(epoch) is int
                and 0 <= epoch <= MAX_INTEGER
                and type(envelope_id) is bytes
                and len(envelope_id) == ENVELOPE_ID_BYTES
                and type(time_ms) is int
                and 0 <= time_ms <= MAX_INTEGER
                and type(payload) is bytes
                and len(payload) <= _MAX_PAYLOAD.get(kind, -1)
            ):
                raise MalformedError("not a delivery")
            total += len(payload)
            delivery = _make_delivery(item)
            if kind != _APPLICATION or extra is not None or not log_id or not payload:
                delivery = delivery._replace(extra=_extra(delivery, extra))
            found.append(delivery)
    except (TypeError, ValueError) as error:
        raise MalformedError("not a delivery") from error
    _check_total(len(items), total)
    return tuple(found)


def _extra(delivery: Delivery, extra: Wire) -> DeliveryExtra:
    """Check the extra, and what depends on the kind, of a delivery."""
    if bool(delivery.payload) == (delivery.kind == EnvelopeKind.GAP):
        raise MalformedError("a gap has no payload, everything else has one")
    if delivery.kind != EnvelopeKind.GAP and (not delivery.log_id) != (
        delivery.kind in _INBOX_KINDS
    ):
        raise MalformedError("this kind does not belong to this log")
    match delivery.kind:
        case EnvelopeKind.COMMIT:
            return _route_change(extra)
        case EnvelopeKind.WELCOME:
            return conversation_id(extra)
        case EnvelopeKind.GAP:
            gap = _gap(extra)
            if not gap.from_seq <= gap.to_seq == delivery.seq:
                raise MalformedError("the gap does not end at its seq")
            if delivery.envelope_id != NO_ENVELOPE or delivery.epoch:
                raise MalformedError("a gap has no envelope id and no epoch")
            return gap
        case _:
            if extra is not None:
                raise MalformedError("this kind has no extra")
            return None


def _results(value: Wire) -> tuple[SubmitResult, ...]:
    results: list[SubmitResult] = []
    for item in _items(value):
        if type(item) is tuple and len(item) == _PAIR:
            seq, time_ms = item
            if not (
                type(seq) is int
                and 1 <= seq <= MAX_INTEGER
                and type(time_ms) is int
                and 0 <= time_ms <= MAX_INTEGER
            ):
                raise MalformedError("not a result")
            results.append(_make_accepted(item))
        else:
            results.append(_refused(item))
    return tuple(results)


def _logs(value: Wire) -> tuple[AcknowledgedLog, ...]:
    items = _items(value, MAX_ACKNOWLEDGED_LOGS)
    try:
        for log_id, seq in items:
            if not (
                type(log_id) is bytes
                and (len(log_id) == CONVERSATION_ID_BYTES or log_id == INBOX)
                and type(seq) is int
                and 1 <= seq <= MAX_INTEGER
            ):
                raise MalformedError("not an acknowledged log")
    except (TypeError, ValueError):
        raise MalformedError("not an acknowledged log") from None
    return tuple(map(_make_log, items))
