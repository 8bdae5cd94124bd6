"""A draft is there or sent, never both and never neither, wherever the power fails."""

import shutil
from pathlib import Path

import pytest

from e2ecore import Engine
from tests.faults.test_engine_power import agree, cut_device, everybody, make_stage, only
from tests.support.power import Power, every_cut

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


@pytest.fixture
def anyio_backend() -> str:
    """The database does not care which loop waits for it."""
    return "trio"


async def test_a_draft_is_sent_once_or_still_there(tmp_path: Path) -> None:
    stage = await make_stage(tmp_path, "alice", "bob")
    async with everybody(stage.origin, stage.relay, "alice") as (alice,):
        await (await only(alice)).set_draft("begun")
    for power in every_cut():
        folder, relay = stage.again()

        async def work(engine: Engine, power: Power = power) -> None:
            await engine.caught_up()
            chat = await only(engine)
            power.arm()
            await (await chat.send_draft()).accepted()

        await cut_device(folder / "alice.db", relay, power, work)
        async with everybody(folder, relay, "alice", "bob") as engines:
            draft = (await only(engines[0])).draft
            found = await agree(engines)
        assert found.count("begun") == (draft is None), power
        assert draft is None or draft.text == "begun"
        shutil.rmtree(folder)
