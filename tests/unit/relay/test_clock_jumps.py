"""A relay whose clock is set a year ahead, and back: what was accepted is delivered."""

from pathlib import Path

import anyio
import pytest

from e2ecore_relay.backends.sqlite.ledger import SqliteLedger
from e2ecore_relay.server.relay import system_clock_ms
from tests.support.blob_client import until_true
from tests.support.engines import PATIENCE_S
from tests.support.raw_client import Person, online
from tests.support.relay import relay_by, where

YEAR_MS = 365 * 86_400_000


def waiting(ledger: SqliteLedger) -> int:
    """How many envelopes have left the journal, and have not been read."""
    row = ledger.connection.execute("SELECT count(*) FROM envelopes WHERE first = 0").fetchone()
    assert row is not None
    return int(row[0] or 0)


@pytest.mark.anyio
async def test_no_envelope_is_deleted_by_a_clock_that_jumped(tmp_path: Path) -> None:
    ahead_ms, bob = [0], Person()
    clock = lambda: system_clock_ms() + ahead_ms[0]  # noqa: E731
    async with relay_by(clock, tmp_path, expiry_interval_s=0.05) as relay:
        async with online(*where(relay), bob):
            pass
        async with online(*where(relay)) as alice:
            group = await alice.group(bob)
            await alice.submit(group, b"for bob")
            await until_true(lambda: relay.hub.store.read(waiting) == 2)
            ahead_ms[0] = YEAR_MS
            commits = relay.hub.store.statistics.commits
            await until_true(lambda: relay.hub.store.statistics.commits > commits + 5)
            assert relay.hub.metrics.expired == 0
        ahead_ms[0] = 0
        async with online(*where(relay), bob) as later:
            with anyio.fail_after(PATIENCE_S):
                found = await later.wait_for(2)
            assert [one.payload for one in found] == [b"welcome", b"for bob"]
