"""What can be wrong with a file to import. The docstrings are the user's text."""

from e2ecore.errors import UsageError


class ImportFileError(UsageError):
    """Root of what can be wrong with a file to import. Messages stored before it was met stay."""


class UnknownImportFormatError(ImportFileError):
    """This file is in no format that can be imported. Check that it is the exported file itself."""


class MalformedImportError(ImportFileError):
    """A record of the file does not fit its format, so nothing behind it is read. Export it again.

    The number in brackets is that of the line or record, counted from 1.
    """


class LineTooLongError(ImportFileError):
    """A line or record of the file is longer than any message. It is not what it says it is."""


class BadEncodingError(ImportFileError):
    """The file is not UTF-8 text. Export it again and do not convert it."""


class UnsafeArchiveError(ImportFileError):
    """The archive has names or contents that no export has: paths, doubles, links, encryption."""


class ArchiveBombError(ImportFileError):
    """The archive unpacks to far more than an export of its size can hold. It was not read."""


class ExportDamagedError(ImportFileError):
    """The export was changed, cut off or damaged after it was made. Use another copy of it."""


class ExportSignatureError(ImportFileError):
    """The export is not signed by the account that it names. Do not trust it."""


class NewerExportError(ImportFileError):
    """A newer version of the program made this export. Update the program."""


class UnknownDateFormatError(ImportFileError):
    """The dates in this file cannot be read. Please report the form of its first line."""


class ExportExistsError(UsageError):
    """There is already a file of that name. Choose another name; nothing was written."""
