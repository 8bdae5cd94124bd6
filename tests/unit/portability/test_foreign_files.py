"""What other messengers let their users take out."""

import json
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pytest

from e2ecore.portability.errors import (
    BadEncodingError,
    ImportFileError,
    LineTooLongError,
    MalformedImportError,
    UnknownDateFormatError,
    UnknownImportFormatError,
)
from e2ecore.portability.json_stream import JsonStream
from e2ecore.portability.opening import Wishes, open_file
from e2ecore.portability.records import Entry, Heading, ImportFormat

OWN = b"\x07" * 20


def read(
    path: Path, me: str = "", title: str = "", format_: ImportFormat | None = None
) -> list[tuple[str, list[Entry]]]:
    """Everything in a file: titles, and what is below them."""
    source = open_file(path, Wishes(OWN, format_, me, title, UTC))
    found: list[tuple[str, list[Entry]]] = []
    try:
        for one in source.items():
            if isinstance(one, Heading):
                found.append((one.title, []))
            else:
                found[-1][1].append(one)
    finally:
        source.close()
    return found


def said(entries: list[Entry]) -> list[tuple[str, str, str]]:
    """When, who and what."""
    return [
        (f"{datetime.fromtimestamp(one.sent_ms / 1000, UTC):%Y-%m-%d %H:%M:%S}", one.name, one.text)
        for one in entries
    ]


LAST = "2023-12-31 23:59:00"
LAST_SECOND = "2023-12-31 23:59:58"


@pytest.mark.parametrize(
    ("line", "when"),
    [
        ("31/12/2023, 23:59 - Ann: hi", LAST),
        ("12/31/23, 11:59\u202fPM - Ann: hi", LAST),
        ("12/31/23, 11:59 PM - Ann: hi", LAST),
        ("31/12/2023, 11:59 p.\xa0m. - Ann: hi", LAST),
        ("31.12.23, 23:59 - Ann: hi", LAST),
        ("31-12-2023 23:59 - Ann: hi", LAST),
        ("2023-12-31, 23:59 - Ann: hi", LAST),
        ("2023/12/31 23:59 - Ann: hi", LAST),
        ("2023/12/31 下午11:59 - Ann: hi", LAST),
        ("2023/12/31, 晚上11:59 - Ann: hi", LAST),
        ("2023年12月31日 下午11:59 - Ann: hi", LAST),
        ("2023. 12. 31. 오후 11:59 - Ann: hi", LAST),
        ("31/12/2566 23:59 - Ann: hi", LAST),
        ("\u0663\u0661/\u0661\u0662/\u0662\u0660\u0662\u0663، 11:59 م - Ann: hi", LAST),
        ("[31.12.23, 23:59:58] Ann: hi", LAST_SECOND),
        ("\u200e[31/12/2023, 23:59:58] \u200eAnn: hi", LAST_SECOND),
        ("[12/31/23, 11:59:58\u202fPM] Ann: hi", LAST_SECOND),
        ("[2023/12/31 下午11:59:58] Ann: hi", LAST_SECOND),
        ("[2023/12/31 23:59:58] Ann: hi", LAST_SECOND),
        ("1/1/24, 12:00 AM - Ann: hi", "2024-01-01 00:00:00"),
        ("2024/1/1 中午12:05 - Ann: hi", "2024-01-01 12:05:00"),
        ("2024/1/1 凌晨12:05 - Ann: hi", "2024-01-01 00:05:00"),
        ("2024/1/1 中午1:05 - Ann: hi", "2024-01-01 13:05:00"),
    ],
)
def test_a_whatsapp_line_is_understood_as_each_language_writes_it(
    tmp_path: Path, line: str, when: str
) -> None:
    path = tmp_path / "WhatsApp Chat with Ann.txt"
    path.write_text(f"{line}\nand more: 12/31\n")
    assert [(title, said(entries)) for title, entries in read(path)] == [
        ("Ann", [(when, "Ann", "hi\nand more: 12/31")])
    ]


@pytest.mark.parametrize(
    ("lines", "month"),
    [
        (("01/02/2023, 10:00", "13/02/2023, 10:00"), 2),
        (("01/02/2023, 10:00", "02/13/2023, 10:00"), 1),
        (("05/02/2023, 10:00", "04/03/2023, 10:00"), 2),
        (("01/11/2023, 10:00", "02/10/2023, 10:00", "03/09/2023, 10:00"), 1),
        (("1/2/23, 10:00 AM",), 1),
        (("1/2/23, 10:00",), 2),
    ],
)
def test_the_whole_file_says_whether_the_day_comes_first(
    tmp_path: Path, lines: tuple[str, ...], month: int
) -> None:
    path = tmp_path / "chat.txt"
    path.write_text("".join(f"{line} - Ann: hi\n" for line in lines))
    ((_, entries),) = read(path)
    assert datetime.fromtimestamp(entries[0].sent_ms / 1000, UTC).month == month


