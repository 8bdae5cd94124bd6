"""Harnesses for the files that a person may bring in: whatever they hold, they are read or refused.

Each format is given as the file itself and inside a zip archive; an archive also as it lies on the
disk, and an export of ours both as its archive and as the lines that its owner has signed.
"""

import io
import json
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from datetime import UTC
from pathlib import Path
from typing import Final

from e2ecore.portability.archive import Archive
from e2ecore.portability.errors import ImportFileError
from e2ecore.portability.history_part import MAX_MESSAGES, first_line, read_part
from e2ecore.portability.opening import Wishes, open_file
from e2ecore.portability.records import (
    MAX_NAME_CHARS,
    MAX_TEXT_BYTES,
    Entry,
    Heading,
    ImportFormat,
)
from tests.fuzz.target import Target
from tests.support.exports import ANN, OWN, line_of, row, said_lines, sign_lines, write

_CHAT: Final = "_chat.txt"


def _read(path: Path, chosen: ImportFormat | None) -> list[Entry]:
    """Everything in a file, each piece checked to be what the engine relies on."""
    source = open_file(path, Wishes(OWN, chosen, "Ann", "title", UTC))
    found: list[Entry] = []
    heading: Heading | None = None
    try:
        for one in source.items():
            if isinstance(one, Heading):
                heading = one
                assert len(one.key) == 32
                assert one.title
                continue
            assert heading is not None
            _check(one)
            found.append(one)
    finally:
        source.close()
    return found


def _check(one: Entry) -> None:
    assert (len(one.uid), len(one.account_id), len(one.device_id)) == (16, 20, 16)
    assert -(1 << 63) <= one.sent_ms < 1 << 63
    assert 0 <= one.counter < 1 << 63
    assert 0 <= one.kind <= 0xFFFF
    assert len(one.text) <= MAX_TEXT_BYTES
    assert len(one.name) <= MAX_NAME_CHARS
    one.text.encode()
    one.name.encode()
    for by in one.said.reactions if one.said else ():
        assert len(by.account_id) == 20
        assert by.signs


def _file(chosen: ImportFormat | None) -> Callable[[bytes], object]:
    def call(data: bytes) -> object:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "file"
            path.write_bytes(data)
            return _read(path, chosen)

    return call


def _packed(data: bytes) -> object:
    """Bytes as the only chat of an archive."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "chat.zip"
        path.write_bytes(_zip({_CHAT: data}))
        return _read(path, None)


def _archive(data: bytes) -> object:
    """Bytes as an archive: its names lead nowhere, and nothing grows beyond its bounds."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file.zip"
        path.write_bytes(data)
        archive = Archive(path)
        try:
            sizes = 0
            for name in archive.names:
                assert not name.startswith("/")
                assert ".." not in name.split("/")
                with archive.open(name) as member:
                    while chunk := member.read(1 << 16):
                        sizes += len(chunk)
            return sizes
        finally:
            archive.close()


def _signed(data: bytes) -> object:
    """Lines that the owner of an export has signed."""
    with tempfile.TemporaryDirectory() as folder:
        return _read(sign_lines(Path(folder) / "a.zip", data), None)


def _part(data: bytes) -> object:
    """A part of a history from another device."""
    found = list(read_part(io.BytesIO(data), OWN))
    for one in found:
        if isinstance(one, Entry):
            _check(one)
            continue
        assert 0 <= one.first <= one.count <= MAX_MESSAGES
        assert (len(one.heading.key), len(one.heading.live_uid)) == (32, 16)
    return found


