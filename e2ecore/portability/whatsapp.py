"""Read what "Export chat" of WhatsApp makes: one conversation as lines of text.

Pictures and other files of the archive are left where they are; the text names them.
"""

import re
from collections.abc import Iterator
from datetime import tzinfo
from typing import Final

from e2ecore.portability.errors import UnknownImportFormatError
from e2ecore.portability.gathering import Writers
from e2ecore.portability.inputs import Input, OpenInput
from e2ecore.portability.lines import lines, text_of
from e2ecore.portability.records import (
    MAX_TEXT_BYTES,
    Entry,
    Heading,
    ImportFormat,
    Position,
    clean_name,
    conversation_key,
)
from e2ecore.portability.whatsapp_lines import (
    DayOrder,
    Start,
    begin,
    day_order,
    split_name,
    time_of,
)

MAX_LINE_BYTES: Final = 2 * MAX_TEXT_BYTES
_TITLE: Final = re.compile(
    r"(?:WhatsApp[ -]Chat (?:with|mit|-) |Chat de WhatsApp con |Discussion WhatsApp avec "
    r"|Conversa do WhatsApp com |Chat WhatsApp con |WhatsApp-chat met )(.+)",
    re.IGNORECASE,
)


class WhatsAppChat:
    """One exported chat."""

    format: Final = ImportFormat.WHATSAPP
    is_mixed: Final = False

    def __init__(
        self, source: Input, *, own_account: bytes, me: str, title: str, zone: tzinfo | None
    ) -> None:
        """Read it once to learn how its dates are to be understood.

        Raises:
            ImportFileError: It is no such chat, or its dates contradict each other.
        """
        self.position = Position()
        self._source, self._zone = source, zone
        self.position.total = 2 * source.size
        self._order: DayOrder = day_order(self._starts())
        self._title = clean_name(title) or _title(source.names)
        self._key = conversation_key(self.format, self._title)
        self._writers = Writers(self._key, own_account, me)

    def items(self) -> Iterator[Heading | Entry]:
        """Yield the heading, then the messages.

        Raises:
            ImportFileError: Something in the file is not as it must be.
        """
        yield Heading(self._key, self._title)
        start: Start | None = None
        waiting: list[str] = []
        chars = 0
        for line, found in self._lines():
            if found is None and chars + len(line) < MAX_TEXT_BYTES:
                waiting.append(line)
                chars += len(line) + 1
                continue
            if start is not None:
                yield from self._message(start, waiting)
            start = found or (start._replace(rest=_with_name(start)) if start else None)
            waiting, chars = ([] if found else [line]), len(line)
        if start is not None:
            yield from self._message(start, waiting)

    def close(self) -> None:
        """Close the file."""
        self._source.close()

    def _lines(self) -> Iterator[tuple[str, Start | None]]:
        before, is_first = self.position.done, True
        with self._source.open() as file:
            counted = _Counted(file)
            for raw in lines(counted, MAX_LINE_BYTES):
                line = text_of(raw)
                found = begin(line)
                if found is None and is_first:
                    if line.strip():
                        raise UnknownImportFormatError
                    continue
                is_first = False
                self.position.done = before + counted.done
                yield line, found

    def _starts(self) -> Iterator[Start]:
        for _, found in self._lines():
            if found is not None:
                yield found

    def _message(self, start: Start, more: list[str]) -> Iterator[Entry]:
        name, text = split_name(start.rest)
        sent_ms = time_of(start, self._order, self._zone)
        yield from self._writers.entries(sent_ms, clean_name(name), "\n".join([text, *more]))


class _Counted:
    """Counts what is read."""

    def __init__(self, file: OpenInput) -> None:
        self._file = file
        self.done = 0

    def read(self, size: int, /) -> bytes:
        """Return at most ``size`` bytes."""
        found = self._file.read(size)
        self.done += len(found)
        return found


def _with_name(start: Start) -> str:
    """Return the start of the next piece of a message that is too long: who wrote it."""
    name, _ = split_name(start.rest)
    return f"{name}: " if name else ""


def _title(names: tuple[str, ...]) -> str:
    """Return the other side's name out of file names."""
    for name in names:
        found = _TITLE.fullmatch(name)
        if found is not None:
            return clean_name(found[1])
    return clean_name(names[-1]) or "WhatsApp"
