"""The demo's own instruments: a check is worth what its instrument is worth."""

import base64
import io
from pathlib import Path

import pytest
from rich.console import Console

from cli_demo.demo.metrics import Metrics
from cli_demo.demo.narrator import Narrator
from cli_demo.demo.relay import Address, RelayError, parse_ready
from cli_demo.demo.searching import needles, search
from cli_demo.demo.values import BadLineError, Values

SECRET = "Bring the map of the old quarry!"


@pytest.mark.parametrize(
    "disguise",
    [
        pytest.param(SECRET.encode(), id="UTF-8"),
        pytest.param(SECRET.encode("utf-16-le"), id="UTF-16"),
        pytest.param(SECRET.encode().hex().encode(), id="hexadecimal"),
        *(
            pytest.param(base64.b64encode(b"x" * n + SECRET.encode() + b"yz"), id=f"base64 at {n}")
            for n in range(4)
        ),
    ],
)  # fmt: skip
def test_the_search_finds_a_text_in_each_disguise(tmp_path: Path, disguise: bytes) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "file").write_bytes(b"\0" * 1000 + disguise + b"\0" * 1000)
    found = search([tmp_path], [SECRET])
    assert found.hits == ("file",)


def test_the_search_finds_a_text_across_the_border_of_two_blocks(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"\1" * ((1 << 20) - 5) + SECRET.encode())
    assert search([file], [SECRET]).hits == ("file",)


def test_the_search_finds_nothing_where_nothing_is(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(bytes(range(256)) * 100)
    (tmp_path / "b").write_bytes(b"")
    found = search([tmp_path], [SECRET])
    assert found.hits == ()
    assert (found.files, found.bytes, found.needles) == (2, 25_600, len(needles(SECRET)))


def test_short_texts_are_not_searched_since_chance_would_find_them() -> None:
    assert needles("hi") == []


def test_metrics_are_summed_over_labels() -> None:
    page = '# HELP x y\nx_total{kind="a"} 2\nx_total{kind="b"} 3.0\ny 1e3\nnonsense\n'
    now = Metrics.parse(page)
    assert now.sums == {"x_total": 5.0, "y": 1000.0}
    assert now.since(Metrics.parse("x_total 1"), "x_total") == 4
    assert now.since(now, "missing") == 0


def test_a_ciphertext_has_a_size_only_if_it_was_the_only_one() -> None:
    page = "e2ecore_relay_envelopes_submitted_total {}\ne2ecore_relay_envelope_bytes_total {}\n"
    before = Metrics.parse(page.format(5, 1000))
    assert Metrics.parse(page.format(6, 1273)).ciphertext_since(before) == 273
    assert Metrics.parse(page.format(7, 1400)).ciphertext_since(before) is None


def test_the_ready_line_is_read() -> None:
    line = "ready wss://127.0.0.1:7443 http://127.0.0.1:7480 ca=/some where/ca.pem\n"
    assert parse_ready(line) == Address(
        "wss://127.0.0.1:7443", "http://127.0.0.1:7480", Path("/some where/ca.pem")
    )
    for bad in ("", "ready", "ready a b", "hello a b ca=c"):
        with pytest.raises(RelayError):
            parse_ready(bad)


def test_lines_between_storyteller_and_device_are_typed() -> None:
    line = Values({"id": 1, "ok": True, "text": "a", "texts": ["a"], "numbers": [1]})
    again = Values.decode(line.encode())
    assert again == line
    assert (again.number("id"), again.text("text"), again.texts("texts")) == (1, "a", ["a"])
    assert again.numbers("numbers") == [1]
    assert again.flag("ok")
    assert not again.flag("missing")
    for call in (
        lambda: again.text("id"),
        lambda: again.number("ok"),
        lambda: again.texts("numbers"),
        lambda: again.numbers("texts"),
        lambda: Values.decode("[]"),
        lambda: Values.decode("{"),
    ):
        with pytest.raises(BadLineError):
            call()


def narrator(width: int = 60) -> tuple[Narrator, io.StringIO]:
    out = io.StringIO()
    console = Console(file=out, width=width, highlight=False, color_system=None)
    return Narrator(console), out


def test_the_narration_is_plain_text_without_a_terminal() -> None:
    voice, out = narrator()
    voice.opening("Title", "text")
    voice.act("One")
    voice.tell(
        "alice", "a rather long sentence that will not fit on a line of sixty cells", "aside"
    )
    voice.check("it holds", holds=True, detail="seen")
    voice.table()
    voice.closing()
    text = out.getvalue()
    assert "\x1b" not in text
    assert all(len(line) <= 60 for line in text.splitlines())
    assert "All 1 checks hold" in text


def test_one_failed_check_is_told_and_counts() -> None:
    voice, out = narrator()
    assert voice.check("good", holds=True)
    assert voice.all_hold
    assert not voice.check("bad", holds=False)
    assert not voice.all_hold
    voice.closing()
    assert "1 of 2 checks FAILED" in out.getvalue()


def test_a_story_without_checks_proves_nothing() -> None:
    assert not narrator()[0].all_hold
