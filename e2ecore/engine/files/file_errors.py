"""What can go wrong with files. Each docstring is the user's text."""

from e2ecore.errors import PeerError, TransientError, UsageError


class AttachmentGoneError(TransientError):
    """The relay has deleted this file: its time was over, or all devices had it.

    Ask its sender; if that is you, send it anew.
    """

    retry = False


class AttachmentNotHereError(UsageError):
    """There is no such file any more: its message was deleted or taken back."""


class NoFileChannelError(TransientError):
    """This connection carries no files. Messages are not affected."""


class NobodyToSendToError(UsageError):
    """Nobody else is in this conversation, so there is nobody to leave a file for."""


class UploadCancelledError(UsageError):
    """Sending this was cancelled. Nothing of it was sent."""


class UploadRefusedError(UsageError):
    """The relay does not take this file. ``code`` says why: too_large, quota_exceeded, ..."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class UploadTooSlowError(TransientError):
    """The time of a file was over before it was at the relay; it begins anew. Connect faster."""


class TooManyFilesError(UsageError):
    """A message holds 32 files at most, and at least one. Send more messages."""


class CaptionTooLongError(UsageError):
    """What is said beside files has 64 KiB at most. Send a message of its own."""


class BadFileError(UsageError):
    """This cannot be sent as a file: it cannot be read, is a folder, or says what it is not."""


class FileExistsHereError(UsageError):
    """There is a file of this name already. Nothing was overwritten. Choose another name."""


class BadTargetError(UsageError):
    """No file can be written there: no such folder, or an impossible name. Choose another."""


class ReceiptKeyChangedError(PeerError):
    """The relay signs promises with another key than before. Do not take its word."""


class PromiseInvalidError(PeerError):
    """The relay's promise is not signed by its key, or goes beyond what was asked for."""
