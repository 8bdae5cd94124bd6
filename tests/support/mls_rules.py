"""The rules of MLS, and what a test asserts about one of them."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from e2ecore.errors import E2EError
from tools.mls_rules import rules

RULES = {rule.id: rule for rule in rules()}

OBSERVED: set[str] = set()
"""The rules that the running test saw at work."""


Rules = tuple[str, ...]
"""The rules that a test is about."""


@contextmanager
def refused(*rules: str) -> Iterator[None]:
    """Expect what the table of rules says: this error, with this text, and no other."""
    with pytest.raises(E2EError) as caught:
        yield
    seen = (type(caught.value).__name__, str(caught.value))
    for rule in rules:
        assert seen == (RULES[rule].error, RULES[rule].says), f"{rule}: {seen}"
        OBSERVED.add(rule)
