"""The pages of a database read one by one, without SQLite: what one of them lacks costs no other.

Format of SQLCipher 4, which is that of SQLite with 80 bytes at the end of each page of 4096: 16 of
IV, 64 of HMAC-SHA512 over ciphertext, IV and the page's number. The first 16 bytes of page 1 are
the salt, from which, and from the key, the key of the HMAC is derived; the key file has a copy of
it. A page of zeros alone is one that was never written.

The log beside the file counts as SQLite counts it: frames up to the last commit before the first
one whose checksum is wrong. Nothing is written, neither to the file nor to the log.
"""

import hashlib
import hmac
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple, Self

from e2ecore.crypto.cbc import open_blocks
from e2ecore.crypto.hashes import SHA512
from e2ecore.storage import files
from e2ecore.storage.connecting import PAGE_BYTES
from e2ecore.storage.keys import DatabaseKey

USABLE_BYTES: Final = PAGE_BYTES - 80
"""Of each page: what SQLite itself uses."""
HEADER: Final = b"SQLite format 3\0"
_SALT_BYTES: Final = 16
_IV_BYTES: Final = 16
_MAC_AT: Final = USABLE_BYTES + _IV_BYTES
_MAC_SALT_MASK: Final = 0x3A
_MAC_ROUNDS: Final = 2
_BLANK: Final = bytes(PAGE_BYTES)

_LOG_HEADER: Final = struct.Struct(">6I8s")
_LOG_HEADER_BYTES: Final = 32
_FRAME_HEADER_BYTES: Final = 24
_LOG_MAGIC: Final = 0x377F0682
"""Its last bit says in which byte order sums are made."""
_WORD: Final = 0xFFFFFFFF


class SealedPages:
    """A database file and its log, open for reading."""

    def __init__(self, path: Path, key: DatabaseKey, salt: bytes) -> None:
        """Open them.

        Raises:
            DiskError: The operating system could not.
        """
        masked = bytes(byte ^ _MAC_SALT_MASK for byte in salt)
        self._key = key.raw
        self._mac_key = hashlib.pbkdf2_hmac("sha512", key.raw, masked, _MAC_ROUNDS, 32)
        try:
            self._file = path.open("rb")
            self.count = self._file.seek(0, os.SEEK_END) // PAGE_BYTES
            """Pages of the database; their numbers begin with 1."""
            self._in_log: dict[int, int] = {}
            self._log = _opened(path.with_name(path.name + "-wal"))
            if self._log is not None:
                self._read_log(self._log)
        except OSError as error:
            raise files.mapped(error) from None

    def __enter__(self) -> Self:
        """Return itself; leaving closes the files."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the files."""
        self._file.close()
        if self._log is not None:
            self._log.close()

    def read(self, number: int) -> bytes | None:
        """Return the usable bytes of a page; None if it is damaged or missing."""
        if not 1 <= number <= self.count:
            return None
        place = self._in_log.get(number)
        try:
            if place is None or self._log is None:
                page = os.pread(self._file.fileno(), PAGE_BYTES, (number - 1) * PAGE_BYTES)
            else:
                page = os.pread(self._log.fileno(), PAGE_BYTES, place)
        except OSError:  # a sector that the disk cannot read: the others can be
            return None
        return self._open(page, number)

    def _open(self, page: bytes, number: int) -> bytes | None:
        if len(page) != PAGE_BYTES:
            return None
        start = _SALT_BYTES if number == 1 else 0
        mac = SHA512.hmac(self._mac_key, page[start:_MAC_AT] + number.to_bytes(4, "little"))
        if not hmac.compare_digest(mac, page[_MAC_AT:]):
            return page[:USABLE_BYTES] if page == _BLANK and not start else None
        plain = open_blocks(self._key, page[USABLE_BYTES:_MAC_AT], page[start:USABLE_BYTES])
        return HEADER + plain if start else plain

    def _read_log(self, log: BinaryIO) -> None:
        """Find out where in the log the newest committed state of each page is."""
        pending: dict[int, int] = {}
        for number, place, size in _frames(log):
            pending[number] = place
            if size:
                self._in_log |= pending
                self.count = size
                pending = {}


class Readable(NamedTuple):
    """What can be read of a file."""

    pages: int
    of: int


def readable(path: Path, key: DatabaseKey, salt: bytes) -> Readable:
    """Return how many pages a key opens."""
    with SealedPages(path, key, salt) as pages:
        numbers = range(1, pages.count + 1)
        return Readable(sum(pages.read(one) is not None for one in numbers), pages.count)


def _opened(path: Path) -> BinaryIO | None:
    try:
        return path.open("rb")
    except FileNotFoundError:
        return None


def _frames(log: BinaryIO) -> Iterator[tuple[int, int, int]]:
    """Yield of each valid frame its page's number, where the page is, and the size at a commit."""
    header = log.read(_LOG_HEADER_BYTES)
    if len(header) < _LOG_HEADER_BYTES:
        return
    magic, _version, page_bytes, _sequence, _salt1, _salt2, told = _LOG_HEADER.unpack(header)
    if magic & ~1 != _LOG_MAGIC or page_bytes != PAGE_BYTES:
        return
    order = ">" if magic & 1 else "<"
    sums = _sums(header[:24], (0, 0), order)
    if told != struct.pack(">2I", *sums):
        return
    place = _LOG_HEADER_BYTES
    while len(frame := log.read(_FRAME_HEADER_BYTES + PAGE_BYTES)) == (
        _FRAME_HEADER_BYTES + PAGE_BYTES
    ):
        sums = _sums(frame[:8] + frame[_FRAME_HEADER_BYTES:], sums, order)
        if frame[8:16] != header[16:24] or frame[16:24] != struct.pack(">2I", *sums):
            return
        number, size = struct.unpack_from(">2I", frame)
        yield number, place + _FRAME_HEADER_BYTES, size
        place += len(frame)


def _sums(data: bytes, sums: tuple[int, int], order: str) -> tuple[int, int]:
    """Return SQLite's checksum of the log, continued over ``data``."""
    one, two = sums
    words = struct.unpack(f"{order}{len(data) // 4}I", data)
    for at in range(0, len(words), 2):
        one = (one + words[at] + two) & _WORD
        two = (two + words[at + 1] + one) & _WORD
    return one, two
