"""How long a voice note is, and how loud each of its parts, as its file says.

Nothing is recorded here: the file comes from a recorder. It may also come from a stranger, who
wants to fill memory or keep the processor busy: what is decoded is bounded by time, not by what the
file says of itself, and goes through memory in small pieces.
"""

import os
import stat
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Final

import e2ecore
from cli_demo.exits import CliError, Exit

if TYPE_CHECKING:
    from numpy import float32
    from numpy.typing import NDArray
    from soundfile import SoundFile

PARTS: Final = 64
"""Loudnesses that are sent: what a wide line shows."""
MAX_S: Final = 3_600
"""Longer is not said into a message; to decode it takes seconds."""
_MAX_RATE: Final = 96_000
_MAX_CHANNELS: Final = 2
_BLOCK: Final = 1 << 16
"""Frames that are in memory at once: half a megabyte at most."""
_PIECE_S: Final = 0.02
"""What one loudness is measured over before its part is known: shorter than a syllable."""
_FORMATS: Final = {
    "WAV": "audio/wav",
    "WAVEX": "audio/wav",
    "FLAC": "audio/flac",
    "OGG": "audio/ogg",
    "MP3": "audio/mpeg",
}
"""What recorders write, and readers play, by the library's names."""


class NotSoundError(CliError):
    """The file is no sound that can be sent as a voice note."""

    def __init__(self, text: str) -> None:
        super().__init__(text, Exit.USAGE)


@dataclass(frozen=True, slots=True)
class Voice:
    """What readers see of a voice note before they fetch it."""

    media_type: str
    duration_ms: int
    waveform: bytes
    """Loudness of ``PARTS`` equal parts at most; the loudest is 255."""


def voice_note(path: Path) -> e2ecore.OutgoingFile:
    """A sound file as a voice note to be sent. Decodes all of it: call it in a thread.

    Raises:
        NotSoundError: It is no such file, or longer than ``MAX_S``.
    """
    heard = listen(path)
    return e2ecore.OutgoingFile(
        path,
        media_type=heard.media_type,
        form=e2ecore.AttachmentForm.VOICE,
        duration_ms=heard.duration_ms,
        waveform=heard.waveform,
    )


def listen(path: Path) -> Voice:
    """Measure a sound file: WAV, FLAC, MP3, Ogg with Opus or Vorbis.

    Raises:
        NotSoundError: It is no such file, or longer than ``MAX_S``.
    """
    import soundfile  # here: with numpy it takes 150 ms to load, and few verbs listen

    try:
        # A pipe would wait for a writer, a device might never end.
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise NotSoundError(f"{path.name}: {error.strerror}") from None
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise NotSoundError(f"{path.name} is not a file")
        with soundfile.SoundFile(handle, closefd=False) as sound:
            return _measured(sound, path.name)
    except (soundfile.SoundFileError, ValueError):
        raise NotSoundError(
            f"{path.name} is damaged, or no sound that is known here: WAV, FLAC, MP3, Ogg"
        ) from None
    finally:
        os.close(handle)


def _measured(sound: "SoundFile", name: str) -> Voice:
    rate, channels = int(sound.samplerate), int(sound.channels)
    kind = _FORMATS.get(sound.format)
    if kind is None or not 0 < rate <= _MAX_RATE or not 0 < channels <= _MAX_CHANNELS:
        raise NotSoundError(f"{name}: a voice note is WAV, FLAC, MP3 or Ogg, with one voice or two")
    size = max(int(rate * _PIECE_S), 1)
    block = max(_BLOCK // size, 1) * size
    frames = 0
    pieces: list[float] = []
    while len(found := sound.read(block, dtype="float32", always_2d=True)):
        frames += len(found)
        if frames > MAX_S * rate:
            raise NotSoundError(f"{name} is longer than an hour")
        pieces += _loudness(found, size)
    if not frames:
        raise NotSoundError(f"nothing is heard in {name}")
    return Voice(kind, max(frames * 1000 // rate, 1), waveform(pieces))


def _loudness(found: "NDArray[float32]", size: int) -> list[float]:
    """The mean power of each piece of a block, all channels together; no number is silence."""
    import numpy as np

    power = np.nan_to_num(np.square(np.clip(found, -1.0, 1.0)).mean(axis=1))
    starts = np.arange(0, len(power), size)
    lengths = np.diff([*starts, len(power)])
    return [float(one) for one in np.add.reduceat(power, starts) / lengths]


def waveform(pieces: list[float]) -> bytes:
    """Equal parts of pieces, the loudest as 255. Silence is all zeros.

    Args:
        pieces: Mean power of each, 0 to 1; at least one.
    """
    count = min(PARTS, len(pieces))
    bounds = [len(pieces) * n // count for n in range(count + 1)]
    parts = [(sum(pieces[begin:end]) / (end - begin)) ** 0.5 for begin, end in pairwise(bounds)]
    loudest = max(parts)
    return bytes(round(255 * one / loudest) if loudest else 0 for one in parts)
