"""One message becomes lines: never wider than the window, with everything that was said of it."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.style import Style
from textual.strip import Strip

from cli_demo.chat.blocks import MIN_WIDTH, Line, Painter, drawn
from cli_demo.chat.menu import Act, acts_for
from cli_demo.chat.stretch import MAX_LOADED, Stretch
from cli_demo.views import (
    ASCII,
    UNICODE,
    FileView,
    Kind,
    Mark,
    MessageView,
    OptionView,
    PollView,
    QuoteView,
    SignView,
    Symbols,
)

NOW = 1_795_600_000_000
PLAIN = MessageView("k", "bob", "hello", NOW, Mark.RECEIVED, order=1)
OWN = replace(PLAIN, author="alice", mark=Mark.DELIVERED)
MAP = FileView(12, "map.png", "map.png, 3.2 MiB", "here")
SOME_SIGNS = (SignView("👍", ("a", "b"), own=True), SignView("x", ("a",), own=False))
POLL = PollView("Where to?", (OptionView("home", 1), OptionView("up", own=True)), 1)
QUOTE = QuoteView("alice", "Shall we go?", 1, intact=True)


def style(name: str, /) -> Style:
    return Style(meta={"part": name})


def painter(width: int = 60, *, symbols: Symbols = UNICODE, group: bool = False) -> Painter:
    return Painter(symbols, width, style, NOW, group)


def lines_of(lines: list[Line]) -> list[Strip]:
    return [drawn(one) for one in lines]


def text_of(strips: list[Strip]) -> list[str]:
    return [strip.text for strip in strips]


def lines(message: MessageView, *, group: bool = False) -> list[str]:
    return [line[6:] for line in text_of(lines_of(painter(group=group).lines(message)))]


def parts(message: MessageView) -> dict[str, str]:
    """What is drawn in which style."""
    return {
        segment.style.meta["part"]: segment.text
        for strip in lines_of(painter().lines(message))
        for segment in strip
        if segment.style
    }


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        (PLAIN, ["bob  hello"]),
        (replace(PLAIN, quote=QUOTE), ["bob  ↪ alice: Shall we go?", "hello"]),
        (
            replace(PLAIN, quote=replace(QUOTE, intact=False)),
            ["bob  ↪ alice: (changed since) Shall we go?", "hello"],
        ),
        (
            replace(PLAIN, quote=replace(QUOTE, text=None)),
            ["bob  ↪ alice: (taken back or erased)", "hello"],
        ),
        (
            replace(PLAIN, quote=replace(QUOTE, text=None, order=None)),
            ["bob  ↪ alice: (not here)", "hello"],
        ),
        (replace(PLAIN, edited=True, forwards=1), ["bob  hello (forwarded, edited)"]),
        (replace(PLAIN, forwards=9), ["bob  hello (forwarded often)"]),
        (replace(PLAIN, until_ms=NOW + 125_000), ["bob  hello (2 min left)"]),
        (replace(PLAIN, until_ms=NOW - 1), ["bob  hello (0 s left)"]),
        (replace(PLAIN, pinned=True), ["bob  hello (pinned)"]),
        (replace(PLAIN, text="", kind=Kind.RECALLED), ["bob  (taken back)"]),
        (replace(PLAIN, text="@carol", kind=Kind.CARD), ["bob  (contact) @carol"]),
        (
            replace(PLAIN, text="Where to?", kind=Kind.POLL, poll=POLL),
            ["bob  Where to?", "1   home", "2 ✓ up", "no votes yet, sealed until it is closed"],
        ),
        (
            replace(PLAIN, text="", kind=Kind.UNKNOWN),
            ["bob  (this needs a newer version of e2e)"],
        ),
        (
            replace(PLAIN, signs=SOME_SIGNS),
            ["bob  hello", "👍 2  x  "],
        ),
    ],
)  # fmt: skip
def test_everything_that_was_said_of_a_message_is_shown(
    message: MessageView, shown: list[str]
) -> None:
    assert lines(message) == shown


def test_read_marks_are_counted_in_groups() -> None:
    seen = replace(OWN, readers=("bob", "carol"))
    assert lines(seen)[-1].endswith(" read")
    assert lines(seen, group=True)[-1].endswith(" read 2")
    assert lines(OWN)[-1].endswith(" ✓✓")


def test_members_stand_out_and_we_most() -> None:
    named = replace(PLAIN, text="hi @bob, @alice", named=("@alice", "@bob"))
    assert parts(named)["named"] in named.named
    assert parts(replace(named, names_us=True))["us"] in named.named


WORDS = st.text(alphabet=st.sampled_from("ab \n\tü全部です👍❤\ufe0f\u202e\x1b@"), max_size=60)
SIGNS = st.lists(
    st.builds(SignView, WORDS, st.sampled_from([("x",), ("x", "y")]), st.booleans()), max_size=15
).map(tuple)
QUOTES = st.builds(QuoteView, WORDS, st.none() | WORDS, st.none() | st.just(1), st.booleans())
MESSAGES = st.builds(
    MessageView,
    key=st.just("k"),
    author=WORDS,
    text=WORDS,
    time_ms=st.just(NOW),
    mark=st.sampled_from(Mark),
    notice=st.booleans(),
    kind=st.sampled_from(Kind),
    quote=st.none() | QUOTES,
    named=st.lists(WORDS.filter(bool), max_size=2).map(tuple),
    signs=SIGNS,
    forwards=st.integers(0, 9),
    edited=st.booleans(),
    until_ms=st.sampled_from([0, NOW + 5000]),
)  # fmt: skip


@given(MESSAGES, st.integers(30, 130), st.booleans())
def test_no_line_is_wider_than_the_window_and_none_steers_the_terminal(
    message: MessageView,
    width: int,
    group: bool,  # noqa: FBT001
) -> None:
    for strip in lines_of(painter(width, group=group).lines(message)):
        assert "\x1b" not in strip.text
        assert "\u202e" not in strip.text
        assert "\n" not in strip.text
        if len(message.author) < MIN_WIDTH:
            assert strip.cell_length <= width


@given(MESSAGES)
def test_an_ascii_terminal_gets_no_other_signs_of_ours(message: MessageView) -> None:
    plain = replace(
        message, author="bob", text="x " * 99, signs=(), named=(),
        quote=replace(QUOTE, text="y" * 200) if message.quote else None,
    )  # fmt: skip
    assert all(strip.text.isascii() for strip in lines_of(painter(symbols=ASCII).lines(plain)))


def stretch_of(numbers: range) -> list[MessageView]:
    return [replace(PLAIN, key=f"m{n}", order=n) for n in numbers]


def test_a_stretch_lets_go_of_the_far_end() -> None:
    stretch = Stretch()
    stretch.append(stretch_of(range(5_000, 5_000 + MAX_LOADED)))
    stretch.append(stretch_of(range(8_000, 8_001)))
    stretch.lay_out(painter())
    assert len(stretch) == MAX_LOADED // 2
    assert stretch[len(stretch) - 1].order == 8_000
    assert not stretch.prepend(stretch_of(range(10)))
    assert stretch.prepend(stretch_of(range(100, 100 + MAX_LOADED)))
    assert stretch[0].order == 100


def test_every_line_belongs_to_its_message() -> None:
    stretch = Stretch()
    stretch.append([replace(one, text="a\nb") for one in stretch_of(range(3))])
    stretch.lay_out(painter())
    assert stretch.height == 7
    assert [stretch.line(n)[1] for n in range(7)] == ["", "m0", "m0", "m1", "m1", "m2", "m2"]
    assert [stretch.place_at(n) for n in (0, 2, 3, 99)] == [0, 0, 1, 2]
    stretch.remove({1})
    stretch.lay_out(painter())
    assert stretch.height == 5
    assert stretch.place_of("m1") is None


@pytest.mark.parametrize(
    ("message", "acts"),
    [
        (PLAIN, "raefpid"),
        (OWN, "raefpitd"),
        (replace(OWN, kind=Kind.RECALLED, text=""), "id"),
        (replace(PLAIN, kind=Kind.UNKNOWN, text=""), "apid"),
        (replace(PLAIN, kind=Kind.CARD, account=b"x"), "rafpcid"),
        (replace(OWN, kind=Kind.FILES, text="", files=(MAP,)), "rafpsitd"),
        (replace(PLAIN, kind=Kind.POLL, poll=POLL), "rafvxpid"),
        (replace(PLAIN, kind=Kind.POLL, poll=replace(POLL, closed_by="bob")), "rafpid"),
        (replace(PLAIN, quote=QUOTE), "rafpgid"),
    ],
)
def test_only_what_makes_sense_is_offered(message: MessageView, acts: str) -> None:
    expected = set(acts) - ({"e"} if not message.own else set())
    assert {one.value for one in acts_for(message, writable=True)} == expected
    assert Act.REPLY not in acts_for(message, writable=False)
