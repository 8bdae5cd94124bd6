"""Small sound files, by another writer than the reader."""

import struct
import wave
from collections.abc import Sequence
from pathlib import Path

RATE = 8_000
"""Frames a second."""


def recorded(path: Path, samples: Sequence[float], *, channels: int = 1) -> Path:
    """A WAV file of samples from -1 to 1."""
    with wave.open(str(path), "wb") as out:
        out.setnchannels(channels)
        out.setsampwidth(2)
        out.setframerate(RATE)
        whole = [round(32_767 * one) for one in samples for _ in range(channels)]
        out.writeframes(struct.pack(f"<{len(whole)}h", *whole))
    return path
