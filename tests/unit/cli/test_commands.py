"""What a typed line means, and what is offered to complete it."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli_demo.chat.commands import COMMANDS, Call, Puzzle, Words, read
from cli_demo.chat.completion import ASCII_SIGNS, Known, complete
from cli_demo.chat.help import help_text
from cli_demo.chat.menu import Act
from cli_demo.text import lasting, period
from cli_demo.views import ASCII

KNOWN = Known(("bob", "bert", "carol"), ("bob", "+Trip to the quarry"))


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("hello", Words("hello")),
        ("and/or", Words("and/or")),
        ("//etc/hosts", Words("/etc/hosts")),
        ("/reply  fine \n by me ", Call("reply", "fine \n by me")),
        ("/reply\nfine", Call("reply", "fine")),
        ("/HELP", Call("help", "")),
        ("/forward +Trip to the quarry", Call("forward", "+Trip to the quarry")),
    ],
)
def test_a_line_is_words_or_a_command(text: str, meaning: object) -> None:
    assert read(text) == meaning


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("/recal", "Did you mean /recall?"),
        ("/re", "/reply or /react or /recall or /resume or /receipts"),
        ("/ hello", "// sends a slash"),
        ("/" + "x" * 500, "no command /xxxxxxxxxxxxxxxxxxxx…"),
        ("/forward", "/forward needs HANDLE or +TITLE"),
        ("/quit now", "/quit takes nothing more"),
    ],
)
def test_a_command_that_cannot_be_meant_gets_a_hint(text: str, hint: str) -> None:
    puzzle = read(text)
    assert isinstance(puzzle, Puzzle)
    assert hint in puzzle.hint


@given(st.text())
def test_any_line_means_something_and_only_a_slash_is_special(text: str) -> None:
    meaning = read(text)
    assert isinstance(meaning, Words) == (not text.startswith("/") or text.startswith("//"))
    if isinstance(meaning, Words):
        assert meaning.text == text.removeprefix("/")


@pytest.mark.parametrize(
    ("before", "offered"),
    [
        ("/r", ["/reply ", "/react ", "/recall", "/resume ", "/receipts "]),
        ("hi @b", ["@bob ", "@bert "]),
        ("@", ["@bob ", "@bert ", "@carol "]),
        ("mail b@b", []),
        ("@bob", []),
        ("/reply @ca", ["@carol "]),
        ("/forward +t", ["+Trip to the quarry"]),
        ("/forward +Trip to", ["+Trip to the quarry"]),
        ("/lifetime 1", ["1h", "1d"]),
        ("/react hur", ["🎉"]),
        ("/react 🎉", []),
        ("//re", []),
        ("plain words", []),
        ("", []),
    ],
)
def test_what_fits_is_offered(before: str, offered: list[str]) -> None:
    assert [one.text for one in complete(before, KNOWN).offers] == offered


@given(st.text(alphabet="/@ abrect\n+T", max_size=20))
def test_an_offer_goes_on_with_what_was_typed(before: str) -> None:
    found = complete(before, KNOWN)
    typed = before[found.start :]
    for one in found.offers:
        is_named = one.about.startswith(typed)
        assert one.text.lower().startswith(typed.lower()) or is_named


def test_the_help_names_every_command_and_fits_eighty_columns() -> None:
    text = help_text(ASCII)
    assert all(f"/{name}" in text for name in COMMANDS)
    assert max(map(len, text.splitlines())) <= 70
    assert all(sign.isascii() for sign, _ in ASCII_SIGNS)


def test_every_command_and_letter_is_documented() -> None:
    document = (Path(__file__).parents[3] / "docs" / "cli.md").read_text(encoding="utf-8")
    assert all(f"`/{one.name}" in document for one in COMMANDS.values())
    assert all(f"| {act.value} |" in document for act in Act)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30s", 30), ("5 min", 300), ("1h", 3600), ("7d", 604_800), ("2W", 1_209_600),
     ("off", None), ("", None), ("-1s", None), ("5", None), ("1 year", None)],
)  # fmt: skip
def test_a_time_is_a_number_and_a_unit(text: str, seconds: int | None) -> None:
    assert period(text) == seconds


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (59, "59 s"), (60, "1 min"), (119, "119 s"), (3600, "1 h"), (86_400, "1 d"),
     (90_000, "25 h"), (200_000, "2 d")],
)  # fmt: skip
def test_a_time_is_said_shortly(seconds: int, words: str) -> None:
    assert lasting(seconds) == words
