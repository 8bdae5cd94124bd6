"""Where the relay's route and the members of a group differ."""

from hypothesis import given
from hypothesis import strategies as st

from e2ecore.messaging.routes import compare

some = st.frozensets(st.sampled_from("abcdef"))
NOTHING: tuple[frozenset[str], frozenset[str]] = (frozenset(), frozenset())


def test_a_route_that_says_what_the_commit_does_is_in_order() -> None:
    assert compare("d", "b", "d", "b", frozenset("acd")) == NOTHING
    assert compare("b", "b", "b", "b", frozenset("abc")) == NOTHING
    assert compare("", "x", "", "", frozenset("abc")) == NOTHING, "a stranger was shown the door"


def test_a_member_that_was_cut_off_is_found() -> None:
    assert compare("", "b", "", "", frozenset("abc")) == (frozenset("b"), frozenset())
    assert compare("", "", "d", "", frozenset("abcd")) == (frozenset("d"), frozenset())


def test_a_stranger_that_was_let_in_is_found() -> None:
    assert compare("x", "", "", "", frozenset("abc")) == (frozenset(), frozenset("x"))
    assert compare("", "", "", "b", frozenset("ac")) == (frozenset(), frozenset("b"))


@given(some, some, some)
def test_what_is_told_of_a_route_makes_it_the_members_again(
    members: frozenset[str], added: frozenset[str], removed: frozenset[str]
) -> None:
    """A commit that is not in force: the route was the members before it."""
    route = (members - removed) | added
    cut, strangers = compare(added, removed, (), (), members)
    assert (route | cut) - strangers == members
