"""Payloads of NOTICE envelopes: what the relay has to tell one device, in its inbox."""

from dataclasses import dataclass
from typing import ClassVar

from e2ecore_protocol.frames.frame import Frame
from e2ecore_protocol.limits import MAX_KEY_PACKAGES_PER_FRAME
from e2ecore_protocol.shape import Check, integer


@dataclass(frozen=True, slots=True)
class KeyPackagesLow(Frame):
    """One-time key packages are running out: publish new ones.

    Sent when the count falls to KEY_PACKAGES_LOW, and when it falls to 0.
    """

    TYPE: ClassVar[int] = 1
    SHAPE: ClassVar[tuple[Check[object], ...]] = (integer(MAX_KEY_PACKAGES_PER_FRAME),)
    left: int
