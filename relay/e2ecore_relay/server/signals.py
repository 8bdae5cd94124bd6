"""Signals: forwarded to who is online, at once or not at all. Nothing of them is kept.

They never enter the writer's queue, so no message waits for one. The route is looked up where the
writer has it in memory; only a conversation that nobody has used since the relay started is loaded,
once. What a signal can cause is bounded: so many of one device, so many readers of each.

Spec: protocol/spec/20-relay-frames.md, [FRM-60] and [FRM-61]
"""

from functools import partial

from e2ecore_protocol.frames import Signal, Signalled
from e2ecore_protocol.limits import MAX_SIGNAL_READERS
from e2ecore_relay.domain.exchange import Turn
from e2ecore_relay.server.hub import Hub


def forward(hub: Hub, sender: int, frame: Signal) -> None:
    """Forward a signal of a device, or drop it. Never waits, never fails."""
    if not hub.limits.takes_signal(sender, frame.conversation, hub.clock_ms()):
        hub.metrics.signals_dropped["rate"] += 1
        return
    audience = hub.store.audience(frame.conversation)
    if audience is None:
        hub.store.call(partial(_load, frame.conversation), partial(_loaded, hub, sender, frame))
    else:
        _spread(hub, sender, frame, audience)


def _load(conversation: bytes, turn: Turn) -> tuple[int, ...]:
    log = turn.exchange.log(turn.ledger, conversation)
    return () if log is None else log.audience


def _loaded(hub: Hub, sender: int, frame: Signal, outcome: tuple[int, ...] | Exception) -> None:
    _spread(hub, sender, frame, () if isinstance(outcome, Exception) else outcome)


def _spread(hub: Hub, sender: int, frame: Signal, audience: tuple[int, ...]) -> None:
    metrics = hub.metrics
    if len(audience) > MAX_SIGNAL_READERS or sender not in audience:
        metrics.signals_dropped["route"] += 1
        return
    encoded = Signalled(frame.conversation, frame.payload).encode()
    for device in audience:
        session = None if device == sender else hub.find(device)
        if session is None:
            continue
        if session.signal(encoded):
            metrics.signals_forwarded += 1
        else:
            metrics.signals_dropped["slow"] += 1
