"""The vectors of own devices, by our code and by code that knows only the specification."""

import hashlib
import json
from pathlib import Path
from typing import NamedTuple, TypedDict

import pytest

from e2ecore.crypto.errors import SignatureError
from e2ecore.sync.authoring import verify as verify_op
from e2ecore.sync.items import Items
from e2ecore.sync.merging import is_set, kept, values, written_last
from e2ecore.sync.reconciling import Reconciler, answer
from e2ecore_protocol.content.comparison import (
    decode_answer,
    decode_question,
    encode_comparison,
)
from e2ecore_protocol.content.op_bodies import OP_BODIES, Rule, rule_of
from e2ecore_protocol.content.ops import Op
from e2ecore_protocol.content.own_devices import decode_own_content
from e2ecore_protocol.errors import MalformedError
from tests.vectors.minimal_reader import Value, encode, read
from tests.vectors.test_wire import KEYS, plain, verify

FILE = Path(__file__).parents[2] / "protocol/vectors/own-devices.json"
AHEAD_MS = 600_000


class Vector(TypedDict, total=False):
    what: str
    expect: str
    why: str
    fields: list[object]
    ranges: list[object]
    encoded: str
    hash: str
    now_ms: int
    ops: list[str] | int
    kept: list[str]
    counts: list[str]
    hashes: list[str]
    fingerprint: str
    question: str
    answer: str
    asker_lacks: int
    answerer_lacks: int


VECTORS = list[Vector](json.loads(FILE.read_text())["vectors"])


