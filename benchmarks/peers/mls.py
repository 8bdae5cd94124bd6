"""Other implementations of secure groups, each in a process of its own that measures itself.

Two packages for node, installed by npm as the lock file in `node/` names them, and three for
Python, each in a virtual environment of its own.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from benchmarks import wire
from benchmarks.large_groups import LargeGroup, now_ms
from benchmarks.peers import setup
from benchmarks.worker import Worker
from e2ecore.crypto.rng import system_rng
from e2ecore.crypto.suites import SUITES
from e2ecore.mls.key_package import KeyPackage
from e2ecore.mls.message import decode_message
from e2ecore.mls.proposals import Add

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

    from benchmarks.model import Sample

NODE: Final = Path(__file__).parent / "node"

SUITE: Final = 1

FEW: Final = 2
MANY: Final = 1000
"""Members of a group, for messages and for everything else."""

MANY_RUNS: Final = 3
"""Most repetitions in one run of what takes a peer a second or so among a thousand members."""

MANY_WORKS: Final = frozenset({"mls_add", "mls_join", "mls_path"})

TIMEOUT_S: Final = 600.0
"""Making a group of a thousand takes some peers a minute."""


class MlsWorker(AbstractContextManager["MlsWorker"]):
    """One peer."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    @classmethod
    def of_node(cls, program: str, home: Path) -> MlsWorker:
        """Start a module of `node/`.

        Raises:
            NotInstalledError: Node or its packages cannot be had.
        """
        node, packages = setup.node(), setup.node_packages("mls-peers", NODE)
        command = [node, str(NODE / program), str(packages)]
        return cls(Worker(program, command, home / f"{program}.log"))

    @classmethod
    def of_python(cls, name: str, requirement: str, home: Path) -> MlsWorker:
        """Start a module of `benchmarks.workers` in the peer's own virtual environment.

        Raises:
            NotInstalledError: The package cannot be installed.
        """
        python = setup.python_environment(name, [requirement])
        command = [str(python), "-m", f"benchmarks.workers.{name}"]
        return cls(Worker(name, command, home / f"{name}.log"))

    def version(self) -> str:
        """Return what exactly runs."""
        return wire.text(self._worker.ask("version"), "version")

    def measure(self, work: str, size: int) -> Sample:
        """Return the figures of one run, or none if this peer cannot do the work."""
        repeated = min(size, MANY_RUNS) if work in MANY_WORKS else size
        request = self._worker.start("measure", work=work, size=repeated)
        figures = self._worker.wait(request, TIMEOUT_S)
        return {name: wire.number(figures, name) for name in figures}

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._worker.stop()


class InOurGroup(MlsWorker):
    """A peer whose members join a group that we make: the same tree as ours, all parents filled."""

    def __init__(self, worker: Worker) -> None:
        super().__init__(worker)
        self._members = 0

    def measure(self, work: str, size: int) -> Sample:
        """Return the figures of one run, or none if this peer cannot do the work."""
        members = MANY if work in MANY_WORKS else FEW
        if work == "mls_join":
            return self._invite(members)
        if self._members != members:
            self._invite(members)
        return super().measure(work, size)

    def _invite(self, members: int) -> Sample:
        """Let two clients join a group, and return the figures of the second."""
        names = ["first", "second"]
        packages = [self._key_package(name) for name in names]
        large = LargeGroup.of(SUITES[SUITE], max(1, members - len(names)))
        committer = len(large.signers) - 1
        pending = large.member(committer).create_commit(
            [Add(each) for each in packages],
            signer=large.signers[committer],
            now_ms=now_ms(),
            rng=system_rng,
        )
        if pending.welcome is None:
            raise wire.WireError("the commit that adds members has no welcome")
        self._members = members
        figures: wire.JsonObject = {}
        for name in names:
            figures = self._worker.ask("join", client=name, welcome=pending.welcome.hex())
        return {name: wire.number(figures, name) for name in figures}

    def _key_package(self, client: str) -> KeyPackage:
        message = wire.text(self._worker.ask("key_package", client=client), "message")
        decoded = decode_message(bytes.fromhex(message))
        if not isinstance(decoded, KeyPackage):
            raise wire.WireError("not a key package")
        return decoded


MLS_WORKERS: Final[Mapping[str, Callable[[Path], MlsWorker]]] = {
    "openmls-wasm": partial(MlsWorker.of_node, "openmls.mjs"),
    "ts-mls": partial(InOurGroup.of_node, "ts_mls.mjs"),
    "rfc9420": partial(MlsWorker.of_python, "rfc9420", "rfc9420==1.3.0"),
    "vodozemac": partial(MlsWorker.of_python, "vodozemac", "vodozemac==0.10.0"),
    "doubleratchet": partial(MlsWorker.of_python, "doubleratchet", "doubleratchet==1.3.0"),
}
"""How to start each peer with a directory for its log; raises `NotInstalledError`."""
