"""Fifty random epochs with members of both implementations, who must agree after each."""

from collections.abc import Callable, Sequence

import pytest

from benchmarks.worker import WorkerError
from tests.interop.parties import Made, Ours, Party, Theirs
from tests.support.mls_groups import SeededRng

pytestmark = [pytest.mark.services, pytest.mark.slow]

EPOCHS = 50
MEMBERS = 8
OF_EACH_SIDE = 2
"""Never fewer, once they are there."""

STRICTER_THAN_THE_RFC = "must list leaf node in its unmerged_leaves"
"""README.md, fault 2: the partner refuses some valid trees when it joins."""


class Walk:
    """A group, and how it changes."""

    def __init__(
        self,
        seed: object,
        suite: int,
        ours: Callable[[str, int], Ours],
        theirs: Callable[[str, int], Theirs],
    ) -> None:
        self.suite, self.ours, self.theirs = suite, ours, theirs
        self.rng = SeededRng(("walk", seed, suite))
        self.members: list[Party] = []
        self.stranded: list[int] = []
        """Leaves of newcomers that could not join."""
        self.made = 0
        self.epoch = 0
        self.done: dict[str, int] = {}
        first = self.newcomer()
        first.create(b"walk")
        self.members.append(first)

    def pick(self, choices: int) -> int:
        return int.from_bytes(self.rng(4), "big") % choices

    def choose(self, parties: Sequence[Party]) -> Party:
        return parties[self.pick(len(parties))]

    def newcomer(self) -> Party:
        """Return a client of the side that has fewer, or of any."""
        count = len(self.side(Ours)) - len(self.side(Theirs))
        self.made += 1
        name = f"{self.suite}/{self.made}"
        if count > 0 or (count == 0 and self.pick(2)):
            return self.theirs(name, self.suite)
        new = self.ours(name, self.suite)
        new.path = bool(self.pick(2))
        return new

    def side(self, kind: type[Party]) -> list[Party]:
        return [member for member in self.members if isinstance(member, kind)]

    def dispensable(self) -> list[Party]:
        sides = (self.side(Ours), self.side(Theirs))
        return [member for side in sides if len(side) > OF_EACH_SIDE for member in side]

    def step(self) -> None:
        """One epoch."""
        steps: list[Callable[[], None]] = [self.update, self.propose_update, self.psk]
        if self.stranded:
            steps = [self.clean_up]
        elif len(self.members) < 2 * OF_EACH_SIDE:
            steps = [self.add]
        else:
            steps += [self.add, self.join_externally] if len(self.members) < MEMBERS else []
            steps += [self.remove, self.propose_removal] if self.dispensable() else []
        step = steps[self.pick(len(steps))]
        step()
        self.done[step.__name__] = self.done.get(step.__name__, 0) + 1
        self.epoch += 1
        self.check()

    @property
    def in_clear(self) -> bool:
        """Whether the next handshake is."""
        return self.pick(4) == 0

    def spread(self, by: Party, made: Made) -> None:
        """Let everybody follow a commit; the removed ones leave."""
        by.merge()
        for member in self.members:
            if member is not by:
                assert member.process(made.commit) is None
        self.members = [member for member in self.members if member.is_member]

    def add(self) -> None:
        by, new = self.choose(self.members), self.newcomer()
        made = by.commit(add=[new.key_package()], in_clear=self.in_clear)
        self.spread(by, made)
        self.welcome([new], made)

    def welcome(self, newcomers: Sequence[Party], made: Made) -> None:
        assert made.welcome is not None
        for new in newcomers:
            try:
                new.join(made.welcome)
            except WorkerError as error:
                if STRICTER_THAN_THE_RFC not in str(error):
                    raise
                self.stranded.append(self.leaf_of(new.name))
            else:
                self.members.append(new)

    def leaf_of(self, name: str) -> int:
        for member in self.members:
            if isinstance(member, Ours):
                return member.leaf_of(name)
        raise AssertionError("none of ours is in the group")

    def clean_up(self) -> None:
        by = self.choose(self.members)
        made = by.commit(remove=self.stranded, in_clear=self.in_clear)
        self.stranded = []
        self.spread(by, made)

    def update(self) -> None:
        by = self.choose(self.members)
        self.spread(by, by.commit(in_clear=self.in_clear))

    def remove(self) -> None:
        whom = self.choose(self.dispensable())
        by = self.choose([member for member in self.members if member is not whom])
        self.spread(by, by.commit(remove=[whom.leaf], in_clear=self.in_clear))
        assert not whom.is_member

    def psk(self) -> None:
        psk_id, value = self.rng(8), self.rng(32)
        for member in self.members:
            member.know_psk(psk_id, value)
        by = self.choose(self.members)
        self.spread(by, by.commit(psk=[psk_id], in_clear=self.in_clear))

    def propose_removal(self) -> None:
        """One proposes, perhaps to leave, and another commits the proposal."""
        whom, proposer = self.choose(self.dispensable()), self.choose(self.members)
        by = self.choose([member for member in self.members if member is not whom])
        self.publish(proposer, proposer.propose_remove(whom.leaf, in_clear=self.in_clear))
        self.spread(by, by.commit(in_clear=self.in_clear))
        assert not whom.is_member

    def propose_update(self) -> None:
        """One of ours proposes new keys for itself, and another commits them."""
        proposer = self.choose(self.side(Ours))
        assert isinstance(proposer, Ours)
        by = self.choose([member for member in self.members if member is not proposer])
        self.publish(proposer, proposer.propose_update(in_clear=self.in_clear))
        self.spread(by, by.commit(in_clear=self.in_clear))

    def publish(self, by: Party, proposal: bytes) -> None:
        for member in self.members:
            if member is not by:
                assert member.process(proposal) is None

    def join_externally(self) -> None:
        new, helper = self.newcomer(), self.choose(self.members)
        try:
            commit = new.join_externally(helper.group_info())
        except WorkerError as error:
            if STRICTER_THAN_THE_RFC not in str(error):
                raise
            self.update()
        else:
            self.spread(new, Made(commit, None))
            self.members.append(new)

    def check(self) -> None:
        """All see the same epoch, and one of them is heard by all others."""
        views = {member.name: member.view() for member in self.members}
        assert len(set(views.values())) == 1, views
        assert {view.epoch for view in views.values()} == {self.epoch}
        speaker = self.choose(self.members)
        data = self.rng(self.pick(300))
        message = speaker.protect(data, authenticated_data=self.rng(5))
        for member in self.members:
            if member is not speaker:
                assert member.process(message) == data


@pytest.mark.spec("RFC 9420 §8.7 (Epoch Authenticators)")
@pytest.mark.parametrize("suite", [1, 2, 3])
def test_members_of_both_implementations_agree_for_fifty_random_epochs(
    suite: int, ours: Callable[[str, int], Ours], theirs: Callable[[str, int], Theirs]
) -> None:
    walk = Walk("fifty", suite, ours, theirs)
    for _ in range(EPOCHS):
        walk.step()
    assert walk.epoch == EPOCHS
    assert {type(member) for member in walk.members} == {Ours, Theirs}
