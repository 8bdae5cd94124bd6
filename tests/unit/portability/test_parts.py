"""Lines of files, pins and votes: what is written is read; each fault alone is refused."""

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from e2ecore.portability import manifest, parts
from e2ecore.portability.archive import Archive
from e2ecore.portability.errors import ExportDamagedError, MalformedImportError
from e2ecore.portability.lines import Json
from e2ecore.portability.ours import OwnExport
from e2ecore.portability.records import Close, Opened, Pin, Vote
from e2ecore.portability.remarks import part_text
from e2ecore.portability.writing import ExportWriter
from e2ecore_protocol.content.attachments import FileItem
from e2ecore_protocol.limits import BLOB_ID_BYTES, FILE_KEY_BYTES
from tests.support.exports import ACCOUNT, ANN, GENESIS, KEY, OWN, entries, line_of, row, write

UID = (1).to_bytes(16)
DATA = b"the content of a file"
DIGEST = hashlib.sha256(DATA).digest()
ITEM = FileItem(
    bytes(BLOB_ID_BYTES), bytes(FILE_KEY_BYTES), len(DATA), DIGEST, "map.pdf", "application/pdf"
)
FULL = ITEM._replace(form=4, width=3, height=2, duration_ms=5, waveform=b"\1\2")
BY = (ANN, bytes(16), 7)
VOTE = Vote(*BY, b"\5" * 32, 0b101)
OPENED = Opened(ANN, b"\5" * 32, 0b101)
CLOSE = Close(ANN, 9, ((ANN, b"\5" * 32),))
PIN = Pin(*BY, is_pinned=True)
Fields = Mapping[str, object]


def text(sort: str, fields: Fields) -> str:
    return part_text(sort, UID, fields)


GOOD = [
    text(parts.FILE, parts.file_fields(ITEM)),
    text(parts.FILE, parts.file_fields(FULL)),
    text(parts.PIN, parts.pin_fields(PIN)),
    text(parts.VOTE, parts.vote_fields(VOTE)),
    text(parts.OPENED, parts.opened_fields(OPENED)),
    text(parts.CLOSE, parts.close_fields(CLOSE)),
]


def test_the_lines_are_what_the_document_says() -> None:
    document = (Path(__file__).parents[3] / "docs/portability.md").read_text()
    for line in GOOD[1:]:
        assert line in document


def test_all_that_belongs_to_a_message_is_read_with_it(tmp_path: Path) -> None:
    (found,) = entries(write(tmp_path / "a.zip", row(1, kind=6), lines=GOOD))
    assert found.said is not None
    assert found.said.files == (ITEM, FULL)
    who = found.account_id
    assert found.said.pins == (PIN._replace(account_id=who),)
    assert found.said.votes == (VOTE._replace(account_id=who),)
    assert found.said.opened == (OPENED._replace(account_id=who),)
    assert found.said.closes == (CLOSE._replace(account_id=who, counted=((who, b"\5" * 32),)),)
    assert found.said.weight > 0
    assert "5" not in repr(found.said.votes).replace("16", "").split("of")[0]


@pytest.mark.parametrize(
    ("line", "change"),
    [
        pytest.param(GOOD[0], {"name": "../up"}, id="a name that leads elsewhere"),
        pytest.param(GOOD[0], {"name": ""}, id="no name"),
        pytest.param(GOOD[0], {"media_type": "pdf"}, id="no media type"),
        pytest.param(GOOD[0], {"bytes": -1}, id="a negative size"),
        pytest.param(GOOD[0], {"bytes": 1 << 40}, id="a size beyond the largest"),
        pytest.param(GOOD[0], {"sha256": "00"}, id="a short hash"),
        pytest.param(GOOD[0], {"preview": "/w=="}, id="a preview that is none"),
        pytest.param(GOOD[0], {"preview": "!"}, id="a preview of no base64"),
        pytest.param(GOOD[0], {"preview": 1}, id="a preview of no text"),
        pytest.param(GOOD[0], {"waveform": "00" * 129}, id="a waveform too long"),
        pytest.param(GOOD[2], {"pinned": 1}, id="a pin of no truth"),
        pytest.param(GOOD[2], {"from": "00"}, id="a pin of nobody"),
        pytest.param(GOOD[3], {"commitment": ""}, id="a vote without commitment"),
        pytest.param(GOOD[3], {"choices": [64]}, id="a choice beyond all"),
        pytest.param(GOOD[3], {"choices": [True]}, id="a choice of no number"),
        pytest.param(GOOD[3], {"choices": 1}, id="choices of no list"),
        pytest.param(GOOD[4], {"choices": [0] * 65}, id="too many choices"),
        pytest.param(GOOD[5], {"counted": []}, id="counted that is no table"),
        pytest.param(GOOD[5], {"counted": {"00": "00"}}, id="counted of nobody"),
        pytest.param(GOOD[5], {"seq": "1"}, id="a close of no number"),
    ],
)
def test_a_line_with_one_fault_is_refused(tmp_path: Path, line: str, change: Fields) -> None:
    bad = json.dumps({**json.loads(line), **change}) + "\n"
    with pytest.raises(MalformedImportError):
        entries(write(tmp_path / "a.zip", row(1), lines=[bad]))


