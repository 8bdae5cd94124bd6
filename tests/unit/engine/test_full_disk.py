"""The disk is full for a while: every call says so, nothing is half done, and it goes on."""

from collections.abc import Iterable
from pathlib import Path

import anyio
import pytest

import e2ecore
from e2ecore.engine.engine import system_clock_ms
from e2ecore.storage.sql import Connection, Params
from e2ecore.testing import MemoryRelay, open_device
from tests.support.engines import PATIENCE_S, history, pair, texts, until

pytestmark = pytest.mark.anyio


class Disk:
    """Makes connections on a disk that can be full."""

    def __init__(self) -> None:
        self.is_full = False

    def connect(self, path: Path) -> Connection:
        return _Connection(path, self)


class _Connection(Connection):
    __slots__ = ("_disk",)

    def __init__(self, path: Path, disk: Disk) -> None:
        super().__init__(path)
        self._disk = disk

    def _check(self) -> None:
        if self._disk.is_full:
            raise e2ecore.DiskFullError

    def insert(self, sql: str, params: Params = ()) -> int:
        self._check()
        return super().insert(sql, params)

    def executemany(self, sql: str, rows: Iterable[Params]) -> None:
        self._check()
        super().executemany(sql, rows)


async def test_a_full_disk_stops_sending_with_an_error_and_receiving_for_a_while(
    tmp_path: Path,
) -> None:
    relay, disk = MemoryRelay(clock_ms=system_clock_ms), Disk()
    async with (
        await open_device(tmp_path / "a.db", relay.dial) as alice,
        await open_device(tmp_path / "b.db", relay.dial, connect=disk.connect) as bob,
    ):
        await alice.register("alice")
        await bob.register("bob")
        await bob.caught_up()
        chat, other = await pair(alice, bob)
        await (await chat.send("before")).accepted()
        at_bob, at_alice = bob.events(), alice.events()
        disk.is_full = True
        with pytest.raises(e2ecore.DiskFullError):
            await other.send("no room")
        await (await chat.send("while full")).accepted()
        with anyio.fail_after(PATIENCE_S):
            while not isinstance(
                (await until(at_bob, e2ecore.ConnectionChanged)).error, e2ecore.DiskFullError
            ):
                pass
        disk.is_full = False
        await bob.reconnect()
        with anyio.fail_after(PATIENCE_S):
            while (await history(other))[-1:] != ["while full"]:  # noqa: ASYNC110 - nothing to wait for
                await anyio.sleep(0.01)
        await (await other.send("room again")).accepted()
        assert await texts(at_alice, 1) == ["room again"]
        assert await history(other) == ["before", "while full", "room again"]
