"""The power fails while messages of kinds that were not known are understood by a newer version."""

import shutil
from pathlib import Path
from unittest.mock import patch

import anyio
import pytest

from e2ecore import Engine, MessageKind
from e2ecore.engine import engine as shell
from e2ecore.engine.arrival.learning import learn_kinds
from e2ecore.engine.running.duties import CHORES
from tests.faults.test_engine_power import cut_device, everybody, make_stage, only
from tests.support.engines import PATIENCE_S, said
from tests.support.power import Power, every_cut
from tests.unit.engine.test_hostile_remarks import say
from tests.unit.engine.test_new_kinds import haiku, taught

pytestmark = [pytest.mark.anyio, pytest.mark.slow]
LAZY = tuple(one for one in CHORES if one is not learn_kinds)


@pytest.fixture
def anyio_backend() -> str:
    """The database does not care which loop waits for it."""
    return "trio"


async def test_each_message_is_what_it_was_or_what_it_is(tmp_path: Path) -> None:
    stage = await make_stage(tmp_path, "alice", "bob")
    async with everybody(stage.origin, stage.relay, "alice", "bob") as (alice, bob):
        await say(alice, await only(alice), haiku(1, "one"), haiku(2, "two"))
        with anyio.fail_after(PATIENCE_S):
            while len(await said(await only(bob))) < 3:  # noqa: ASYNC110 - a database tells nobody
                await anyio.sleep(0.01)
    with taught():
        for power in every_cut():
            folder, relay = stage.again()

            async def work(engine: Engine, power: Power = power) -> None:
                await engine.caught_up()
                power.arm()
                await learn_kinds(engine._core)

            with patch.object(shell, "CHORES", LAZY):
                await cut_device(folder / "bob.db", relay, power, work)
            async with everybody(folder, relay, "alice", "bob") as engines:
                await learn_kinds(engines[1]._core)
                shown = await said(await only(engines[1]))
                assert [(one.kind, one.text) for one in shown] == [
                    (MessageKind.TEXT, words) for words in ("before", "one", "two")
                ], power
                found = await engines[1].search("two")
                assert len(found.hits) == 1, power
            shutil.rmtree(folder)
