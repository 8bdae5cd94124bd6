"""Attachments at the relay: bytes in, bytes out, beside a file server."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from benchmarks import usage
from benchmarks.blob_links import Leave, TwoPeople, upload_arguments
from benchmarks.model import (
    OURS,
    Context,
    Measure,
    Result,
    Scale,
    Scenario,
    at_least,
    no_more_than,
)
from benchmarks.peers.nginx import Nginx, curl
from benchmarks.peers.server import ServerError
from benchmarks.peers.setup import NotInstalledError
from benchmarks.systems.relay import RelayProcess
from benchmarks.workloads import MEGABYTE

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.model import Sample

NGINX: Final = "nginx"
MIB: Final = 1 << 20
AT_ONCE: Final = 20
"""Transfers at the same time when memory is measured: half of them in, half of them out."""

SHARE_AT_ONCE: Final = 8
"""Each of them moves this fraction of the file."""

NS_PER_MS: Final = 1_000_000
PER_MB: Final = 100
"""CPU time is given for so many megabytes."""

_TIMES: Final = ("--write-out", "%{time_total} %{time_starttransfer} %{time_pretransfer}")
_NOWHERE: Final = ("--output", "/dev/null")


def _moved(pids: list[int], file: Path, verb: str, *arguments: str) -> Sample:
    """Move the whole file once; say how fast that was, and what it cost the server."""
    size = file.stat().st_size
    before = usage.cpu_of_tree_ns(pids)
    took, *_ = curl(*_TIMES, *_NOWHERE, *arguments)
    cpu_ms = (usage.cpu_of_tree_ns(pids) - before) / NS_PER_MS
    megabytes = size / MEGABYTE
    return {f"{verb}_mb_s": megabytes / took, f"{verb}_cpu_ms": cpu_ms / megabytes * PER_MB}


def _first_byte_ms(file: Path, *arguments: str) -> float:
    size = file.stat().st_size
    middle = f"{size // 2}-{size // 2 + 65_535}"
    _, first, ready = curl(*_TIMES, *_NOWHERE, "--range", middle, *arguments)
    return (first - ready) * 1000


def _ours(relay: RelayProcess, people: TwoPeople, file: Path) -> tuple[Sample, Leave]:
    room = people.room(file.stat().st_size)
    sent = _moved(relay.pids, file, "upload", *upload_arguments(room, relay.authority, file))
    leave = people.fetch(room.blob_id)
    given = ("--cacert", str(relay.authority), "--header", leave.authorization, leave.url)
    read = _moved(relay.pids, file, "download", *given)
    return {**sent, **read, "first_byte_ms": _first_byte_ms(file, *given)}, leave


def _theirs(nginx: Nginx, file: Path) -> Sample:
    url = ("--cacert", str(nginx.authority), f"https://localhost:{nginx.port}/blob")
    put = ("--header", "Expect:", "--upload-file", str(file), *url)
    sent = _moved(nginx.pids, file, "upload", *put)
    read = _moved(nginx.pids, file, "download", *url)
    return {**sent, **read, "first_byte_ms": _first_byte_ms(file, *url)}


def _growth_mb(relay: RelayProcess, people: TwoPeople, file: Path, leave: Leave) -> float:
    """Return by how much the relay's memory grows while many transfers run."""
    part = file.with_suffix(".part")
    part.write_bytes(file.read_bytes()[: file.stat().st_size // SHARE_AT_ONCE])
    ca = ("--cacert", str(relay.authority))
    fetched = ("--range", f"0-{part.stat().st_size - 1}", "--header", leave.authorization)
    downloads = [[*ca, *_NOWHERE, *fetched, leave.url] for _ in range(AT_ONCE // 2)]
    rooms = [people.room(part.stat().st_size) for _ in range(AT_ONCE // 2)]
    uploads = [[*_NOWHERE, *upload_arguments(room, relay.authority, part)] for room in rooms]
    before = _rss(relay)
    highest = [before]
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.02):
            highest.append(_rss(relay))

    watcher = threading.Thread(target=watch)
    watcher.start()
    with ThreadPoolExecutor(AT_ONCE) as threads:
        list(threads.map(lambda arguments: curl(*arguments), [*downloads, *uploads]))
    done.set()
    watcher.join()
    return (max(highest) - before) / MEGABYTE


def _rss(relay: RelayProcess) -> int:
    return sum(usage.rss_bytes(pid) for pid in relay.pids)


def _peer(context: Context, result: Result) -> Nginx | None:
    if not context.peers:
        return None
    try:
        nginx = Nginx(context.directory("nginx"))
    except (NotInstalledError, ServerError) as error:
        result.skipped[NGINX] = str(error)
        return None
    result.versions[NGINX] = nginx.version()
    return nginx


def _run(context: Context, mebibytes: int) -> Result:
    result = Result()
    file = context.home / "file"
    with file.open("wb") as made:
        for _ in range(mebibytes):
            made.write(os.urandom(MIB))
    relay = RelayProcess(context.directory("relay"))
    nginx = _peer(context, result)
    try:
        people = TwoPeople(relay.url, relay.authority)
        for run in range(context.runs):
            sample, leave = _ours(relay, people, file)
            sample = {**sample, "growth_mb": _growth_mb(relay, people, file, leave)}
            result.add(OURS, sample)
            context.say(f"run {run + 1}/{context.runs} {OURS}: {sample}")
            if nginx is not None:
                theirs = _theirs(nginx, file)
                result.add(NGINX, theirs)
                context.say(f"run {run + 1}/{context.runs} {NGINX}: {theirs}")
    finally:
        relay.stop()
        if nginx is not None:
            nginx.stop()
    return result


ATTACHMENTS_RELAY: Final = Scenario(
    name="attachments_relay",
    title="Attachments at the relay",
    about=(
        "One file of random bytes goes up and comes down again through curl over loopback TLS 1.3, "
        "at our relay (durable before it says that it is complete) and at nginx (PUT, not durable) "
        "in turn; 64 KiB from its middle; then twenty transfers of an eighth of the file at once, "
        "half of them in and half of them out, while the relay's memory is watched."
    ),
    sizes={Scale.QUICK: 8, Scale.SHORT: 1024, Scale.LONG: 1024},
    size_unit="MiB",
    measures=(
        Measure(*("upload_mb_s", "upload_mb_s", "MB/s", "one upload"), NGINX, at_least(0.4)),
        Measure(*("download_mb_s", "download_mb_s", "MB/s", "one download"), NGINX, at_least(0.5)),
        Measure(
            "upload_cpu_ms", "upload_cpu_ms", "ms", "CPU of the server per 100 MB, upload", NGINX
        ),
        Measure("download_cpu_ms", "download_cpu_ms", "ms", "the same, download", NGINX),
        Measure(
            *("first_byte_ms", "first_byte_ms", "ms", "first byte from the middle"),
            NGINX,
            no_more_than(20),
        ),
        Measure(
            *("growth_mb", "growth_mb", "MB", "memory that 20 transfers at once add to the relay"),
            goal=no_more_than(64),
        ),
    ),
    run=_run,
)
