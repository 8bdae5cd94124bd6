"""Read a table (CSV) with a heading line: who wrote what and when, and perhaps where."""

import csv
from collections.abc import Iterator
from datetime import tzinfo
from typing import Final

from e2ecore.portability.errors import (
    LineTooLongError,
    MalformedImportError,
    UnknownImportFormatError,
)
from e2ecore.portability.gathering import Writers, gathered
from e2ecore.portability.inputs import Input
from e2ecore.portability.lines import Bytes, lines, text_of
from e2ecore.portability.local_time import parse_time
from e2ecore.portability.records import (
    Entry,
    Heading,
    ImportFormat,
    Position,
    clean_name,
    conversation_key,
)

MAX_CONVERSATIONS: Final = 10_000
MAX_COLUMNS: Final = 256
_WORDS: Final = {
    "time": ("time", "date", "datetime", "timestamp", "sent", "sent_at", "sent_ms", "时间", "日期"),
    "sender": ("sender", "from", "author", "name", "user", "发送者", "发送人"),
    "text": ("text", "message", "body", "content", "内容", "消息"),
    "conversation": ("conversation", "chat", "group", "channel", "title", "会话", "群"),
}
_DELIMITERS: Final = ",;\t"


def columns(line: str) -> tuple[str, dict[str, int]] | None:
    """Return the delimiter of a heading line and which column is what; None: it is no heading."""
    for delimiter in _DELIMITERS:
        names = [name.strip().strip('"').casefold() for name in line.split(delimiter)[:MAX_COLUMNS]]
        found = {
            meaning: names.index(word)
            for meaning, words in _WORDS.items()
            for word in reversed(words)
            if word in names
        }
        if {"time", "sender", "text"} <= found.keys():
            return delimiter, found
    return None


class Table:
    """One table."""

    format: Final = ImportFormat.CSV
    is_mixed: Final = True

    def __init__(
        self, source: Input, *, own_account: bytes, me: str, title: str, zone: tzinfo | None
    ) -> None:
        self.position = Position(total=source.size)
        self._source, self._own, self._me, self._zone = source, own_account, me, zone
        self._title = clean_name(title) or clean_name(source.names[0]) or "CSV"
        self._known: dict[str, tuple[Heading, Writers]] = {}

    def items(self) -> Iterator[Heading | Entry]:
        """Yield headings, each with messages behind it; a conversation may come up several times.

        Raises:
            ImportFileError: Something in the file is not as it must be.
        """
        yield from gathered(self._pairs())

    def close(self) -> None:
        """Close the file."""
        self._source.close()

    def _pairs(self) -> Iterator[tuple[Heading, Entry]]:
        with self._source.open() as file:
            texts = self._texts(file)
            found = columns(next(texts, ""))
            if found is None:
                raise UnknownImportFormatError
            delimiter, where = found
            number = 1
            try:
                for row in csv.reader(texts, delimiter=delimiter, strict=True):
                    number += 1
                    if row:
                        yield from self._row(row, where)
            except csv.Error as error:
                if "limit" in str(error):
                    raise LineTooLongError from None
                raise MalformedImportError(f"[{number + 1}]") from None
            except (IndexError, ValueError):
                raise MalformedImportError(f"[{number}]") from None

    def _texts(self, file: Bytes) -> Iterator[str]:
        for line in lines(file):
            self.position.done += len(line) + 1
            yield text_of(line) + "\n"

    def _row(self, row: list[str], where: dict[str, int]) -> Iterator[tuple[Heading, Entry]]:
        title = self._title
        if "conversation" in where:
            title = clean_name(row[where["conversation"]]) or title
        heading, writers = self._conversation(title)
        text = row[where["text"]]
        if not text:
            self.position.skipped += 1
            return
        sent_ms = parse_time(row[where["time"]], self._zone)
        for entry in writers.entries(sent_ms, clean_name(row[where["sender"]]), text):
            yield heading, entry

    def _conversation(self, title: str) -> tuple[Heading, Writers]:
        found = self._known.get(title)
        if found is None:
            if len(self._known) == MAX_CONVERSATIONS:
                raise ValueError
            key = conversation_key(self.format, title)
            found = self._known[title] = Heading(key, title), Writers(key, self._own, self._me)
        return found
