"""The store fails under a running relay: clients are told, nothing is lost, the relay goes on."""

from collections.abc import Callable
from pathlib import Path

import anyio
import pytest

from e2ecore_protocol.errors import ErrorCode
from e2ecore_protocol.frames import (
    Accepted,
    CaughtUp,
    Conversations,
    Failed,
    ListConversations,
    Ok,
    PublishKeyPackages,
    Refused,
)
from e2ecore_relay.backends.sqlite.connection import StoreError
from e2ecore_relay.domain import key_packages
from e2ecore_relay.domain.exchange import Turn
from e2ecore_relay.server.relay import Relay
from tests.support.raw_client import Person, online
from tests.support.relay import relay_at, where

pytestmark = pytest.mark.anyio


async def _in_writer(relay: Relay, work: Callable[[Turn], object]) -> object:
    done = anyio.Event()
    outcomes: list[object] = []

    def finished(outcome: object) -> None:
        outcomes.append(outcome)
        done.set()

    relay.hub.store.call(work, finished)
    await done.wait()
    return outcomes[0]


def _limit_pages(relay: Relay, pages: int | None) -> Callable[[Turn], object]:
    def work(_: Turn) -> object:
        connection = relay.hub.store._connection
        (count,) = connection.execute("PRAGMA page_count").fetchall()
        limit = count[0] if pages is None else pages
        return connection.execute(f"PRAGMA max_page_count = {limit!r}").fetchone()

    return work


async def test_a_full_disk_is_told_and_the_relay_goes_on_when_there_is_room(relay: Relay) -> None:
    bob = Person()
    async with online(*where(relay)) as alice, online(*where(relay), bob) as b:
        chat = await alice.direct(bob)
        await _in_writer(relay, _limit_pages(relay, None))
        accepted: list[bytes] = []
        for number in range(100):
            payload = number.to_bytes(2) * 10_000
            (result,) = await alice.submit(chat, payload)
            if isinstance(result, Refused):
                assert result == Refused(ErrorCode.INTERNAL, 1_000, None)
                break
            accepted.append(payload)
        assert len(accepted) < 100
        while isinstance(await _in_writer(relay, _limit_pages(relay, 1_000_000)), Exception):
            pass
        (result,) = await alice.submit(chat, b"room again")
        assert isinstance(result, Accepted)
        texts = [one.payload for one in await b.wait_for(len(accepted) + 2)]
        assert texts == [b"welcome", *accepted, b"room again"]
        assert relay.hub.store.statistics.failures >= 1


async def test_a_defect_in_one_request_fails_that_request_only(
    relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    bob = Person()
    async with online(*where(relay)) as alice, online(*where(relay), bob) as b:
        chat = await alice.direct(bob)
        monkeypatch.setattr(key_packages, "publish", broken)
        failed = await alice.ask(PublishKeyPackages(7, (b"x",), None), Ok)
        assert failed == Failed(7, ErrorCode.INTERNAL)
        assert isinstance((await alice.submit(chat, b"goes on"))[0], Accepted)
        assert [one.payload for one in await b.wait_for(2)] == [b"welcome", b"goes on"]


async def test_a_defect_in_one_report_does_not_silence_the_others(relay: Relay) -> None:
    def broken(_: object) -> None:
        raise ZeroDivisionError

    async with online(*where(relay)) as alice:
        relay.hub.store.call(lambda _: 1, broken)
        answer = await alice.ask(ListConversations(1), Conversations)
        assert answer == Conversations(1, ())
        assert await _in_writer(relay, lambda _: 5) == 5


async def test_a_relay_without_its_writer_ends(tmp_path: Path) -> None:
    def dies() -> None:
        raise MemoryError("the thread is gone")

    async def serve() -> None:
        async with relay_at(tmp_path, drain_timeout_s=0.1) as relay:
            relay.hub.store._rest = dies  # type: ignore[method-assign]
            async with online(*where(relay)) as alice:
                await alice.expect(CaughtUp)
                await anyio.sleep_forever()

    with pytest.raises(ExceptionGroup) as ended, anyio.fail_after(60):
        await serve()
    assert ended.group_contains(StoreError, match="writer stopped: MemoryError", depth=None)
