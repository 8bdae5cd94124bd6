"""What can go wrong between a device and its relay, on purpose.

Set an attribute of ``MemoryRelay.faults`` and the relay misbehaves from then on. The hooks see
frames as values, so a test can also write its own lie in a few lines.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from e2ecore.crypto.rng import Rng
from e2ecore_protocol.frames.delivery import Delivery, EnvelopeKind
from e2ecore_protocol.frames.frame import Frame
from e2ecore_protocol.frames.signals import Signalled

Deliveries = Callable[[bytes, Sequence[Delivery]], list[Delivery]]
"""Device id and what it is to get, to what it gets."""
Answers = Callable[[bytes, Frame], Frame | None]
"""Device id and the relay's answer, to the answer that it gets; None: none at all."""
Signals = Callable[[bytes, list[Signalled]], list[Signalled]]
"""Device id and the signal that it is to get, to what it gets."""


@dataclass
class Faults:
    """Everything that a relay may do wrong. All off at first."""

    offline: bool = False
    """New connections fail; ``MemoryRelay.disconnect`` ends the present ones."""
    deliveries: list[Deliveries] = field(default_factory=list)
    """Applied to every batch of deliveries, in order."""
    answers: list[Answers] = field(default_factory=list)
    """Applied to every answer, in order."""
    signals: list[Signals] = field(default_factory=list)
    """Applied to every signal that is forwarded, in order."""

    def clear(self) -> None:
        """Behave again."""
        self.offline = False
        self.deliveries.clear()
        self.answers.clear()
        self.signals.clear()


def drop(kind: EnvelopeKind, count: int = 1) -> Deliveries:
    """Withhold the next ``count`` envelopes of a kind for ever."""
    left = count

    def apply(_device: bytes, items: Sequence[Delivery]) -> list[Delivery]:
        nonlocal left
        kept = []
        for item in items:
            if left and item.kind == kind:
                left -= 1
            else:
                kept.append(item)
        return kept

    return apply


def duplicate(_device: bytes, items: Sequence[Delivery]) -> list[Delivery]:
    """Deliver everything twice."""
    return [item for item in items for _ in range(2)]


def replay() -> Deliveries:
    """Deliver everything again, under new numbers, together with what comes next."""
    seen: dict[bytes, list[Delivery]] = {}

    def apply(device: bytes, items: Sequence[Delivery]) -> list[Delivery]:
        old = seen.setdefault(device, [])
        last = {item.log_id: item.seq for item in items}
        again = [
            item._replace(seq=last[item.log_id])
            for item in old
            if item.log_id in last and item.kind != EnvelopeKind.GAP
        ]
        old.extend(items)
        return [*items, *again]

    return apply


def shuffle(rng: Rng) -> Deliveries:
    """Exchange the contents of the envelopes of each batch, leaving the numbers in order."""

    def apply(_device: bytes, items: Sequence[Delivery]) -> list[Delivery]:
        mixed = sorted(items, key=lambda _: rng(8))
        places = sorted((item.log_id, item.seq) for item in items)
        mixed.sort(key=lambda item: item.log_id)
        return [item._replace(seq=seq) for item, (_, seq) in zip(mixed, places, strict=True)]

    return apply


def swap_logs(one: bytes, other: bytes) -> Deliveries:
    """Deliver what belongs to one conversation as if it belonged to the other."""
    names = {one: other, other: one}

    def apply(_device: bytes, items: Sequence[Delivery]) -> list[Delivery]:
        return [item._replace(log_id=names.get(item.log_id, item.log_id)) for item in items]

    return apply


def flip_a_bit(count: int = 1, kind: EnvelopeKind = EnvelopeKind.APPLICATION) -> Deliveries:
    """Damage the last byte of the next ``count`` envelopes of a kind."""
    left = count

    def apply(_device: bytes, items: Sequence[Delivery]) -> list[Delivery]:
        nonlocal left
        result = []
        for item in items:
            if left and item.kind == kind:
                left -= 1
                damaged = item.payload[:-1] + bytes((item.payload[-1] ^ 1,))
                result.append(item._replace(payload=damaged))
            else:
                result.append(item)
        return result

    return apply
