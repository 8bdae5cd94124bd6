"""What is on its way, as a line; where a file is, in words; a small picture of it, in cells."""

import io
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from rich.cells import cell_len
from rich.style import Style

from cli_demo.chat.blocks import Painter
from cli_demo.chat.file_lines import file_lines
from cli_demo.chat.pictures import MAX_CELLS, MAX_ROWS, Ink, PictureLine, picture_lines
from cli_demo.chat.transfers import Meter, Phase, Transfer, line, lines
from cli_demo.file_words import description, on_its_way, whereabouts, why
from cli_demo.text import visible, wave
from cli_demo.views import ASCII, UNICODE, FileView, Symbols
from e2ecore import (
    Attachment,
    AttachmentForm,
    AttachmentState,
    BlobRefusedError,
    Deletion,
    DeletionReason,
    E2EError,
    FileStatus,
    PromiseInvalidError,
    RelayRefusedError,
    UploadTooSlowError,
)
from e2ecore_protocol.errors import ErrorCode
from tests.unit.cli.test_blocks import NOW, PLAIN, style

if TYPE_CHECKING:
    from e2ecore.engine.files.file_values import Files

MIB = 1 << 20
HOUR_MS = 3_600_000
LIVE = FileStatus(9, 3, NOW + 148 * HOUR_MS, is_complete=True, deletion=None)


class Nobody:
    """Does nothing with files."""


def file(state: AttachmentState, **fields: object) -> Attachment:
    nobody: Files = Nobody()  # type: ignore[assignment]  # nothing is done with it here
    found = Attachment(
        12, "map.png", "image/png", AttachmentForm.IMAGE, 3 * MIB, bytes(32), 0, 0, 0, b"", b"",
        state, is_stored=False, expires_ms=None, deletion=None, files=nobody,
    )  # fmt: skip
    return replace(found, **fields)  # type: ignore[arg-type]  # any field


def where(one: Attachment, status: FileStatus | None = None) -> str:
    return whereabouts(one, status, NOW, ask="/ask 12", fetch="/get 12")


@pytest.mark.parametrize(
    ("one", "status", "words"),
    [
        (file(AttachmentState.WAITING), None, "on its way to the relay"),
        (file(AttachmentState.UPLOADED), LIVE, "waiting for 3 of 9, expires in 6 d 4 h"),
        (
            file(AttachmentState.UPLOADED, expires_ms=NOW + 2 * HOUR_MS),
            None,
            "at the relay, expires in 2 h",
        ),
        (
            file(AttachmentState.UPLOADED, expires_ms=NOW - 1),
            None,
            "at the relay, its time is over",
        ),
        (
            file(AttachmentState.UPLOADED),
            replace(LIVE, is_complete=False),
            "on its way to the relay",
        ),
        (
            file(AttachmentState.UPLOADED, deletion=Deletion(DeletionReason.ALL_FETCHED, NOW)),
            LIVE,
            "gone: all have it",
        ),
        (file(AttachmentState.REMOTE), None, "/get 12 fetches it"),
        (file(AttachmentState.REMOTE), LIVE, "/get 12 fetches it, expires in 6 d 4 h"),
        (file(AttachmentState.STORED), None, "here"),
        (
            file(AttachmentState.EXPIRED),
            None,
            "expired before it was fetched; /ask 12 asks the sender again",
        ),
        (file(AttachmentState.FAILED), None, "not sent"),
    ],
)
def test_where_a_file_is_is_said_in_words(
    one: Attachment, status: FileStatus | None, words: str
) -> None:
    assert where(one, status) == words


@pytest.mark.parametrize("reason", list(DeletionReason))
def test_every_reason_for_a_deletion_has_words(reason: DeletionReason) -> None:
    said = where(file(AttachmentState.UPLOADED, deletion=Deletion(reason, NOW)))
    assert said.startswith("gone: ")
    assert reason.name not in said


def test_what_a_file_is_names_it_harmlessly_and_a_voice_note_by_its_length() -> None:
    bad = file(AttachmentState.REMOTE, name="a\x1b[2J\u202e.png")
    assert description(bad, visible) == "a\N{REPLACEMENT CHARACTER}[2J.png, 3.0 MiB"
    voice = file(AttachmentState.REMOTE, form=AttachmentForm.VOICE, duration_ms=62_001)
    assert description(voice, visible) == "voice note, 1:03, 3.0 MiB"
    assert wave(bytes([0, 128, 255]), 16, UNICODE.levels) == "▁▅█"
    assert wave(bytes([0, 128, 255]), 16, ASCII.levels) == "_=#"
    assert len(wave(bytes(range(128)), 16, UNICODE.levels)) == 16
    assert wave(b"", 16, UNICODE.levels) == ""


