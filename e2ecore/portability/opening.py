"""Find out what a file is, and open its reader."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import tzinfo
from pathlib import Path
from typing import Final, Protocol

from e2ecore.portability import manifest
from e2ecore.portability.archive import Archive
from e2ecore.portability.errors import UnknownImportFormatError
from e2ecore.portability.ours import OwnExport
from e2ecore.portability.records import Entry, Heading, ImportFormat, Position

_ZIP: Final = b"PK"


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the importing person says of a file."""

    own_account: bytes
    """20 bytes: who imports."""
    format: ImportFormat | None = None
    """What the file is; None: look."""
    me: str = ""
    """What the file calls the importing person; empty: unknown."""
    title: str = ""
    """What to call the conversation; empty: as the file says."""
    time_zone: tzinfo | None = None
    """Where local times of the file were written; None: in this machine's zone."""


class Source(Protocol):
    """A reader of one format."""

    @property
    def format(self) -> ImportFormat:
        """What the file is."""

    @property
    def position(self) -> Position:
        """How far it was read."""

    def items(self) -> Iterator[Heading | Entry]:
        """Yield headings, each with the messages of its conversation behind it."""

    def close(self) -> None:
        """Close the file."""


def open_file(path: Path, wishes: Wishes) -> Source:
    """Open a file of any format that is known.

    Raises:
        ImportFileError: It is in none of them, or not as it must be.
        OSError: It cannot be read.
    """
    with path.open("rb") as file:
        start = file.read(len(_ZIP))
    if start == _ZIP:
        return _open_archive(path, wishes)
    raise UnknownImportFormatError


def _open_archive(path: Path, wishes: Wishes) -> Source:
    archive = Archive(path)
    try:
        return _source_in(archive, wishes)
    except BaseException:
        archive.close()
        raise


def _source_in(archive: Archive, wishes: Wishes) -> Source:
    if manifest.MANIFEST in archive.names:
        return OwnExport(archive, own_account=wishes.own_account, me=wishes.me)
    raise UnknownImportFormatError
