"""The vectors of signals, by our code and by code that knows only the specification."""

import json
from pathlib import Path
from typing import TypedDict

import pytest

from e2ecore.crypto.errors import DecryptionError
from e2ecore.messaging.signals import SignalKey, open_signal, seal_signal
from e2ecore_protocol.content import Typing
from e2ecore_protocol.errors import MalformedError
from tests.vectors import minimal_signal as minimal
from tests.vectors.minimal_reader import encode
from tests.vectors.test_wire import KEYS, plain, verify

FILE = Path(__file__).parents[2] / "protocol/vectors/signals.json"


class Vector(TypedDict, total=False):
    expect: str
    why: str
    fields: list[object]
    encoded: str
    payload: str
    key: str
    conversation: str
    epoch: int
    signed_by: str


(HEAD, *VECTORS) = list[Vector](json.loads(FILE.read_text())["vectors"])
KEY = bytes.fromhex(HEAD["key"])
CONVERSATION, EPOCH = bytes.fromhex(HEAD["conversation"]), HEAD["epoch"]


def each(*expect: str) -> pytest.MarkDecorator:
    chosen = [one for one in VECTORS if one["expect"] in expect]
    assert chosen
    names = [one.get("why", f"{number}") for number, one in enumerate(chosen)]
    return pytest.mark.parametrize("vector", chosen, ids=names)


def payload(vector: Vector) -> bytes:
    return bytes.fromhex(vector["payload"])


@each("ok")
def test_signals(vector: Vector) -> None:
    encoded = bytes.fromhex(vector["encoded"])
    signal = open_signal(SignalKey(KEY), payload(vector))
    assert signal is not None
    assert signal.encode() == encoded
    verify(KEYS["device 1"], signal.signed_message(CONVERSATION, EPOCH), signal.signature)
    nonce = payload(vector)[:24]
    assert seal_signal(SignalKey(KEY), signal, lambda _: nonce) == payload(vector)
    unsigned = Typing(signal.leaf, signal.stamp_ms, signal.state)
    message = unsigned.signed(CONVERSATION, EPOCH, lambda _: signal.signature)
    assert message == signal


@each("ok")
def test_signals_as_the_specification_alone_reads_them(vector: Vector) -> None:
    opened = minimal.open_signal(KEY, payload(vector))
    assert opened is not None
    encoded = minimal.content(opened)
    assert encoded == bytes.fromhex(vector["encoded"])
    found = minimal.fields(encoded)
    assert found == [plain(field) for field in vector["fields"]]
    *unsigned, signature = found
    assert isinstance(signature, bytes)
    message = b"e2ecore signal v1" + encode([CONVERSATION, EPOCH, *unsigned])
    verify(KEYS["device 1"], message, signature)


@each("ignored")
def test_kinds_that_are_not_known_are_ignored(vector: Vector) -> None:
    assert open_signal(SignalKey(KEY), payload(vector)) is None
    opened = minimal.open_signal(KEY, payload(vector))
    assert opened is not None
    assert minimal.content(opened) == bytes.fromhex(vector["encoded"])


@each("malformed")
def test_what_a_member_seals_wrongly_is_refused(vector: Vector) -> None:
    assert minimal.open_signal(KEY, payload(vector)) is not None
    with pytest.raises(MalformedError):
        open_signal(SignalKey(KEY), payload(vector))


@each("closed")
def test_what_is_sealed_otherwise_does_not_open(vector: Vector) -> None:
    assert minimal.open_signal(KEY, payload(vector)) is None
    with pytest.raises(DecryptionError):
        open_signal(SignalKey(KEY), payload(vector))


def test_the_minimal_reader_agrees_with_the_draft() -> None:
    """Section 2.2.1 of draft-irtf-cfrg-xchacha-03."""
    key, nonce = bytes(range(32)), bytes.fromhex("000000090000004a0000000031415927")
    expected = "82413b4227b27bfed30e42508a877d73a0f9e4d58a74a853c12ec41326d3ecdc"
    assert minimal.hchacha20(key, nonce).hex() == expected
