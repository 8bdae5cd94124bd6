"""Groups that continue others: a successor after a reinit, and a branch, founded by either side."""

from collections.abc import Callable

import pytest

from e2ecore.crypto.suites import SUITES
from e2ecore.mls.group import Group
from e2ecore.mls.message import encode_message
from tests.interop.parties import Ours, Theirs, key_package_of, view_of

pytestmark = [pytest.mark.services, pytest.mark.slow]

MakeOurs = Callable[[str, int], Ours]
MakeTheirs = Callable[[str, int], Theirs]

NEXT_ID = b"next group"
NEXT_SUITE = {1: 3, 2: 1, 3: 2}
"""A successor has another cipher suite here."""


@pytest.fixture(params=[1, 2, 3], ids="suite {}".format)
def pair(request: pytest.FixtureRequest, ours: MakeOurs, theirs: MakeTheirs) -> tuple[Ours, Theirs]:
    """Two members of an old group."""
    name = request.node.name
    us, them = ours(f"{name} ours", request.param), theirs(f"{name} theirs", request.param)
    us.create(b"old group")
    made = us.commit(add=[them.key_package()])
    us.merge()
    assert made.welcome is not None
    them.join(made.welcome)
    return us, them


class Continued:
    """The same two in the group to come: keys of its suite, the old credentials."""

    def __init__(self, us: Ours, them: Theirs, suite: int) -> None:
        self.old = us.device.group
        self.new = Ours(us.name, suite).device
        self.theirs = Theirs(
            f"{them.name} in the next group", suite, them.process_, identity=them.name
        )
        self.old_theirs = them

    def theirs_founds(self, kind: str) -> Group:
        """Return our view after joining."""
        bundle = self.new.bundle()
        welcome, tree = self.theirs.found(
            kind, self.old_theirs, NEXT_ID, [encode_message(bundle.key_package)]
        )
        return Group.join(
            welcome, bundle, ratchet_tree=tree, groups=[self.old], now_ms=self.new.now_ms
        )

    def agree(self, group: Group) -> None:
        """Check that both are in the new group, in the same state, and hear each other."""
        assert group.group_id == NEXT_ID
        assert self.theirs.view() == view_of(group)
        message = group.protect(b"welcome", signer=self.new.signer, rng=self.new.rng)
        assert self.theirs.process(message) == b"welcome"


@pytest.mark.spec("RFC 9420 §11.3 (Subgroup Branching)")
@pytest.mark.parametrize("founder", ["ours", "theirs"])
def test_both_sides_branch(pair: tuple[Ours, Theirs], founder: str) -> None:
    us, them = pair
    continued = Continued(us, them, us.suite)
    if founder == "theirs":
        continued.agree(continued.theirs_founds("branch"))
        return
    device = continued.new
    group, welcome = us.device.group.branch(
        NEXT_ID,
        [key_package_of(continued.theirs.key_package()).encode()],
        device.signer,
        us.name.encode(),
        now_ms=device.now_ms,
        rng=device.rng,
    )
    continued.theirs.follow(welcome, them)
    continued.agree(group)


@pytest.mark.spec("RFC 9420 §11.2 (Reinitialization)")
@pytest.mark.parametrize("closer", ["ours", "theirs"])
@pytest.mark.parametrize("founder", ["ours", "theirs"])
def test_both_sides_continue_with_another_suite(
    pair: tuple[Ours, Theirs], closer: str, founder: str
) -> None:
    us, them = pair
    suite = NEXT_SUITE[us.suite]
    if closer == "ours":
        us_group, device = us.device.group, us.device
        proposal = us_group.reinit_proposal(NEXT_ID, suite=SUITES[suite])
        pending = device.commit(proposal, path=False)
        device.merge(pending.staged)
        them.process(pending.commit)
    else:
        commit = them.commit_reinit(NEXT_ID, suite)
        them.merge()
        us.process(commit)
    assert us.view() == them.view()
    assert us.device.group.is_closed
    continued = Continued(us, them, suite)
    if founder == "theirs":
        continued.agree(continued.theirs_founds("reinit"))
        return
    device = continued.new
    group, welcome = us.device.group.begin_successor(
        [key_package_of(continued.theirs.key_package()).encode()],
        device.signer,
        us.name.encode(),
        now_ms=device.now_ms,
        rng=device.rng,
    )
    continued.theirs.follow(welcome, them)
    continued.agree(group)
