"""The manifest of an export: what is in it, and the account's signature over that.

The bytes are laid down in ``docs/portability.md``.
"""

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from e2ecore.crypto.errors import SignatureError
from e2ecore.crypto.signing import ED25519
from e2ecore.portability.errors import (
    ExportDamagedError,
    ExportSignatureError,
    MalformedImportError,
    NewerExportError,
    UnknownImportFormatError,
)
from e2ecore.portability.lines import Json, record
from e2ecore_protocol.chain import ChainError, Entry, start
from e2ecore_protocol.codec import pack, unpack
from e2ecore_protocol.errors import MalformedError

FORMAT: Final = "e2ecore export"
VERSION: Final = 1
MANIFEST: Final = "manifest.json"
SIGNATURE: Final = "manifest.sig"
PEOPLE: Final = "people.jsonl"
FOLDER: Final = "conversations/"
ATTACHMENTS: Final = "attachments/"
CONSENTS: Final = "consents.json"
SIGNATURE_BYTES: Final = 64
MAX_SIGNATURE_BYTES: Final = 1 << 20
"""With the chain of a device that signs: some thousand entries."""
MAX_MANIFEST_BYTES: Final = 32 << 20
"""Some 200 bytes for each of the conversations that the directory of an archive can name."""
_LABEL: Final = b"e2ecore export v1"
_NAME: Final = re.compile(
    r"people\.jsonl|consents\.json|conversations/[0-9a-f]{32}\.jsonl|attachments/[0-9a-f]{64}"
)
_HEX: Final = re.compile(r"(?:[0-9a-f]{2})*")
_FIELDS: Final = (
    "format", "version", "account", "device", "genesis", "created_ms", "messages", "files",
)  # fmt: skip
_MAX_INTEGER: Final = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class ExportedFile:
    """One file of an export."""

    name: str
    size: int
    """Bytes, unpacked."""
    records: int
    """Lines; 0 for attachments."""
    sha256: bytes


@dataclass(frozen=True, slots=True)
class Manifest:
    """What an export says of itself."""

    account_id: bytes
    device_id: bytes
    genesis: bytes
    """The first entry of the account's chain: proves which key belongs to the account."""
    created_ms: int
    messages: int
    files: tuple[ExportedFile, ...]

    def encode(self) -> bytes:
        """Return the bytes of ``manifest.json``."""
        files = [
            {
                "name": one.name,
                "bytes": one.size,
                "records": one.records,
                "sha256": one.sha256.hex(),
            }
            for one in self.files
        ]
        values = (
            FORMAT, VERSION, self.account_id.hex(), self.device_id.hex(), self.genesis.hex(),
            self.created_ms, self.messages, files,
        )  # fmt: skip
        fields = dict(zip(_FIELDS, values, strict=True))
        return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def signed_message(manifest: bytes) -> bytes:
    """Return what is signed: a label, and the hash of ``manifest.json``."""
    return _LABEL + hashlib.sha256(manifest).digest()


def sign(manifest: bytes, signer: Callable[[bytes], bytes], entries: Sequence[bytes] = ()) -> bytes:
    """Return the bytes of ``manifest.sig``.

    Args:
        manifest: The bytes of ``manifest.json``.
        signer: The account's identity key; or that of the device which ``entries`` name.
        entries: Without the identity key: the chain behind its first entry, up to the one that
            adds the device.
    """
    return signer(signed_message(manifest)) + (pack(tuple(entries)) if entries else b"")


def verify(manifest: bytes, signature: bytes) -> Manifest:
    """Return a manifest only if the account that it names has signed it.

    Raises:
        UnknownImportFormatError: It is another kind of file.
        NewerExportError: A newer version wrote it.
        ExportDamagedError: It is not what we write.
        ExportSignatureError: Somebody else signed it, or nobody.
    """
    found = decode(manifest)
    proof, behind = signature[:SIGNATURE_BYTES], signature[SIGNATURE_BYTES:]
    try:
        entries = unpack(behind, MAX_SIGNATURE_BYTES) if behind else ()
        chain = [found.genesis, *[one for one in entries if isinstance(one, bytes)]]
        state = start([Entry.decode(one) for one in chain], ED25519.verify)
        key = state.devices[found.device_id].key if entries else state.identity_key
        ED25519.verify(key, signed_message(manifest), proof)
    except (MalformedError, ChainError, SignatureError, KeyError):
        raise ExportSignatureError from None
    if state.account_id != found.account_id:
        raise ExportSignatureError
    return found


def decode(manifest: bytes) -> Manifest:
    """Return what ``manifest.json`` says, whoever wrote it.

    Raises:
        UnknownImportFormatError: It is another kind of file.
        NewerExportError: A newer version wrote it.
        ExportDamagedError: It is not what we write.
    """
    if len(manifest) > MAX_MANIFEST_BYTES:
        raise ExportDamagedError
    try:
        fields = record(manifest, 1)
    except MalformedImportError:
        raise ExportDamagedError from None
    if fields.get("format") != FORMAT:
        raise UnknownImportFormatError
    version = fields.get("version")
    if type(version) is int and version > VERSION:
        raise NewerExportError
    try:
        found = _manifest(fields)
    except (KeyError, TypeError, ValueError):
        raise ExportDamagedError from None
    if found.encode() != manifest:
        raise ExportDamagedError
    return found


def _manifest(fields: dict[str, Json]) -> Manifest:
    files = fields["files"]
    if not isinstance(files, list):
        raise TypeError
    found = tuple(map(_file, files))
    if len({one.name for one in found}) != len(found):
        raise ValueError
    return Manifest(
        hex_field(fields, "account", 20),
        hex_field(fields, "device", 16),
        hex_field(fields, "genesis"),
        int_field(fields, "created_ms"),
        int_field(fields, "messages"),
        found,
    )


def _file(fields: Json) -> ExportedFile:
    if not isinstance(fields, dict):
        raise TypeError
    name = text_field(fields, "name")
    if not _NAME.fullmatch(name):
        raise ValueError
    digest = hex_field(fields, "sha256", 32)
    if name.startswith(ATTACHMENTS) and name != attachment_name(digest):
        raise ValueError
    return ExportedFile(name, int_field(fields, "bytes"), int_field(fields, "records"), digest)


def attachment_name(sha256: bytes) -> str:
    """Return what a file of a message is called in the archive."""
    return f"{ATTACHMENTS}{sha256.hex()}"


def text_field(fields: Mapping[str, Json], name: str) -> str:
    """Return a field that must be text.

    Raises:
        KeyError: It is missing.
        TypeError: It is something else.
    """
    found = fields[name]
    if not isinstance(found, str):
        raise TypeError
    return found


def int_field(fields: Mapping[str, Json], name: str) -> int:
    """Return a field that must be a count, a number or a time.

    Raises:
        KeyError: It is missing.
        TypeError: It is something else.
        ValueError: It is negative or too large.
    """
    found = fields[name]
    if type(found) is not int:
        raise TypeError
    if not 0 <= found <= _MAX_INTEGER:
        raise ValueError
    return found


def hex_field(fields: Mapping[str, Json], name: str, size: int | None = None) -> bytes:
    """Return a field that must be bytes in lower-case hexadecimal.

    Args:
        fields: The object.
        name: Of the field.
        size: How many bytes it must be; None: any number.

    Raises:
        KeyError: It is missing.
        TypeError: It is something else.
        ValueError: It is no hexadecimal, or of another size.
    """
    text = text_field(fields, name)
    if not _HEX.fullmatch(text) or (size is not None and len(text) != 2 * size):
        raise ValueError
    return bytes.fromhex(text)
