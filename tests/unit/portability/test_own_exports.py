"""Our own format: exact bytes, and copies of a good export with one fault each."""

import contextlib
import io
import json
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from e2ecore.messaging.marks import PLAIN, encode_marks
from e2ecore.messaging.stamps import Stamp
from e2ecore.portability import archive as archives
from e2ecore.portability import lines as line_reading
from e2ecore.portability import manifest
from e2ecore.portability.belongings import fields_of
from e2ecore.portability.errors import (
    ArchiveBombError,
    ExportDamagedError,
    ExportExistsError,
    ExportSignatureError,
    ImportFileError,
    LineTooLongError,
    MalformedImportError,
    NewerExportError,
    UnsafeArchiveError,
)
from e2ecore.portability.opening import Wishes, open_file
from e2ecore.portability.ours import OwnExport
from e2ecore.portability.records import Begun, Belongings, Earlier, Heading, Reaction
from e2ecore.portability.remarks import (
    MAX_EARLIER,
    earlier_text,
    message_text,
    reaction_text,
)
from e2ecore.portability.seen import IdSet
from e2ecore.portability.writing import ExportWriter
from tests.support.exports import (
    ACCOUNT,
    ANN,
    GENESIS,
    KEY,
    OWN,
    Files,
    entries,
    files_of,
    line_of,
    pack,
    row,
    write,
)

UID = (1).to_bytes(16)
LIKED = reaction_text(UID, Reaction(ANN, bytes(16), 7, ("👍", "x")))
SAID = earlier_text(UID, Earlier(6, bytes(16), "befor"))


def resigned(files: Files, encoded: bytes) -> Files:
    return {
        **files,
        manifest.MANIFEST: encoded,
        manifest.SIGNATURE: manifest.sign(encoded, KEY.sign),
    }


def test_the_line_of_a_message_is_what_the_document_says() -> None:
    document = (Path(__file__).parents[3] / "docs/portability.md").read_text()
    assert line_of(row(1, 'say "hi"\n明天', b"\xff")).rstrip("\n") in document
    assert LIKED + SAID in document


def test_what_is_signed_is_what_the_document_says() -> None:
    document = (Path(__file__).parents[3] / "docs/portability.md").read_text()
    assert manifest.signed_message(b"{}\n").hex() in document
    assert KEY.sign(manifest.signed_message(b"{}\n")).hex() in document


@given(st.lists(st.tuples(st.text(max_size=50), st.binary(max_size=50)), max_size=5))
def test_what_is_written_is_read_again(found: list[tuple[str, bytes]]) -> None:
    for number, (body, ext) in enumerate(found):
        text = body.encode("utf-8", "replace").decode()
        fields = line_reading.record(line_of(row(number, text, ext)).encode(), 1)
        assert fields["text"] == text


def test_a_signed_export_is_read_with_names_in_place_of_accounts(tmp_path: Path) -> None:
    found = entries(write(tmp_path / "a.zip", row(1, "one"), row(2, "two", b"\0", kind=0)))
    assert [(one.text, one.name, one.content) for one in found] == [
        ("one", "ann", b""),
        ("two", "ann", b"\0"),
    ]
    assert b"\x09" * 20 not in {one.account_id for one in found}


def test_what_was_said_of_a_message_is_read_with_it(tmp_path: Path) -> None:
    text = message_text(line_of(row(1)), b"", 99)
    found = entries(write(tmp_path / "a.zip", lines=[text, LIKED, SAID, line_of(row(2))]))
    assert found[0].expires_ms == 99
    assert found[0].said is not None
    (reaction,), earlier = found[0].said.reactions, found[0].said.earlier
    assert (reaction.name, reaction.signs, reaction.changed_ms) == ("ann", ("👍", "x"), 7)
    assert reaction.account_id == found[0].account_id, "a stand-in for Ann, as for her messages"
    assert earlier == (Earlier(6, bytes(16), "befor"),)
    assert (found[1].said, found[1].expires_ms) == (None, None)


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param([LIKED], id="of no message"),
        pytest.param([line_of(row(2)), LIKED], id="of another message"),
        pytest.param([line_of(row(1)), SAID.replace("at_ms", "at")], id="without a time"),
        pytest.param([line_of(row(1)), LIKED.replace('"x"', '"👍"')], id="a sign twice"),
        pytest.param([line_of(row(1)), LIKED.replace('"x"', '""')], id="an empty sign"),
        pytest.param([line_of(row(1)), LIKED.replace('"x"', "1")], id="a sign of no text"),
        pytest.param([line_of(row(1)), LIKED.replace('"👍","x"', "")], id="no sign"),
        pytest.param([line_of(row(1)), *([SAID] * (MAX_EARLIER + 1))], id="too many words"),
        pytest.param([line_of(row(1)), '{"note":1}\n'], id="an unknown line"),
        pytest.param([line_of(row(1, ext=b"\1"))], id="marks that are none"),
    ],
)
def test_lines_that_no_export_has_are_refused(tmp_path: Path, lines: list[str]) -> None:
    with pytest.raises(MalformedImportError):
        entries(write(tmp_path / "a.zip", lines=lines))


