"""What both sides of a blob's way over HTTP must agree on: paths, headers, refusals.

Spec: protocol/spec/40-blobs.md, "The bytes: HTTP"
"""

from enum import StrEnum
from typing import Final

from e2ecore_protocol.limits import BLOB_ID_BYTES, BLOB_TOKEN_BYTES

PATH: Final = "/v1/blobs/"
"""What comes before the blob id, in lower-case hexadecimal."""

PARTIAL_UPLOAD: Final = "application/partial-upload"
"""The media type of a part of an upload."""

PROBLEM_TYPE: Final = "application/problem+json"
"""The media type of a refusal."""

UPLOAD_OFFSET: Final = "upload-offset"
UPLOAD_COMPLETE: Final = "upload-complete"
UPLOAD_LENGTH: Final = "upload-length"

TRUE: Final = "?1"
FALSE: Final = "?0"

_SCHEME: Final = "bearer "


class BlobProblem(StrEnum):
    """Why the relay does not take or give bytes."""

    BAD_REQUEST = "bad_request"
    TOKEN_MISSING = "token_missing"  # noqa: S105
    TOKEN_UNKNOWN = "token_unknown"  # noqa: S105
    TOKEN_EXPIRED = "token_expired"  # noqa: S105
    TOKEN_WRONG_USE = "token_wrong_use"  # noqa: S105
    NOT_FOUND = "not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    OFFSET_MISMATCH = "offset_mismatch"
    UPLOAD_COMPLETE = "upload_complete"
    TOKEN_USED = "token_used"  # noqa: S105
    GONE = "gone"
    PRECONDITION_FAILED = "precondition_failed"
    TOO_LARGE = "too_large"
    UNSUPPORTED_MEDIA_TYPE = "unsupported_media_type"
    BAD_RANGE = "bad_range"
    HEADERS_TOO_LARGE = "headers_too_large"
    INTERNAL = "internal"
    BUSY = "busy"
    FULL = "full"

    @property
    def status(self) -> int:
        """The HTTP status that goes with it."""
        return PROBLEMS[self][0]

    @property
    def meaning(self) -> str:
        """One sentence for people."""
        return PROBLEMS[self][1]


PROBLEMS: Final[dict[BlobProblem, tuple[int, str]]] = {
    BlobProblem.BAD_REQUEST: (
        400,
        "The request is not valid HTTP, or not what this server understands.",
    ),
    BlobProblem.TOKEN_MISSING: (401, "There is no bearer token."),
    BlobProblem.TOKEN_UNKNOWN: (401, "The token is wrong, or void since a newer one was given."),
    BlobProblem.TOKEN_EXPIRED: (403, "The token is too old to begin a request. Ask for a new one."),
    BlobProblem.TOKEN_WRONG_USE: (403, "The token is for the other direction."),
    BlobProblem.NOT_FOUND: (404, "There is nothing at this address."),
    BlobProblem.METHOD_NOT_ALLOWED: (405, "This method is not offered here."),
    BlobProblem.OFFSET_MISMATCH: (
        409,
        "The upload stands at another offset, named in Upload-Offset.",
    ),
    BlobProblem.UPLOAD_COMPLETE: (409, "The upload is complete. Nothing can be added."),
    BlobProblem.TOKEN_USED: (410, "The device of this token has acknowledged the blob."),
    BlobProblem.GONE: (410, "The blob was deleted, or its time is over."),
    BlobProblem.PRECONDITION_FAILED: (412, "If-Match names another version."),
    BlobProblem.TOO_LARGE: (413, "The body goes beyond the size that was announced."),
    BlobProblem.UNSUPPORTED_MEDIA_TYPE: (
        415,
        "A part of an upload has the type application/partial-upload.",
    ),
    BlobProblem.BAD_RANGE: (416, "The range lies outside of the blob."),
    BlobProblem.HEADERS_TOO_LARGE: (431, "The head of the request is too long."),
    BlobProblem.INTERNAL: (500, "The relay failed."),
    BlobProblem.BUSY: (503, "The relay stops, or has too much to do. Try again."),
    BlobProblem.FULL: (507, "The relay's disk has no room left."),
}
"""Status and meaning of every refusal. The specification's table is made of it."""


def path_of(blob_id: bytes) -> str:
    """Return the path of a blob."""
    return PATH + blob_id.hex()


def blob_of(path: str) -> bytes | None:
    """Return the blob that a path names; None if it names none."""
    name = path.removeprefix(PATH)
    return _hexadecimal(name, BLOB_ID_BYTES) if name != path else None


def authorization(token: bytes) -> str:
    """Return the header that shows a token."""
    return f"Bearer {token.hex()}"


def token_of(value: str) -> bytes | None:
    """Return the token that an Authorization header shows; None if it shows none."""
    if not value.lower().startswith(_SCHEME):
        return None
    return _hexadecimal(value[len(_SCHEME) :].strip(), BLOB_TOKEN_BYTES)


def _hexadecimal(text: str, size: int) -> bytes | None:
    try:
        found = bytes.fromhex(text)
    except ValueError:
        return None
    return found if len(found) == size and found.hex() == text else None
