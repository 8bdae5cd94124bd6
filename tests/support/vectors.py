"""Finds published test vectors, which are not part of this repository."""

import json
import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDER = Path(os.environ.get("E2ECORE_VECTORS") or ROOT.parent / "shared" / "vectors")


def load(name: str) -> object:
    """Return the parsed JSON of one vector file, for example ``mls/tree-math.json``.

    Skips the calling test module, saying so, where the vectors are not on this machine.
    """
    if not FOLDER.is_dir():
        pytest.skip(
            "published test vectors are not here: set E2ECORE_VECTORS to their folder",
            allow_module_level=True,
        )
    return json.loads((FOLDER / name).read_text())
