"""Harnesses for what devices of one account say to each other."""

from collections.abc import Mapping

from e2ecore.sync.errors import ComparisonError
from e2ecore.sync.items import Items
from e2ecore.sync.reconciling import Reconciler, answer
from e2ecore_protocol.codec import pack
from e2ecore_protocol.content import own_devices
from e2ecore_protocol.content.comparison import decode_answer, decode_question, encode_comparison
from e2ecore_protocol.content.op_bodies import (
    Blocked,
    Draft,
    Erased,
    Mute,
    Named,
    Person,
    ReadUpTo,
    Setting,
)
from e2ecore_protocol.content.ops import NO_OP, Op, Seen
from e2ecore_protocol.content.own_devices import decode_own_content
from e2ecore_protocol.content.rich_text import Mention
from e2ecore_protocol.errors import MalformedError
from tests.fuzz.target import Target

HERE = Items([(one << 16, bytes((one,)) * 32) for one in range(200)])
THERE = Items([(one << 16, bytes((one,)) * 32) for one in range(5, 210)])


def operation(data: bytes) -> object:
    op = Op.decode(data)
    assert op.encode() == data
    op.body()
    return op


def question(data: bytes) -> object:
    parts = decode_question(data)
    assert encode_comparison(parts) == data
    assert decode_answer(answer(HERE, data))
    return parts


def answered(data: bytes) -> object:
    """Any answer to one question: the next question is one, and nothing is made up."""
    asking = Reconciler(HERE)
    asking.initiate()
    found = asking.respond(data)
    assert encode_comparison(decode_answer(data)) == data
    assert {*found.have} <= {*HERE.hashes(0, len(HERE))}
    assert found.frame is None or decode_question(found.frame)
    return found


def own_content(data: bytes) -> object:
    content = decode_own_content(data)
    assert content is None or content.encode() == data
    return content


OPS = [
    Op(
        *(bytes(16), 1, NO_OP, 5 << 16, Person.KIND, bytes(20), ()),
        Person(1, "bob", "Robert").to_fields(),
    ).encode(),
    Op(
        *(bytes(16), 1, NO_OP, 5 << 16, Setting.KIND, b"theme", ()),
        Setting(pack(("dark",))).to_fields(),
    ).encode(),
    Op(bytes(16), 1, NO_OP, 5 << 16, Mute.KIND, bytes(16), (), (7,)).encode(),
    Op(bytes(16), 2, bytes((1,)) * 32, 6, ReadUpTo.KIND, bytes(16), (), (7,)).encode(),
    Op(
        *(bytes(16), 3, bytes((1,)) * 32, 7, Draft.KIND, bytes(16)),
        (Seen(bytes((1,)) * 16, 3),),
        Draft("hello", Named(bytes(16), bytes(20)), (Mention(bytes(20), 0, 5),)).to_fields(),
    ).encode(),
    Op(
        *(bytes(16), 4, bytes((1,)) * 32, 8, Erased.KIND, bytes(16)),
        (),
        Erased((Named(bytes(16), bytes(20)),)).to_fields(),
    ).encode(),
    Op(bytes(16), 5, bytes((1,)) * 32, 9, Blocked.KIND, bytes(20), (), (1,)).encode(),
    Op(bytes(16), 6, bytes((1,)) * 32, 9, 199, b"later", (), ("x", (None, True))).encode(),
]
QUESTION = Reconciler(THERE).initiate()
ANSWER = answer(THERE, Reconciler(HERE).initiate())
CONTENTS = [
    own_devices.OpsTold(tuple(OPS)).encode(),
    own_devices.OpsCompared(bytes(16), bytes(16), QUESTION).encode(),
    own_devices.OpsAnswered(bytes(16), bytes(16), ANSWER).encode(),
    own_devices.OpsWanted(bytes(16), (bytes(32),)).encode(),
    pack((1, 1005, "later")),
]

OP_TARGETS: Mapping[str, Target] = {
    "own.op": Target(operation, (MalformedError,), OPS, (Op.decode,)),
    "own.content": Target(own_content, (MalformedError,), CONTENTS, (decode_own_content,)),
    "own.question": Target(question, (MalformedError,), [QUESTION], (decode_question,)),
    "own.answer": Target(answered, (ComparisonError,), [ANSWER], (decode_answer,)),
}
