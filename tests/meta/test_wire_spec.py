"""The specification names every frame, field, error code, limit and kind that the code has."""

import re
from pathlib import Path

import pytest

from e2ecore_protocol.chain import BODIES, Body
from e2ecore_protocol.content import Text, encode_counter
from e2ecore_protocol.content.kind import Content
from e2ecore_protocol.content.messages import KINDS
from e2ecore_protocol.errors import ErrorCode
from e2ecore_protocol.frames import (
    CLIENT_FRAMES,
    SERVER_FRAMES,
    BlobsDeleted,
    DeletionReason,
    DevicesErased,
    Envelope,
    EnvelopeKind,
    Frame,
    GuardianshipChanged,
    KeyPackagesLow,
    decode_client_frame,
    decode_server_frame,
)
from e2ecore_protocol.frames.delivery import Delivery
from tools.wire import SPEC, TABLES, limit_rows, updated

BLOBS = (SPEC / "40-blobs.md").read_text()
LINKING = (SPEC / "70-linking.md").read_text()
CHAIN = (SPEC / "80-chain-and-consent.md").read_text()
GUARDIANS = (SPEC / "85-guardians.md").read_text()
FRAMES = (SPEC / "20-relay-frames.md").read_text() + BLOBS + LINKING + CHAIN + GUARDIANS
ORDERING = (SPEC / "30-ordering.md").read_text()
CONTENT = (SPEC / "50-content.md").read_text() + GUARDIANS
DOCUMENTS = sorted(SPEC.glob("*.md"))


def fields_below(text: str, heading: str) -> list[str]:
    """First column of the first table below a heading."""
    _, found, rest = text.partition(heading)
    assert found, heading
    section = rest.split("\n### ")[0].split("\n## ")[0]
    rows = re.findall(r"^\| (\w+) \|", section.partition("|---|---|---|\n")[2], re.MULTILINE)
    return [str(row) for row in rows]


@pytest.mark.parametrize("name", TABLES)
def test_generated_tables_are_current(name: str) -> None:
    assert (SPEC / name).read_text() == updated(name), "run python -m tools.wire"


@pytest.mark.parametrize(
    "frame", [*CLIENT_FRAMES.values(), *SERVER_FRAMES.values()], ids=lambda kind: kind.__name__
)
def test_every_frame_is_specified_field_by_field(frame: type[Frame]) -> None:
    side = "client" if frame.TYPE in CLIENT_FRAMES else "relay"
    heading = f"### {frame.__name__} (type {frame.TYPE}, {side})"
    fields = fields_below(FRAMES, heading)
    assert fields[: len(frame.__match_args__)] == list(frame.__match_args__)


def test_every_specified_frame_exists() -> None:
    numbers = {
        int(number) for number in re.findall(r"^### \w+ \(type (\d+),", FRAMES, re.MULTILINE)
    }
    assert numbers == {*CLIENT_FRAMES, *SERVER_FRAMES}


def test_envelopes_and_deliveries_are_specified_field_by_field() -> None:
    assert fields_below(FRAMES, "An *envelope* is an array:") == list(Envelope._fields)
    assert fields_below(FRAMES, "A *delivery* is an array:") == list(Delivery._fields)


@pytest.mark.parametrize(
    "notice", [KeyPackagesLow, BlobsDeleted, DevicesErased, GuardianshipChanged]
)
def test_every_notice_is_specified(notice: type[Frame]) -> None:
    heading = f"### {notice.__name__} (notice {notice.TYPE})"
    assert fields_below(FRAMES, heading) == list(notice.__match_args__)


@pytest.mark.parametrize("reason", DeletionReason)
def test_every_reason_to_delete_a_blob_is_specified(reason: DeletionReason) -> None:
    assert f"\n| {reason.name} | {reason.value} |" in BLOBS


@pytest.mark.parametrize("code", ErrorCode)
def test_every_error_code_is_specified(code: ErrorCode) -> None:
    assert f"\n| {code.value} | {code.meaning} |" in FRAMES


def test_every_limit_has_a_reason() -> None:
    without = [name for name, (_, reason) in limit_rows().items() if len(reason) < 15]
    assert without == []


@pytest.mark.parametrize("kind", EnvelopeKind)
def test_every_kind_of_envelope_is_specified(kind: EnvelopeKind) -> None:
    assert f"\n| {kind.name} | {kind.value} |" in ORDERING


@pytest.mark.parametrize("body", BODIES.values(), ids=lambda body: body.__name__)
def test_every_kind_of_chain_entry_is_specified(body: type[Body]) -> None:
    name = re.sub(r"(?<!^)(?=[A-Z])", "_", body.__name__).lower()
    row = re.search(rf"^\| {body.KIND} \| {name} \| \[(.*)\] \|$", CHAIN, re.MULTILINE)
    assert row is not None
    fields = [field.split()[0] for field in row[1].split(", ") if field]
    assert fields == list(body.__match_args__)


@pytest.mark.parametrize("content", KINDS.values(), ids=lambda kind: kind.__name__)
def test_every_kind_of_content_is_specified(content: type[Content]) -> None:
    heading = f"### {content.__name__} (kind {content.KIND})"
    assert fields_below(CONTENT, heading) == list(content.__match_args__)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_clauses_that_are_cited_exist(path: Path) -> None:
    known = [
        clause
        for document in DOCUMENTS
        for clause in re.findall(r"^\[([A-Z]{3}-\d+)\]", document.read_text(), re.MULTILINE)
    ]
    assert len(known) == len(set(known)), "a clause number is used twice"
    cited = set(re.findall(r"\[([A-Z]{3}-\d+)\]", path.read_text()))
    assert cited <= set(known)


@pytest.mark.parametrize("package", ["protocol", "relay/e2ecore_relay", "e2ecore"])
def test_clauses_that_the_code_cites_exist(package: str) -> None:
    known = set(re.findall(r"^\[([A-Z]{3}-\d+)\]", _all_clauses(), re.MULTILINE))
    root = SPEC.parents[1] / package
    cited = {
        clause
        for path in root.rglob("*.py")
        for clause in re.findall(
            r"\[((?:CON|ENC|FRM|ORD|BLB|CNT|CHN|GRD|VER)-\d+)\]", path.read_text()
        )
    }
    assert cited <= known


def _all_clauses() -> str:
    return "\n".join(path.read_text() for path in DOCUMENTS)


def test_examples_are_frames() -> None:
    blocks = re.findall(r"^```frames\n(.*?)^```", FRAMES, re.MULTILINE | re.DOTALL)
    lines = [line.split() for block in blocks for line in block.splitlines()]
    assert len(lines) == 6
    for side, data in lines:
        decode = decode_client_frame if side == "client" else decode_server_frame
        assert decode(bytes.fromhex(data)).encode().hex() == data


def test_the_example_of_content_is_content() -> None:
    text = Text(b"\x33" * 16, 1_760_000_000_000, "hello")
    assert text.encode().hex() == "950101c410" + "33" * 16 + "cf00000199c82cc000a568656c6c6f"
    assert "cf 00000199c82cc000" in CONTENT
    assert encode_counter(300).hex() == "9201cd012c"
    assert "`9201cd012c`" in CONTENT
