"""A file to read from its start, as often as wanted: on the disk, or in an archive."""

from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from e2ecore.portability.archive import Archive


class OpenInput(Protocol):
    """A file open for reading."""

    def read(self, size: int, /) -> bytes:
        """Return at most ``size`` bytes; none at the end."""

    def close(self) -> None:
        """Close it."""

    def __enter__(self) -> Self:
        """Have it closed at the end of the block."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
        /,
    ) -> None:
        """Close it."""


class Input:
    """A file to read."""

    def __init__(self, path: Path, archive: Archive | None = None, member: str = "") -> None:
        """Name a file.

        Args:
            path: On the disk.
            archive: What is at ``path``, if the file is inside of it; closed by ``close``.
            member: The file's name in there.
        """
        self._path, self._archive, self._member = path, archive, member

    @property
    def names(self) -> tuple[str, ...]:
        """What it is called, without endings: the file itself, then the archive around it."""
        inner = (Path(self._member).stem,) if self._archive else ()
        return (*inner, self._path.stem)

    @property
    def size(self) -> int:
        """Bytes, unpacked."""
        if self._archive is None:
            return self._path.stat().st_size
        return self._archive.size(self._member)

    def open(self) -> OpenInput:
        """Open it at its start.

        Raises:
            OSError: It cannot be read.
            ImportFileError: The archive is broken.
        """
        if self._archive is None:
            return self._path.open("rb")
        return self._archive.open(self._member)

    def close(self) -> None:
        """Close the archive around it."""
        if self._archive is not None:
            self._archive.close()
