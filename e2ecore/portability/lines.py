"""Lines and JSON records of files that nobody vouches for: bounded before anything is kept."""

import json
from collections.abc import Iterator
from typing import Final, Protocol, TypeAlias, cast

from e2ecore.portability.errors import BadEncodingError, LineTooLongError, MalformedImportError

MAX_LINE_BYTES: Final = 8 << 20
"""Longest line: the longest text with every character escaped, and what else a record holds."""
CHUNK_BYTES: Final = 1 << 18
"""Read at once: large enough that the calls do not count, small beside everything else."""
_BOM: Final = b"\xef\xbb\xbf"

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | float | bool | None"
"""What a JSON text can say."""


def _refuse(name: str) -> float:
    raise ValueError(name)  # NaN and infinities are not JSON


_DECODER: Final = json.JSONDecoder(parse_constant=_refuse)


class Bytes(Protocol):
    """What can be read from."""

    def read(self, size: int, /) -> bytes:
        """Return at most ``size`` bytes; none at the end."""


def lines(stream: Bytes, max_bytes: int = MAX_LINE_BYTES) -> Iterator[bytes]:
    """Yield lines without their ends (LF or CRLF), and without the mark at the start of the file.

    Raises:
        LineTooLongError: A line has more than ``max_bytes``; no more is kept in memory.
    """
    rest, is_first = b"", True
    while chunk := stream.read(CHUNK_BYTES):
        if is_first:
            chunk, is_first = chunk.removeprefix(_BOM), False
        parts = (rest + chunk).split(b"\n")
        rest = parts.pop()
        for part in parts:
            if len(part) > max_bytes:
                raise LineTooLongError
            yield part.removesuffix(b"\r")
        if len(rest) > max_bytes:
            raise LineTooLongError
    if rest:
        yield rest.removesuffix(b"\r")


def text_of(line: bytes) -> str:
    """Return a line as text.

    Raises:
        BadEncodingError: It is not UTF-8.
    """
    try:
        return line.decode()
    except UnicodeDecodeError:
        raise BadEncodingError from None


def record(line: bytes, number: int) -> dict[str, Json]:
    """Return a line that holds a JSON object.

    Args:
        line: The line.
        number: Which it is, for the error.

    Raises:
        BadEncodingError: It is not UTF-8.
        MalformedImportError: It is no JSON object.
    """
    text = text_of(line)
    try:
        found, end = _DECODER.raw_decode(text) if text[:1] == "{" else (None, 0)
        if end != len(text):  # white space around it, or something worse
            found = _DECODER.decode(text)
    except (ValueError, RecursionError):
        raise MalformedImportError(f"[{number}]") from None
    if not isinstance(found, dict):
        raise MalformedImportError(f"[{number}]")
    return cast("dict[str, Json]", found)


def records(stream: Bytes) -> Iterator[tuple[int, dict[str, Json]]]:
    """Yield the objects of a file of JSON lines with their numbers; empty lines are none.

    Raises:
        ImportFileError: A line is no object, too long, or not UTF-8.
    """
    for number, line in enumerate(lines(stream), 1):
        if line:
            yield number, record(line, number)
