"""The vectors of the wire contract, read by our decoders and by one that knows only the spec."""

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypedDict

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from e2ecore_protocol.chain import (
    AccountState,
    ChainForkError,
    ChainInvalidError,
    Checkpoint,
    ConsentMissingError,
    Entry,
    UnknownCriticalEntryError,
    start,
)
from e2ecore_protocol.codec import unpack
from e2ecore_protocol.content import ConversationInfo, ReaddRequest, decode_content, decode_counter
from e2ecore_protocol.content.history import decode_history_part
from e2ecore_protocol.errors import MalformedError
from e2ecore_protocol.frames import decode_client_frame, decode_server_frame
from tests.vectors.minimal_reader import Value, encode, read

FOLDER = Path(__file__).parents[2] / "protocol/vectors"


class State(TypedDict):
    """What a valid chain adds up to."""

    account_id: str
    identity_key: str
    head_seq: int
    head_hash: str
    checkpoint: str
    closed: bool
    live: list[str]
    removed: list[list[str | int]]
    valid_at: list[tuple[int, list[str]]]


class Vector(TypedDict, total=False):
    """One vector of any of the files."""

    expect: str
    why: str
    name: str
    clause: str
    what: str
    where: str
    value: object
    fields: list[object]
    encoded: str
    frame: str
    side: str
    type: int
    inputs: dict[str, object]
    output: str
    entries: list[str]
    state: State
    keys: dict[str, str]
    kept: bool


def load(name: str) -> list[Vector]:
    vectors: list[Vector] = json.loads((FOLDER / name).read_text())["vectors"]
    return vectors


def names(vector: Vector) -> str:
    for key in ("why", "name", "frame", "what", "where"):
        if key in vector:
            return str(vector[key])
    return str(vector["encoded"])[:20]


def each(name: str, *expect: str) -> pytest.MarkDecorator:
    chosen = [one for one in load(name) if not expect or one["expect"] in expect]
    return pytest.mark.parametrize("vector", chosen, ids=names)


def plain(value: object) -> Value:
    """A value as it stands in JSON, as the minimal reader returns it."""
    if isinstance(value, dict):
        return bytes.fromhex(value["hex"])
    if isinstance(value, list):
        return [plain(item) for item in value]
    assert value is None or isinstance(value, bool | int | str)
    return value


def tuples(value: Value) -> object:
    return tuple(map(tuples, value)) if isinstance(value, list) else value


def encoded(vector: Vector) -> bytes:
    return bytes.fromhex(vector["encoded"])


def test_the_files_are_what_the_generator_makes() -> None:
    command = [sys.executable, str(FOLDER / "generate.py"), "--check"]
    check = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (check.returncode, check.stdout) == (0, ""), check.stderr


# --- encoding, frames, content -----------------------------------------------------------------


@each("encoding.json", "ok")
def test_values(vector: Vector) -> None:
    assert read(encoded(vector)) == plain(vector["value"])
    assert unpack(encoded(vector), 1000) == tuples(plain(vector["value"]))


@each("encoding.json", "malformed")
def test_what_is_not_canonical_is_refused(vector: Vector) -> None:
    with pytest.raises(MalformedError):
        unpack(encoded(vector), 1 << 20)


@each("frames.json", "ok")
def test_frames(vector: Vector) -> None:
    fields = [plain(field) for field in vector["fields"]]
    assert read(encoded(vector)) == [vector["type"], *fields]
    decode = decode_client_frame if vector["side"] == "client" else decode_server_frame
    frame = decode(encoded(vector))
    assert type(frame).__name__ == vector["frame"]
    assert frame.to_fields() == tuple(map(tuples, fields))
    assert frame.encode() == encoded(vector)


@each("frames.json", "malformed")
def test_wrong_frames(vector: Vector) -> None:
    decode = decode_client_frame if vector["side"] == "client" else decode_server_frame
    with pytest.raises(MalformedError):
        decode(encoded(vector))


DECODERS: dict[str, Callable[[bytes], object]] = {
    "message": decode_content,
    "counter": decode_counter,
    "conversation": ConversationInfo.decode,
    "history": decode_history_part,
    "readd": ReaddRequest.decode,
}


@each("content.json", "ok")
def test_content(vector: Vector) -> None:
    fields = plain(vector["fields"])
    assert read(encoded(vector)) == fields
    assert isinstance(fields, list)
    found = DECODERS[vector["where"]](encoded(vector))
    if vector["where"] == "counter":
        assert found == fields[1]
    else:
        assert found.encode() == encoded(vector)  # type: ignore[attr-defined]
    assert vector.get("kept", False) == (type(found).__name__ == "UnknownContent")


@each("content.json", "malformed")
def test_wrong_content(vector: Vector) -> None:
    with pytest.raises(MalformedError):
        DECODERS[vector["where"]](encoded(vector))


def test_the_request_to_be_added_again_is_signed() -> None:
    (vector,) = [one for one in load("content.json") if one.get("where") == "readd"][:1]
    fields = read(encoded(vector))
    assert isinstance(fields, list)
    signature = fields[-1]
    assert isinstance(signature, bytes)
    message = b"e2ecore re-add request v1" + encode(fields[:-1])
    verify(KEYS["device 1"], message, signature)


# --- ids and signed messages ---------------------------------------------------------------------


