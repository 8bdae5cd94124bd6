"""Other people's text cannot steer the terminal, and everything fits where it is put."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from cli_demo.text import (
    clock,
    counted,
    day,
    duration,
    in_groups,
    joined,
    local_time,
    one_line,
    size,
    stamp,
    visible,
    when,
    wrap,
)

NOON = 1_795_600_000_000
ANY_TEXT = st.text(max_size=300)


@given(ANY_TEXT)
def test_visible_text_has_no_control_characters_but_new_lines(text: str) -> None:
    shown = visible(text)
    assert not any(unicodedata.category(char) == "Cc" for char in shown.replace("\n", ""))
    assert "\x1b" not in shown
    assert "\u202e" not in shown


def test_an_escape_sequence_becomes_harmless_text() -> None:
    assert visible("\x1b[2Jgone") == "\ufffd[2Jgone"
    assert visible("abc\u202edcb") == "abcdcb"
    assert visible("one\r\ntwo\tthree") == "one\ntwo three"


def test_readable_text_of_any_script_stays_as_it_is() -> None:
    for text in ("hello", "Grüße", "для всех", "全部です", "👩‍👩‍👧 ❤️"):
        assert visible(text) == text


@given(ANY_TEXT, st.integers(1, 40))
def test_one_line_never_takes_more_cells_than_it_may(text: str, cells: int) -> None:
    line = one_line(text, cells)
    assert cell_len(line) <= cells
    assert "\n" not in line


@given(ANY_TEXT, st.integers(0, 30), st.integers(4, 30))
def test_wrapped_lines_fit_their_widths(text: str, first: int, rest: int) -> None:
    lines = wrap(visible(text), first, rest)
    assert lines
    assert cell_len(lines[0]) <= max(first, 0) or len(lines[0]) == 0
    assert all(cell_len(line) <= rest for line in lines[1:])


@given(st.text(alphabet="ab \n", max_size=80))
def test_wrapping_loses_no_letter(text: str) -> None:
    bare = "".join("".join(wrap(text, 7, 9)).split())
    assert bare == "".join(text.split())


def test_wrapping_breaks_between_words_and_keeps_indentation() -> None:
    assert wrap("hello world this", 8, 12) == ["hello", "world this"]
    assert wrap("  two spaces", 20, 20) == ["  two spaces"]
    assert wrap("supercalifragilistic", 8, 12) == ["", "supercalifra", "gilistic"]
    assert wrap("a\n\nb", 8, 8) == ["a", "", "b"]


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("用 Python 写了一个很长的句子", ["用 Python 写", "了一个很长的", "句子"]),
        ("请输入“是”，再核对。", ["请输入“是”，", "再核对。"]),
        ("https://example.org/a 是它", ["https://exam", "ple.org/a 是", "它"]),
        ("他说“Hello”。", ["他说", "“Hello”。"]),
    ],
)
def test_chinese_breaks_between_signs_but_not_before_what_closes(
    text: str, lines: list[str]
) -> None:
    assert [one for one in wrap(text, 12, 12) if one] == lines


def test_times_are_short_for_today_and_longer_for_the_past() -> None:
    assert when(NOON, NOON) == clock(NOON)
    assert when(NOON - 5 * 86_400_000, NOON)[0].isdigit()
    assert when(NOON - 800 * 86_400_000, NOON) == local_time(NOON - 800 * 86_400_000).strftime(
        "%Y-%m"
    )
    assert str(local_time(NOON).year) in day(NOON)
    assert len(stamp(NOON)) == len("2026-11-23 14:05:09")


@pytest.mark.parametrize("nonsense", [10**30, -(10**30), 2**63])
def test_impossible_times_do_not_break_the_screen(nonsense: int) -> None:
    assert local_time(nonsense).year in {1969, 1970}


def test_sizes_and_counts_read_well() -> None:
    assert [size(n) for n in (0, 1023, 1024, 1536, 5 << 20, 3 << 30)] == [
        "0 B", "1023 B", "1.0 KiB", "1.5 KiB", "5.0 MiB", "3.0 GiB",
    ]  # fmt: skip
    assert counted(1, "message") == "1 message"
    assert counted(2000, "message") == "2,000 messages"
    assert counted(2, "reply", "replies") == "2 replies"
    assert duration(0.0032) == "3.2 ms"
    assert duration(1.454) == "1.45 s"
    assert joined(["alice"]) == "alice"
    assert joined(["alice", "bob", "carol"]) == "alice, bob and carol"
    assert in_groups("12345 67890 1") == ["12345", "67890", "1"]
