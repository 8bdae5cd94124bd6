"""What ends by the clock: envelopes, answers, marks of children, and what covers a device."""

from typing import TYPE_CHECKING, Final

import anyio
import structlog

from e2ecore_relay.domain import minors
from e2ecore_relay.domain.exchange import Turn

if TYPE_CHECKING:
    from e2ecore_relay.server.hub import Hub

_log = structlog.get_logger()

_EXPIRED_AT_ONCE: Final = 1_000
"""Envelopes that one transaction turns into gaps: about 10 ms in which nobody else is served."""


_LOOK_S: Final = 1.0
"""How long nobody looks at the clock of the day at most: it may be set."""


async def keep_covered(hub: "Hub") -> None:
    """Send devices away the moment no consent covers them any more, until cancelled."""
    while True:
        now_ms = hub.clock_ms()
        next_ms = hub.lapse(now_ms)
        left_s = _LOOK_S if next_ms is None else (next_ms - now_ms) / 1000
        await anyio.sleep(min(left_s, _LOOK_S))


async def keep_expiring(hub: "Hub") -> None:
    """Forget from time to time, until cancelled."""
    while True:
        if not await _expire_some(hub):
            await anyio.sleep(hub.config.expiry_interval_s)


async def _expire_some(hub: "Hub") -> bool:
    """Expire one batch. Return whether there may be more."""
    kept_ms = hub.config.answers_kept_s * 1000
    done = anyio.Event()
    counts = [0, 0]

    def work(turn: Turn) -> tuple[int, int]:
        # What is deleted cannot be restored: a clock that was set wrong must not decide it.
        now_ms = min(turn.now_ms, hub.office.time().now_ms)
        minors.forget_some(turn.ledger, now_ms)
        return turn.ledger.logs.expire(now_ms, now_ms - kept_ms, _EXPIRED_AT_ONCE)

    def expired(outcome: tuple[int, int] | Exception) -> None:
        if isinstance(outcome, Exception):
            _log.error("expiry_failed", error=type(outcome).__name__, detail=str(outcome))
        else:
            counts[:] = outcome
        done.set()

    hub.store.call(work, expired)
    await done.wait()
    hub.metrics.expired += counts[0]
    return max(counts) >= _EXPIRED_AT_ONCE // 2
