"""Length and loudness of a voice note are read from real sound files; hostile ones are refused."""

import contextlib
import math
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from cli_demo import voice
from cli_demo.exits import Exit
from cli_demo.voice import PARTS, NotSoundError, listen, voice_note, waveform
from e2ecore import AttachmentForm
from tests.support.sounds import RATE, recorded


def tone(seconds: float, *, loud: Callable[[float], float], rate: int = RATE) -> list[float]:
    """A sound that is so loud at each share of its time."""
    count = round(seconds * rate)
    return [loud(n / count) * math.sin(n * 440 * math.tau / rate) for n in range(count)]


def test_length_and_loudness_are_those_of_the_recording(tmp_path: Path) -> None:
    louder = listen(recorded(tmp_path / "a.wav", tone(2.0, loud=lambda at: at)))
    assert (louder.duration_ms, len(louder.waveform)) == (2_000, PARTS)
    assert louder.waveform[-1] == 255
    assert list(louder.waveform) == sorted(louder.waveform)
    stops = listen(recorded(tmp_path / "b.wav", tone(1.0, loud=lambda at: at < 0.5), channels=2))
    assert stops.duration_ms == 1_000
    assert min(stops.waveform[: len(stops.waveform) // 2 - 1]) > 240
    assert set(stops.waveform[len(stops.waveform) // 2 + 1 :]) == {0}


@pytest.mark.parametrize(
    ("name", "subtype", "media_type"),
    [
        ("a.wav", "PCM_24", "audio/wav"),
        ("a.flac", "PCM_16", "audio/flac"),
        ("a.ogg", "VORBIS", "audio/ogg"),
        ("a.opus", "OPUS", "audio/ogg"),
        ("a.mp3", "MPEG_LAYER_III", "audio/mpeg"),
    ],
)
def test_every_kind_that_recorders_write_is_heard(
    name: str, subtype: str, media_type: str, tmp_path: Path
) -> None:
    kind = {"flac": "FLAC", "mp3": "MP3", "wav": "WAV"}.get(name.split(".")[1], "OGG")
    samples = np.array(tone(1.5, loud=lambda at: 0.2 + 0.8 * at, rate=16_000))
    soundfile.write(tmp_path / name, samples, 16_000, format=kind, subtype=subtype)
    sent = voice_note(tmp_path / name)
    assert (sent.form, sent.media_type) == (AttachmentForm.VOICE, media_type)
    assert 1_450 <= sent.duration_ms <= 1_600
    assert sent.waveform[PARTS // 4] < sent.waveform[3 * PARTS // 4]


def test_silence_is_flat_and_what_is_no_number_is_silent(tmp_path: Path) -> None:
    silent = listen(recorded(tmp_path / "s.wav", [0.0] * RATE))
    assert set(silent.waveform) == {0}
    broken = np.full(RATE, np.nan, dtype="float32")
    broken[: RATE // 2] = np.inf
    soundfile.write(tmp_path / "n.wav", broken, RATE, subtype="FLOAT")
    found = listen(tmp_path / "n.wav").waveform
    assert (found[0], found[-1]) == (255, 0)


def test_a_click_is_as_short_as_it_is(tmp_path: Path) -> None:
    click = listen(recorded(tmp_path / "c.wav", [1.0]))
    assert (click.duration_ms, click.waveform) == (1, b"\xff")


def lying(path: Path) -> Path:
    """A file that says it is hours long, and is a second."""
    data = bytearray(recorded(path, tone(1.0, loud=lambda _: 1.0)).read_bytes())
    data[4:8] = data[40:44] = b"\xff\xff\xff\x7f"
    path.write_bytes(data)
    return path


def test_what_a_file_says_of_its_length_is_not_believed(tmp_path: Path) -> None:
    assert listen(lying(tmp_path / "l.wav")).duration_ms == 1_000


def no_sound(path: Path) -> Path:
    path.write_bytes(b"")
    return path


def noise(path: Path) -> Path:
    path.write_bytes(b"RIFF" + bytes(range(256)) * 10)
    return path


def cut(path: Path) -> Path:
    data = recorded(path, tone(1.0, loud=lambda _: 1.0)).read_bytes()
    path.write_bytes(data[:30])
    return path


def pipe(path: Path) -> Path:
    os.mkfifo(path)
    return path


def other_kind(path: Path) -> Path:
    soundfile.write(path, np.zeros(100), RATE, format="AIFF")
    return path


def many_channels(path: Path) -> Path:
    return recorded(path, [0.5] * 100, channels=8)


def empty(path: Path) -> Path:
    return recorded(path, [])


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (no_sound, "is damaged, or no sound that is known here"),
        (noise, "is damaged, or no sound"),
        (cut, "is damaged, or no sound"),
        (lambda path: path, "No such file"),
        (pipe, "is not a file"),
        (lambda path: path.parent, "is not a file"),
        (other_kind, "a voice note is WAV, FLAC, MP3 or Ogg"),
        (many_channels, "with one voice or two"),
        (empty, "nothing is heard in"),
    ],
)
def test_what_is_no_voice_note_is_refused_by_name(
    make: Callable[[Path], Path], said: str, tmp_path: Path
) -> None:
    with pytest.raises(NotSoundError) as refused:
        listen(make(tmp_path / "x.wav"))
    assert said in str(refused.value)
    assert refused.value.code is Exit.USAGE


def test_what_is_too_long_is_refused_before_it_is_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = recorded(tmp_path / "long.wav", [0.1] * (RATE * 30))
    monkeypatch.setattr(voice, "MAX_S", 2)
    monkeypatch.setattr(voice, "_BLOCK", RATE)
    with pytest.raises(NotSoundError, match="longer than an hour"):
        listen(path)


@given(data=st.binary(max_size=300), keep=st.integers(0, 60))
def test_any_bytes_are_a_voice_note_or_refused(
    data: bytes, keep: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.wav"
    head = recorded(path, [0.5] * 20).read_bytes()[:keep]
    path.write_bytes(head + data)
    with contextlib.suppress(NotSoundError):
        assert 0 < listen(path).duration_ms <= 1000 * voice.MAX_S


@given(st.lists(st.floats(0, 1), min_size=1, max_size=500))
def test_a_waveform_is_never_longer_than_its_parts_and_its_loudest_is_full(
    pieces: list[float],
) -> None:
    found = waveform(pieces)
    assert len(found) == min(PARTS, len(pieces))
    assert max(found) == 255 or max(pieces) ** 0.5 == 0.0
