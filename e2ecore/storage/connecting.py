"""How a connection to an encrypted file is opened: the order of these statements matters."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from e2ecore.storage.errors import CorruptDatabaseError, NotADatabaseError
from e2ecore.storage.keys import DatabaseKey
from e2ecore.storage.sql import Connection

APPLICATION_ID: Final = 0x65326563
"""``e2ec``: says whose database this is, inside the encryption."""
PAGE_BYTES: Final = 4096
"""SQLCipher's default page; larger ones make single-row commits dearer (measured 1.4-2.1x)."""
WRITER_CACHE_KIB: Final = 4096
"""Pages the writer keeps decrypted. The path of a message touches about ten of them."""
READER_CACHE_KIB: Final = 2048
"""Pages each reader keeps decrypted: some tens of screenfuls of history."""
WRITER_BUSY_MS: Final = 50
"""The writer only ever waits for readers, and only when it truncates the log: not long."""
READER_BUSY_MS: Final = 5000
"""Readers wait only while another connection recovers the log after a crash."""
JOURNAL_LIMIT_BYTES: Final = 64 << 20
"""Ceiling for the log file should a checkpoint not have come through for long."""

Connect = Callable[[Path], Connection]


@dataclass(frozen=True, slots=True, repr=False)
class Opener:
    """All that is needed to open one more connection to an unlocked database."""

    path: Path
    key: DatabaseKey
    salt: bytes
    """16 bytes: the start of the file."""
    connect: Connect = Connection

    def keyed(self) -> Connection:
        """Open the file and give the key, nothing more; reads nothing yet."""
        connection = self.connect(self.path)
        # Before the key: the driver would print page errors on the application's stderr.
        connection.execute("PRAGMA cipher_log_level = NONE")
        connection.set_key(self.key.raw, self.salt)
        # A later library must not start with another format than the one in the file.
        connection.execute("PRAGMA cipher_compatibility = 4")
        connection.execute("PRAGMA temp_store = MEMORY")
        return connection

    def checked(self) -> Connection:
        """Open the file and make sure that the key is right and the file is ours.

        Raises:
            CorruptDatabaseError: The key is known to be right, and page 1 does not open.
            NotADatabaseError: It opens, but another application wrote it.
        """
        connection = self.keyed()
        try:
            application = connection.value(int, "PRAGMA application_id")
        except NotADatabaseError:
            connection.close()
            raise CorruptDatabaseError from None
        except BaseException:
            connection.close()
            raise
        if application != APPLICATION_ID:
            connection.close()
            raise NotADatabaseError
        return connection

    def writer(self) -> Connection:
        """Open the connection that may write. There must be only one."""
        connection = self.checked()
        self._common(connection, WRITER_CACHE_KIB, WRITER_BUSY_MS)
        for pragma in (
            "journal_mode = WAL",
            "synchronous = FULL",  # one fsync per commit: what was acknowledged is on the disk
            "fullfsync = ON",  # macOS: through the drive's cache as well
            "secure_delete = ON",
            "wal_autocheckpoint = 0",  # the writer thread does it when nobody waits
            f"journal_size_limit = {JOURNAL_LIMIT_BYTES}",
        ):
            connection.execute(f"PRAGMA {pragma}")
        return connection

    def reader(self) -> Connection:
        """Open a connection that cannot write."""
        connection = self.checked()
        self._common(connection, READER_CACHE_KIB, READER_BUSY_MS)
        connection.execute("PRAGMA query_only = ON")
        return connection

    @staticmethod
    def _common(connection: Connection, cache_kib: int, busy_ms: int) -> None:
        for pragma in (
            f"busy_timeout = {busy_ms}",
            "foreign_keys = ON",
            "trusted_schema = OFF",
            "cell_size_check = ON",
            "mmap_size = 0",  # SQLCipher decrypts into its own pages anyway
            f"cache_size = {-cache_kib}",
        ):
            connection.execute(f"PRAGMA {pragma}")
