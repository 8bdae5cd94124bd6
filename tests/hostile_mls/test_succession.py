"""Groups that claim to continue another one, with one fault."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from e2ecore.crypto.suites import SUITES
from e2ecore.mls.group import Group
from e2ecore.mls.proposals import ReInit
from e2ecore.mls.psk import NamedPsk, ResumptionPskId, ResumptionUsage
from tests.support.mls_groups import NOW_MS, Device, pass_on
from tests.support.mls_inviter import GROUP_ID, NAMES, Invited, Twist, invitation
from tests.support.mls_rules import Rules
from tests.support.mls_scene import assemble

BRANCH, REINIT = ResumptionUsage.BRANCH, ResumptionUsage.REINIT
ANNOUNCED = ReInit(GROUP_ID, 1, 1, ())


def old_group(*names: str, suite: int = 1, announced: ReInit | None = None) -> Device:
    """Return eve as a member of another group, closed by a reinit if one is announced."""
    devices = [Device(name, SUITES[suite]) for name in ("eve", *names)]
    assemble(devices, b"old")
    if announced is not None:
        pass_on(devices[1].commit(announced), devices[1], [devices[0], *devices[2:]])
    return devices[0]


def tied(old: Device, usages: Sequence[ResumptionUsage], *, epoch: int = 1) -> Twist:
    """Tie the invitation to an old group of eve's."""
    state = old.group.state
    named = [
        NamedPsk(
            ResumptionPskId(usage, b"old", state.epoch, bytes([number]) * 32),
            state.current.resumption,
        )
        for number, usage in enumerate(usages)
    ]
    return Twist(psks=named, context=lambda context: replace(context, epoch=epoch))


@pytest.mark.rule("12.4.3.1-0")
@pytest.mark.parametrize("usage", [BRANCH, REINIT])
def test_made_up_successor_without_a_fault_would_be_accepted(usage: ResumptionUsage) -> None:
    invited = invitation()
    old = old_group(*NAMES, announced=ANNOUNCED if usage is REINIT else None)
    message = invited.forge(tied(old, [usage]))
    assert Group.join(message, invited.bundle, groups=[old.group], now_ms=NOW_MS).epoch == 1


def refuses(invited: Invited, broken: Rules, old: Device, twist: Twist) -> None:
    invited.refuses(broken, invited.forge(twist), groups=[old.group])


@pytest.mark.rule("12.4.3.1-25")
def test_group_that_continues_two_is_refused(broken: Rules) -> None:
    old = old_group(*NAMES)
    refuses(invitation(), broken, old, tied(old, [BRANCH, BRANCH]))


@pytest.mark.rule("12.4.3.1-26")
@pytest.mark.parametrize("epoch", [0, 2, 9])
def test_group_that_continues_another_is_joined_at_its_beginning(epoch: int, broken: Rules) -> None:
    old = old_group(*NAMES)
    refuses(invitation(), broken, old, tied(old, [BRANCH], epoch=epoch))


@pytest.mark.rule("12.4.3.1-27")
def test_group_that_was_not_closed_has_no_successor(broken: Rules) -> None:
    old = old_group(*NAMES)
    refuses(invitation(), broken, old, tied(old, [REINIT]))


@pytest.mark.rule("12.4.3.1-28")
@pytest.mark.parametrize(
    "announced",
    [
        replace(ANNOUNCED, group_id=b"another"),
        replace(ANNOUNCED, cipher_suite=3),
        replace(ANNOUNCED, version=2),
    ],
    ids=["group id", "cipher suite", "version"],
)
def test_successor_is_what_was_announced(announced: ReInit, broken: Rules) -> None:
    old = old_group(*NAMES, announced=announced)
    refuses(invitation(), broken, old, tied(old, [REINIT]))


@pytest.mark.rule("12.4.3.1-29")
def test_nobody_is_left_behind(broken: Rules) -> None:
    old = old_group(*NAMES, "mallory", announced=ANNOUNCED)
    refuses(invitation(), broken, old, tied(old, [REINIT]))


@pytest.mark.rule("12.4.3.1-30")
def test_branch_has_its_groups_suite(broken: Rules) -> None:
    old = old_group(*NAMES, suite=3)
    refuses(invitation(), broken, old, tied(old, [BRANCH]))


@pytest.mark.rule("12.4.3.1-31")
def test_nobody_sneaks_into_a_branch(broken: Rules) -> None:
    old = old_group(*NAMES[:-1])
    refuses(invitation(), broken, old, tied(old, [BRANCH]))
