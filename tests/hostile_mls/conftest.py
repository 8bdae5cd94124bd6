"""Each marker is kept: a test that names a rule has seen it at work."""

from collections.abc import Iterator

import pytest

from tests.support.mls_rules import OBSERVED, RULES, Rules


@pytest.fixture
def broken(request: pytest.FixtureRequest) -> Rules:
    """The rules that this case is about."""
    return tuple(str(mark.args[0]) for mark in request.node.iter_markers("rule"))


@pytest.fixture(autouse=True)
def keeps_its_marker(request: pytest.FixtureRequest) -> Iterator[None]:
    OBSERVED.clear()
    yield
    named = {str(mark.args[0]) for mark in request.node.iter_markers("rule")}
    assert named, "no rule is named"
    assert {rule for rule in named if RULES[rule].error} == OBSERVED.keys()
