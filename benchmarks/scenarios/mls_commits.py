"""Commits in a group of a thousand whose every node has a key, against the primitives they need."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from benchmarks.floors.commits import Added, CommitFloor, Sealed
from benchmarks.large_groups import LargeGroup, client, now_ms
from benchmarks.measuring import FLOOR, Timings, aged, timed
from benchmarks.mls_peers import GROUP_PEERS, RFC9420, TS_MLS, add_peers, beside
from benchmarks.model import (
    OURS,
    Context,
    Measure,
    Result,
    Scale,
    Scenario,
    at_most,
    no_more_than,
)
from benchmarks.scenarios.mls_messages import Refused
from e2ecore.crypto.rng import system_rng
from e2ecore.crypto.suites import SUITES
from e2ecore.mls.group import Group
from e2ecore.mls.proposals import Add, Proposal, Remove
from e2ecore.mls.rows import MemoryRows
from e2ecore.mls.staged import StagedCommit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from e2ecore.crypto.signing import SigningKey
    from e2ecore.mls.pending_commit import PendingCommit

MEMBERS: Final = 1000
DEPTH: Final = 10
"""Levels above a leaf of a tree of 1,024."""

ROUND: Final = 5
"""Empty commits of one side before it is the other one's turn."""

COMMITTER: Final = 0
RECEIVER: Final = 1
"""The committer's neighbour shares the whole path with it: nobody has more to derive."""

CLASSIC: Final = 0x0001
HYBRID: Final = 0xF001


@dataclass(slots=True)
class _Live:
    """A committer and a receiver, both in memory, and what their rows hold."""

    large: LargeGroup
    committer: Group
    receiver: Group
    disk: MemoryRows

    @classmethod
    def of(cls, suite: int, members: int) -> _Live:
        large = LargeGroup.of(SUITES[suite], members)
        disk = MemoryRows()
        live = cls(large, large.member(COMMITTER), large.member(RECEIVER), disk)
        disk.store(live.receiver.take_changes())
        live.commit()
        return live

    def create(self, proposals: Sequence[Proposal] = ()) -> PendingCommit:
        return self.committer.create_commit(
            proposals, signer=self.large.signers[COMMITTER], now_ms=now_ms(), rng=system_rng
        )

    def process(self, commit: bytes, group: Group | None = None) -> StagedCommit:
        received = (group or self.receiver).receive(commit, now_ms=now_ms())
        if not isinstance(received, StagedCommit):
            raise Refused(f"received {type(received).__name__}")
        return received

    def merge(self, ours: StagedCommit, theirs: StagedCommit) -> None:
        self.committer.merge(ours, now_ms=now_ms())
        self.receiver.merge(theirs, now_ms=now_ms())
        self.committer.take_changes()
        self.disk.store(self.receiver.take_changes())

    def settle(self, third: Group, signer: SigningKey) -> None:
        """Let a third member commit."""
        pending = third.create_commit(signer=signer, now_ms=now_ms(), rng=system_rng)
        theirs = [self.process(pending.commit, each) for each in (self.committer, self.receiver)]
        self.merge(*theirs)

    def commit(self) -> None:
        """Bring both to where a live group is: they have seen a commit before."""
        pending = self.create()
        self.merge(pending.staged, self.process(pending.commit))


def _add_once(live: _Live, floor: CommitFloor, ours: Timings, below: Timings) -> None:
    """Add a client, which then commits, unmeasured, so that the tree stays full."""
    signer, bundle = client(live.large.suite, "new member")
    package = bundle.key_package
    create, pending = timed(partial(live.create, [Add(package)]))
    process, staged = timed(partial(live.process, pending.commit))
    stored = Group.load(live.disk)
    cold, _ = timed(partial(live.process, pending.commit, stored))
    live.merge(pending.staged, staged)
    added = Added(package.init_key, live.committer.ratchet_tree)
    create_floor, sealed = timed(partial(floor.create, added))
    process_floor, _ = timed(partial(floor.process, sealed, added=True))
    ours.add("create", create)
    ours.add("process_ms", process / 1000)
    ours.add("process_cold_ms", cold / 1000)
    ours.add("commit_bytes", len(pending.commit))
    ours.add("welcome_bytes", len(pending.welcome or b""))
    below.add("create", create_floor)
    below.add("process_ms", process_floor / 1000)
    if pending.welcome is None:
        raise Refused("the commit that adds a member has no welcome")
    live.settle(Group.join(pending.welcome, bundle, now_ms=now_ms()), signer)


def _run_add(context: Context, size: int) -> Result:
    result = Result()
    floor = CommitFloor(CLASSIC, DEPTH)
    for _ in range(context.runs):
        live = _Live.of(CLASSIC, MEMBERS)
        ours, below = Timings(), Timings()
        with aged():
            for _ in range(size):
                _add_once(live, floor, ours, below)
        result.add(OURS, ours.medians())
        result.add(FLOOR, below.medians())
    add_peers(context, result, MLS_ADD, size)
    return result


def _empty_round(name: str, live: _Live, floor: CommitFloor, ours: Timings, below: Timings) -> None:
    """Make some commits one after another, then process them; then let the floor do the same."""
    commits: list[bytes] = []
    for _ in range(ROUND):
        create, pending = timed(live.create)
        live.committer.merge(pending.staged, now_ms=now_ms())
        live.committer.take_changes()
        commits.append(pending.commit)
        ours.add(f"create{name}", create)
        ours.add(f"bytes{name}", len(pending.commit))
    for commit in commits:
        process, staged = timed(partial(live.process, commit))
        live.receiver.merge(staged, now_ms=now_ms())
        live.disk.store(live.receiver.take_changes())
        ours.add(f"process{name}", process)
    sealed: list[Sealed] = []
    for _ in range(ROUND):
        create_floor, made = timed(floor.create)
        below.add(f"create{name}", create_floor)
        sealed.append(made)
    for each in sealed:
        process_floor, _ = timed(partial(floor.process, each))
        below.add(f"process{name}", process_floor)


