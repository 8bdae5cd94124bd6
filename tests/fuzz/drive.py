"""Runs a harness: with atheris where it is installed, else with mutations of our own."""

import importlib
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Final, Protocol, cast

from tests.fuzz.mutations import adversarial, mutated
from tests.fuzz.target import Target, try_target

PRODUCT: Final = ["e2ecore", "e2ecore_channel", "e2ecore_protocol", "e2ecore_relay"]
"""Packages whose branches guide atheris."""


class Finding(Exception):  # noqa: N818 - found, not failed
    """Bytes that a harness must have answered otherwise."""

    def __init__(self, data: bytes, error: Exception) -> None:
        super().__init__(f"{data.hex()}\n{error!r}")
        self.data = data


class Atheris(Protocol):
    """What is used of the module."""

    def instrument_imports(self, include: list[str]) -> AbstractContextManager[None]: ...
    def Setup(self, argv: list[str], test: Callable[[bytes], None]) -> None: ...  # noqa: N802
    def Fuzz(self) -> None: ...  # noqa: N802


def load_targets(*, guided: bool) -> Mapping[str, Target]:
    """Import the harnesses; if ``guided``, with what they call made to report its branches."""
    watched = _atheris().instrument_imports(PRODUCT) if guided else nullcontext()
    with watched:
        module = importlib.import_module("tests.fuzz.targets")
    return cast("Mapping[str, Target]", module.TARGETS)


def _atheris() -> Atheris:
    return cast("Atheris", importlib.import_module("atheris"))


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
    """Let libFuzzer choose, guided by coverage, beginning with the samples in ``folder``.

    Does not return. A finding ends the process with its traceback and a file of the bytes.
    """
    atheris = _atheris()
    for number, sample in enumerate(target.samples):
        (folder / f"sample-{number}").write_bytes(sample)

    def one(data: bytes) -> None:
        check(target, data)

    arguments = [sys.argv[0], f"-max_total_time={int(seconds)}", "-max_len=65536", str(folder)]
    atheris.Setup(arguments, one)
    atheris.Fuzz()