def test_what_a_text_has_besides_its_words_comes_back(tmp_path: Path) -> None:
    marks = encode_marks(PLAIN._replace(edited=Stamp(5, bytes(16))))
    (found,) = entries(write(tmp_path / "a.zip", row(1, ext=marks)))
    assert found.content == marks


def test_an_export_that_is_given_up_leaves_nothing_and_replaces_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    (tmp_path / "a.zip.part").write_bytes(b"of a killed export")
    writer = ExportWriter(path)
    writer.begin_conversation(bytes(16))
    writer.add_lines([line_of(row(1))], 1)
    writer.discard()
    assert list(tmp_path.iterdir()) == []
    write(path)
    with pytest.raises(ExportExistsError):
        ExportWriter(path)


def _edit(**changes: object) -> Callable[[Files], Files]:
    def change(files: Files) -> Files:
        fields = json.loads(files[manifest.MANIFEST]) | changes
        encoded = json.dumps(fields, separators=(",", ":")).encode() + b"\n"
        return resigned(files, encoded)

    return change


def _without(name: str) -> Callable[[Files], Files]:
    return lambda files: {key: content for key, content in files.items() if key != name}


def _with(name: str, content: bytes) -> Callable[[Files], Files]:
    return lambda files: {**files, name: content}


@pytest.mark.parametrize(
    ("change", "error"),
    [
        pytest.param(_with(manifest.SIGNATURE, bytes(64)), ExportSignatureError, id="not signed"),
        pytest.param(_edit(account="00" * 20), ExportSignatureError, id="another's name"),
        pytest.param(_edit(genesis="00"), ExportSignatureError, id="no account"),
        pytest.param(_edit(version=2), NewerExportError, id="newer"),
        pytest.param(_edit(more=1), ExportDamagedError, id="unknown field"),
        pytest.param(_edit(messages=-1), ExportDamagedError, id="negative"),
        pytest.param(_without(manifest.SIGNATURE), ExportDamagedError, id="no signature"),
        pytest.param(_without(manifest.PEOPLE), ExportDamagedError, id="file missing"),
        pytest.param(_with(manifest.PEOPLE, b"{}\n"), ExportDamagedError, id="file changed"),
        pytest.param(_with("../../etc/passwd", b""), UnsafeArchiveError, id="way up"),
        pytest.param(_with("/etc/passwd", b""), UnsafeArchiveError, id="absolute"),
        pytest.param(_with("C:/x", b""), UnsafeArchiveError, id="drive"),
        pytest.param(_with("a\\..\\b", b""), UnsafeArchiveError, id="backslashes"),
    ],
)
def test_an_export_with_one_fault_is_refused_by_name(
    tmp_path: Path, change: Callable[[Files], Files], error: type[ImportFileError]
) -> None:
    files = files_of(write(tmp_path / "good.zip", row(1)))
    with pytest.raises(error):
        entries(pack(tmp_path / "bad.zip", change(files)))


@pytest.mark.parametrize("name", ["id", "from", "kind", "text", "sent_ms", "state"])
def test_a_signed_message_that_lacks_a_field_is_refused(tmp_path: Path, name: str) -> None:
    files = files_of(write(tmp_path / "good.zip", row(1)))
    inner = f"conversations/{bytes(16).hex()}.jsonl"
    head, line, _ = files[inner].split(b"\n")
    fields = json.loads(line)
    del fields[name]
    path = tmp_path / "bad.zip"
    writer = ExportWriter(path)
    writer.begin_conversation(bytes(16))
    writer.add(json.loads(head))
    writer.add(fields)
    writer.finish(ACCOUNT, bytes(16), GENESIS.encode(), 5, KEY.sign)
    with pytest.raises(MalformedImportError):
        entries(path)


def test_a_name_that_occurs_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("_chat.txt", b"")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("_chat.txt", b"")
    with pytest.raises(UnsafeArchiveError):
        open_file(path, Wishes(OWN))


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("_chat.txt", bytes(32 << 20))
    with pytest.raises(ArchiveBombError):
        open_file(path, Wishes(OWN))