def _zip(files: Mapping[str, bytes]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return made.getvalue()


def _own_archive() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        return write(Path(folder) / "a.zip", row(1), row(2, "明天")).read_bytes()


WHATSAPP: Final = (
    (
        "31/12/2023, 23:58 - Messages are encrypted.\n31/12/2023, 23:59 - Ann: hi\nand more\n"
        "01/01/2024, 00:01 - Bob: 明天\n"
    ),
    "[31.12.23, 23:59:58] Ann: hi\n\u200e[01.01.24, 00:00:01] ~ Bob: IMG (file attached)\n",
    "2023/12/31 下午11:59 - Ann: hi\n",
)
TELEGRAM: Final = {
    "name": "Ann", "type": "personal_chat", "id": 4711,
    "messages": [
        {"id": 1, "type": "message", "date": "2023-12-31T23:59:00", "date_unixtime": "1704067140",
         "from": "Ann", "from_id": "user2", "text": ["see ", {"type": "link", "text": "x"}]},
        {"id": 2, "type": "service", "date": "2023-12-31T23:59:58", "actor": "Ann",
         "action": "joined_telegram", "text": ""},
    ],
}  # fmt: skip
ALL_TELEGRAM: Final = {
    "personal_information": {"user_id": 2},
    "chats": {"list": [TELEGRAM, {**TELEGRAM, "id": 2}]},
}
SIGNAL: Final = (
    {"version": "1", "backupTimeMs": "1704067140000"},
    {"account": {"givenName": "Me"}},
    {"recipient": {"id": "2", "contact": {"profileGivenName": "Ann"}}},
    {"recipient": {"id": "3", "group": {"snapshot": {"title": {"title": "Team"}}}}},
    {"chat": {"id": "10", "recipientId": "2"}},
    {"chatItem": {"chatId": "10", "authorId": "2", "dateSent": "1704067140000", "incoming": {},
                  "standardMessage": {"text": {"body": "hi"}}}},
)  # fmt: skip
TABLE: Final = (
    b'time,chat,from,text\n2023-12-31T23:59:00,one,Ann,"two\nlines"\n1704067198,two,Bob,x\n'
)
CHAT_TEXTS: Final = [text.encode() for text in WHATSAPP]
TELEGRAM_TEXTS: Final = [json.dumps(one).encode() for one in (TELEGRAM, ALL_TELEGRAM)]
SIGNAL_TEXT: Final = b"".join(json.dumps(one).encode() + b"\n" for one in SIGNAL)
_OURS: Final = "".join((line_of(row(1, "hi")), *said_lines(1, ANN), line_of(row(2)))).encode()
_HEADING: Final = {
    "conversation": "ab" * 16, "kind": "direct", "title": "", "created_ms": 1, "key": "",
    "names": {ANN.hex(): "ann"},
}  # fmt: skip
_PART: Final = 2 * (first_line(_HEADING, 1, 3).encode() + _OURS)
_REFUSED: Final = (ImportFileError,)

FILE_TARGETS: Mapping[str, Target] = {
    "files.whatsapp": Target(_file(ImportFormat.WHATSAPP), _REFUSED, CHAT_TEXTS, ()),
    "files.telegram": Target(_file(ImportFormat.TELEGRAM), _REFUSED, TELEGRAM_TEXTS, ()),
    "files.signal": Target(_file(ImportFormat.SIGNAL), _REFUSED, [SIGNAL_TEXT], ()),
    "files.table": Target(_file(ImportFormat.CSV), _REFUSED, [TABLE], ()),
    "files.any": Target(
        _file(None), _REFUSED, [*CHAT_TEXTS, *TELEGRAM_TEXTS, SIGNAL_TEXT, TABLE], ()
    ),
    "files.chat in an archive": Target(_packed, _REFUSED, CHAT_TEXTS, ()),
    "files.archive": Target(
        _archive, _REFUSED, [_zip({_CHAT: CHAT_TEXTS[0], "a/b.jpg": b"\xff\xd8"}), _own_archive()],
        (),
    ),
    "files.own export": Target(_file(None), _REFUSED, [_own_archive()], ()),
    "files.history part": Target(_part, _REFUSED, [_PART], (read_part,)),
    "files.own lines": Target(_signed, _REFUSED, [_OURS], ()),
}  # fmt: skip
