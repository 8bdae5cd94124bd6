"""When to try again. Pure: the caller sleeps."""

from typing import Final

from e2ecore.crypto.rng import Rng

FIRST_PAUSE_MS: Final = 500
"""Longest pause after the first failure: a lost packet should not be felt."""

MAX_PAUSE_MS: Final = 60_000
"""Longest pause of all: a relay that comes back is noticed within a minute."""

_DOUBLINGS: Final = 16
_RANDOM_BYTES: Final = 8
_RANDOM_RANGE: Final = 1 << (8 * _RANDOM_BYTES)


def pause_ms(failures: int, retry_after_ms: int, rng: Rng) -> int:
    """Return how long to wait before the next attempt, in milliseconds.

    Full jitter: anything from 0 to a bound that doubles with every failure, so that thousands of
    clients whose relay restarted do not come back in step. On top of what the relay asked for.

    Args:
        failures: Attempts in a row that failed, from 1 on.
        retry_after_ms: What the relay asked for at least; 0 if it said nothing.
        rng: Randomness.
    """
    bound = min(MAX_PAUSE_MS, FIRST_PAUSE_MS << min(max(failures - 1, 0), _DOUBLINGS))
    fraction = int.from_bytes(rng(_RANDOM_BYTES))
    return retry_after_ms + bound * fraction // _RANDOM_RANGE
