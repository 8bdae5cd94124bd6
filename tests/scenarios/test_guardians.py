"""A child, a parent and a friend at a real relay, by the command line."""

from collections.abc import Iterator
from typing import NamedTuple

import pytest

import e2ecore
from cli_demo.exits import Exit
from tests.support.processes import RelayProcess
from tests.support.scripts import Person

pytestmark = [pytest.mark.slow, pytest.mark.clause("GB42012-14.1a-g")]
PURPOSE = "read_receipts"


class Family(NamedTuple):
    child: Person
    parent: Person
    friend: Person


@pytest.fixture(scope="module")
def family(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Family]:
    folder = tmp_path_factory.mktemp("family")
    with RelayProcess(folder) as relay:
        people = [Person(name, folder) for name in ("child", "parent", "friend")]
        for one in people:
            where = ["--relay", relay.url, "--relay-ca", relay.ca]
            assert one.run("register", one.name, *where).code == Exit.OK
        yield Family(*people)


def mark_of() -> str:
    """What scripts agree by."""
    return e2ecore.shipped_notice(PURPOSE).hash.hex()[:16]


def states(person: Person) -> list[object]:
    """What became of what was asked, after hearing the news."""
    return [one["state"] for one in person.run("guardian", "requests", "--json").lines]


def test_a_child_agrees_together_with_a_parent_and_nobody_else_notices(family: Family) -> None:
    child, parent, friend = family
    day = ["2035-04-30", "--yes", "--language", "en"]
    marked = child.run_process("guardian", "mark", *day)
    assert marked.code == Exit.OK, marked.err
    assert "under 14, until 2035-04-30" in marked.out
    alone = child.run("consent", "grant", PURPOSE, "--agree", mark_of())
    assert (alone.code, "e2e guardian ask" in alone.err) == (Exit.REFUSED, True)
    assert child.run("guardian", "invite", "parent", "--yes").code == Exit.OK
    assert parent.run_process("guardian", "accept", "child", "--yes").code == Exit.OK
    assert states(child) == []
    asked = child.run("guardian", "ask", PURPOSE, "--agree", mark_of(), "--json").line
    assert asked["state"] == "open"
    approved = parent.run("guardian", "approve", str(asked["id"])[:8], "--yes")
    assert approved.code == Exit.OK, approved.err
    assert states(child) == ["approved"]
    seen = friend.run("checkpoint", "child", "--json").line
    assert set(seen) == {"type", "account", "checkpoint", "devices"}
    taken = parent.run("guardian", "take-back", str(asked["id"]))
    assert taken.code == Exit.OK, taken.err
    assert states(child) == ["taken_back"]
    assert child.run("consent", "list", "--json").lines == []


def test_it_ends_when_both_say_so(family: Family) -> None:
    child, parent, _ = family
    first = child.run("guardian", "release", "parent", "--language", "zh-CN")
    assert (first.code, "对方也执行" in first.out) == (Exit.OK, True)
    second = parent.run("guardian", "release", "child", "--language", "en")
    assert (second.code, "ends now" in second.out) == (Exit.OK, True)
    assert states(child) == ["taken_back"]
    assert child.run("guardian", "status", "--json").line["until_ms"] is None
