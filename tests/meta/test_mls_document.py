"""The examples of the page on MLS run as they stand, in order."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "mls.md").read_text()
EXAMPLE = re.compile(r"<!-- example:mls -->\n```python\n(.*?)```", re.DOTALL)


@pytest.mark.slow
def test_examples_of_the_mls_page_run_as_they_stand(tmp_path: Path) -> None:
    program = tmp_path / "example.py"
    program.write_text("\n".join(EXAMPLE.findall(TEXT)))
    done = subprocess.run(
        [sys.executable, program],
        cwd=tmp_path,
        env={**os.environ, "PYTHONWARNINGS": "error"},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert (done.stderr, done.returncode) == ("", 0)


def test_every_example_is_run() -> None:
    assert TEXT.count("```python") == len(EXAMPLE.findall(TEXT)) > 5
