"""Runs a harness: with atheris where it is installed, else with mutations of our own."""

import importlib
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, cast

from tests.fuzz.mutations import adversarial, mutated
from tests.fuzz.target import Target, try_target


class Finding(Exception):  # noqa: N818 - found, not failed
    """Bytes that a harness must have answered otherwise."""

    def __init__(self, data: bytes, error: Exception) -> None:
        super().__init__(f"{data.hex()}\n{error!r}")
        self.data = data


class Atheris(Protocol):
    """What is used of the module."""

    def instrument_all(self) -> None: ...
    def Setup(self, argv: list[str], test: Callable[[bytes], None]) -> None: ...  # noqa: N802
    def Fuzz(self) -> None: ...  # noqa: N802


def check(target: Target, data: bytes) -> bool:
    """Give bytes to a harness; whatever is not an answer becomes a ``Finding``."""
    try:
        return try_target(target, data)
    except Exception as error:
        raise Finding(data, error) from error


def by_mutations(target: Target, seconds: float, seed: str) -> tuple[int, int]:
    """Mutate for so long. Returns how many inputs there were, and how many of them were taken."""
    end, tried, taken = time.monotonic() + seconds, 0, 0
    for data in (*target.samples, *adversarial(target.samples)):
        taken += check(target, data)
        tried += 1
    for data in mutated(seed, target.samples):
        taken += check(target, data)
        tried += 1
        if time.monotonic() > end:
            break
    return tried, taken


def by_atheris(target: Target, seconds: float, folder: Path) -> None:
    """Let libFuzzer choose, guided by coverage, beginning with the samples in ``folder``."""
    atheris = cast("Atheris", importlib.import_module("atheris"))
    for number, sample in enumerate(target.samples):
        (folder / f"sample-{number}").write_bytes(sample)
    atheris.instrument_all()

    def one(data: bytes) -> None:
        check(target, data)

    arguments = [sys.argv[0], f"-max_total_time={int(seconds)}", "-max_len=65536", str(folder)]
    atheris.Setup(arguments, one)
    atheris.Fuzz()
