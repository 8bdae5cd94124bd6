"""Ranges and conditions of HTTP requests for bytes that never change.

Spec: RFC 9110 sections 13 and 14, as far as protocol/spec/40-blobs.md [BLB-63] uses them.
"""

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

from e2ecore_protocol.blob_http import BlobProblem

_MAX_DIGITS: Final = 18
_RANGE: Final = re.compile(rf"bytes=(\d{{0,{_MAX_DIGITS}}})-(\d{{0,{_MAX_DIGITS}}})", re.IGNORECASE)


class Span(NamedTuple):
    """Bytes to send: ``start`` inclusive, ``stop`` exclusive."""

    start: int
    stop: int


class BadRangeError(Exception):
    """The range has no byte in common with the blob."""


def wanted_span(value: str, size: int) -> Span | None:
    """Return what a Range header asks for; None if the whole is to be sent.

    A header that is not understood, or that names several ranges, is as if it were not there.

    Raises:
        BadRangeError: Nothing of it is there.
    """
    found = _RANGE.fullmatch(value.strip())
    first, last = found.groups() if found else ("", "")
    if not first and not last:
        return None
    if not first:
        start, stop = max(0, size - int(last)), size
    else:
        start, stop = int(first), min(int(last) + 1, size) if last else size
        if last and int(last) < start:
            return None
    if start >= stop:
        raise BadRangeError
    return Span(start, stop)


def judge(headers: Mapping[str, str], etag: str) -> BlobProblem | int | None:
    """Apply If-Match and If-None-Match. Return a problem, the status 304, or None to go on."""
    if "if-match" in headers and not _names(headers["if-match"], etag):
        return BlobProblem.PRECONDITION_FAILED
    if _names(headers.get("if-none-match", ""), etag):
        return 304
    return None


def takes_range(headers: Mapping[str, str], etag: str) -> bool:
    """Tell whether If-Range lets the Range header count. A date never does."""
    return headers.get("if-range", etag).strip() == etag


def _names(value: str, etag: str) -> bool:
    names = [name.strip().removeprefix("W/") for name in value.split(",")]
    return "*" in names or etag in names
