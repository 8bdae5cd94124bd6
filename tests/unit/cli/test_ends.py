"""When something is to end, as people write it."""

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli_demo.ends import EXAMPLES, end_ms
from cli_demo.text import moment


def at(text: str) -> int:
    """A local moment."""
    return int(datetime.strptime(text, "%Y-%m-%d %H:%M").astimezone().timestamp() * 1000)


NOW = at("2026-11-25 14:30")  # a Wednesday


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("30m", "2026-11-25 15:00"),
        ("2h", "2026-11-25 16:30"),
        ("2 days", "2026-11-27 14:30"),
        ("18:00", "2026-11-25 18:00"),
        ("at 18:00", "2026-11-25 18:00"),
        ("9:05", "2026-11-26 09:05"),
        ("14:30", "2026-11-26 14:30"),
        ("today 9:05", "2026-11-25 09:05"),
        ("Tomorrow  at 18:00", "2026-11-26 18:00"),
        ("wed 18:00", "2026-11-25 18:00"),
        ("wednesday 14:00", "2026-12-02 14:00"),
        ("fri 9:30", "2026-11-27 09:30"),
        ("tues 0:00", "2026-12-01 00:00"),
        ("2026-12-24 18:00", "2026-12-24 18:00"),
        ("2020-01-01 0:00", "2020-01-01 00:00"),
    ],
)
def test_an_end_is_what_a_person_means(written: str, meant: str) -> None:
    found = end_ms(written, NOW)
    assert found is not None
    assert moment(found) == meant


@pytest.mark.parametrize(
    "written",
    ["", "soon", "0m", "25:00", "18:60", "18", "tomorrow", "yesterday 9:00", "fr 9:00", "frig 9:00",
     "2026-02-30 9:00", "999999999w", "-5m", "18:00 tomorrow", "\u0661\u0668:00"],
)  # fmt: skip
def test_what_nobody_could_tell_is_no_end(written: str) -> None:
    assert end_ms(written, NOW) is None


def test_what_is_shown_as_examples_is_understood() -> None:
    assert all(end_ms(one, NOW) is not None for one in EXAMPLES.split(", "))


@given(text=st.text(max_size=20), now_ms=st.integers(0, 4_000_000_000_000))
def test_nothing_typed_does_harm(text: str, now_ms: int) -> None:
    found = end_ms(text, now_ms)
    assert found is None or isinstance(found, int)
