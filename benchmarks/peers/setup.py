"""Install foreign programs: Debian packages through apt, Python packages into virtual environments
of their own, node packages as a lock file names them.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

CACHE: Final = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "e2ecore-benchmarks"
"""Virtual environments of peers are kept here between runs."""

INSTALL_TIMEOUT_S: Final = 900
"""A mirror that needs longer counts as not reachable."""


OLDEST_NODE: Final = 20
"""Major version that the packages for node need."""


class NotInstalledError(Exception):
    """A peer is not here and cannot be installed. Its rows say so; nothing else stops."""


def debian(package: str, program: str) -> str:
    """Return the path of `program`, after installing Debian package `package` if it is missing.

    Services are not started by the installation: the benchmark starts its own, with its own
    configuration.

    Raises:
        NotInstalledError: With the reason, for the row.
    """
    found = shutil.which(program, path=_search_path())
    if found is not None:
        return found
    if shutil.which("apt-get") is None:
        raise NotInstalledError(f"{program} is missing and this machine has no apt-get")
    if os.geteuid() != 0:
        raise NotInstalledError(f"{program} is missing; as root: apt-get install {package}")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    for arguments in (["update"], ["install", "--yes", "--no-install-recommends", package]):
        _run(["apt-get", *arguments], f"apt-get {arguments[0]}", environment)
    found = shutil.which(program, path=_search_path())
    if found is None:
        raise NotInstalledError(f"Debian package {package} brought no {program}")
    return found


def debian_version(package: str) -> str:
    """Return the installed version of a Debian package, or "unknown"."""
    query = ["dpkg-query", "--show", "--showformat=${Version}", package]
    done = subprocess.run(query, capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 and done.stdout else "unknown"


def python_environment(name: str, requirements: Sequence[str]) -> Path:
    """Return the interpreter of a virtual environment that has `requirements`, made on first use.

    Raises:
        NotInstalledError: With the reason, for the row.
    """
    home = CACHE / name
    interpreter = home / "bin" / "python"
    marker = home / "installed.txt"
    wanted = "\n".join(requirements)
    if marker.exists() and marker.read_text() == wanted and interpreter.exists():
        return interpreter
    home.parent.mkdir(parents=True, exist_ok=True)
    _run([sys.executable, "-m", "venv", "--clear", str(home)], "python -m venv")
    pip = [str(interpreter), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    _run([*pip, *requirements], f"pip install {' '.join(requirements)}")
    marker.write_text(wanted)
    return interpreter


def node() -> str:
    """Return the path of node.

    Raises:
        NotInstalledError: It is not here, or too old.
    """
    found = program("node")
    done = subprocess.run([found, "--version"], capture_output=True, text=True, check=False)
    major = done.stdout.removeprefix("v").split(".")[0]
    if not major.isdecimal() or int(major) < OLDEST_NODE:
        raise NotInstalledError(f"node {OLDEST_NODE} is needed, here is {done.stdout.strip()}")
    return found


def node_packages(name: str, manifest: Path) -> Path:
    """Return a directory with the `node_modules` of a lock file, filled on first use.

    Args:
        name: Begin of the directory's name; its end is made from the lock file.
        manifest: Directory of `package.json` and `package-lock.json`.

    Raises:
        NotInstalledError: With the reason, for the row.
    """
    npm = program("npm")
    files = [manifest / "package.json", manifest / "package-lock.json"]
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()
    home = CACHE / f"{name}-{digest[:12]}"
    if home.exists():
        return home
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as made:
        staged = Path(made) / "packages"
        staged.mkdir()
        for file in files:
            shutil.copy(file, staged)
        options = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        _run([npm, "ci", "--prefix", str(staged), *options], "npm ci")
        try:
            staged.rename(home)
        except OSError:
            if not home.exists():  # else somebody installed the same at the same moment
                raise
    return home


def program(name: str) -> str:
    """Return the path of a program that a person must have installed.

    Raises:
        NotInstalledError: It is not here.
    """
    found = shutil.which(name)
    if found is None:
        raise NotInstalledError(f"{name} is missing")
    return found


def _search_path() -> str:
    return os.environ.get("PATH", "") + ":/usr/sbin:/usr/bin:/sbin:/bin"


def _run(command: Sequence[str], what: str, environment: dict[str, str] | None = None) -> None:
    try:
        subprocess.run(
            command,
            check=True,
            capture_output=True,
            text=True,
            env=environment,
            timeout=INSTALL_TIMEOUT_S,
        )
    except (OSError, subprocess.SubprocessError) as error:
        detail = getattr(error, "stderr", None) or str(error)
        raise NotInstalledError(f"{what} failed: {detail.strip()[-200:]}") from error
