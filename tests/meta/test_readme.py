"""The examples of the documents run as they stand."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.processes import RelayProcess

ROOT = Path(__file__).parents[2]
EXAMPLE = re.compile(r"<!-- example:(\w+) -->\n```python\n(.*?)```", re.DOTALL)
MAIN = """
import sys
import anyio
print(anyio.run(talk, sys.argv[1], sys.argv[2], backend=sys.argv[3]))
"""


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["trio", "asyncio"])
def test_the_first_example_runs_as_it_stands(tmp_path: Path, backend: str) -> None:
    example = dict(EXAMPLE.findall((ROOT / "README.md").read_text()))["first"]
    (tmp_path / "example.py").write_text(example + MAIN)
    with RelayProcess(tmp_path / "relay") as relay:
        done = subprocess.run(
            [sys.executable, "example.py", relay.url, relay.ca, backend],
            cwd=tmp_path,
            env={**os.environ, "PYTHONWARNINGS": "error"},
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
    assert done.stderr == ""
    assert done.stdout.startswith("['hello', '")


def test_the_commands_of_the_readme_exist() -> None:
    text = (ROOT / "README.md").read_text()
    known = re.findall(r"^#   \./run (\w+)", (ROOT / "run").read_text(), re.MULTILINE)
    assert set(re.findall(r"\./run (\w+)", text)) <= set(known)
