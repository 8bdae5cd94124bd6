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
@pytest.mark.parametrize(
    ("document", "name", "says"),
    [
        ("README.md", "first", "['hello', '"),
        ("docs/attachments.md", "files", "['notes.txt', 'what we said']"),
        ("docs/guardians.md", "guardians", "['read_receipts', 'granting']"),
    ],
)
def test_an_example_runs_as_it_stands(
    tmp_path: Path, backend: str, document: str, name: str, says: str
) -> None:
    example = dict(EXAMPLE.findall((ROOT / document).read_text()))[name]
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
    assert done.stdout.startswith(says)


CONSENT = """
import sys
import anyio

async def main() -> None:
    opened = await e2ecore.open(
        "consent.db", passphrase="correct horse battery staple",
        relay=sys.argv[1], relay_ca=sys.argv[2],
    )
    async with opened as engine:
        await engine.register("somebody")
        audit = e2ecore.verify_consents(await agree(engine), now_ms=0)
        print([one.state.value for one in audit.consents])

anyio.run(main, backend="trio")
"""


@pytest.mark.slow
def test_the_example_of_a_consent_runs_as_it_stands(tmp_path: Path) -> None:
    example = dict(EXAMPLE.findall((ROOT / "docs/consent.md").read_text()))["consent"]
    (tmp_path / "example.py").write_text(example + CONSENT)
    with RelayProcess(tmp_path / "relay") as relay:
        done = subprocess.run(
            [sys.executable, "example.py", relay.url, relay.ca],
            cwd=tmp_path,
            env={**os.environ, "PYTHONWARNINGS": "error", "PYTHONUTF8": "1"},
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
    assert done.stderr == ""
    assert done.stdout.startswith("让对方知道您已读")
    assert done.stdout.endswith("['withdrawn']\n")


def test_the_commands_of_the_readme_exist() -> None:
    text = (ROOT / "README.md").read_text()
    known = re.findall(r"^#   \./run (\w+)", (ROOT / "run").read_text(), re.MULTILINE)
    assert set(re.findall(r"\./run (\w+)", text)) <= set(known)
