"""Write an export: record by record into one archive, which gets its name when it is complete.

A kill leaves ``NAME.part``, which the next export to that name removes; ``NAME`` is complete or not
there. Only the owner may read either: what is inside is not encrypted.
"""

import errno
import hashlib
import os
import zipfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from json import dumps
from pathlib import Path
from typing import Final

from e2ecore.portability import manifest
from e2ecore.portability.errors import ExportExistsError
from e2ecore.portability.manifest import ExportedFile, Manifest

PRIVATE: Final = 0o600
"""Only the owner may read or write."""
STATES: Final = ("received", "queued", "accepted", "failed")
"""Words for ``messages.state``; ``storage.export_lines`` writes them."""
COMPRESSION: Final = 1
"""Of zlib's levels. The next better one takes twice the time and saves a twentieth."""
_NO_LINKS: Final = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})
"""What file systems without hard links say, those of most memory sticks among them."""


class ExportWriter:
    """An export being written. One file of the archive at a time."""

    def __init__(self, path: Path) -> None:
        """Begin an export.

        Raises:
            ExportExistsError: There is a file of that name.
            OSError: The file cannot be made.
        """
        if path.exists():
            raise ExportExistsError
        self._path = path
        self._part = path.with_name(path.name + ".part")
        self._part.unlink(missing_ok=True)
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        self._file = os.fdopen(os.open(self._part, flags, PRIVATE), "w+b")
        self._zip = zipfile.ZipFile(
            self._file, "w", zipfile.ZIP_DEFLATED, compresslevel=COMPRESSION
        )
        self._open: _OpenFile | None = None
        self._files: list[ExportedFile] = []
        self._messages = 0

    def begin_people(self) -> None:
        """The next records are people."""
        self._begin(manifest.PEOPLE)

    def begin_conversation(self, uid: bytes) -> None:
        """The next records are a conversation's."""
        self._begin(f"{manifest.FOLDER}{uid.hex()}.jsonl")

    def add_file(self, name: str, content: bytes) -> None:
        """Write a whole file of a few megabytes at most."""
        self._begin(name)
        self.add_bytes(content)

    def begin_attachment(self, sha256: bytes) -> None:
        """The next bytes are a file of a message."""
        self._begin(manifest.attachment_name(sha256), packs=False)

    def add_bytes(self, content: bytes | memoryview) -> None:
        """Write bytes of a file."""
        if self._open is None:
            raise AssertionError("no file was begun")
        self._open.write_bytes(content)

    def end_attachment(self, sha256: bytes) -> bool:
        """End the file that was begun; return whether it is the one that it was called.

        If not, it counts as not there.
        """
        if self._open is None:
            raise AssertionError("no file was begun")
        made, self._open = self._open.finish(), None
        is_right = made.sha256 == sha256
        if is_right:
            self._files.append(made)
        return is_right

    def add(self, fields: Mapping[str, object]) -> None:
        """Write a record."""
        self._write((dumps(fields, ensure_ascii=False, separators=(",", ":")) + "\n",))

    def add_lines(self, found: Sequence[str], messages: int) -> None:
        """Write lines, some megabytes at most, and count the messages among them."""
        self._write(found)
        self._messages += messages

    def _begin(self, name: str, *, packs: bool = True) -> None:
        self._end()
        self._open = _OpenFile(self._zip, name, packs=packs)

    def _write(self, found: Sequence[str]) -> None:
        if self._open is None:
            raise AssertionError("no file was begun")
        self._open.write(found)

    def _end(self) -> None:
        if self._open is not None:
            self._files.append(self._open.finish())
            self._open = None

    def finish(
        self,
        account_id: bytes,
        device_id: bytes,
        genesis: bytes,
        created_ms: int,
        sign: Callable[[bytes], bytes],
        *,
        entries: Sequence[bytes] = (),
    ) -> Manifest:
        """Sign the export and give it its name, durably.

        Args:
            account_id: Whose it is.
            device_id: Which device wrote it.
            genesis: First entry of the account's chain.
            created_ms: When it was begun.
            sign: The account's identity key, or the device's.
            entries: What proves that the device is the account's, if it signs; see ``manifest``.

        Raises:
            ExportExistsError: A file of that name has come up meanwhile.
            OSError: The disk said no.
        """
        self._end()
        made = Manifest(
            account_id, device_id, genesis, created_ms, self._messages, tuple(self._files)
        )
        encoded = made.encode()
        for name, content in (
            (manifest.MANIFEST, encoded),
            (manifest.SIGNATURE, manifest.sign(encoded, sign, entries)),
        ):
            self._zip.writestr(name, content)
        self._zip.close()
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._give_name()
        return made

    def _give_name(self) -> None:
        try:
            os.link(self._part, self._path)
            self._part.unlink()
        except FileExistsError:
            raise ExportExistsError from None
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            if self._path.exists():
                raise ExportExistsError from None
            self._part.rename(self._path)  # who makes a file of that name just now loses it
        handle = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

    def discard(self) -> None:
        """Remove what is not complete. Does nothing after ``finish``."""
        with suppress(OSError, ValueError):
            if self._open is not None:
                self._open.finish()
        with suppress(OSError, ValueError):
            self._zip.close()
        with suppress(OSError):
            self._file.close()
        self._open = None
        self._part.unlink(missing_ok=True)


class _OpenFile:
    """A file of the archive being written."""

    def __init__(self, archive: zipfile.ZipFile, name: str, *, packs: bool) -> None:
        self._name = name
        place = name if packs else zipfile.ZipInfo(name)  # which is stored as it is
        self._raw = archive.open(place, "w", force_zip64=True)
        self._hash = hashlib.sha256()
        self._size = self._records = 0

    def write(self, found: Sequence[str]) -> None:
        """Write lines."""
        self._records += len(found)
        self.write_bytes("".join(found).encode())

    def write_bytes(self, content: bytes | memoryview) -> None:
        """Write what is no line."""
        self._hash.update(content)
        self._size += len(content)
        self._raw.write(content)

    def finish(self) -> ExportedFile:
        """Return what the manifest says of it."""
        self._raw.close()
        return ExportedFile(self._name, self._size, self._records, self._hash.digest())
