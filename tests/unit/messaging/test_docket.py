"""Which commits are in force, as every device decides for itself from one log."""

from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from e2ecore.messaging.docket import (
    KEPT,
    Docket,
    Judgement,
    Outcome,
    Trial,
    digest_of,
    electorate,
    is_majority,
    open_trial,
    record,
    vote,
)

A, B, C, D, E = (bytes((number,)) * 16 for number in range(1, 6))
EVERYBODY = frozenset((A, B, C, D, E))
DIGEST = digest_of(b"commit")


def trial(number: int, judgement: Judgement, epoch: int = 0) -> Trial:
    return Trial(number, DIGEST, epoch, judgement, E)


def test_half_is_no_majority_and_the_sender_is_no_judge() -> None:
    assert not is_majority({A, B}, EVERYBODY, E)
    assert is_majority({A, B, C}, EVERYBODY, E)
    assert not is_majority({A, B, E}, EVERYBODY, E)
    assert is_majority({A}, {A, E}, E)


def test_most_of_those_who_were_there_refuse_a_commit() -> None:
    docket = record((), trial(7, Judgement.OPEN), ())
    docket, first = vote(docket, EVERYBODY, A, 7, DIGEST)
    docket, again = vote(docket, EVERYBODY, A, 7, DIGEST)
    docket, second = vote(docket, EVERYBODY, B, 7, DIGEST)
    docket, third = vote(docket, EVERYBODY, C, 7, DIGEST)
    assert (first, again, second) == (Outcome.COUNTED,) * 3
    assert third is Outcome.GO_ON
    assert open_trial(docket) is None
    assert vote(docket, EVERYBODY, D, 7, DIGEST) == (docket, Outcome.LATE)


def test_who_followed_a_commit_that_most_refuse_has_to_fall_back() -> None:
    docket = record((), trial(7, Judgement.IN_FORCE), ())
    docket = record(docket, trial(8, Judgement.IN_FORCE), ())
    for voter in (A, B):
        docket, _ = vote(docket, EVERYBODY, voter, 7, DIGEST)
    docket, outcome = vote(docket, EVERYBODY, C, 7, DIGEST)
    assert outcome is Outcome.FALL_BACK
    assert {one.judgement for one in docket} == {Judgement.VOTED_DOWN}


@pytest.mark.parametrize(
    ("voter", "number", "digest"),
    [
        pytest.param(bytes(16), 7, DIGEST, id="a stranger"),
        pytest.param(A, 6, DIGEST, id="another commit"),
        pytest.param(A, 7, digest_of(b"damaged"), id="other bytes than came here"),
    ],
)
def test_what_is_not_about_our_commit_does_not_count(
    voter: bytes, number: int, digest: bytes
) -> None:
    docket = record((), trial(7, Judgement.OPEN), ())
    assert vote(docket, EVERYBODY, voter, number, digest) == (docket, Outcome.FOREIGN)


def test_those_judge_who_were_members_before_the_commit() -> None:
    commit = replace(trial(7, Judgement.IN_FORCE), joined=frozenset((D,)), left=frozenset((A,)))
    docket = record((), commit, ())
    now = frozenset((B, C, D, E))
    assert electorate(docket, now, 7) == {A, B, C, E}
    docket, _ = vote(docket, now, D, 7, DIGEST)
    assert docket[-1].against == frozenset()
    docket, _ = vote(docket, now, A, 7, DIGEST)
    assert docket[-1].against == {A}


def test_who_was_added_again_is_not_against_it_any_more() -> None:
    docket = record((), trial(7, Judgement.IN_FORCE), ())
    for voter in (A, B):
        docket, _ = vote(docket, EVERYBODY, voter, 7, DIGEST)
    docket = record(docket, trial(8, Judgement.IN_FORCE), (A,))
    docket, outcome = vote(docket, EVERYBODY, C, 7, DIGEST)
    assert outcome is Outcome.COUNTED
    docket, outcome = vote(docket, EVERYBODY, A, 7, DIGEST)
    assert outcome is Outcome.FALL_BACK


def test_the_first_commit_that_could_not_be_opened_is_never_forgotten() -> None:
    docket: Docket = ()
    for number in range(2 * KEPT):
        docket = record(docket, trial(number, Judgement.OPEN), ())
    assert len(docket) == KEPT
    first = open_trial(docket)
    assert first is not None
    assert first.number == 0


@dataclass
class Device:
    """A device that reads the log: it can open some commits and not others."""

    name: bytes
    opens: frozenset[int]
    epoch: tuple[int, ...] = ()
    """The numbers of the commits that it follows: two devices with the same are in one state."""
    docket: Docket = ()
    fallen: bool = False
    asked: set[int] = field(default_factory=set)

    def commit(self, number: int, made_in: tuple[int, ...]) -> None:
        """Take a commit that was made by somebody in a state."""
        stuck = self.fallen or open_trial(self.docket) is not None
        follows = not stuck and number in self.opens and made_in == self.epoch
        judgement = Judgement.IN_FORCE if follows else Judgement.OPEN
        self.docket = record(self.docket, trial(number, judgement, len(self.epoch)), ())
        if follows:
            self.epoch = (*self.epoch, number)

    def wants_to_say(self) -> int | None:
        """Return the number of the commit that it has to name in the log, if there is one."""
        first = open_trial(self.docket)
        if self.fallen or first is None or first.number in self.asked:
            return None
        self.asked.add(first.number)
        return first.number

    def hear(self, voter: bytes, number: int) -> None:
        self.docket, outcome = vote(self.docket, EVERYBODY, voter, number, DIGEST)
        self.fallen = self.fallen or outcome is Outcome.FALL_BACK


def test_who_cannot_open_a_commit_cannot_open_those_behind_it() -> None:
    """Half of the members are stuck before the first, the others behind it."""
    docket = record((), trial(7, Judgement.IN_FORCE), ())
    docket = record(docket, trial(8, Judgement.OPEN), ())
    for voter in (A, B):
        docket, outcome = vote(docket, EVERYBODY, voter, 7, DIGEST)
        assert outcome is Outcome.COUNTED
    docket, outcome = vote(docket, EVERYBODY, C, 8, DIGEST)
    assert outcome is Outcome.GO_ON
    assert [one.judgement for one in docket] == [Judgement.IN_FORCE, Judgement.VOTED_DOWN]


@given(
    opens=st.lists(st.frozensets(st.integers(0, 5)), min_size=4, max_size=4),
    order=st.lists(st.sampled_from(["commit", "say"]), max_size=24),
)
def test_all_who_read_one_log_end_in_one_state_or_know_that_they_have_not(
    opens: list[frozenset[int]], order: list[str]
) -> None:
    """Whoever can open whatever: nobody is in a state of its own without asking for help."""
    devices = [Device(name, can) for name, can in zip((A, B, C, D), opens, strict=True)]
    number = 0
    for what in (*order, *("say",) * 40):
        if what == "commit":
            for one in devices:
                one.commit(number, devices[0].epoch)
            number += 1
            continue
        for one in devices:
            said = one.wants_to_say()
            if said is not None:
                for other in devices:
                    other.hear(one.name, said)
    well = [one for one in devices if not one.fallen and open_trial(one.docket) is None]
    assert len({one.epoch for one in well}) <= 1
    assert well, "somebody is always left who can add the others again"
