"""The partner: installed once per machine, started once per file of tests."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from benchmarks.peers import setup
from benchmarks.worker import Worker
from tests.interop.parties import Ours, Theirs

PARTNER = Path(__file__).parent / "partner"


@pytest.fixture(scope="module")
def partner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    try:
        node, packages = setup.node(), setup.node_packages("interop", PARTNER)
    except setup.NotInstalledError as error:
        pytest.skip(f"the partner is not installed: {error}")
    log = tmp_path_factory.mktemp("partner") / "errors.log"
    with Worker("ts-mls", [node, str(PARTNER / "driver.mjs"), str(packages)], log) as worker:
        yield worker


@pytest.fixture
def ours() -> Callable[[str, int], Ours]:
    return Ours


@pytest.fixture
def theirs(partner: Worker) -> Callable[[str, int], Theirs]:
    def make(name: str, suite: int) -> Theirs:
        return Theirs(name, suite, partner)

    return make
