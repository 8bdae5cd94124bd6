"""Sentences fit the terminal that they go to, and stay whole where that is none."""

import io
import os
import shutil

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from cli_demo.device_words import WORDS
from cli_demo.saying import fit, fitted

SIGNS = "ab 是\uff0c。“”\uff08\uff09-\n"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("cells", [80, 120])
@pytest.mark.parametrize("language", WORDS)
def test_a_list_of_consequences_is_set_in_and_nothing_of_it_is_lost(
    language: str, cells: int
) -> None:
    text = WORDS[language].move_means
    lines = fitted(text, cells).split("\n")
    assert all(cell_len(line) <= cells for line in lines)
    assert "".join("".join(lines).split()) == "".join(text.split())
    assert all(line.startswith(("  - ", "    ")) for line in lines[1:])


def test_words_are_broken_between_and_a_question_keeps_the_gap_behind_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(shutil, "get_terminal_size", lambda: os.terminal_size((24, 24)))
    question = "Do you agree? Write yes, or anything else for no: "
    assert fit(question, Terminal()) == "Do you agree? Write yes,\nor anything else for no: "
    assert fit(question, io.StringIO()) == question


@given(st.text(alphabet=SIGNS, max_size=120), st.integers(20, 60))
def test_no_sign_is_lost_whatever_is_said(text: str, cells: int) -> None:
    lines = fitted(text, cells).split("\n")
    assert "".join("".join(lines).split()) == "".join(text.split())
    assert all(cell_len(line) <= cells for line in lines)
