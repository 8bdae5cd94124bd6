"""The vectors of linking, made by an arithmetic of their own, against ours."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypedDict

import pytest
from nacl.signing import SigningKey, VerifyKey

from e2ecore.linking.ceremony import ExistingSide, NewSide
from e2ecore.linking.code import BadLinkCodeError, LinkCode
from e2ecore_protocol.content.key_handover import KeyHandover, handover_context
from e2ecore_protocol.content.linking import Handover, Place
from e2ecore_protocol.errors import MalformedError

FILE = Path(__file__).parents[2] / "protocol/vectors/linking.json"


class Vector(TypedDict, total=False):
    what: str
    expect: str
    digits: str
    number: int
    code: str
    server_name: str
    account_id: str
    handle: str | None
    messages: list[str]
    check: str
    moves: list[str]
    body: str
    early: int
    context: str
    signed: str
    identity_key: str


def vectors(what: str) -> list[Vector]:
    found: list[Vector] = json.loads(FILE.read_text())["vectors"]
    return [one for one in found if one["what"] == what]


def filler(name: str, size: int) -> bytes:
    return (hashlib.sha256(name.encode()).digest() * (size // 32 + 1))[:size]


def public(name: str) -> bytes:
    return bytes(SigningKey(hashlib.sha256(name.encode()).digest()).verify_key)


def scripted(scalar: str, nonce: str) -> Callable[[int], bytes]:
    return lambda size: filler(scalar if size == 64 else nonce, size)


@pytest.mark.parametrize("vector", vectors("code"), ids=lambda one: one["digits"])
def test_a_code_is_read_exactly_if_its_check_digit_fits(vector: Vector) -> None:
    if vector["expect"] == "ok":
        code = LinkCode.parse(vector["digits"])
        assert (code.number, code.digits) == (vector["number"], vector["digits"])
    else:
        with pytest.raises(BadLinkCodeError):
            LinkCode.parse(vector["digits"])


@pytest.mark.parametrize("vector", vectors("ceremony"), ids=lambda one: one["code"])
def test_both_sides_say_byte_for_byte_what_the_specification_does(vector: Vector) -> None:
    code, name = LinkCode.parse(vector["code"]), vector["server_name"]
    digits = code.digits
    new = NewSide(
        code,
        name,
        device_key=public("new device"),
        rng=scripted("x" + digits, "nonce a" + digits),
    )
    existing = ExistingSide(
        code,
        name,
        account_id=bytes.fromhex(vector["account_id"]),
        device_key=public("existing device"),
        handle=vector["handle"],
        rng=scripted("y" + digits, "nonce b" + digits),
    )
    said = [new.hello()]
    said.append(existing.greet(said[0]))
    said.append(new.prove(said[1]))
    said.append(existing.meet(said[2]))
    new.meet(said[3])
    assert [one.hex() for one in said] == vector["messages"]
    assert new.check_string == existing.check_string == vector["check"]
    place = Place(5, filler("prev" + digits, 32))
    moves = [existing.hand_over(place, filler("identity", 32), vector["handle"] or "")]
    assert isinstance(new.next(moves[0]), Handover)
    moves.append(new.possession(filler("signature", 64)))
    assert [one.hex() for one in moves] == vector["moves"]


@pytest.mark.parametrize("vector", vectors("confirmation"), ids=lambda one: one["expect"])
def test_a_second_confirmation_is_read_as_it_is_specified(vector: Vector) -> None:
    body = bytes.fromhex(vector["body"])
    if vector["expect"] != "ok":
        with pytest.raises(MalformedError):
            KeyHandover.decode(body)
        return
    said = KeyHandover.decode(body)
    assert (said.encode(), said.early) == (body, vector["early"])
    account_id = bytes.fromhex(vector["account_id"])
    context = handover_context(account_id, said.device_id, said.key_package)
    assert context.hex() == vector["context"]
    message = said.signed_message(account_id)
    assert message.hex() == vector["signed"]
    VerifyKey(bytes.fromhex(vector["identity_key"])).verify(message, said.signature)
    bare = replace(said, signature=bytes(len(said.signature)))
    assert bare.signed(account_id, {message: said.signature}.__getitem__) == said