def test_whatsapp_notices_have_no_sender_and_equal_lines_stay_two(tmp_path: Path) -> None:
    text = (
        "31/12/2023, 23:58 - Messages and calls are end-to-end encrypted.\r\n"
        "31/12/2023, 23:59 - Ann: ok\r\n31/12/2023, 23:59 - Ann: ok\r\n"
        "31/12/2023, 23:59 - ~ Bob: IMG-1.jpg (file attached)\r\n"
    )
    path = tmp_path / "WhatsApp Chat - Team.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("_chat.txt", text)
        archive.writestr("IMG-1.jpg", b"\xff\xd8")
    ((title, entries),) = read(path, me="Bob")
    assert title == "Team"
    assert [(one.name, one.text, one.is_mine) for one in entries] == [
        ("", "Messages and calls are end-to-end encrypted.", False),
        ("Ann", "ok", False),
        ("Ann", "ok", False),
        ("Bob", "IMG-1.jpg (file attached)", True),
    ]
    assert entries[3].account_id == OWN
    assert len({one.uid for one in entries}) == 4
    assert [one.uid for one in read(path)[0][1]] == [one.uid for one in entries]


def test_a_message_longer_than_any_is_cut_and_nothing_of_it_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "chat.txt"
    many = "\n".join("x" * 999 for _ in range(3_000))
    path.write_text(f"31/12/2023, 23:59 - Ann: {many}\n")
    ((_, entries),) = read(path)
    assert {one.name for one in entries} == {"Ann"}
    assert "".join(one.text for one in entries).count("x") == 999 * 3_000
    assert max(len(one.text) for one in entries) <= 1 << 20


TELEGRAM_CHAT = {
    "name": "Ann",
    "type": "personal_chat",
    "id": 4711,
    "messages": [
        {"id": 1, "type": "service", "date": "2023-12-31T23:58:00", "date_unixtime": "1704067080",
         "actor": "Ann", "actor_id": "user2", "action": "joined_telegram", "text": ""},
        {"id": 2, "type": "message", "date": "2023-12-31T23:59:00", "date_unixtime": "1704067140",
         "from": "Ann", "from_id": "user2", "text": "hi"},
        {"id": 3, "type": "message", "date": "2023-12-31T23:59:58", "from": "Me",
         "from_id": "user1",
         "text": ["see ", {"type": "link", "text": "https://example.org"}, " 😀"]},
        {"id": 4, "type": "message", "date": "2023-12-31T23:59:58", "from": None,
         "from_id": "user9", "text": "", "media_type": "voice_message", "file": "v.ogg"},
        {"id": 5, "type": "message", "date": "2023-12-31T23:59:58", "from": "Ann", "text": ""},
    ],
}  # fmt: skip
TELEGRAM_SAID = [
    ("2023-12-31 23:58:00", "", "Ann: joined telegram"),
    (LAST, "Ann", "hi"),
    (LAST_SECOND, "Me", "see https://example.org 😀"),
    (LAST_SECOND, "Deleted Account", "[voice_message]"),
]