def derive(what: str, given: dict[str, Value]) -> bytes:
    """The formulas of the specification, once more."""
    values = list(given.values())
    match what, values:
        case "group conversation id", [bytes() as random]:
            return (int.from_bytes(random) & ((1 << 127) - 1)).to_bytes(16)
        case (
            ("direct conversation id" | "own devices' conversation id"),
            [*accounts, int() as attempt],
        ):
            label = b"e2ecore direct v1" if len(accounts) > 1 else b"e2ecore self v1"
            named = b"".join(sorted(one for one in accounts if isinstance(one, bytes)))
            digest = hashlib.sha256(label + named + attempt.to_bytes(4)).digest()[:16]
            return (int.from_bytes(digest) | 1 << 127).to_bytes(16)
        case "envelope id", [int() as now_ms, bytes() as random]:
            return now_ms.to_bytes(6) + random
        case "device id", [bytes() as key]:
            return hashlib.sha256(key).digest()[:16]
        case (("sealed vote" | "answer"), _):
            label = b"e2ecore quote v1" if what == "answer" else b"e2ecore vote v1"
            return hashlib.sha256(label + encode(values)).digest()
        case _:
            return LABELS[what] + encode(values)


LABELS = {
    "signed to authenticate": b"e2ecore auth v1",
    "signed to show possession": b"e2ecore device possession v1",
    "signed to promise": b"e2ecore blob promise v1",
    "signed to say that a blob is gone": b"e2ecore blob receipt v1",
    "signed to acknowledge a blob": b"e2ecore blob acknowledgement v1",
    "signed to say that nothing is kept for a device": b"e2ecore device receipt v1",
}


@each("derived.json")
def test_derived_values(vector: Vector) -> None:
    given = {name: plain(value) for name, value in vector["inputs"].items()}
    assert derive(vector["what"], given).hex() == vector["output"]


# --- chains --------------------------------------------------------------------------------------


def verify(key: bytes, message: bytes, signature: bytes) -> None:
    Ed25519PublicKey.from_public_bytes(key).verify(signature, message)


(KEYS_VECTOR,) = [one for one in load("chain.json") if one["expect"] == "keys"]
KEYS = {name: bytes.fromhex(value) for name, value in KEYS_VECTOR["keys"].items()}
ERRORS: dict[str, type[Exception]] = {
    "malformed": MalformedError,
    "signature": InvalidSignature,
    "invalid": ChainInvalidError,
    "consent": ConsentMissingError,
    "fork": ChainForkError,
    "unknown": UnknownCriticalEntryError,
}


def follow(vector: Vector) -> AccountState:
    return start([Entry.decode(bytes.fromhex(one)) for one in vector["entries"]], verify)


@each("chain.json", "valid")
def test_chains_that_hold(vector: Vector) -> None:
    state, expected = follow(vector), vector["state"]
    assert state.account_id.hex() == expected["account_id"]
    assert state.identity_key.hex() == expected["identity_key"]
    assert state.head_seq == expected["head_seq"]
    assert state.head_hash.hex() == expected["head_hash"]
    assert state.closed == expected["closed"]
    assert state.checkpoint().encode().hex() == expected["checkpoint"]
    assert Checkpoint.decode(bytes.fromhex(expected["checkpoint"])) == state.checkpoint()
    assert [one.device_id.hex() for one in state.live_devices()] == expected["live"]
    assert [
        [one.device_id.hex(), one.removed_for]
        for one in state.devices.values()
        if one.removed_for is not None
    ] == expected["removed"]
    for now_ms, devices in expected["valid_at"]:
        assert [one.device_id.hex() for one in state.valid_devices(now_ms)] == devices


@each("chain.json", "valid")
def test_chains_as_the_specification_alone_reads_them(vector: Vector) -> None:
    entries = [bytes.fromhex(one) for one in vector["entries"]]
    account_id = hashlib.sha256(entries[0]).digest()[:20]
    assert account_id.hex() == vector["state"]["account_id"]
    previous = b""
    live: list[str] = []
    for seq, entry in enumerate(entries):
        fields = read(entry)
        assert isinstance(fields, list)
        *unsigned, signature = fields
        assert isinstance(signature, bytes)
        assert fields[:4] == [1, account_id if seq else b"", seq, previous]
        verify(KEYS["identity"], b"e2ecore account entry v1" + encode(unsigned), signature)
        previous = hashlib.sha256(entry).digest()
        kind, body = fields[4], fields[5]
        assert isinstance(body, list)
        if kind in {3, 5}:
            (subject, *_) = body
            assert isinstance(subject, bytes)
            live = follow_device(kind == 3, subject, live)
    assert previous.hex() == vector["state"]["head_hash"]
    newest: list[Value] = [1, account_id, len(entries) - 1, previous]
    check = hashlib.sha256(b"e2ecore checkpoint v1" + encode(newest)).digest()[:4]
    assert encode([*newest, check]).hex() == vector["state"]["checkpoint"]
    assert vector["state"]["live"] == ([] if vector["state"]["closed"] else live)


def follow_device(is_added: bool, subject: bytes, live: list[str]) -> list[str]:  # noqa: FBT001
    if is_added:
        return [*live, hashlib.sha256(subject).digest()[:16].hex()]
    return [one for one in live if one != subject.hex()]


@each("chain.json", *ERRORS)
def test_chains_whose_last_entry_is_wrong(vector: Vector) -> None:
    with pytest.raises(ERRORS[vector["expect"]]):
        follow(vector)
    if vector["entries"][:-1]:
        follow({"entries": vector["entries"][:-1]})
