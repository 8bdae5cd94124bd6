"""Names of files that others chose. None of them may lead anywhere or pretend to be another."""

import unicodedata
from typing import Final

from e2ecore.attachments.errors import BadAttachmentNameError
from e2ecore_protocol.content.attachments import is_plain_name
from e2ecore_protocol.limits import MAX_FILE_NAME_BYTES

_RESERVED: Final = frozenset(
    {"con", "prn", "aux", "nul", "conin$", "conout$"}
    | {f"{port}{n}" for port in ("com", "lpt") for n in "123456789\u00b9\u00b2\u00b3"}
)
"""Names that are devices on Windows, whatever comes behind a dot."""
_SPECIAL: Final = frozenset('<>:"|?*')


def sendable_name(name: str) -> str:
    """Return a name as it is sent: composed, without what no system can store.

    Raises:
        BadAttachmentNameError: Nothing is left, it is too long, or it leads somewhere.
    """
    found = unicodedata.normalize("NFC", name)
    try:
        size = len(found.encode())
    except UnicodeEncodeError:  # a file system's bytes that are no text
        raise BadAttachmentNameError from None
    if not is_plain_name(found) or size > MAX_FILE_NAME_BYTES:
        raise BadAttachmentNameError
    return found


def local_name(name: str) -> str:
    """Return a harmless name for a file on any system: what a stranger's name becomes here."""
    found = "".join("_" if one in _SPECIAL else one for one in name).rstrip(". ")
    stem = found.partition(".")[0].rstrip().lower()
    if not found or found.startswith(("-", ".", "~")) or stem in _RESERVED:
        found = f"_{found}"
    return found
