"""Lines behind a message that say what belongs to it: files, the pin, the votes on a poll.

Nothing in them opens anything: keys of files and what sealed votes stay on the device.
"""

import base64
import binascii
from collections.abc import Iterable, Mapping
from typing import Final

from e2ecore.messaging.polls import from_mask, to_mask
from e2ecore.portability.lines import Json
from e2ecore.portability.manifest import hex_field, int_field, text_field
from e2ecore.portability.records import Close, Opened, Pin, Vote
from e2ecore_protocol.content.attachments import FileItem, file_item
from e2ecore_protocol.content.preview import check_preview
from e2ecore_protocol.errors import MalformedError
from e2ecore_protocol.limits import (
    BLOB_ID_BYTES,
    DEVICE_ID_BYTES,
    FILE_KEY_BYTES,
    MAX_PREVIEW_BYTES,
)

FILE: Final = "file"
PIN: Final = "pin"
VOTE: Final = "vote"
OPENED: Final = "opened"
CLOSE: Final = "close"
"""Each only lines of one sort have: the id of the message."""
_MAX_OPTIONS: Final = 64
_ACCOUNT_BYTES: Final = 20
_HASH_BYTES: Final = 32
_NO_BLOB: Final = bytes(BLOB_ID_BYTES)
_NO_KEY: Final = bytes(FILE_KEY_BYTES)


def file_fields(item: FileItem, *, with_blob: bool = False) -> dict[str, object]:
    """Return what a line says of a file: not what opens it.

    Args:
        item: The file.
        with_blob: Say where it waited as well, so that it can be asked for again.
    """
    fields: dict[str, object] = {
        "name": item.name, "media_type": item.media_type, "form": item.form, "bytes": item.size,
        "sha256": item.digest.hex(),
    }  # fmt: skip
    if item.width or item.height:
        fields |= {"width": item.width, "height": item.height}
    if item.duration_ms:
        fields["duration_ms"] = item.duration_ms
    if item.waveform:
        fields["waveform"] = item.waveform.hex()
    if with_blob:
        fields["blob"] = item.blob_id.hex()
    if item.preview:
        fields["preview"] = base64.b64encode(item.preview).decode()
    return fields


def file_of(fields: dict[str, Json]) -> FileItem:
    """Return the file of a line, with nothing in the place of what opens it.

    Raises:
        KeyError: A field is missing.
        TypeError: A field is something else.
        ValueError: A field cannot be what it says.
    """
    preview = fields.get("preview", "")
    if not isinstance(preview, str) or len(preview) > 2 * MAX_PREVIEW_BYTES:
        raise TypeError
    try:
        found = file_item(
            (
                hex_field(fields, "blob", BLOB_ID_BYTES) if "blob" in fields else _NO_BLOB,
                _NO_KEY, int_field(fields, "bytes"),
                hex_field(fields, "sha256", _HASH_BYTES), text_field(fields, "name"),
                text_field(fields, "media_type"), int_field(fields, "form"),
                _number(fields, "width"), _number(fields, "height"),
                _number(fields, "duration_ms"),
                hex_field(fields, "waveform") if "waveform" in fields else b"",
                base64.b64decode(preview, validate=True),
            )
        )  # fmt: skip
        if found.preview:
            check_preview(found.preview)
    except (binascii.Error, MalformedError):
        raise ValueError from None
    return found


def _number(fields: dict[str, Json], name: str) -> int:
    return int_field(fields, name) if name in fields else 0


def pin_fields(said: Pin) -> dict[str, object]:
    """Return what a line says of a pin."""
    return {**_by(said.account_id, said.device_id, said.changed_ms), "pinned": said.is_pinned}


def pin_of(fields: dict[str, Json]) -> Pin:
    """Return the pin of a line. Errors as ``file_of``."""
    is_pinned = fields["pinned"]
    if not isinstance(is_pinned, bool):
        raise TypeError
    return Pin(*_author(fields), is_pinned)


def vote_fields(said: Vote) -> dict[str, object]:
    """Return what a line says of a sealed vote; of our own, what is in it."""
    fields = _by(said.account_id, said.device_id, said.changed_ms)
    fields["commitment"] = said.commitment.hex()
    if said.choices is not None:
        fields["choices"] = from_mask(said.choices)
    return fields


def vote_of(fields: dict[str, Json]) -> Vote:
    """Return the vote of a line. Errors as ``file_of``."""
    choices = _choices(fields) if "choices" in fields else None
    return Vote(*_author(fields), hex_field(fields, "commitment", _HASH_BYTES), choices)


def opened_fields(said: Opened) -> dict[str, object]:
    """Return what a line says of a vote that was opened."""
    return {
        "from": said.account_id.hex(),
        "commitment": said.commitment.hex(),
        "choices": from_mask(said.choices),
    }


def opened_of(fields: dict[str, Json]) -> Opened:
    """Return the opened vote of a line. Errors as ``file_of``."""
    return Opened(
        hex_field(fields, "from", _ACCOUNT_BYTES),
        hex_field(fields, "commitment", _HASH_BYTES),
        _choices(fields),
    )


def close_fields(said: Close) -> dict[str, object]:
    """Return what a line says of the close of a poll."""
    counted = {who.hex(): commitment.hex() for who, commitment in said.counted}
    return {"from": said.account_id.hex(), "seq": said.seq, "counted": counted}


def close_of(fields: dict[str, Json]) -> Close:
    """Return the close of a line. Errors as ``file_of``."""
    counted = fields["counted"]
    if not isinstance(counted, dict):
        raise TypeError
    found = [(_hex(who, _ACCOUNT_BYTES), hex_field(counted, who, _HASH_BYTES)) for who in counted]
    by = hex_field(fields, "from", _ACCOUNT_BYTES)
    return Close(by, int_field(fields, "seq"), tuple(found))


def _hex(text: str, size: int) -> bytes:
    return hex_field({"": text}, "", size)


def _by(account_id: bytes, device_id: bytes, at_ms: int) -> dict[str, object]:
    return {"from": account_id.hex(), "device": device_id.hex(), "at_ms": at_ms}


def _author(fields: Mapping[str, Json]) -> tuple[bytes, bytes, int]:
    found = dict(fields)
    return (
        hex_field(found, "from", _ACCOUNT_BYTES),
        hex_field(found, "device", DEVICE_ID_BYTES),
        int_field(found, "at_ms"),
    )


def _choices(fields: dict[str, Json]) -> int:
    found = fields["choices"]
    if not isinstance(found, list) or len(found) > _MAX_OPTIONS:
        raise TypeError
    return to_mask(_options(found))


def _options(found: Iterable[Json]) -> list[int]:
    options: list[int] = []
    for one in found:
        if type(one) is not int:
            raise TypeError
        if not 0 <= one < _MAX_OPTIONS - 1:
            raise ValueError
        options.append(one)
    return options
