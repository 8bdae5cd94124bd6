"""Read ``result.json`` of Telegram Desktop: one chat, or everything."""

from collections.abc import Iterator
from datetime import tzinfo
from typing import Final

from e2ecore.portability.errors import MalformedImportError
from e2ecore.portability.gathering import Writers
from e2ecore.portability.inputs import Input
from e2ecore.portability.json_stream import JsonStream
from e2ecore.portability.lines import Json
from e2ecore.portability.local_time import parse_time
from e2ecore.portability.records import (
    Entry,
    Heading,
    ImportFormat,
    Position,
    clean_name,
    conversation_key,
    scalar,
)

_CHATS: Final = frozenset({"chats", "left_chats"})


class TelegramExport:
    """One exported file."""

    format: Final = ImportFormat.TELEGRAM
    is_mixed: Final = False

    def __init__(
        self, source: Input, *, own_account: bytes, me: str, title: str, zone: tzinfo | None
    ) -> None:
        self.position = Position(total=source.size)
        self._source, self._own, self._me = source, own_account, me
        self._title, self._zone = clean_name(title), zone
        self._my_id = ""

    def items(self) -> Iterator[Heading | Entry]:
        """Yield the heading of each chat, and its messages behind it.

        Raises:
            ImportFileError: Something in the file is not as it must be.
        """
        with self._source.open() as file:
            stream = JsonStream(file)
            chat: dict[str, Json] = {}
            for key in stream.fields():
                if key == "personal_information":
                    self._note_me(stream.value())
                elif key in _CHATS:
                    yield from self._chats(stream)
                else:
                    yield from self._field(stream, key, chat, self._title)

    def close(self) -> None:
        """Close the file."""
        self._source.close()

    def _note_me(self, fields: Json) -> None:
        if isinstance(fields, dict) and type(fields.get("user_id")) is int:
            self._my_id = f"user{fields['user_id']}"

    def _chats(self, stream: JsonStream) -> Iterator[Heading | Entry]:
        for key in stream.fields():
            if key != "list":
                stream.skip()
                continue
            for _ in stream.elements():
                chat: dict[str, Json] = {}
                for field in stream.fields():
                    yield from self._field(stream, field, chat, "")

    def _field(
        self, stream: JsonStream, key: str, chat: dict[str, Json], title: str
    ) -> Iterator[Heading | Entry]:
        """Take one field of a chat: its name, its messages, or something else."""
        if key in {"name", "type", "id"}:
            chat[key] = stream.value()
        elif key == "messages" and stream.peek() == "[":
            heading = _heading(chat, title)
            yield heading
            writers = Writers(heading.key, self._own, self._me)
            for _ in stream.elements():
                fields = stream.value()
                self.position.done = stream.done
                yield from self._message(fields, writers)
        else:
            stream.skip()

    def _message(self, fields: Json, writers: Writers) -> Iterator[Entry]:
        if not isinstance(fields, dict):
            raise MalformedImportError
        text = _notice(fields) if fields.get("type") == "service" else _text(fields)
        number = fields.get("id")
        if not text or type(number) is not int:
            self.position.skipped += 1
            return
        try:
            when = fields.get("date_unixtime") or fields.get("date")
            sent_ms = parse_time(str(when), self._zone)
        except ValueError:
            raise MalformedImportError(f"[{number}]") from None
        name = "" if fields.get("type") == "service" else _words(fields.get("from"))
        mine = bool(self._my_id) and fields.get("from_id") == self._my_id
        if not name and fields.get("type") != "service":
            name = "Deleted Account"
        yield from writers.entries(sent_ms, name, text, mine=mine, number=str(number))


def _heading(chat: dict[str, Json], title: str) -> Heading:
    number = chat.get("id")
    name = _words(chat.get("name")) or _words(chat.get("type")).replace("_", " ")
    if type(number) is not int or not name:
        raise MalformedImportError
    return Heading(conversation_key(ImportFormat.TELEGRAM, str(number)), title or name)


def _words(value: Json) -> str:
    return clean_name(value) if isinstance(value, str) else ""


def _text(fields: dict[str, Json]) -> str:
    """Return the text of a message: a string, or a list of strings and decorated pieces."""
    found = fields.get("text")
    pieces = found if isinstance(found, list) else [found]
    text = "".join(map(_piece, pieces))
    if text:
        return scalar(text)
    for name in ("sticker_emoji", "file_name", "media_type"):
        if isinstance(fields.get(name), str) and fields[name]:
            return scalar(f"[{fields[name]}]")
    return "[photo]" if "photo" in fields else ""


def _piece(piece: Json) -> str:
    if isinstance(piece, dict):
        piece = piece.get("text")
    return piece if isinstance(piece, str) else ""


def _notice(fields: dict[str, Json]) -> str:
    action = _words(fields.get("action")).replace("_", " ")
    return f"{_words(fields.get('actor'))}: {action}" if action else ""