def test_a_rate_is_that_of_the_last_seconds_and_forgets_a_pause() -> None:
    meter = Meter()
    assert meter.rate is None
    meter.note(0.0, 0)
    meter.note(0.1, 100)
    assert meter.rate is None
    meter.note(1.0, MIB)
    assert meter.rate == MIB
    for second in range(2, 20):
        meter.note(float(second), MIB + second)
    assert meter.rate == 1
    meter.note(20.0, 0)
    assert meter.rate is None


def moving(symbols: Symbols = UNICODE, width: int = 100, **fields: object) -> str:
    one = Transfer("12", "plan of the garden.pdf", is_upload=False)
    for name, value in fields.items():
        setattr(one, name, value)
    one.progressed(0.0, 0, 10 * MIB)
    one.progressed(2.0, 4 * MIB, 10 * MIB)
    return line(one, width, symbols)


def test_a_line_has_bar_share_rate_and_time_left() -> None:
    assert moving() == (
        "↓ 12 plan of the garden.pdf  ██████░░░░░░░░░░   40 % of 10.0 MiB  2.0 MiB/s  3 s left"
    )
    assert moving(ASCII).startswith("dn 12 plan of the garden.pdf  ######..........   40 %")
    assert moving(is_upload=True, phase=Phase.PAUSED).endswith("40 % of 10.0 MiB  paused")
    assert moving(phase=Phase.WAITING).endswith("waits for the relay")
    assert moving(phase=Phase.READING).endswith("  being read")
    full = moving(phase=Phase.WAITING, trouble="The relay is full.")
    assert full.endswith("40 % of 10.0 MiB  cannot go on")
    assert "█" not in moving(width=58)
    assert moving(width=70).startswith("↓ 12 plan of…  ██████░░░░░░░░░   40 %")


def test_below_what_cannot_go_on_stands_why_wrapped_where_it_is_narrow() -> None:
    one = Transfer("u1", "plan.pdf", is_upload=True, phase=Phase.WAITING)
    one.trouble = why(BlobRefusedError("full", 507))
    assert lines(one, 60, UNICODE)[1:] == ["  the relay's disk is full; it is tried again"]
    assert lines(one, 30, UNICODE)[1:] == ["  the relay's disk is full; it", "  is tried again"]
    one.turn(Phase.PAUSED)
    assert len(lines(one, 60, UNICODE)) == 1


@pytest.mark.parametrize(
    ("trouble", "words"),
    [
        (None, ""),
        (RelayRefusedError(ErrorCode.QUOTA_EXCEEDED), "the relay has too many files of yours"),
        (RelayRefusedError(ErrorCode.RELAY_FULL), "the relay's disk is full"),
        (RelayRefusedError(ErrorCode.UNKNOWN_BLOB), "The relay said no"),
        (UploadTooSlowError(), "The time of a file was over before it was at the relay"),
        (PromiseInvalidError(), "The relay's promise is not signed by its key"),
        (BlobRefusedError("busy", 503), "the relay has too much to do"),
    ],
)
def test_why_files_do_not_go_on_is_said_in_one_line(trouble: E2EError | None, words: str) -> None:
    said = why(trouble)
    assert said.startswith(words)
    assert bool(said) == bool(words)
    assert "\n" not in said


class Going:
    """An upload as the engine shows it."""

    def __init__(self, *names: str, far: int = 0, trouble: E2EError | None = None) -> None:
        self.names, self.progress, self.trouble = names, (far, 10 * MIB), trouble
        self.is_paused = False


def test_what_is_being_uploaded_says_how_far_it_is_and_what_is_in_its_way() -> None:
    def said(going: Going) -> str:
        return on_its_way(going)  # type: ignore[arg-type]  # all that is asked of it

    assert said(Going("a.pdf")) == "a.pdf: waits for the relay"
    assert said(Going("a", "b", far=4 * MIB)) == "2 files: 40 % of 10.0 MiB are at the relay"
    stuck = Going("a", far=MIB, trouble=RelayRefusedError(ErrorCode.RELAY_FULL))
    assert said(stuck) == (
        "a: 10 % of 10.0 MiB are at the relay, the relay's disk is full; it is tried again"
    )
    stuck.is_paused = True
    assert said(stuck) == "a: paused, 10 % of 10.0 MiB are at the relay"


