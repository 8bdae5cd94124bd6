"""Describe the machine, so that a figure is never read without it."""

from __future__ import annotations

import os
import platform
import time
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Final

from benchmarks.summary import percentile

if TYPE_CHECKING:
    from benchmarks.wire import JsonObject

LIBRARIES: Final = (
    "anyio",
    "cryptography",
    "e2ecore",
    "msgpack",
    "pynacl",
    "sqlcipher3",
    "trio",
    "websockets",
)
"""Whose versions change our figures."""

SYNC_WRITES: Final = 200
"""Writes whose median is the disk's figure; 0.2 s on a fast disk."""

SYNC_BYTES: Final = 4096
"""One database page."""


def describe(home: Path) -> JsonObject:
    """Return what is known about the machine; `home` is on the disk that the benchmarks use."""
    return {
        "cores": os.cpu_count() or 0,
        "cpu": _cpu_model(),
        "memory_gib": round(
            os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30), 1
        ),
        "kernel": platform.release(),
        "system": _distribution(),
        "python": platform.python_version(),
        "libraries": {name: _version(name) for name in LIBRARIES},
        "fdatasync_p50_ms": round(sync_p50_ms(home), 3),
        "load_1min": round(os.getloadavg()[0], 2),
        "measured_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def sync_p50_ms(home: Path) -> float:
    """Return the median time of writing one page and waiting until the disk has it, in
    milliseconds.
    """
    path = home / "sync.bin"
    times: list[float] = []
    with path.open("wb", buffering=0) as file:
        for _ in range(SYNC_WRITES):
            started = time.perf_counter()
            file.write(bytes(SYNC_BYTES))
            os.fdatasync(file.fileno())
            times.append(time.perf_counter() - started)
    path.unlink()
    return percentile(times, 50) * 1000


def label() -> str:
    """Return a short name of the machine for file names: cores and processor, no host name."""
    words = "".join(c if c.isalnum() else " " for c in _cpu_model()).split()
    return "-".join([f"{os.cpu_count() or 0}x", *words[:3]]).lower()


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def _distribution() -> str:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", platform.system())
    except OSError:
        return platform.system()


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"