def filler(name: str, size: int) -> bytes:
    return (hashlib.sha256(name.encode()).digest() * (size // 32 + 1))[:size]


ACCOUNT = filler("account", 20)


def each(what: str, *expect: str) -> pytest.MarkDecorator:
    chosen = [one for one in VECTORS if one["what"] == what and one["expect"] in expect]
    assert chosen
    names = [one.get("why", f"{number}") for number, one in enumerate(chosen)]
    return pytest.mark.parametrize("vector", chosen, ids=names)


def encoded(vector: Vector) -> bytes:
    return bytes.fromhex(vector["encoded"])


def given(vector: Vector) -> list[bytes]:
    ops = vector["ops"]
    assert isinstance(ops, list)
    return [bytes.fromhex(one) for one in ops]


# --- ops ------------------------------------------------------------------------------------------


@each("op", "ok")
def test_ops(vector: Vector) -> None:
    op = Op.decode(encoded(vector))
    assert op.encode() == encoded(vector)
    assert op.hash().hex() == vector["hash"]
    verify_op(op, ACCOUNT, KEYS["device 1"])
    body = op.body()
    assert (body is None) == (op.kind not in OP_BODIES)
    assert body is None or body.to_fields() == op.value


@each("op", "ok")
def test_ops_as_the_specification_alone_reads_them(vector: Vector) -> None:
    fields = read(encoded(vector))
    assert isinstance(fields, list)
    assert fields == [plain(field) for field in vector["fields"]]
    *unsigned, signature = fields
    name = hashlib.sha256(encode(unsigned)).digest()
    assert name.hex() == vector["hash"]
    assert isinstance(signature, bytes)
    verify(KEYS["device 1"], b"e2ecore op v1" + encode([ACCOUNT, name]), signature)


@each("op", "malformed")
def test_what_is_no_op_is_refused(vector: Vector) -> None:
    with pytest.raises(MalformedError):
        Op.decode(encoded(vector))


@each("op", "signature")
def test_what_the_device_did_not_say_is_refused(vector: Vector) -> None:
    op = Op.decode(encoded(vector))
    with pytest.raises(SignatureError):
        verify_op(op, ACCOUNT, KEYS["device 1"])


def test_every_kind_has_a_vector() -> None:
    found = {
        Op.decode(encoded(one)).kind for one in VECTORS if one["what"] == "op" if "hash" in one
    }
    assert found >= OP_BODIES.keys()


# --- merging --------------------------------------------------------------------------------------


@each("merging", "ok")
def test_merging(vector: Vector) -> None:
    ops = [Op.decode(data) for data in given(vector)]
    for order in (ops, ops[::-1]):
        assert sorted(op.hash().hex() for op in kept(order)) == vector["kept"]
    counting = [op.hash().hex() for op in what_counts(kept(ops), vector["now_ms"])]
    if rule_of(ops[0].kind) is Rule.FOREVER:
        assert sorted(counting) == sorted(vector["counts"])
    else:
        assert counting == vector["counts"]


def what_counts(ops: tuple[Op, ...], now_ms: int) -> list[Op]:
    match rule_of(ops[0].kind):
        case Rule.REGISTER:
            last = written_last(ops, now_ms)
            assert last is not None
            return [last]
        case Rule.FLAG:
            setting = [op for op in ops if op.value == (1,)]
            assert is_set(ops) == bool(setting)
            return setting
        case Rule.VALUES:
            return list(values(ops))
        case _:
            return list(ops)


@each("merging", "ok")
def test_merging_as_the_specification_alone_reads_it(vector: Vector) -> None:
    ops = [minimal(data) for data in given(vector)]
    left = {op.name for op in ops if minimal_keeps(op, ops)}
    assert sorted(left) == vector["kept"]


class Minimal(NamedTuple):
    """What merging looks at."""

    device: bytes
    number: int
    rule: int
    seen: dict[bytes, int]
    first: Value
    name: str


def minimal(data: bytes) -> Minimal:
    op = read(data)
    assert isinstance(op, list)
    name = hashlib.sha256(encode(op[:-1])).hexdigest()
    match op:
        case [
            1,
            bytes() as device,
            int() as number,
            _,
            _,
            int() as kind,
            _,
            [*seen],
            [first, *_],
            _,
        ]:
            upto = dict(map(minimal_seen, seen))
            return Minimal(device, number, kind // 100, upto, first, name)
        case _:
            raise AssertionError


def minimal_seen(value: Value) -> tuple[bytes, int]:
    match value:
        case [bytes() as device, int() as number]:
            return device, number
        case _:
            raise AssertionError


def minimal_keeps(op: Minimal, every: list[Minimal]) -> bool:
    """[OPL-32] and [OPL-33]."""
    if op.rule == 4:
        return True
    if op.rule == 2:
        assert isinstance(op.first, int)
        return all(isinstance(one.first, int) and op.first >= one.first for one in every)
    return not any(minimal_overwrites(other, op) for other in every)


def minimal_overwrites(later: Minimal, earlier: Minimal) -> bool:
    if later.device == earlier.device:
        return (later.number, later.name) > (earlier.number, earlier.name)
    saw = later.seen.get(earlier.device, 0) >= earlier.number
    return saw and not earlier.seen.get(later.device, 0) >= later.number


# --- what they say ------------------------------------------------------------------------------


@each("content", "ok")
def test_contents(vector: Vector) -> None:
    content = decode_own_content(encoded(vector))
    assert content is not None
    assert content.encode() == encoded(vector)
    assert read(encoded(vector)) == [plain(field) for field in vector["fields"]]


@each("content", "ignored")
def test_contents_of_later_are_ignored(vector: Vector) -> None:
    assert decode_own_content(encoded(vector)) is None


@each("content", "malformed")
def test_what_own_devices_do_not_say_is_refused(vector: Vector) -> None:
    with pytest.raises(MalformedError):
        decode_own_content(encoded(vector))


# --- comparisons --------------------------------------------------------------------------------


@each("question", "ok")
def test_questions(vector: Vector) -> None:
    assert encode_comparison(decode_question(encoded(vector))) == encoded(vector)
    assert read(encoded(vector)) == [1, plain(vector["ranges"])]


@each("answer", "ok")
def test_answers(vector: Vector) -> None:
    assert encode_comparison(decode_answer(encoded(vector))) == encoded(vector)
    assert read(encoded(vector)) == [1, plain(vector["ranges"])]


@each("question", "malformed")
def test_what_is_no_question_is_refused(vector: Vector) -> None:
    with pytest.raises(MalformedError):
        decode_question(encoded(vector))


@each("answer", "malformed")
def test_what_is_no_answer_is_refused(vector: Vector) -> None:
    with pytest.raises(MalformedError):
        decode_answer(encoded(vector))


@each("fingerprint", "ok")
def test_fingerprints(vector: Vector) -> None:
    hashes = [bytes.fromhex(one) for one in vector["hashes"]]
    here = Items(enumerate(hashes))
    assert here.fingerprint(0, len(hashes)).hex() == vector["fingerprint"]
    behind = Items([(0, bytes(32)), *[(time, one) for time, one in enumerate(hashes, 1)]])
    assert behind.fingerprint(1, len(hashes) + 1).hex() == vector["fingerprint"]


@each("comparison", "ok")
def test_a_whole_comparison(vector: Vector) -> None:
    ops = vector["ops"]
    assert isinstance(ops, int)
    every = {n: filler(f"op {n}", 32) for n in range(1, ops + 1)}
    ours = [item for item in every.items() if item[0] != vector["asker_lacks"]]
    theirs = [item for item in every.items() if item[0] != vector["answerer_lacks"]]
    asking = Reconciler(Items(ours))
    question = asking.initiate()
    assert question.hex() == vector["question"]
    said = answer(Items(theirs), question)
    assert said.hex() == vector["answer"]
    found = asking.respond(said)
    assert found.frame is not None
    last = asking.respond(answer(Items(theirs), found.frame))
    assert last.frame is None
    assert last.have == (every[vector["answerer_lacks"]],)
    assert last.need == (every[vector["asker_lacks"]],)
