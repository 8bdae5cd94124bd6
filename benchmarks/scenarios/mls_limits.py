"""What a peer can make us do at most: the longest jump of a ratchet, and a tree of ten thousand."""

from __future__ import annotations

import hashlib
from functools import partial
from typing import Final

from benchmarks.floors.private_message import Ratchet as RatchetFloor
from benchmarks.large_groups import GROUP_ID, LargeGroup
from benchmarks.measuring import FLOOR, Timings, timed
from benchmarks.model import OURS, Context, Measure, Result, Scale, Scenario, no_more_than
from benchmarks.scenarios.mls_messages import Refused
from e2ecore.crypto.rng import system_rng
from e2ecore.crypto.suites import SUITES
from e2ecore.mls.arriving_tree import ArrivingTree
from e2ecore.mls.errors import GenerationTooFarError
from e2ecore.mls.leaf_rules import LeafContext
from e2ecore.mls.ratchet_tree import RatchetTree
from e2ecore.mls.rows import Rows
from e2ecore.mls.secret_tree import APPLICATION, WINDOW_FORWARD, SecretTree
from e2ecore.mls.tree_rules import check_parent_hashes, check_tree

SUITE: Final = 0x0001
NODE_BYTES: Final = 100
"""What is hashed for a parent, about."""

PARENT_HASH_BYTES: Final = 99


def _tree() -> SecretTree:
    """Return a secret tree whose first sender has been heard of."""
    tree = SecretTree(SUITES[SUITE], 1, 1024, Rows())
    tree.start(system_rng(32))
    tree.consume(tree.step(0, APPLICATION, 0))
    return tree


def _refuse(tree: SecretTree, generation: int) -> None:
    try:
        tree.step(0, APPLICATION, generation)
    except GenerationTooFarError:
        return
    raise Refused("a jump beyond the window was not refused")


def _jump_floor() -> None:
    ratchet = RatchetFloor(system_rng(32))
    for _ in range(WINDOW_FORWARD):
        ratchet.skip()


def _run_jump(context: Context, size: int) -> Result:
    result = Result()
    for _ in range(context.runs):
        ours, below = Timings(), Timings()
        for _ in range(size):
            tree = _tree()
            jump, _ = timed(partial(tree.step, 0, APPLICATION, WINDOW_FORWARD + 1))
            refused, _ = timed(partial(_refuse, tree, WINDOW_FORWARD + 2))
            ours.add("jump_ms", jump / 1000)
            ours.add("refused_us", refused)
            below.add("jump_ms", timed(_jump_floor)[0] / 1000)
        result.add(OURS, ours.medians())
        result.add(FLOOR, below.medians())
    return result


def _hash_floor(leaves: list[bytes]) -> None:
    """Hash as many leaves and parents as the tree has."""
    for leaf in leaves:
        hashlib.sha256(leaf).digest()
    parent = bytes(NODE_BYTES)
    for _ in leaves:
        hashlib.sha256(parent).digest()


def _parent_floor(parents: int) -> None:
    """Hash once for each parent, which is the least that vouches for it."""
    content = bytes(PARENT_HASH_BYTES)
    for _ in range(parents):
        hashlib.sha256(content).digest()


def _read(arriving: ArrivingTree) -> list[bytes]:
    """Decode a tree and return its leaves."""
    return [leaf.encoded for leaf in arriving.leaves()]


def _run_tree(context: Context, size: int) -> Result:
    result = Result()
    data = LargeGroup.of(SUITES[SUITE], size).tree.encode()
    rules = LeafContext.of(SUITES[SUITE])
    for _ in range(context.runs):
        arriving = ArrivingTree(SUITES[SUITE], data)
        decode, leaves = timed(partial(_read, arriving))
        tree = RatchetTree.of(arriving)
        hashing, _ = timed(tree.root_hash)
        parents, _ = timed(partial(check_parent_hashes, tree, arriving.links))
        again = ArrivingTree(SUITES[SUITE], data)
        everything, _ = timed(partial(list, check_tree(again, rules, GROUP_ID)))
        result.add(
            OURS,
            {
                "decode_ms": decode / 1000,
                "tree_hash_ms": hashing / 1000,
                "parent_hashes_ms": parents / 1000,
                "rules_ms": everything / 1000,
                "bytes": len(data),
            },
        )
        below = {
            "tree_hash_ms": timed(partial(_hash_floor, leaves))[0] / 1000,
            "parent_hashes_ms": timed(partial(_parent_floor, len(leaves)))[0] / 1000,
        }
        result.add(FLOOR, below)
    return result


MLS_JUMP: Final = Scenario(
    name="mls_jump",
    title="A message 1,000 generations ahead",
    about=(
        "The first message that arrives after 1,000 that did not: its key is derived without"
        " changing anything. One generation further is refused before anything is derived."
    ),
    sizes={Scale.QUICK: 1, Scale.SHORT: 20, Scale.LONG: 50},
    size_unit="jumps",
    measures=(
        Measure("jump_ms", "jump_ms", "ms", "CPU time of the jump", FLOOR, no_more_than(10)),
        Measure("refused_us", "refused_us", "us", "CPU time to refuse", None, no_more_than(100)),
    ),
    run=_run_jump,
)

MLS_TREE: Final = Scenario(
    name="mls_tree",
    title="A tree of 10,000 leaves",
    about=(
        "Every leaf and parent with a key, suite 1, as a new member gets it: decode, hash, check"
        " the parent hashes. Then all rules at once, but for the signatures: reading, hashing,"
        " checking. The floors hash as often as it takes at least."
    ),
    sizes={Scale.QUICK: 100, Scale.SHORT: 10_000, Scale.LONG: 10_000},
    size_unit="leaves",
    measures=(
        Measure("decode_ms", "decode_ms", "ms", "CPU time to decode"),
        Measure("tree_hash_ms", "tree_hash_ms", "ms", "CPU time of the root's hash", FLOOR),
        Measure(
            "parent_hashes_ms", "parent_hashes_ms", "ms", "CPU time of the parent hashes", FLOOR
        ),
        Measure("rules_ms", "rules_ms", "ms", "CPU time of everything but signatures"),
        Measure("bytes", "bytes", "B", "size of the encoded tree"),
    ),
    run=_run_tree,
)
