"""What can go wrong with the store. The docstrings are the user's text."""

import inspect

from e2ecore.errors import CorruptStateError, E2EError, TransientError, UsageError


class StorageError(E2EError):
    """Root of what the store raises. Its docstring, as of each kind below, is its message."""

    def __init__(self, detail: str = "") -> None:
        """Say what the docstring says.

        Args:
            detail: A name or code, never content.
        """
        text = " ".join(inspect.cleandoc(type(self).__doc__ or "").split())
        super().__init__(f"{text} [{detail}]" if detail else text)


class WrongKeyError(StorageError, UsageError):
    """This key does not open the database. Nothing is damaged. Use another way to unlock it."""


class WrongPassphraseError(WrongKeyError):
    """This passphrase does not open the database. Nothing is damaged. Enter it again."""


class WeakPassphraseError(StorageError, UsageError):
    """This passphrase is easy to guess. Take more words, or less common ones."""


class BadRecoveryCodeError(StorageError, UsageError):
    """A recovery code has 30 letters and digits. This one is mistyped: compare it, try again."""


class BadHostKeyError(StorageError, UsageError):
    """A host key has 32 bytes. Give the one that the database was made with."""


class LastSlotError(StorageError, UsageError):
    """Something besides the system's keyring must open the database. Add a passphrase or a code."""


class UnknownSlotError(StorageError, UsageError):
    """There is no key slot with this id. List the slots: ids change when slots do."""


class TooManySlotsError(StorageError, UsageError):
    """A database has at most 32 key slots. Remove one that is not needed any more."""


class KeyringEntryMissingError(StorageError, UsageError):
    """The system's keyring has no entry for this database: it was reset, or is another one.

    Nothing is damaged. Unlock with the passphrase or the recovery code, then add the keyring again.
    """


class KeyringUnavailableError(StorageError, TransientError):
    """The system's keyring is locked, or there is none that protects what it keeps.

    Nothing is damaged. Unlock the keyring, or use the passphrase or the recovery code.
    """


class DatabaseMissingError(StorageError, UsageError):
    """There is no database at this path. Check the path, or create a new database there."""


class DatabaseErasedError(StorageError, UsageError):
    """This database was erased and cannot be brought back. Its last files are gone now, too."""


class DatabaseExistsError(StorageError, UsageError):
    """There is already a database or its key file at this path. Open it, or choose another path."""


class NotADatabaseError(StorageError, UsageError):
    """This file is not the e2ecore database of the key file beside it. Check the path."""


class NewerSchemaError(StorageError, UsageError):
    """A newer version of the program wrote this database. Update the program; nothing changed."""


class ReadOnlyError(StorageError, UsageError):
    """The database or its directory may not be written. Correct the permissions and try again."""


class ClosedError(StorageError, UsageError):
    """The database was closed before this call. Open it again."""


class ConstraintError(StorageError, UsageError):
    """The caller wrote a row that the schema refuses. Nothing changed. Fix the call."""


class DatabaseInUseError(StorageError, TransientError):
    """Another process has this database open. Close the other program and try again."""


class DiskFullError(StorageError, TransientError):
    """The disk or the quota is full. Nothing of this step was stored. Free space and try again."""


class DiskError(StorageError, TransientError):
    """The operating system could not read or write the file. Check the disk and try again."""


class KeyFileMissingError(StorageError, CorruptStateError):
    """The database is here, its key file is not. Put the ``.keys`` file back from a copy.

    Without it nobody can open the database; a new one is never created over it.
    """


class KeyFileDamagedError(StorageError, CorruptStateError):
    """The key file was damaged or cut off. Put the ``.keys`` file back from a copy."""


class CorruptDatabaseError(StorageError, CorruptStateError):
    """The right key does not read the file any more: it is damaged. Nothing was deleted.

    ``e2ecore.repair`` (``e2e repair``) saves what can be read. Or restore a copy of it.
    """


class UnreadableDatabaseError(CorruptDatabaseError):
    """No page of this database can be read any more. Nothing was changed. Restore a copy of it."""


class StatementError(StorageError, CorruptStateError):
    """The database refused a statement for a reason it should never have. Please report it."""
