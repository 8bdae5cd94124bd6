"""Walk through a JSON document of any size without holding it: only single values are kept."""

import codecs
import json
from collections.abc import Iterator
from typing import Final, cast

from e2ecore.portability.errors import BadEncodingError, LineTooLongError, MalformedImportError
from e2ecore.portability.lines import CHUNK_BYTES, MAX_LINE_BYTES, Bytes, Json

MAX_DEPTH: Final = 64
"""Deepest nesting of what is passed over; exports need six."""
_IN_NUMBERS: Final = "+-.0123456789eE"
_NUMBER_CHARS: Final = 32
"""Looked at behind a number: more than a sign, a point and an exponent are no JSON."""
_SPACE: Final = " \t\n\r"


class JsonStream:
    """A place in a document, moving forwards."""

    def __init__(self, stream: Bytes, max_chars: int = MAX_LINE_BYTES) -> None:
        """Start at the beginning.

        Args:
            stream: The document in UTF-8.
            max_chars: Longest value that is kept.
        """
        self._stream = stream
        self._max = max_chars
        self._text = ""
        self._at = 0
        self._ended = False
        self._decode = codecs.getincrementaldecoder("utf-8-sig")().decode
        self._scan = json.JSONDecoder().raw_decode
        self.done = 0
        """Bytes read."""

    def _more(self) -> bool:
        """Read on, forgetting what is behind; False: there is no more."""
        if self._ended:
            return False
        kept = self._text[self._at :]
        chunk = self._stream.read(max(CHUNK_BYTES, len(kept)))
        self.done += len(chunk)
        self._ended = not chunk
        try:
            self._text, self._at = kept + self._decode(chunk, self._ended), 0
        except UnicodeDecodeError:
            raise BadEncodingError from None
        return bool(chunk)

    def peek(self) -> str:
        """Return the next character that is no white space; none at the end."""
        while True:
            text, at = self._text, self._at
            while at < len(text) and text[at] in _SPACE:
                at += 1
            self._at = at
            if at < len(text):
                return text[at]
            if not self._more():
                return ""

    def _take(self, wanted: str) -> None:
        if self.peek() != wanted:
            raise MalformedImportError
        self._at += 1

    def value(self) -> Json:
        """Take the next value, whatever it is.

        Raises:
            LineTooLongError: It is longer than any record.
            MalformedImportError: It is no JSON.
        """
        self.peek()
        while True:
            try:
                found, end = self._scan(self._text, self._at)
            except (ValueError, RecursionError):
                found, end = None, -1
            if end >= 0 and (self._ended or self._is_whole(found, end)):
                self._at = end
                return cast("Json", found)
            if len(self._text) - self._at > self._max:
                raise LineTooLongError
            if not self._more() and end < 0:
                raise MalformedImportError

    def _is_whole(self, found: object, end: int) -> bool:
        """Is nothing of a value still to come? A number may have been cut in its middle."""
        rest = self._text[end : end + _NUMBER_CHARS]
        if isinstance(found, int | float) and len(rest) < _NUMBER_CHARS:
            return bool(rest.strip(_IN_NUMBERS))
        return bool(rest)

    def fields(self) -> Iterator[str]:
        """Go into an object and yield its keys; each value must be taken before the next key."""
        self._take("{")
        is_first = True
        while self.peek() != "}":
            if not is_first:
                self._take(",")
            is_first = False
            self.peek()
            key = self.value()
            if not isinstance(key, str):
                raise MalformedImportError
            self._take(":")
            yield key
        self._at += 1

    def elements(self) -> Iterator[None]:
        """Go into an array and stop at each element; it must be taken before the next one."""
        self._take("[")
        is_first = True
        while self.peek() != "]":
            if not is_first:
                self._take(",")
            is_first = False
            yield
        self._at += 1

    def skip(self, depth: int = 0) -> None:
        """Pass over the next value, of any size.

        Raises:
            MalformedImportError: It is no JSON, or nested too deeply.
        """
        if depth > MAX_DEPTH:
            raise MalformedImportError
        match self.peek():
            case "{":
                for _ in self.fields():
                    self.skip(depth + 1)
            case "[":
                for _ in self.elements():
                    self.skip(depth + 1)
            case _:
                self.value()
