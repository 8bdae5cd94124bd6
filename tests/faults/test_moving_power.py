"""The power fails at every commit of a move, on either device: one device can go on, never two."""

from contextlib import suppress
from pathlib import Path

import anyio
import pytest

from e2ecore import Engine
from e2ecore.engine.account.own_chain import MOVING
from e2ecore.engine.errors import EngineClosedError
from e2ecore.engine.own_devices import arriving, moving
from e2ecore.engine.values import ConnectionState
from e2ecore.storage import account, settings
from e2ecore.storage.sql import Connection, Params
from e2ecore.testing import MemoryRelay
from e2ecore.testing.devices import PASSPHRASE, open_device
from tests.faults.test_engine_power import Stage, power_may_fail
from tests.support.engines import PATIENCE_S
from tests.support.power import Power

pytestmark = [pytest.mark.anyio, pytest.mark.slow, pytest.mark.clause("GB42012-8.1.1d")]
MOST = 60
"""Commits after which something must be wrong with the scenario."""


@pytest.fixture
def anyio_backend() -> str:
    """The database does not care which loop waits for it."""
    return "trio"


class CommitPower(Power):
    """Counts commits alone: what is not committed never was."""

    def connect(self, path: Path) -> Connection:
        return Counting(path, self)


class Counting(Connection):
    """Dies behind a commit, before anybody hears of it."""

    __slots__ = ("_power",)

    def __init__(self, path: Path, power: Power) -> None:
        super().__init__(path)
        self._power = power

    def execute(self, sql: str, params: Params = ()) -> int:
        if sql == "COMMIT":
            return self._power.spend(lambda: super(Counting, self).execute(sql, params))
        return super().execute(sql, params)


async def move(folder: Path, relay: MemoryRelay, power: Power, *, dies: str) -> None:
    """Move as people do, with power that fails on one side."""
    bad = {name: power.connect if name == dies else Connection for name in ("phone", "laptop")}
    async with (
        await open_device(folder / "phone.db", relay.dial, connect=bad["phone"]) as phone,
        await open_device(folder / "laptop.db", relay.dial, connect=bad["laptop"]) as laptop,
    ):
        await phone.caught_up()
        async with phone.devices.move() as linking, anyio.create_task_group() as tasks:

            async def confirm() -> None:
                await linking.joined()
                power.arm()
                with suppress(EngineClosedError):  # the power went first
                    await linking.confirm(PASSPHRASE)

            tasks.start_soon(confirm)
            async with laptop.devices.join(linking.code.text) as joining:
                await joining.finished()


async def can_go_on(engine: Engine) -> bool:
    """Wait until it is decided whether a device has the account."""
    core = engine._core
    while True:
        row = core.read(account.load)
        if row is None or row.state == account.AccountState.MOVED:
            assert row is None or not row.identity_key
            return False
        moves = core.read(lambda tx: settings.get(tx, MOVING)) is not None
        if engine.connection is ConnectionState.ONLINE and not moves:
            return bool(row.identity_key)
        await anyio.sleep(0.01)


async def alone(folder: Path, relay: MemoryRelay) -> list[str]:
    """Return who can go on, once both have been open for as long as they need."""
    async with (
        await open_device(folder / "phone.db", relay.dial) as phone,
        await open_device(folder / "laptop.db", relay.dial) as laptop,
    ):
        with anyio.fail_after(PATIENCE_S):
            if await can_go_on(phone):
                assert laptop.account is None
                return ["phone"]
            while laptop.account is None:  # noqa: ASYNC110 - nobody tells
                await anyio.sleep(0.01)
            return ["laptop"] if await can_go_on(laptop) else []


@pytest.mark.parametrize("dies", ["phone", "laptop"])
async def test_wherever_the_power_fails_exactly_one_device_can_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dies: str
) -> None:
    monkeypatch.setattr(arriving, "_RETRY_S", 0.02)
    monkeypatch.setattr(arriving, "_LOOK_S", 0.02)
    monkeypatch.setattr(moving, "_MOVED_S", 0.5)
    stage = Stage(tmp_path)
    async with await open_device(stage.origin / "phone.db", stage.relay.dial) as phone:
        await phone.register("alice")
    async with await open_device(stage.origin / "laptop.db", None):
        pass
    found: list[str] = []
    for survives in range(MOST):
        folder, relay = stage.again()
        power = CommitPower(survives, last_runs=True)
        with power_may_fail():
            await move(folder, relay, power, dies=dies)
        found += await alone(folder, relay)
        assert len(found) == survives + 1, power
        if not power.was_cut:
            break
    assert found[-1] == "laptop"
    assert found == sorted(found, reverse=True), "once it is decided it stays decided"
    assert dies == "laptop" or "phone" in found
