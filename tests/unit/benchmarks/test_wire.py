import os
import sys
import time
from pathlib import Path

import pytest

from benchmarks import usage, wire
from benchmarks.worker import Worker, WorkerError

ECHO = """
import json, sys
for line in sys.stdin:
    request = json.loads(line)
    answer = {"id": request["id"], "ok": request}
    if request["do"] == "fail":
        answer = {"id": request["id"], "error": "as asked"}
    if request["do"] == "end":
        break
    print(json.dumps(answer), flush=True)
"""


def echo(home: Path) -> Worker:
    return Worker("echo", [sys.executable, "-c", ECHO], home / "echo.log")


def test_worker_answers_requests_in_any_order(tmp_path: Path) -> None:
    with echo(tmp_path) as worker:
        first, second = worker.start("one", value=1), worker.start("two", value=2)
        assert wire.integer(worker.wait(second), "value") == 2
        assert wire.integer(worker.wait(first), "value") == 1


def test_worker_that_fails_ends_or_hangs_is_an_error(tmp_path: Path) -> None:
    with echo(tmp_path) as worker:
        with pytest.raises(WorkerError, match="as asked"):
            worker.ask("fail")
        with pytest.raises(WorkerError, match="did not answer"):
            worker.wait(99, timeout_s=0.01)
        with pytest.raises(WorkerError, match="ended"):
            worker.ask("end")


@pytest.mark.parametrize("size", [20, 200, 1000])
def test_message_text_has_its_size_and_tells_its_number(size: int) -> None:
    text = wire.message_text(1234, size)
    assert len(text) == size
    assert wire.message_index(text) == 1234


def test_other_text_has_no_number() -> None:
    assert wire.message_index("hello") is None
    assert wire.message_index("") is None


@pytest.mark.parametrize("line", ["[]", "1", '"text"'])
def test_line_that_is_no_object_is_refused(line: str) -> None:
    with pytest.raises(wire.WireError):
        wire.decode_line(line)


def test_missing_or_wrong_fields_are_refused() -> None:
    value = wire.decode_line('{"flag":true,"name":1}')
    for read in (wire.integer, wire.number, wire.text, wire.integers, wire.texts):
        with pytest.raises(wire.WireError):
            read(value, "flag")
        with pytest.raises(wire.WireError):
            read(value, "absent")


def test_cpu_time_of_a_process_grows_while_it_works() -> None:
    before = usage.cpu_ns(os.getpid())
    ends = time.process_time_ns() + 20_000_000
    while time.process_time_ns() < ends:
        pass
    assert usage.cpu_ns(os.getpid()) - before >= 20_000_000


def test_resident_memory_and_descendants_of_a_process_are_known(tmp_path: Path) -> None:
    with echo(tmp_path) as worker:
        worker.ask("one")  # by now it is itself, no longer a copy of us
        assert worker.pid in usage.children(os.getpid())
        assert 1_000_000 < usage.rss_bytes(worker.pid) <= usage.peak_rss_bytes(worker.pid)
