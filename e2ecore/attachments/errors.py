"""What can be wrong with an attachment. Nothing of one that is refused is ever shown."""

from e2ecore.errors import PeerError, UsageError


class AttachmentDamagedError(PeerError):
    """This is not what its sender sealed. Nothing of it was shown. Ask the sender for it again."""


class AttachmentKeyError(AttachmentDamagedError):
    """The relay has another file, or gave a wrong share of its key. Ask the sender for it again."""


class AttachmentSizeError(AttachmentDamagedError):
    """The relay has more or less than was sealed. Ask the sender for it again."""


class AttachmentChunkError(AttachmentDamagedError):
    """A part of it was changed, swapped or cut off. Ask the sender for it again."""


class AttachmentPaddingError(AttachmentDamagedError):
    """Its sender sealed something behind its end. Ask the sender for it again."""


class AttachmentDigestError(AttachmentDamagedError):
    """The sender uploaded another file than the message names. Ask the sender for it again."""


class BadAttachmentNameError(UsageError):
    """A file cannot be sent under this name: it is empty, too long, or leads somewhere else."""


class AttachmentTooLargeError(UsageError):
    """A file is larger than 4 GiB. Send it in parts, or by other means."""


class UnknownPictureError(UsageError):
    """What this picture says of places and people cannot be taken out. Send it with all of that."""


class FileChangedError(UsageError):
    """The file was changed while it was read. Nothing was sent. Try again when it is finished."""
