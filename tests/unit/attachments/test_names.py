"""Names that strangers chose."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from e2ecore.attachments.errors import BadAttachmentNameError
from e2ecore.attachments.names import local_name, sendable_name
from e2ecore_protocol.content import is_plain_name


@pytest.mark.parametrize(
    "name",
    ["", " ", ".", "..", "../x", "/etc/passwd", "a/b", "c:\\x", "a\0b", "a\nb", "\x7f", "a\x85b",
     "gpj\u202e.exe", "a\u2066b", "a\u200eb", "\ufeffx", "a\u2028b", "a\U000e0041b", "x" * 256],
)  # fmt: skip
def test_a_name_that_leads_somewhere_or_deceives_is_not_sent(name: str) -> None:
    with pytest.raises(BadAttachmentNameError):
        sendable_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "report.pdf",
        "山.jpg",
        "a b",
        "\u0646\u200c\u0645.txt",
        "\U0001f469\u200d\U0001f467.png",
        ".profile",
    ],
)
def test_a_name_that_people_use_is_sent(name: str) -> None:
    assert sendable_name(name) == name


def test_a_name_is_sent_composed() -> None:
    assert sendable_name("e\u0301.txt") == "é.txt"


@pytest.mark.parametrize(
    ("name", "here"),
    [
        ("report.pdf", "report.pdf"),
        ("con", "_con"),
        ("NUL.txt", "_NUL.txt"),
        ("lpt1", "_lpt1"),
        ("-rf", "_-rf"),
        (".bashrc", "_.bashrc"),
        ("~", "_~"),
        ("a:b?.txt", "a_b_.txt"),
        ("trailing. ", "trailing"),
    ],
)
def test_a_strangers_name_becomes_a_harmless_one(name: str, here: str) -> None:
    assert local_name(name) == here


@given(st.text(min_size=1, max_size=80).filter(is_plain_name))
def test_a_local_name_is_a_plain_name_that_starts_and_ends_harmlessly(name: str) -> None:
    found = local_name(name)
    assert is_plain_name(found)
    assert not found.startswith(("-", ".", "~"))
    assert not found.endswith((".", " "))
    assert local_name(found) == found
