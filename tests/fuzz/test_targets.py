"""The harnesses: complete, alive, and replayed with what was once found."""

import gc
import importlib
import inspect
import json
import pkgutil
import re
import tracemalloc
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import pytest

import e2ecore
import e2ecore_channel
import e2ecore_protocol
import e2ecore_relay
from tests.fuzz.drive import check
from tests.fuzz.mutations import adversarial, mutated
from tests.fuzz.target import Target
from tests.fuzz.targets import TARGETS

MUTATIONS = 60
REFUSED_SAMPLES = {"mls.receive", "mls.receive from an insider", "disk.key file"}
"""Some of their samples are genuine but for one thing: a signature, a checksum."""
MEMORY_FACTOR = 60
"""Bytes of objects that a byte of input may become: a one-byte element is a Python object."""
MEMORY_BASE = 1 << 20
CORPUS: dict[str, list[str]] = json.loads((Path(__file__).parent / "corpus.json").read_text())
NOT_BYTES_OF_OTHERS = {
    "e2ecore.engine.running.state.read_chain": "reads rows of a transaction",
    "e2ecore.mls.nodes.Lifetime.unpack": "takes 16 bytes that were counted before",
    "e2ecore.mls.codec.decode_all": "takes the decoder as an argument",
    "e2ecore.mls.codec.read_u16": "a number, with every structure",
    "e2ecore.mls.codec.read_u32": "a number, with every structure",
}
NAME = re.compile(r"(decode|read|unpack|parse)(_\w+)?$")
each = pytest.mark.parametrize(("name", "target"), TARGETS.items(), ids=TARGETS)


def functions(owner: object, module: str) -> Iterator[Callable[[bytes], object]]:
    """Decoders of a module or class that are public and defined in it."""
    for name, value in vars(owner).items():
        if inspect.isclass(value) and value.__module__ == module and not name.startswith("_"):
            yield from functions(value, module)
        found = getattr(owner, name) if isinstance(value, classmethod | staticmethod) else value
        if callable(found) and NAME.match(name) and found.__module__ == module:
            yield found


def decoders() -> set[str]:
    """Public functions that by their names and first parameters take bytes apart."""
    found = set()
    for package in (e2ecore, e2ecore_protocol, e2ecore_channel, e2ecore_relay):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if module.name.endswith("__main__"):
                continue
            for function in functions(importlib.import_module(module.name), module.name):
                first = next(iter(inspect.signature(function).parameters.values()), None)
                if first is not None and first.annotation in TAKEN:
                    found.add(name_of(function))
    return found


TAKEN = {bytes, "bytes", importlib.import_module("e2ecore.mls.codec").Reader, "Reader"}


def test_every_decoder_has_a_harness() -> None:
    covered = {name_of(one) for target in TARGETS.values() for one in target.covers}
    missing = decoders() - covered - NOT_BYTES_OF_OTHERS.keys()
    assert {name for name in missing if not name.endswith(".Frame.decode")} == set()


def name_of(function: object) -> str:
    return f"{getattr(function, '__module__', '')}.{getattr(function, '__qualname__', '')}"


@each
def test_samples_are_taken(name: str, target: Target) -> None:
    taken = [check(target, sample) for sample in target.samples]
    assert taken
    if name not in REFUSED_SAMPLES:
        assert all(taken)


@each
def test_mutations_are_answered(name: str, target: Target) -> None:
    for data in islice(mutated(name, target.samples), MUTATIONS):
        check(target, data)


@pytest.mark.parametrize("name", CORPUS)
def test_what_was_found_stays_answered(name: str) -> None:
    for data in CORPUS[name]:
        check(TARGETS[name], bytes.fromhex(data))


@each
def test_memory_is_bounded_by_the_input(name: str, target: Target) -> None:
    """Huge lengths, deep nesting, many tiny elements."""
    every = list(adversarial(target.samples))
    chosen = sorted(every, key=len)[-12:] + every[:: max(1, len(every) // 12)]
    check(target, target.samples[0])
    tracemalloc.start()
    try:
        for data in chosen:
            most = MEMORY_BASE + MEMORY_FACTOR * len(data)
            if memory_for(target, data) >= most:
                gc.collect()  # modules and patterns that were not in use yet are loaded once
                assert memory_for(target, data) < most, (name, data[:40].hex())
    finally:
        tracemalloc.stop()


def memory_for(target: Target, data: bytes) -> int:
    """Return how many bytes are in use at most while an input is looked at, beyond those before."""
    tracemalloc.reset_peak()
    before, _ = tracemalloc.get_traced_memory()
    check(target, data)
    _, peak = tracemalloc.get_traced_memory()
    return peak - before
