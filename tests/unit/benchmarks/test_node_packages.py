import os
from pathlib import Path

import pytest

from benchmarks.peers import setup

NPM = """#!/bin/sh
[ "$1 $2" = "ci --prefix" ] && [ -f "$3/package-lock.json" ] || exit 2
echo run >>"{log}"
{do}
mkdir "$3/node_modules"
"""


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    folder = tmp_path / "manifest"
    folder.mkdir()
    (folder / "package.json").write_text("{}")
    (folder / "package-lock.json").write_text("{}")
    return folder


def npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, do: str = "") -> Path:
    """Put a npm of ours first on the path; return the file to which it writes a line per run."""
    programs, log = tmp_path / "programs", tmp_path / "log"
    programs.mkdir()
    (programs / "npm").write_text(NPM.format(log=log, do=do))
    (programs / "npm").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(setup, "CACHE", tmp_path / "cache")
    return log


def test_packages_are_installed_once_per_lock_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, manifest: Path
) -> None:
    log = npm(tmp_path, monkeypatch)
    home = setup.node_packages("peers", manifest)
    assert (home / "node_modules").is_dir()
    assert setup.node_packages("peers", manifest) == home
    (manifest / "package-lock.json").write_text('{"changed": true}')
    assert setup.node_packages("peers", manifest) != home
    assert log.read_text().split() == ["run", "run"]


def test_failed_installation_leaves_nothing_and_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, manifest: Path
) -> None:
    npm(tmp_path, monkeypatch, do="echo no registry >&2; exit 1")
    with pytest.raises(setup.NotInstalledError, match="npm ci failed: no registry"):
        setup.node_packages("peers", manifest)
    assert [*(tmp_path / "cache").iterdir()] == []


def test_missing_npm_is_a_reason(monkeypatch: pytest.MonkeyPatch, manifest: Path) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(setup.NotInstalledError, match="npm is missing"):
        setup.node_packages("peers", manifest)


def test_old_node_is_a_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "node").write_text("#!/bin/sh\necho v18.20.4\n")
    (tmp_path / "node").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(setup.NotInstalledError, match=r"node 20 is needed, here is v18\.20\.4"):
        setup.node()