@given(
    st.integers(12, 120), st.text(max_size=40),
    st.tuples(st.integers(0, 1 << 40), st.integers(0, 1 << 40)),
    st.sampled_from(Phase), st.sampled_from([UNICODE, ASCII]),
)  # fmt: skip
def test_a_line_is_never_wider_than_the_window(
    width: int, name: str, amounts: tuple[int, int], phase: Phase, symbols: Symbols
) -> None:
    done, total = amounts
    one = Transfer("u1", name, is_upload=True, phase=phase)
    one.progressed(0.0, 0, total)
    one.progressed(3.0, done, total)
    assert cell_len(line(one, width, symbols)) <= width


def jpeg(width: int = 320, height: int = 240, colour: tuple[int, int, int] = (200, 0, 0)) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (width, height), colour).save(out, "JPEG")
    return out.getvalue()


def test_a_picture_has_two_pixels_in_each_cell() -> None:
    lines = picture_lines(jpeg(), (4_000, 3_000), 60, Ink.COLOURS, 6)
    assert (len(lines), lines[0].cells) == (MAX_ROWS, 27)
    strip = lines[3].strip()
    assert strip.text == " " * 6 + "▀" * 27
    (segment, *_) = list(strip)[1:]
    assert segment.style is not None
    assert segment.style.color is not None
    assert segment.style.color.triplet is not None
    assert segment.style.color.triplet.red > 180


@pytest.mark.parametrize(("ink", "dark", "light"), [(Ink.SHADES, " ", "█"), (Ink.ASCII, " ", "@")])
def test_without_colours_a_picture_is_drawn_in_shades(ink: Ink, dark: str, light: str) -> None:
    for colour, sign in (((0, 0, 0), dark), ((255, 255, 255), light)):
        lines = picture_lines(jpeg(colour=colour), (320, 240), 40, ink, 0)
        assert {one.strip().text for one in lines} == {sign * lines[0].cells}


@given(
    st.tuples(st.integers(0, 1 << 31), st.integers(0, 1 << 31)), st.integers(0, 200),
    st.binary(max_size=99), st.sampled_from(Ink),
)  # fmt: skip
def test_no_claim_about_a_picture_makes_it_large_or_breaks_the_screen(
    shape: tuple[int, int], room: int, preview: bytes, ink: Ink
) -> None:
    lines = picture_lines(preview, shape, room, ink, 2)
    assert len(lines) <= MAX_ROWS
    for one in lines:
        assert 0 < one.cells <= MAX_CELLS
        assert one.strip().cell_length <= 2 + max(room, 4)


@pytest.mark.parametrize("room", range(12, 60))
def test_a_number_and_its_unit_stay_on_one_line(room: int) -> None:
    one = FileView(7, "x", "plan.pdf, 97.7 KiB", "waiting for 3 of 9, expires in 6 d 23 h")
    found = file_lines([one], room, 0, style=Style(), ink=Ink.SHADES, symbols=UNICODE)
    lines = ["".join(part.text for part in line) for line in found if isinstance(line, list)]
    assert " ".join(lines) == f"[7] {one.about}: {one.where}"
    assert not [line for line in lines if line.startswith(("KiB", "d ", "h"))]


def test_the_first_pictures_of_a_message_are_drawn_and_all_files_named() -> None:
    files = tuple(
        FileView(n, f"{n}.png", f"{n}.png, 1 B", "here", preview=jpeg(), shape=(1, 1))
        for n in range(6)
    )
    drawn = Painter(UNICODE, 60, style, NOW, group=False).lines(
        replace(PLAIN, text="", files=files)
    )
    assert sum(isinstance(one, PictureLine) for one in drawn) == 4 * MAX_ROWS
    words = [one.text for one in drawn if not isinstance(one, PictureLine)]
    assert words[0].endswith("bob  (6 files)")
    assert [one.strip() for one in words[1:]] == [f"[{n}] {n}.png, 1 B: here" for n in range(6)]
