"""Acts 1 and 2: processes start, people register, and each pair compares a safety number."""

from itertools import combinations

import anyio

from cli_demo.demo.puppet import Puppet
from cli_demo.demo.stage import NAMES, Stage
from cli_demo.text import duration, in_groups, joined


async def register(stage: Stage) -> None:
    """Three devices start, make their encrypted databases and register."""
    say = stage.narrator
    say.act("A relay and three people, each in a process of their own")
    say.tell("relay", f"listens on {stage.relay.address.url}", f"pid {stage.relay.pid}")
    async with anyio.create_task_group() as together:
        for person in stage.friends:
            together.start_soon(_register, stage, person)
    pids = {stage.relay.pid, *(person.pid for person in stage.friends)}
    say.check(
        "four processes run",
        holds=len(pids) == len(NAMES) + 1,
        detail=f"pids {', '.join(map(str, sorted(pids)))}",
    )


async def _register(stage: Stage, person: Puppet) -> None:
    before = stage.narrator.seconds
    await stage.start(person)
    answer = await person.ask("register", handle=person.name)
    stage.narrator.tell(
        person.name,
        f"made an encrypted database and registered as {answer.text('account')[:12]}…",
        f"pid {person.pid}, {duration(stage.narrator.seconds - before)}",
    )


async def verify(stage: Stage) -> None:
    """Each pair computes the safety number on both sides and compares."""
    say = stage.narrator
    say.act("They verify each other: the same number on both screens, or somebody sits between")
    numbers: set[str] = set()
    for one, other in combinations(stage.friends, 2):
        left = (await one.ask("safety", handle=other.name)).text("digits")
        right = (await other.ask("safety", handle=one.name)).text("digits")
        shown = " ".join(in_groups(left)[:6])
        say.tell(one.name, f"and {other.name} read to each other: {shown} …")
        say.check(
            f"{one.name} and {other.name} see the same safety number",
            holds=left == right,
            detail=f"{len(left)} digits",
        )
        if left == right:
            await one.ask("verify", handle=other.name)
            await other.ask("verify", handle=one.name)
            numbers.add(left)
    states = [
        (await one.ask("trust", handle=other.name)).text("trust")
        for one in stage.friends
        for other in stage.friends
        if one is not other
    ]
    say.check(
        f"{joined(NAMES)} are verified on every device",
        holds=set(states) == {"verified"} and len(numbers) == len(NAMES),
        detail=f"{len(numbers)} different numbers",
    )