def _run_empty(context: Context, size: int) -> Result:
    result = Result()
    works = [
        (name, _Live.of(suite, MEMBERS), CommitFloor(suite, DEPTH))
        for name, suite in (("", CLASSIC), ("_hybrid", HYBRID))
    ]
    for _ in range(context.runs):
        ours, below = Timings(), Timings()
        with aged():
            for name, live, floor in works:
                for _ in range(max(1, size // ROUND)):
                    _empty_round(name, live, floor, ours, below)
        result.add(OURS, ours.medians())
        result.add(FLOOR, below.medians())
    add_peers(context, result, MLS_PATH, size)
    return result


def _run_remove(context: Context, size: int) -> Result:
    result = Result()
    for _ in range(context.runs):
        live = _Live.of(CLASSIC, MEMBERS)
        step = MEMBERS // size
        gone = [Remove(leaf) for leaf in range(MEMBERS - 1, 0, -step)][:size]
        create, pending = timed(partial(live.create, gone))
        process, _ = timed(partial(live.process, pending.commit))
        result.add(
            OURS,
            {
                "create_ms": create / 1000,
                "process_ms": process / 1000,
                "bytes": len(pending.commit),
            },
        )
    return result


_ADD_CREATE: Final = Measure(
    "create_us", "create", "us", "CPU time to create commit and Welcome", FLOOR, at_most(1.3)
)
_ADD_PROCESS: Final = Measure(
    "process_ms", "process_ms", "ms", "CPU time to process the commit", FLOOR, no_more_than(5)
)

MLS_ADD: Final = Scenario(
    name="mls_add",
    title="Adding one member to 1,000",
    about=(
        "One Add by value, with an update path, in a live group of suite 1 whose 1,000 members"
        " have all keys; the receiver shares the committer's whole path. The floor does what that"
        " of an empty commit does, checks the key package's two signatures and makes its reference,"
        " signs and encrypts the GroupInfo with the tree, seals the secrets of the new member."
    ),
    sizes={Scale.QUICK: 1, Scale.SHORT: 15, Scale.LONG: 20},
    size_unit="commits",
    measures=(
        _ADD_CREATE,
        _ADD_PROCESS,
        Measure(
            "process_cold_ms",
            "process_cold_ms",
            "ms",
            "the same in a group just loaded from its rows",
        ),
        Measure("commit_bytes", "commit_bytes", "B", "size of the commit"),
        Measure("welcome_bytes", "welcome_bytes", "B", "size of the Welcome, with the tree"),
        *beside(_ADD_CREATE, GROUP_PEERS, {}),
        *beside(_ADD_PROCESS, (TS_MLS, RFC9420), {}),
    ),
    run=_run_add,
)

_PATH_CREATE: Final = Measure(
    "create_us", "create", "us", "CPU time to create, suite 1", FLOOR, at_most(1.3)
)
_PATH_PROCESS: Final = Measure("process_us", "process", "us", "CPU time to process, suite 1", FLOOR)

MLS_PATH: Final = Scenario(
    name="mls_path",
    title="An empty commit among 1,000",
    about=(
        "A commit without proposals renews the committer's path. Every node of the tree has a key;"
        " the receiver shares the whole path. Suite 1, and the hybrid suite 0xF001. The floor"
        " derives ten path secrets, ten node secrets and eleven key pairs, makes ten parent hashes,"
        " the tree hashes of leaf and path, ten seals, the signatures of leaf and commit, both"
        " transcript hashes, the key schedule with nine epoch secrets and the confirmation tag,"
        " derives the sender's branch of the secret tree, and encrypts content and sender data."
    ),
    sizes={Scale.QUICK: 5, Scale.SHORT: 50, Scale.LONG: 100},
    size_unit="commits",
    measures=(
        _PATH_CREATE,
        Measure(
            "create_us_hybrid",
            "create_hybrid",
            "us",
            "CPU time to create, suite 0xF001",
            FLOOR,
            at_most(1.3),
        ),
        _PATH_PROCESS,
        Measure(
            "process_us_hybrid",
            "process_hybrid",
            "us",
            "CPU time to process, suite 0xF001",
            FLOOR,
        ),
        Measure("bytes", "bytes", "B", "size of the commit, suite 1"),
        Measure("bytes_hybrid", "bytes_hybrid", "B", "size of the commit, suite 0xF001"),
        *beside(_PATH_CREATE, (TS_MLS,), {}),
        *beside(_PATH_PROCESS, (TS_MLS,), {}),
    ),
    run=_run_empty,
)

MLS_REMOVE: Final = Scenario(
    name="mls_remove",
    title="Removing 100 of 1,000 in one commit",
    about=(
        "Every tenth member leaves at once, in a full tree of suite 1: the paths above them go"
        " blank, so the path is sealed to many small subtrees."
    ),
    sizes={Scale.QUICK: 10, Scale.SHORT: 100, Scale.LONG: 100},
    size_unit="members",
    measures=(
        Measure("create_ms", "create_ms", "ms", "CPU time to create the commit"),
        Measure("process_ms", "process_ms", "ms", "CPU time to process it"),
        Measure("bytes", "bytes", "B", "size of the commit"),
    ),
    run=_run_remove,
)
