"""Joining and following groups that other implementations made."""

import pytest

from tests.support.cases import Case, cases
from tests.support.passive import follow, join

WELCOME = cases("mls/passive-client-welcome.json")
HANDLING = cases("mls/passive-client-handling-commit.json")
RANDOM = cases("mls/passive-client-random.json")


@pytest.mark.spec("RFC 9420 §12.4.3.1 (Joining via Welcome Message)")
@pytest.mark.spec("RFC 9420 §12.4.3.3 (Ratchet Tree Extension)")
@pytest.mark.parametrize("case", WELCOME, ids=lambda case: f"suite {case.number('cipher_suite')}")
def test_member_joins_by_welcome(case: Case) -> None:
    join(case)


@pytest.mark.spec("RFC 9420 §12.4.2 (Processing a Commit)")
@pytest.mark.parametrize("reload", [False, True], ids=["in memory", "reloaded in each epoch"])
@pytest.mark.parametrize("case", HANDLING, ids=lambda case: f"suite {case.number('cipher_suite')}")
def test_member_follows_commits(case: Case, *, reload: bool) -> None:
    follow(join(case), case, reload=reload)


@pytest.mark.slow
@pytest.mark.spec("RFC 9420 §12.4.2 (Processing a Commit)")
@pytest.mark.parametrize("reload", [False, True], ids=["in memory", "reloaded in each epoch"])
@pytest.mark.parametrize("case", RANDOM, ids=lambda case: f"suite {case.number('cipher_suite')}")
def test_member_follows_200_random_epochs(case: Case, *, reload: bool) -> None:
    follow(join(case), case, reload=reload)
