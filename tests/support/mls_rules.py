"""The rules of MLS, and what a test asserts about one of them."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from e2ecore.errors import E2EError
from tools.mls_rules import rules

RULES = {rule.id: rule for rule in rules()}

OBSERVED: dict[str, list[E2EError]] = {}
"""The rules that the running test saw at work, each with its refusals."""


Rules = tuple[str, ...]
"""The rules that a test is about."""


class OtherRefusalError(AssertionError):
    """The forgery was refused, but not by the check that the test is about."""

    def __init__(self, rule: str, error: E2EError) -> None:
        super().__init__(f"{rule}: {error!r}")
        self.error = error


@contextmanager
def refused(*rules: str) -> Iterator[None]:
    """Expect what the table of rules says: this error, with this text, and no other."""
    with pytest.raises(E2EError) as caught:
        yield
    error = caught.value
    for rule in rules:
        if (type(error).__name__, str(error)) != (RULES[rule].error, RULES[rule].says):
            raise OtherRefusalError(rule, error)
        OBSERVED.setdefault(rule, []).append(error)
