"""Five members change the group at the same moment, again and again.

One commit wins each epoch. Whoever lost has its wish carried out in a later epoch, or is told why
not. Everybody ends in the same state, and what was said meanwhile arrives once and in order.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import anyio
import pytest

import e2ecore
from e2ecore import Change, ChangeFailedError, Contact, Conversation, Engine, Role
from e2ecore.testing import MemoryRelay, devices
from e2ecore_protocol.frames.conversations import Committed
from e2ecore_protocol.frames.frame import Frame
from tests.support.engines import authenticator, epoch_reached, group_of, history

pytestmark = pytest.mark.anyio

NAMES = ("alice", "bob", "carol", "dave", "erin")
GUEST = "frank"
ROUND_S = 200
"""Patience for one round; only a test that fails waits so long."""


@dataclass
class Race:
    """Five members in one group, with the right to change it, and a guest who comes and goes."""

    relay: MemoryRelay
    engines: list[Engine]
    groups: list[Conversation]
    guest: Contact
    committed: Counter[int]
    """How many commits the relay has given each number in the log."""
    applied: int = 0
    failed: int = 0
    refused: int = 0

    async def round(self, number: int) -> None:
        """Let everybody write and change something at once; wait until all is settled."""
        with anyio.fail_after(ROUND_S):
            async with anyio.create_task_group() as tasks:
                for who, _ in enumerate(self.groups):
                    tasks.start_soon(self._act, who, number)

    async def _act(self, who: int, number: int) -> None:
        group = self.groups[who]
        await group.send(f"{who} {number}")
        try:
            change = await self._wish(who, number)
        except e2ecore.NotAllowedError:
            self.refused += 1  # somebody else has done it already, or made it impossible
            return
        try:
            await change.applied()
        except ChangeFailedError:
            self.failed += 1
        else:
            self.applied += 1

    async def _wish(self, who: int, number: int) -> Change:
        group = self.groups[who]
        match (who + number) % 5:
            case 0:
                return await group.rename(f"title {number}")
            case 1:
                return await group.add(self.guest)
            case 2:
                return await group.remove(self.guest)
            case 3:
                return await group.rename(f"another title {number}")
            case _:
                return await group.renew_keys()

    async def settle(self) -> None:
        """Wait until everybody has come to the last epoch."""
        last = self.relay.logs[self.groups[0].conversation_id].epoch
        for group in self.groups:
            await epoch_reached(group, last)


async def begin(relay: MemoryRelay, engines: Sequence[Engine]) -> Race:
    members = list(engines[: len(NAMES)])
    groups = await group_of(members)
    for name in NAMES[1:]:
        contact = await members[0].contacts.find(name)
        await (await groups[0].set_role(contact, Role.ADMIN)).applied()
    await groups[0].refresh()
    for group in groups:
        await epoch_reached(group, groups[0].epoch)
    committed: Counter[int] = Counter()

    def count(_device: bytes, answer: Frame) -> Frame:
        if isinstance(answer, Committed):
            committed[answer.seq] += 1
        return answer

    relay.faults.answers.append(count)
    guest = await members[0].contacts.find(GUEST)
    return Race(relay, members, groups, guest, committed)


async def check(race: Race, rounds: int) -> None:
    await race.settle()
    states = [
        await authenticator(engine, group)
        for engine, group in zip(race.engines, race.groups, strict=True)
    ]
    assert len(set(states)) == 1, "members have different keys"
    members = [
        sorted((one.account_id, one.role, one.device_ids) for one in await group.members())
        for group in race.groups
    ]
    assert all(one == members[0] for one in members), "members see different members"
    assert len({group.title for group in race.groups}) == 1
    assert race.applied + race.failed + race.refused == len(NAMES) * rounds
    assert race.applied >= 3 * rounds, "renewals and titles are always possible"


async def check_talk(race: Race, rounds: int) -> None:
    """Everybody has every text, each sender's in the order in which they were sent."""
    wanted = {str(who): [f"{who} {number}" for number in range(rounds)] for who in range(5)}
    for group in race.groups:
        found = await complete_history(group, 5 * rounds)
        by_sender = {who: [text for text in found if text.startswith(f"{who} ")] for who in wanted}
        assert by_sender == wanted


async def complete_history(group: Conversation, count: int) -> list[str]:
    with anyio.fail_after(ROUND_S):
        while True:
            found = await history(group)
            if len(found) >= count:
                return found
            await anyio.sleep(0.01)


async def race_for(folder: Path, rounds: int) -> None:
    async with devices(folder, *NAMES, GUEST) as (relay, engines):
        race = await begin(relay, engines)
        before = race.relay.logs[race.groups[0].conversation_id].epoch
        for number in range(rounds):
            await race.round(number)
        await check(race, rounds)
        await check_talk(race, rounds)
        after = race.relay.logs[race.groups[0].conversation_id].epoch
        assert set(race.committed.values()) == {1}, "two commits won one epoch"
        assert len(race.committed) == after - before


async def test_five_who_commit_at_once_all_get_their_way_in_turn(tmp_path: Path) -> None:
    await race_for(tmp_path, 3)


@pytest.mark.slow
@pytest.mark.parametrize("anyio_backend", ["trio"])
async def test_five_who_commit_at_once_two_hundred_times_end_in_one_state(tmp_path: Path) -> None:
    await race_for(tmp_path, 200)
