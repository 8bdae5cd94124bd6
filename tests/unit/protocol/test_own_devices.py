"""Bounds of what own devices say to each other that are too long for a vector, and the tables."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from e2ecore_protocol.codec import pack
from e2ecore_protocol.content.comparison import (
    Bound,
    Part,
    decode_answer,
    decode_question,
    encode_comparison,
)
from e2ecore_protocol.content.op_bodies import OP_BODIES, OpBody
from e2ecore_protocol.content.ops import NO_OP, Op
from e2ecore_protocol.content.own_devices import (
    OWN_KINDS,
    OpsAnswered,
    OpsTold,
    OwnContent,
    decode_own_content,
)
from e2ecore_protocol.errors import MalformedError
from e2ecore_protocol.limits import MAX_COMPARISON_BYTES, MAX_OP_BYTES

SPEC = (Path(__file__).parents[3] / "protocol/spec/75-own-devices.md").read_text()
PRINT = bytes(16)


@pytest.mark.parametrize("body", OP_BODIES.values(), ids=lambda body: body.__name__)
def test_every_kind_of_op_is_specified_field_by_field(body: type[OpBody]) -> None:
    name = re.sub(r"(?<!^)(?=[A-Z])", "_", body.__name__).lower()
    row = re.search(rf"^\| {body.KIND} \| {name} \| .* \| \[(.*?)\]", SPEC, re.MULTILINE)
    assert row is not None
    assert [field.split()[0] for field in row[1].split(", ")] == list(body.__match_args__)


@pytest.mark.parametrize("kind", OWN_KINDS.values(), ids=lambda kind: kind.__name__)
def test_every_kind_of_content_is_specified_field_by_field(kind: type[OwnContent]) -> None:
    section = SPEC.partition(f"### {kind.__name__} (kind {kind.KIND})")[2].partition("###")[0]
    fields = re.findall(r"^\| (\w+) \| [^t]", section, re.MULTILINE)
    assert fields[: len(kind.__match_args__)] == list(kind.__match_args__)


def test_an_op_of_the_greatest_length_is_taken() -> None:
    short = len(Op(bytes(16), 1, NO_OP, 0, 199, b"", (), (bytes(60_000),)).encode())
    for room, taken in ((0, True), (1, False)):
        filling = bytes(60_000 + MAX_OP_BYTES - short + room)
        op = Op(bytes(16), 1, NO_OP, 0, 199, b"", (), (filling,))
        if taken:
            assert Op.decode(op.encode()) == op
        else:
            with pytest.raises(MalformedError):
                Op.decode(op.encode())


@pytest.mark.parametrize("decode", [decode_question, decode_answer])
def test_a_frame_that_is_too_long_is_refused(
    decode: Callable[[bytes], tuple[Part, ...]],
) -> None:
    data = encode_comparison([Part(Bound(n), PRINT) for n in range(1, 9_000)])
    assert len(data) < MAX_COMPARISON_BYTES
    assert len(decode(data)) == 8_999
    long = encode_comparison([Part(Bound(n, bytes(32)), PRINT) for n in range(1, 5_000)])
    assert len(long) > MAX_COMPARISON_BYTES
    with pytest.raises(MalformedError):
        decode(long)


def test_contents_with_something_too_long_are_refused() -> None:
    long_op = OpsTold((bytes(MAX_OP_BYTES + 1),))
    long_frame = OpsAnswered(bytes(16), bytes(16), bytes(MAX_COMPARISON_BYTES + 1))
    for content in (long_op, long_frame):
        with pytest.raises(MalformedError):
            decode_own_content(content.encode())
    with pytest.raises(MalformedError):
        decode_own_content(pack(()))
