"""Range and condition headers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from e2ecore_protocol.blob_http import BlobProblem, blob_of, path_of, token_of
from e2ecore_relay.domain.byte_ranges import BadRangeError, Span, judge, takes_range, wanted_span

ETAG = '"abc"'


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("bytes=0-", Span(0, 100)),
        ("bytes=0-0", Span(0, 1)),
        ("bytes=99-99", Span(99, 100)),
        ("bytes=50-1000", Span(50, 100)),
        ("BYTES=-1", Span(99, 100)),
        ("bytes=-1000", Span(0, 100)),
        ("bytes=-", None),
        ("bytes=5-4", None),
        ("bytes=1-2,4-5", None),
        ("lines=1-2", None),
        ("bytes=a-b", None),
        ("bytes=1-" + "9" * 40, None),
    ],
)
def test_what_a_header_asks_for(value: str, expected: Span | None) -> None:
    assert wanted_span(value, 100) == expected


@pytest.mark.parametrize("value", ["bytes=100-", "bytes=100-200", "bytes=-0"])
def test_what_lies_outside_is_refused(value: str) -> None:
    with pytest.raises(BadRangeError):
        wanted_span(value, 100)


@given(st.text(max_size=30), st.integers(1, 1000))
def test_any_text_gives_a_span_inside_or_nothing(value: str, size: int) -> None:
    try:
        span = wanted_span(value, size)
    except BadRangeError:
        return
    assert span is None or 0 <= span.start < span.stop <= size


def test_conditions() -> None:
    assert judge({}, ETAG) is None
    assert judge({"if-match": "*"}, ETAG) is None
    assert judge({"if-match": '"x", "abc"'}, ETAG) is None
    assert judge({"if-match": '"x"'}, ETAG) is BlobProblem.PRECONDITION_FAILED
    assert judge({"if-none-match": 'W/"abc"'}, ETAG) == 304
    assert judge({"if-none-match": '"x"'}, ETAG) is None
    assert takes_range({}, ETAG)
    assert takes_range({"if-range": ETAG}, ETAG)
    assert not takes_range({"if-range": "Wed, 21 Oct 2026 07:28:00 GMT"}, ETAG)


def test_names_and_tokens_have_one_form() -> None:
    name = bytes(range(16))
    assert blob_of(path_of(name)) == name
    for path in ("/v1/blobs/", "/", path_of(name).upper(), path_of(name) + "0", "/v1/blobs/ab cd"):
        assert blob_of(path) is None
    token = bytes(range(32)).hex()
    assert token_of(f"bearer {token}") == bytes(range(32))
    for value in ("", token, "Basic " + token, f"Bearer {token.upper()}", "Bearer é"):
        assert token_of(value) is None
