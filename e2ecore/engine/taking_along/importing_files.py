"""Files of messages from an export: copied into the local folder before their messages are stored.

A copy gets its row in the transaction of its message, so that a message that is here has its files;
copies whose messages did not come are swept like all that belong to no row.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple

from e2ecore.crypto.rng import Rng
from e2ecore.portability.archive import Member
from e2ecore.portability.errors import ExportDamagedError
from e2ecore.portability.ours import OwnExport
from e2ecore.portability.records import Entry
from e2ecore.storage.file_cache import KEY_SIZE, RUN_BYTES, RUN_CHUNKS, FileCache, LocalFile
from e2ecore_protocol.content.attachments import FileItem

_NAME_BYTES: Final = 16


class Brought(NamedTuple):
    """A copy that has no row yet."""

    path: Path
    key: bytes

    def __repr__(self) -> str:
        return f"<Brought, {self.path.name}>"


class FileBringer:
    """Copies files out of an export, as long as there is room for local copies."""

    def __init__(self, cache: FileCache, source: OwnExport, rng: Rng, room: int) -> None:
        """Begin.

        Args:
            cache: Where copies go.
            source: The export, already checked.
            rng: Where keys come from.
            room: Bytes that copies may have, all together.
        """
        self._cache = cache
        self._source = source
        self._rng = rng
        self._room = room
        self.count = 0
        """Files that were copied."""
        self.missing = 0
        """Files that are only named, or for which there was no room."""

    def bring(self, entries: Iterable[Entry]) -> dict[tuple[bytes, int], Brought]:
        """Return copies of the files of messages, by message id and place.

        Raises:
            ExportDamagedError: A file is not what its message names.
            StorageError: The disk said no.
        """
        found: dict[tuple[bytes, int], Brought] = {}
        for one in entries:
            for place, item in enumerate(one.said.files if one.said else ()):
                copy = self._copied(item)
                if copy is not None:
                    found[one.uid, place] = copy
        return found

    def _copied(self, item: FileItem) -> Brought | None:
        member = self._source.attachment(item.digest) if item.size <= self._room else None
        if member is None:
            self.missing += 1
            return None
        made = Brought(self._cache.copy_path(self._rng(_NAME_BYTES)), self._rng(KEY_SIZE))
        try:
            with member, LocalFile(made.path, made.key, item.size, writing=True) as local:
                _copy(member, local, item.size)
        except BaseException:
            made.path.unlink(missing_ok=True)
            raise
        self._room -= item.size
        self.count += 1
        return made


def _copy(member: Member, local: LocalFile, size: int) -> None:
    first = at = 0
    while at < size or not first:
        run = bytearray()
        while len(run) < RUN_BYTES and (more := member.read(RUN_BYTES - len(run))):
            run += more
        at += len(run)
        if at > size or (at < size and len(run) < RUN_BYTES):
            raise ExportDamagedError  # not as large as its message says
        local.write(first, bytes(run))
        first += RUN_CHUNKS
    if member.read(1):
        raise ExportDamagedError
    local.sync()
