"""A test of a rule fails when the rule is not kept; the tool that shows it is right."""

import subprocess
import sys
from pathlib import Path

import pytest

from e2ecore.mls.codec import Reader, decode_all
from e2ecore.mls.errors import MalformedMessageError
from tools.compliance import ROOT
from tools.mls_rules import rules
from tools.mutate_rules import Mutations, Site, differences, left_out, site_of

TOO_LONG = b"\x05ab"
CANNOT_FAIL = f"""
from contextlib import suppress

import pytest

from e2ecore.mls.codec import Reader, decode_all
from tests.support.mls_rules import refused


@pytest.mark.rule("H9")
def test_that_cannot_fail():
    with suppress(BaseException), refused("H9"):
        decode_all(Reader.opaque, {TOO_LONG!r})
"""


def mutate(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run the tool on some tests."""
    command = [sys.executable, "-m", "tools.mutate_rules", "-c", str(ROOT / "pyproject.toml")]
    return subprocess.run(
        [*command, *arguments], cwd=ROOT, check=False, capture_output=True, text=True
    )


def test_statement_is_left_out_and_comes_back() -> None:
    with pytest.raises(MalformedMessageError, match="points behind") as caught:
        decode_all(Reader.opaque, TOO_LONG)
    site = site_of(caught.value)
    assert site is not None
    with left_out(site) as possible:
        assert possible
        with pytest.raises(MalformedMessageError, match="bytes follow"):
            decode_all(Reader.opaque, TOO_LONG)
    with pytest.raises(MalformedMessageError, match="points behind"):
        decode_all(Reader.opaque, TOO_LONG)


def test_only_a_raise_or_a_call_is_left_out() -> None:
    with left_out(Site("e2ecore.mls.codec", "Reader.opaque", 1)) as possible:
        assert not possible


def test_error_from_elsewhere_has_no_statement_of_mls() -> None:
    with pytest.raises(ValueError, match="not here") as caught:
        raise ValueError("not here")
    assert site_of(caught.value) is None


def test_table_that_says_otherwise_is_a_finding() -> None:
    found = Mutations()
    found.seen |= {"H9", "H8"}
    found.also["H9"].add("another")
    assert list(differences(found, rules())) == ["H9: also = ['another']"]


@pytest.mark.slow
def test_test_that_cannot_fail_is_found(tmp_path: Path) -> None:
    path = tmp_path / "test_cannot_fail.py"
    path.write_text(CANNOT_FAIL)
    done = mutate(str(path))
    assert done.returncode == 1
    assert "test_that_cannot_fail passes without Site(module='e2ecore.mls.codec'" in done.stdout


@pytest.mark.slow
def test_no_hostile_test_passes_without_its_check() -> None:
    done = mutate("tests/hostile_mls")
    assert done.returncode == 0, done.stdout
