"""For the tests of apps: a relay in memory with faults, seeded randomness, a virtual clock."""

from e2ecore.testing.devices import devices, open_device, two_devices
from e2ecore.testing.faults import (
    Faults,
    drop,
    duplicate,
    flip_a_bit,
    replay,
    shuffle,
    swap_logs,
)
from e2ecore.testing.memory_channel import MemoryChannel
from e2ecore.testing.memory_relay import MemoryRelay
from e2ecore.testing.seeded import SeededRng, VirtualClock

__all__ = [
    "Faults",
    "MemoryChannel",
    "MemoryRelay",
    "SeededRng",
    "VirtualClock",
    "devices",
    "drop",
    "duplicate",
    "flip_a_bit",
    "open_device",
    "replay",
    "shuffle",
    "swap_logs",
    "two_devices",
]
