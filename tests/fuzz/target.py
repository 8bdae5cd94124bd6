"""What a harness is."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Target:
    """One way for bytes of others to enter."""

    call: Callable[[bytes], object]
    """Takes any bytes. Raises ``AssertionError`` where a value is not what it must be."""
    refusals: tuple[type[Exception], ...]
    """What may come instead of a value. Anything else is a finding."""
    samples: Sequence[bytes]
    """Bytes that are taken: where mutations begin."""
    covers: Sequence[object]
    """The decoders that this harness is for."""


def try_target(target: Target, data: bytes) -> bool:
    """Give bytes to a harness. Returns whether they were taken.

    Raises:
        Exception: A finding: anything but a value or a refusal.
    """
    try:
        target.call(data)
    except target.refusals:
        return False
    return True
