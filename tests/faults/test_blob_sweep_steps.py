"""The sweep of blobs is cut off behind each of its steps: the next start ends what it finds."""

import os
import shutil
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import ParamSpec, TypeVar

import pytest

from e2ecore_protocol.frames import Ok, RecallBlob
from e2ecore_relay.domain.ports import Ledger
from e2ecore_relay.server import blob_sweeping
from e2ecore_relay.server.asking import ask
from e2ecore_relay.server.blob_sweeping import Sweep
from e2ecore_relay.server.relay import Relay
from tests.faults.test_blob_residue import on_disk
from tests.support.blob_client import blob_connection, create, end_now, send_blob, until_true
from tests.support.raw_client import Person, online
from tests.support.relay import relay_at, where

pytestmark = [pytest.mark.anyio, pytest.mark.slow]
Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")
EACH = 3
"""Blobs that are recalled, that are over, that are cut off in their upload, and that stay."""


@pytest.fixture
def anyio_backend() -> str:
    return "trio"


@dataclass
class Film:
    """Copies of a relay's folder, taken behind each step of a sweep."""

    relay: Relay
    folder: Path
    copies: list[Path] = field(default_factory=list)

    def take(self) -> None:
        """Copy what a SIGKILL would leave now."""
        copy = self.folder / f"{len(self.copies):03}"
        with self.relay.hub.store._turn:
            shutil.copytree(self.relay.hub.config.data, copy / "relay")
        self.copies.append(copy)

    def watch(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Copy behind each transaction, each checkpoint, each scrub and each file."""
        for name in ("_written", "_work_off_log", "_scrub"):
            monkeypatch.setattr(Sweep, name, self._behind(getattr(Sweep, name)))
        delete = self.relay.hub.office.folder.delete

        def one_by_one(blob_ids: Iterable[bytes]) -> set[bytes]:
            stuck = set[bytes]()
            for blob_id in blob_ids:
                stuck |= delete([blob_id])
                self.take()
            return stuck

        monkeypatch.setattr(self.relay.hub.office.folder, "delete", one_by_one)

    def _behind(
        self, step: Callable[Arguments, Awaitable[Result]]
    ) -> Callable[Arguments, Awaitable[Result]]:
        async def taken(*arguments: Arguments.args, **options: Arguments.kwargs) -> Result:
            result = await step(*arguments, **options)
            self.take()
            return result

        return taken


async def doomed_blobs(relay: Relay) -> tuple[dict[bytes, bytes], set[bytes]]:
    """Make blobs that end and blobs that stay. Return the shares of those, the ids of these."""
    bob = Person()
    async with online(*where(relay)) as alice, online(*where(relay), bob):
        group = await alice.group(bob)
        shares, kept = dict[bytes, bytes](), set[bytes]()
        recalled, over = list[bytes](), list[bytes]()
        for number in range(4 * EACH):
            if number < EACH:
                blob_id, made = await create(alice, group, 10)
                async with blob_connection(relay) as link:
                    await link.upload(blob_id, made.upload_token, b"half", complete=False)
            else:
                blob_id, made = await send_blob(relay, alice, group, os.urandom(2_000))
            if number >= 3 * EACH:
                kept.add(blob_id)
                continue
            shares[blob_id] = made.share
            (recalled if number < 2 * EACH else over).append(blob_id)
        for blob_id in recalled:
            assert isinstance(await alice.ask(RecallBlob(alice.request(), blob_id), Ok), Ok)
    await ask(relay.hub.store, lambda turn: end_now(turn, over))
    return shares, kept


def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a few blobs take many steps."""
    for name in ("_CONDEMNED", "_BURIED", "_FILES", "_SLICE_AMONG_MESSAGES"):
        monkeypatch.setattr(blob_sweeping, name, 2)
    monkeypatch.setattr(blob_sweeping, "PART", 2 * EACH)


@pytest.mark.clause("GB42012-8.1.1e")
async def test_a_sweep_cut_off_behind_any_step_has_kept_the_order_and_is_ended_by_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with relay_at(tmp_path / "first", expiry_interval_s=86_400.0) as relay:
        with monkeypatch.context() as patched:
            patched.setattr(Sweep, "look_soon", lambda _: None)  # it sweeps when this test says so
            shares, kept = await doomed_blobs(relay)
            small_steps(patched)
            film = Film(relay, tmp_path / "copies")
            film.take()
            film.watch(patched)
            await relay.hub.office._sweep.round()
    assert len(film.copies) > 3 * EACH
    for copy in film.copies:
        await check(copy, shares, kept)


async def check(copy: Path, shares: dict[bytes, bytes], kept: set[bytes]) -> None:
    """Look at what was left; then start a relay there, and look again."""
    for blob_id, share in shares.items():
        name = blob_id.hex()
        is_gone = not (copy / "relay" / "blobs" / name[:2] / name).exists()
        assert not (is_gone and on_disk(copy / "relay", share)), "bytes before the share"

    def receipted(ledger: Ledger) -> bool:
        return len(ledger.blobs.receipts([*shares])) == len(shares)

    async with relay_at(copy) as relay:
        await until_true(lambda: relay.hub.store.read(receipted))
        assert {*relay.hub.office.folder.names()} == kept
        assert {*relay.hub.store.read(lambda ledger: ledger.blobs.find([*shares, *kept]))} == kept
    assert not any(on_disk(copy / "relay", share) for share in shares.values())