def test_a_file_that_is_longer_than_the_directory_says_is_refused(tmp_path: Path) -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("_chat.txt", b"31/12/2023, 23:59 - Ann: hi\n" * 999)
    data = bytearray(content.getvalue())
    struct.pack_into("<L", data, data.rfind(b"PK\1\2") + 24, 30)
    path = tmp_path / "a.zip"
    path.write_bytes(data)
    with pytest.raises(ImportFileError):
        entries(path)


def test_a_directory_too_large_to_hold_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "MAX_DIRECTORY_BYTES", 100)
    path = write(tmp_path / "a.zip")
    with pytest.raises(UnsafeArchiveError):
        open_file(path, Wishes(OWN))


@given(st.data())
def test_no_bytes_make_an_archive_fail_otherwise_than_by_name(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("fuzz")
    raw = bytearray(write(folder / "good.zip", row(1), row(2)).read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    (folder / "bad.zip").write_bytes(raw)
    with contextlib.suppress(ImportFileError):
        assert len(entries(folder / "bad.zip")) == 2


class Source:
    def __init__(self, content: bytes, size: int) -> None:
        self._content, self._size = content, size

    def read(self, size: int, /) -> bytes:
        size = min(size, self._size)
        found, self._content = self._content[:size], self._content[size:]
        return found


@given(st.binary(max_size=60), st.integers(1, 9))
def test_lines_are_the_same_however_they_are_read(content: bytes, size: int) -> None:
    content = content.replace(b"\xef\xbb\xbf", b"").replace(b"x", b"\n")
    found = list(line_reading.lines(Source(content, size)))
    expected = content.split(b"\n")
    if not expected[-1]:
        expected.pop()
    assert found == [one.removesuffix(b"\r") for one in expected]


@given(st.binary(max_size=300))
def test_no_bytes_make_the_reader_of_records_fail_otherwise_than_by_name(content: bytes) -> None:
    with contextlib.suppress(ImportFileError):
        for _, fields in line_reading.records(Source(content, 7)):
            assert isinstance(fields, dict)


def test_a_line_is_given_up_as_soon_as_it_is_too_long() -> None:
    with pytest.raises(LineTooLongError):
        list(line_reading.lines(Source(b"x" * 100, 10), max_bytes=50))


@given(st.lists(st.binary(min_size=16, max_size=16) | st.just(bytes(16))))
def test_a_set_of_ids_is_a_set(ids: list[bytes]) -> None:
    found, known = IdSet(), set[bytes]()
    for one in (*ids, *ids):
        assert found.add(one) == (one not in known)
        known.add(one)
    assert len(found) == len(known)


def test_a_set_of_ids_grows() -> None:
    found = IdSet(number.to_bytes(16) for number in range(5_000))
    assert len(found) == 5_000
    assert not found.add((4_999).to_bytes(16))
    assert found.add((5_000).to_bytes(16))


BAD_BELONGINGS: tuple[dict[str, object], ...] = (
    {"draft": "text"},
    {"draft": {"text": "x"}},
    {"draft": {"text": 1, "at_ms": 1}},
    {"draft": {"text": "x", "at_ms": 1, "reply": "00"}},
    {"draft": {"text": "x" * ((1 << 20) + 1), "at_ms": 1}},
    {"pinned_ms": -1},
    {"muted_until_ms": True},
    {"muted_until_ms": 1 << 63},
    {"archived": 1},
    {"keep_ms": None},
    {"lifetime_s": "7"},
    {"keeps_earlier_texts": "no"},
)


@pytest.mark.parametrize("kept", BAD_BELONGINGS, ids=lambda kept: str(kept)[:40])
def test_an_arrangement_with_one_fault_is_refused(tmp_path: Path, kept: dict[str, object]) -> None:
    path = write(tmp_path / "a.zip", row(1), kept=kept)
    with pytest.raises(MalformedImportError):
        entries(path)


def test_what_is_arranged_is_read_as_it_was_written(tmp_path: Path) -> None:
    kept = Belongings(Begun("x", 1, UID), 2, 3, True, 4, 5, False)  # noqa: FBT003 - as stored
    path = write(tmp_path / "a.zip", row(1), kept=fields_of(kept))
    source = open_file(path, Wishes(OWN))
    (heading,) = [one for one in source.items() if isinstance(one, Heading)]
    source.close()
    assert heading.belongings == kept
    assert fields_of(Belongings()) == {}


def test_whom_somebody_else_has_blocked_is_not_told(tmp_path: Path) -> None:
    path = write(tmp_path / "a.zip", row(1), person={"blocked_ms": 5})
    for own, expected in ((OWN, {}), (ACCOUNT, {ANN: 5})):
        source = open_file(path, Wishes(own))
        assert isinstance(source, OwnExport)
        list(source.items())
        source.close()
        assert source.blocked == expected
