"""What a process uses: CPU time and memory, read from Linux for any process of the same user."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final

CPU_CLOCK_OF_PROCESS: Final = 2
"""Low bits of a clock id that mean "CPU time the scheduler has counted for a whole process"
(clock_getcpuclockid(3)).
Unlike the sum of /proc/PID/task/*/schedstat it keeps the time of threads that have ended."""


def cpu_ns(pid: int) -> int:
    """Return the CPU time that process `pid` has used so far, all threads, in nanoseconds."""
    return time.clock_gettime_ns((~pid << 3) | CPU_CLOCK_OF_PROCESS)


def cpu_of_tree_ns(pids: list[int]) -> int:
    """Return the CPU time of several processes together, in nanoseconds."""
    return sum(cpu_ns(pid) for pid in pids)


def rss_bytes(pid: int) -> int:
    """Return the resident memory of process `pid`, in bytes."""
    return _status_kib(pid, "VmRSS") * 1024


def peak_rss_bytes(pid: int) -> int:
    """Return the largest resident memory process `pid` ever had, in bytes."""
    return _status_kib(pid, "VmHWM") * 1024


def _status_kib(pid: int, field: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1])
    raise ProcessLookupError(f"process {pid} has no {field}")


def children(pid: int) -> list[int]:
    """Return the process ids of `pid` and all its descendants."""
    found = [pid]
    for parent in found:
        for task in Path(f"/proc/{parent}/task").iterdir():
            found.extend(int(child) for child in (task / "children").read_text().split())
    return found


def busy_ns() -> int:
    """Return the CPU time that the whole machine has been busy since it started, in nanoseconds."""
    fields = [int(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    idle = fields[3] + fields[4]
    return (sum(fields) - idle) * 10_000_000
