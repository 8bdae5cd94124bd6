"""docs/primitives.md says of each published file and each primitive what is true."""

import importlib
import pkgutil
import re
from collections import Counter
from pathlib import Path

import pytest

import e2ecore.crypto
from e2ecore.crypto.aead import Aead
from e2ecore.crypto.hashes import Hash
from e2ecore.crypto.kem import Kem
from e2ecore.crypto.signing import SignatureScheme
from tests.support.vectors import FOLDER, ROOT, load
from tests.support.wycheproof import entries, expected

TEXT = (ROOT / "docs/primitives.md").read_text()
USED = re.findall(
    r"^\| `(\w+_test)` \| [^|]+ \| (\d+) \| (\d+) \| (\d+) \| ([^|]*)\|$", TEXT, re.MULTILINE
)
UNUSED = re.findall(r"^\| `(\w+_test)` \| (\d+) \| [^|]+ \|$", TEXT, re.MULTILINE)
TESTS = "".join(path.read_text() for path in Path(__file__).parent.glob("test_wycheproof_*.py"))

load("wycheproof/x25519_test.json")  # skips this module where there are none


def test_every_file_is_listed_once() -> None:
    here = {path.stem for path in (FOLDER / "wycheproof").glob("*.json")}
    optional = {name for name in re.findall(r"`(\w+_test)`", TEXT) if name not in listed()}
    assert here - optional == set(listed())
    assert len(listed()) == len(set(listed()))


def listed() -> list[str]:
    return [name for name, *_ in USED] + [name for name, *_ in UNUSED]


@pytest.mark.parametrize("row", USED, ids=lambda row: row[0])
def test_each_used_file_has_these_cases_and_is_read(row: tuple[str, ...]) -> None:
    name, valid, acceptable, invalid, judged = row
    found = Counter(expected(test) for _, test in entries(name))
    assert (found["valid"], found["acceptable"], found["invalid"]) == (
        int(valid),
        int(acceptable),
        int(invalid),
    )
    assert f'"{name}"' in TESTS
    flags = {
        flag
        for _, test in entries(name)
        if expected(test) == "acceptable"
        for flag in str(test.fields["flags"]).strip("[]").replace("'", "").split(", ")
    }
    assert bool(judged.strip()) == (int(acceptable) > 0)
    assert {flag for flag in flags if flag not in judged} <= {"CompressedPublic"}


@pytest.mark.parametrize(("name", "count"), UNUSED)
def test_each_other_file_has_these_cases(name: str, count: str) -> None:
    assert len(entries(name)) == int(count)
    assert f'"{name}"' not in TESTS


def test_files_that_may_be_there_are_read_if_they_are() -> None:
    optional = set(re.findall(r"`(\w+_test)`", TEXT)) - set(listed())
    assert len(optional) == 8
    assert {name for name in optional if f'"{name}"' not in TESTS} == set()


def test_every_primitive_is_named() -> None:
    kinds = (Aead, Hash, Kem, SignatureScheme)
    primitives = {
        name
        for module in pkgutil.iter_modules(e2ecore.crypto.__path__, "e2ecore.crypto.")
        for name, value in vars(importlib.import_module(module.name)).items()
        if isinstance(value, kinds)
    }
    assert {name for name in primitives if f"`{name}`" not in TEXT} == set()
    assert "DHKEM_X448" in primitives
