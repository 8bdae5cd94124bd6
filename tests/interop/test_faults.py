"""Faults of the partner that README.md lists, each shown: when one is gone, its test fails."""

from collections.abc import Callable

import pytest

from benchmarks.worker import Worker, WorkerError
from e2ecore.crypto.errors import InvalidKeyError
from e2ecore.mls.errors import InvalidCommitError, MalformedMessageError
from tests.interop.parties import Ours, Theirs

pytestmark = [pytest.mark.services, pytest.mark.slow]

MakeOurs = Callable[[str, int], Ours]
MakeTheirs = Callable[[str, int], Theirs]

GROUP_EXTENSION = 0xF0E2


def pair(us: Ours, them: Theirs) -> None:
    us.create(b"group")
    made = us.commit(add=[them.key_package()])
    us.merge()
    assert made.welcome is not None
    them.join(made.welcome)


@pytest.mark.parametrize("suite", [2, 5, 7])
def test_partner_compresses_its_ecdsa_keys(suite: int, ours: MakeOurs, partner: Worker) -> None:
    us, them = ours("key ours", suite), Theirs("key theirs", suite, partner, as_is=True)
    us.create(b"group")
    with pytest.raises(InvalidKeyError):
        us.commit(add=[them.key_package()])


def test_partner_refuses_valid_trees_with_unmerged_leaves(
    ours: MakeOurs, theirs: MakeTheirs
) -> None:
    members = [ours(f"tree {number}", 1) for number in range(7)]
    first, others, last = members[0], members[1:], members[-1]
    first.create(b"group")
    made = first.commit(add=[each.key_package() for each in others])
    first.merge()
    assert made.welcome is not None
    for other in others:
        other.join(made.welcome)
    filled = last.commit()
    last.merge()
    first.process(filled.commit)
    them, us = theirs("tree theirs", 1), ours("tree ours", 1)
    made = first.commit(add=[them.key_package(), us.key_package()])
    assert made.welcome is not None
    us.join(made.welcome)
    first.merge()
    assert us.view() == first.view()
    with pytest.raises(WorkerError, match="must list leaf node in its unmerged_leaves"):
        them.join(made.welcome)


def test_partner_writes_and_reads_the_external_key_without_its_length(
    ours: MakeOurs, partner: Worker
) -> None:
    us, them = ours("pub ours", 1), Theirs("pub theirs", 1, partner, as_is=True)
    pair(us, them)
    with pytest.raises(MalformedMessageError):
        ours("pub third", 1).join_externally(them.group_info())
    with pytest.raises(WorkerError):
        Theirs("pub fourth", 1, partner, as_is=True).join_externally(us.group_info())


def test_partner_commits_new_extensions_without_a_path(ours: MakeOurs, theirs: MakeTheirs) -> None:
    us, them = ours("path ours", 1), theirs("path theirs", 1)
    pair(us, them)
    made = them.commit(extensions={})
    with pytest.raises(InvalidCommitError):
        us.process(made.commit)
