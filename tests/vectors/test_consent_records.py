"""Records of consents, read by our decoder and by one that knows only the specification."""

import hashlib
import json
from pathlib import Path

import pytest

from e2ecore_protocol.chain import ConsentRecord
from e2ecore_protocol.errors import MalformedError
from tests.vectors.minimal_reader import encode, read

VECTORS: list[dict[str, str]] = json.loads(
    (Path(__file__).parents[2] / "protocol/vectors/consents.json").read_text()
)["vectors"]
GOOD = [one for one in VECTORS if one["expect"] == "ok"]
BAD = [one for one in VECTORS if one["expect"] == "malformed"]


def name_of(vector: dict[str, str]) -> str:
    return vector["name"]


@pytest.mark.parametrize("vector", GOOD, ids=name_of)
def test_records_that_hold(vector: dict[str, str]) -> None:
    encoded, salt = bytes.fromhex(vector["encoded"]), bytes.fromhex(vector["salt"])
    record = ConsentRecord.decode(encoded)
    assert record.encode() == encoded
    body = record.granted(salt)
    assert body.commitment.hex() == vector["commitment"]
    assert body.notice_hash == hashlib.sha256(vector["notice"].encode()).digest()


@pytest.mark.parametrize("vector", GOOD, ids=name_of)
def test_records_as_the_specification_alone_reads_them(vector: dict[str, str]) -> None:
    encoded, salt = bytes.fromhex(vector["encoded"]), bytes.fromhex(vector["salt"])
    fields = read(encoded)
    assert isinstance(fields, list)
    assert len(fields) == 17
    times = fields[16]
    assert isinstance(times, list)
    committed = hashlib.sha256(salt + encoded).digest()
    notice_hash = hashlib.sha256(vector["notice"].encode()).digest()
    assert fields[8] == notice_hash
    body = encode([fields[1], fields[4], notice_hash, committed, times[1]])
    assert body.hex() == vector["entry_body"]


@pytest.mark.parametrize("vector", BAD, ids=name_of)
def test_records_with_one_fault_are_refused(vector: dict[str, str]) -> None:
    with pytest.raises(MalformedError):
        ConsentRecord.decode(bytes.fromhex(vector["encoded"]))
