"""The files of messages in an export: those that are on this device, each content once."""

from collections.abc import Callable, Collection
from functools import partial
from typing import Final, TypeVar

from e2ecore.engine.files.file_showing import decode_item
from e2ecore.portability.seen import IdSet
from e2ecore.portability.writing import ExportWriter
from e2ecore.storage import attachments
from e2ecore.storage.attachments import AttachmentRow
from e2ecore.storage.file_cache import RUN_BYTES, CachedFileError, FileCache
from e2ecore.storage.messages import ORDER_BITS
from e2ecore.storage.tx import Tx

MAX_FILES: Final = 50_000
"""Files in one export: more would not fit into a directory that a reader holds in memory."""
_PAGE: Final = 100
_BYTES_PER_TURN: Final = 64 << 20
"""Bytes between two looks at whether somebody has cancelled: some 0.2 s."""
_ID_BYTES: Final = 16
T = TypeVar("T")


class ExportedFiles:
    """Writes files turn by turn. What disappears meanwhile counts as not there."""

    def __init__(
        self,
        cache: FileCache,
        read: Callable[[Callable[[Tx], list[AttachmentRow]]], list[AttachmentRow]],
        writer: ExportWriter,
        cids: Collection[int],
    ) -> None:
        self._cache = cache
        self._read = read
        self._writer = writer
        self._cids = cids
        self._seen = IdSet()
        self._bad = IdSet()
        self._cursor = 0
        self.count = 0
        """Files of messages whose content is in it."""

    def add_some(self) -> bool:
        """Write some files; return whether there may be more."""
        left = _BYTES_PER_TURN
        page = self._read(partial(attachments.whole_after, aid=self._cursor, limit=_PAGE))
        for row in page:
            self._cursor = row.aid
            if row.item and row.message >> ORDER_BITS in self._cids:
                left -= self._add(row)
            if left <= 0:
                return True
        return len(page) == _PAGE

    def _add(self, row: AttachmentRow) -> int:
        """Write a file, unless its content is there; return how many bytes that were."""
        digest = decode_item(row).digest
        name = digest[:_ID_BYTES]
        if name in self._bad or len(self._seen) >= MAX_FILES:
            return 0
        if not self._seen.add(name):
            self.count += 1
            return 0
        self._writer.begin_attachment(digest)
        try:
            with self._cache.open(row.aid, row.cache_key, row.size) as local:
                for at in range(0, row.size, RUN_BYTES):
                    self._writer.add_bytes(local.read(at, RUN_BYTES))
        except CachedFileError:
            pass  # it was removed just now, or is damaged: what was written does not fit its name
        if self._writer.end_attachment(digest):
            self.count += 1
        else:
            self._bad.add(name)
        return row.size
