"""The operating system says no: each refusal has its own error, and nothing is lost."""

import errno
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2ecore.storage import files
from e2ecore.storage.errors import (
    DiskError,
    DiskFullError,
    ReadOnlyError,
    StorageError,
)
from tests.support.databases import create_database, open_database

ROOT = Path(__file__).parents[2]
NOBODY = 65534

LIMITED = """
import resource, sys
from pathlib import Path
from e2ecore.errors import TransientError
from e2ecore.storage import settings
from tests.support.databases import open_database
database = open_database(Path(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, resource.RLIM_INFINITY))
number = 0
try:
    while True:
        database.writer.call(lambda tx: settings.put(tx, f"{number:03}", bytes(5_000)))
        number += 1
except TransientError as error:
    print(type(error).__name__)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
database.writer.call(lambda tx: settings.put(tx, "after", b""))
database.close()
print(number)
"""

UNPRIVILEGED = """
import os, sys
from pathlib import Path
from e2ecore.storage.errors import StorageError
from tests.support.databases import create_database, open_database
os.setgroups([])
os.setgid({nobody})
os.setuid({nobody})
try:
    {call}(Path(sys.argv[1])).close()
except StorageError as error:
    print(type(error).__name__, error)
else:
    print("opened")
"""


def run(program: str, path: Path) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", program, str(path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.slow
def test_at_the_limit_of_a_file_what_was_acknowledged_stays_and_work_goes_on_afterwards(
    tmp_path: Path,
) -> None:
    path = tmp_path / "alice.db"
    create_database(path).close()
    error, number = run(LIMITED, path)
    assert error in {"DiskFullError", "DiskError"}
    database = open_database(path)
    names = database.readers.read(
        lambda tx: tx.rows(lambda row: str(row[0]), "SELECT name FROM settings ORDER BY name")
    )
    database.check()
    database.close()
    assert int(number) > 10
    assert names == [f"{n:03}" for n in range(int(number))] + ["after"]


@pytest.fixture
def folder() -> Iterator[Path]:
    """A directory that everybody may enter and only its owner may write."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


needs_root = pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")


@needs_root
@pytest.mark.slow
@pytest.mark.parametrize("call", ["open_database", "create_database"])
def test_a_directory_that_may_not_be_written_is_told_apart(folder: Path, call: str) -> None:
    path = folder / "alice.db"
    if call == "open_database":
        create_database(path).close()
        for file in folder.iterdir():
            file.chmod(0o644)
    said = run(UNPRIVILEGED.format(call=call, nobody=NOBODY), path)
    assert said[0].startswith("ReadOnlyError")
    assert "Correct the permissions" in said[0]
    assert sorted(file.name for file in folder.iterdir()) == (
        ["alice.db", "alice.db.keys", "alice.db.lock"] if call == "open_database" else []
    )


@needs_root
@pytest.mark.slow
@pytest.mark.parametrize("private", ["alice.db", "alice.db.keys", "alice.db.lock"])
def test_a_file_of_somebody_else_is_told_apart(public: Path, private: str) -> None:
    path = public / "alice.db"
    create_database(path).close()
    public.chmod(0o777)
    for file in public.iterdir():
        if file.name != private:
            os.chown(file, NOBODY, NOBODY)
    said = run(UNPRIVILEGED.format(call="open_database", nobody=NOBODY), path)
    assert said[0].startswith("ReadOnlyError")


@pytest.fixture
def public() -> Iterator[Path]:
    """A folder that everybody can walk down to; pytest's own are private."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.ENOSPC, DiskFullError),
        (errno.EDQUOT, DiskFullError),
        (errno.EACCES, ReadOnlyError),
        (errno.EROFS, ReadOnlyError),
        (errno.EIO, DiskError),
    ],
)
def test_a_key_file_that_cannot_be_replaced_stays_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, kind: type[StorageError]
) -> None:
    path = tmp_path / "a.keys"
    files.replace(path, b"old")

    def refuse(_handle: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(kind):
        files.replace(path, b"new")
    assert path.read_bytes() == b"old"


def test_a_link_in_place_of_the_temporary_file_is_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "precious"
    target.write_bytes(b"precious")
    (tmp_path / "a.keys.new").symlink_to(target)
    with pytest.raises(DiskError):
        files.replace(tmp_path / "a.keys", b"new")
    assert target.read_bytes() == b"precious"