def test_one_chat_of_telegram_is_read(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    path.write_text(json.dumps(TELEGRAM_CHAT, indent=1))
    ((title, entries),) = read(path, me="Me")
    assert (title, said(entries)) == ("Ann", TELEGRAM_SAID)
    assert [one.is_mine for one in entries] == [False, False, True, False]


def test_everything_of_telegram_is_read_and_says_itself_who_i_am(tmp_path: Path) -> None:
    everything = {
        "about": "…",
        "personal_information": {"user_id": 1, "first_name": "Me"},
        "contacts": {"list": [{"name": [[[]]], "n": 1.5e3}]},
        "chats": {"about": "…", "list": [TELEGRAM_CHAT, {**TELEGRAM_CHAT, "id": 2, "name": None}]},
        "left_chats": {"list": []},
    }
    path = tmp_path / "whatever.json"
    path.write_text(json.dumps(everything, ensure_ascii=False))
    found = read(path)
    assert [title for title, _ in found] == ["Ann", "personal chat"]
    assert [one.is_mine for one in found[0][1]] == [False, False, True, False]
    uids = {one.uid for _, entries in found for one in entries}
    assert len(uids) == 8


def frame(**fields: object) -> str:
    return json.dumps(fields) + "\n"


def test_a_signal_export_is_read_chat_by_chat(tmp_path: Path) -> None:
    path = tmp_path / "main.jsonl"
    path.write_text(
        frame(version="1", backupTimeMs="1704067140000", mediaRootBackupKey="AA==")
        + frame(account={"givenName": "Me"})
        + frame(recipient={"id": "1", "self": {}})
        + frame(recipient={"id": "2", "contact": {"profileGivenName": "Ann", "e164": "1"}})
        + frame(recipient={"id": "3", "group": {"snapshot": {"title": {"title": "Team"}}}})
        + frame(chat={"id": "10", "recipientId": "2"})
        + frame(chat={"id": "11", "recipientId": "3"})
        + frame(
            chatItem={"chatId": "10", "authorId": "2", "dateSent": "1704067140000",
                      "incoming": {}, "standardMessage": {"text": {"body": "hi"}}}
        )
        + frame(
            chatItem={"chatId": "11", "authorId": "2", "dateSent": 1704067198000,
                      "incoming": {}, "standardMessage": {"attachments": [{}]}}
        )
        + frame(
            chatItem={"chatId": "10", "authorId": "1", "dateSent": "1704067198000",
                      "outgoing": {}, "standardMessage": {"text": {"body": "ho"}}}
        )
        + frame(chatItem={"chatId": "10", "authorId": "1", "dateSent": "1", "updateMessage": {}})
    )  # fmt: skip
    found = read(path)
    assert [(title, said(entries)) for title, entries in found] == [
        ("Ann", [(LAST, "Ann", "hi"), (LAST_SECOND, "Note to Self", "ho")]),
        ("Team", [(LAST_SECOND, "Ann", "[attachment]")]),
    ]
    assert [one.is_mine for one in found[0][1]] == [False, True]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_table_is_read_by_its_heading(tmp_path: Path, delimiter: str) -> None:
    rows = [
        ["Date", "chat", "From", "Message"],
        ["2023-12-31T23:59:00", "one", "Ann", '"two\nlines ""quoted"""'],
        ["1704067198", "two", "Bob", "seconds"],
        ["1704067198000", "one", "Bob", "milliseconds"],
        ["2024-01-01T00:59:58+01:00", "one", "Bob", "zone"],
        ["2024-01-01", "one", "Bob", ""],
    ]
    path = tmp_path / "table.csv"
    path.write_text("\ufeff" + "\n".join(delimiter.join(row) for row in rows))
    assert [(title, said(entries)) for title, entries in read(path)] == [
        (
            "one",
            [
                (LAST, "Ann", 'two\nlines "quoted"'),
                (LAST_SECOND, "Bob", "milliseconds"),
                (LAST_SECOND, "Bob", "zone"),
            ],
        ),
        ("two", [(LAST_SECOND, "Bob", "seconds")]),
    ]


@pytest.mark.parametrize(
    ("content", "error"),
    [
        pytest.param(b"", UnknownImportFormatError, id="nothing"),
        pytest.param(b"hello\n", UnknownImportFormatError, id="another file"),
        pytest.param(b"PK\3\4 no archive", UnknownImportFormatError, id="half an archive"),
        pytest.param(b"31/12/2023, 23:59 - Ann: \xff\n", BadEncodingError, id="not UTF-8"),
        pytest.param(b"31/31/2023, 23:59 - A: b\n", UnknownDateFormatError, id="no such day"),
        pytest.param(
            b"13/01/2023, 10:00 - A: b\n01/13/2023, 10:00 - A: b\n",
            UnknownDateFormatError,
            id="dates contradict",
        ),
        pytest.param(b"31/12/2023, 24:59 - A: b\n", UnknownDateFormatError, id="no such hour"),
        pytest.param(
            b"31/12/2023, 23:59 - A: " + b"x" * (3 << 20), LineTooLongError, id="endless line"
        ),
        pytest.param(b'{"messages": [{}]}', MalformedImportError, id="messages of no chat"),
        pytest.param(b'{"a": ' + b"[" * 99_999, MalformedImportError, id="too deep"),
        pytest.param(b'{"a": "' + b"x" * (9 << 20), LineTooLongError, id="endless string"),
        pytest.param(b'{"a" 1}', MalformedImportError, id="no JSON"),
        pytest.param(b'{"name": "\xff"}', BadEncodingError, id="JSON not UTF-8"),
        pytest.param(b'{"recipient": {}}\n', MalformedImportError, id="recipient of no name"),
        pytest.param(b'{"account": NaN}\n', MalformedImportError, id="not a number"),
        pytest.param(
            b'{"chatItem": {"chatId": "1"}}\n', MalformedImportError, id="message of no chat"
        ),
        pytest.param(b"time,from,text\nx,y\n", MalformedImportError, id="row too short"),
        pytest.param(b"time,from,text\nx,y,z\n", MalformedImportError, id="no time"),
        pytest.param(b'time,from,text\n1,y,"z\n', MalformedImportError, id="open quote"),
        pytest.param(
            b"time,from,text\n1,y," + b"z" * 200_000, LineTooLongError, id="endless field"
        ),
    ],
)
def test_a_bad_file_is_refused_by_name(
    tmp_path: Path, content: bytes, error: type[ImportFileError]
) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(error):
        read(path)


def test_a_stream_of_json_takes_values_that_lie_across_reads() -> None:
    class Slow:
        def __init__(self, content: bytes) -> None:
            self._content = content

        def read(self, size: int, /) -> bytes:
            size = min(size, 3)
            found, self._content = self._content[:size], self._content[size:]
            return found

    document = {"a": [1, 22, -3.5e10, True, None, "é😀"], "b": {"c": {}, "d": []}, "e": 123456}
    stream = JsonStream(Slow(json.dumps(document, ensure_ascii=False).encode()))
    assert {key: stream.value() for key in stream.fields()} == document
    again = JsonStream(Slow(json.dumps(document).encode()))
    again.skip()
    assert again.peek() == ""