@pytest.mark.parametrize(("line", "most"), [(GOOD[0], 32), (GOOD[2], 1), (GOOD[5], 1)])
def test_more_than_a_message_can_have_is_refused(tmp_path: Path, line: str, most: int) -> None:
    entries(write(tmp_path / "good.zip", row(1), lines=[line] * most))
    with pytest.raises(MalformedImportError):
        entries(write(tmp_path / "bad.zip", row(1), lines=[line] * (most + 1)))


@given(st.dictionaries(st.sampled_from(["file", "pin", "vote", "opened", "close", "choices",
    "counted", "from", "name", "bytes", "sha256", "preview", "at_ms", "device", "pinned", "seq"]),
    st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=70),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=2)),
))  # fmt: skip
def test_no_line_fails_otherwise_than_it_says(fields: dict[str, Json]) -> None:
    readers: list[Callable[[dict[str, Json]], object]] = [
        parts.file_of, parts.pin_of, parts.vote_of, parts.opened_of, parts.close_of,
    ]  # fmt: skip
    for read in readers:
        try:
            read(fields)
        except (KeyError, TypeError, ValueError):
            continue


def attached(path: Path, called: bytes, content: bytes) -> Path:
    """An export with one file, whatever it is called."""
    writer = ExportWriter(path)
    writer.begin_conversation(bytes(16))
    writer.add({"conversation": bytes(16).hex(), "kind": "direct", "title": "", "created_ms": 1,
                "key": "", "names": {}})  # fmt: skip
    writer.add_lines([line_of(row(1)), GOOD[0]], 1)
    writer.begin_attachment(called)
    writer.add_bytes(content)
    assert writer.end_attachment(called) is (hashlib.sha256(content).digest() == called)
    writer.finish(ACCOUNT, bytes(16), GENESIS.encode(), 5, KEY.sign)
    writer.discard()
    return path


def test_a_file_is_found_by_its_hash_and_one_that_does_not_fit_counts_as_not_there(
    tmp_path: Path,
) -> None:
    good = OwnExport(Archive(attached(tmp_path / "a.zip", DIGEST, DATA)), own_account=OWN, me="")
    member = good.attachment(DIGEST)
    assert member is not None
    with member:
        assert member.read(99) == DATA
    assert good.has_attachments
    assert good.attachment(bytes(32)) is None
    good.close()
    other = OwnExport(Archive(attached(tmp_path / "b.zip", DIGEST, b"x")), own_account=OWN, me="")
    assert not other.has_attachments
    assert len([*other.items()]) == 2
    other.close()


def test_a_manifest_that_calls_a_file_by_another_hash_is_refused() -> None:
    one = manifest.ExportedFile(manifest.attachment_name(DIGEST), 1, 0, DIGEST)
    made = manifest.Manifest(ACCOUNT, bytes(16), GENESIS.encode(), 5, 0, (one,))
    assert manifest.decode(made.encode()) == made
    wrong = made.encode().replace(b'"sha256":"' + DIGEST.hex().encode(), b'"sha256":"' + b"00" * 32)
    with pytest.raises(ExportDamagedError):
        manifest.decode(wrong)
