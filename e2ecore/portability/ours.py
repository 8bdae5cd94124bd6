"""Read an export of ours. Signature and hashes are checked before a message is given out."""

import base64
import binascii
import hashlib
from collections.abc import Iterator
from typing import Final, NamedTuple

from e2ecore.portability import manifest
from e2ecore.portability.archive import Archive, Member
from e2ecore.portability.errors import ExportDamagedError, MalformedImportError
from e2ecore.portability.lines import CHUNK_BYTES, Json, records
from e2ecore.portability.manifest import (
    MAX_MANIFEST_BYTES,
    SIGNATURE_BYTES,
    ExportedFile,
    Manifest,
    hex_field,
    int_field,
    text_field,
)
from e2ecore.portability.records import (
    MAX_TEXT_BYTES,
    Entry,
    Heading,
    ImportFormat,
    Position,
    clean_name,
    conversation_key,
    scalar,
    sender_id,
)
from e2ecore.portability.writing import STATES

MAX_PEOPLE: Final = 200_000
"""People of whom names are kept while an export is read: 60 MB at most."""
ID_BYTES: Final = 16
_MAX_KIND: Final = 0xFFFF
_MAX_CONTENT_BYTES: Final = 2 * MAX_TEXT_BYTES


class _Origin(NamedTuple):
    account_id: bytes
    name: str
    is_mine: bool
    device_id: bytes


class OwnExport:
    """An export whose signature is right."""

    format: Final = ImportFormat.E2ECORE
    is_mixed: Final = False

    def __init__(self, archive: Archive, *, own_account: bytes, me: str) -> None:
        """Check the signature.

        Args:
            archive: The file.
            own_account: The account that imports.
            me: Name of whoever imports, if another account of theirs exported.

        Raises:
            ImportFileError: It is none of ours, damaged, or not signed as it says.
        """
        self.position = Position()
        self._archive = archive
        self._own, self._me = own_account, me
        content = _all(archive.open(manifest.MANIFEST), MAX_MANIFEST_BYTES)
        signature = _all(archive.open(manifest.SIGNATURE), SIGNATURE_BYTES)
        self.manifest: Manifest = manifest.verify(content, signature)
        """What it says of itself."""
        self._is_own = self.manifest.account_id == own_account
        self._names: dict[bytes, str] = {}
        self._origins: dict[tuple[Json, Json], _Origin] = {}
        self.position.total = 2 * sum(one.size for one in self.manifest.files)

    def items(self) -> Iterator[Heading | Entry]:
        """Check every file, then yield headings, each with its messages behind it.

        Raises:
            ImportFileError: Something is not as it was when it was signed.
        """
        for one in self.manifest.files:
            self._check(one)
        for one in self.manifest.files:
            if one.name == manifest.PEOPLE:
                self._read_people(one)
        for one in self.manifest.files:
            if one.name.startswith(manifest.FOLDER):
                yield from self._conversation(one)

    def close(self) -> None:
        """Close the file."""
        self._archive.close()

    def _check(self, one: ExportedFile) -> None:
        hashed = hashlib.sha256()
        with self._archive.open(one.name) as member:
            while chunk := member.read(CHUNK_BYTES):
                hashed.update(chunk)
                self.position.done += len(chunk)
        if hashed.digest() != one.sha256 or member.size != one.size:
            raise ExportDamagedError

    def _records(self, one: ExportedFile) -> Iterator[tuple[int, dict[str, Json]]]:
        before = self.position.done
        with self._archive.open(one.name) as member:
            for found in records(member):
                self.position.done = before + member.size
                yield found

    def _read_people(self, one: ExportedFile) -> None:
        for number, fields in self._records(one):
            if number > MAX_PEOPLE:
                raise ExportDamagedError
            try:
                name = text_field(fields, "handle") or text_field(fields, "name")
                self._names[hex_field(fields, "account", 20)] = clean_name(name)
            except (KeyError, TypeError, ValueError):
                raise MalformedImportError(f"[{number}]") from None

    def _conversation(self, one: ExportedFile) -> Iterator[Heading | Entry]:
        found = self._records(one)
        number, fields = next(found, (1, {}))
        try:
            heading, names = self._heading(fields)
            self._origins.clear()
            yield heading
            for number, fields in found:  # noqa: B007 - the error names where it was
                yield self._entry(heading, names, fields)
        except (KeyError, TypeError, ValueError):
            raise MalformedImportError(f"[{number}]") from None

    def _heading(self, fields: dict[str, Json]) -> tuple[Heading, dict[bytes, str]]:
        uid = hex_field(fields, "conversation", 16)
        kind = text_field(fields, "kind")
        names = fields["names"]
        if not isinstance(names, dict) or len(names) > MAX_PEOPLE:
            raise TypeError
        known = {bytes.fromhex(who): clean_name(str(name)) for who, name in names.items()}
        title = clean_name(text_field(fields, "title"))
        if not title:
            title = ", ".join(known.values()) or "conversation"
        imported = kind == "imported" and self._is_own
        key = hex_field(fields, "key", 32) if imported else b""
        key = key or conversation_key(self.format, self.manifest.account_id.hex(), uid.hex())
        live = uid if self._is_own else b""
        return Heading(key, clean_name(title), live, int_field(fields, "created_ms")), known

    def _entry(self, heading: Heading, known: dict[bytes, str], fields: dict[str, Json]) -> Entry:
        origin = fields["from"], fields["device"]
        found = self._origins.get(origin)
        if found is None:
            found = self._origins[origin] = self._origin(heading, known, fields)
        text, uid = fields["text"], fields["id"]
        if not isinstance(text, str) or len(text) > MAX_TEXT_BYTES or not isinstance(uid, str):
            raise TypeError
        raw = bytes.fromhex(uid)
        if len(raw) != ID_BYTES or raw.hex() != uid or fields["state"] not in STATES:
            raise ValueError
        kind = int_field(fields, "kind")
        if kind > _MAX_KIND:
            raise ValueError
        return Entry(
            raw,
            found.account_id,
            found.name,
            found.is_mine,
            int_field(fields, "sent_ms"),
            text if text.isascii() else scalar(text),
            found.device_id,
            int_field(fields, "counter"),
            kind,
            _content(fields) if "content" in fields else b"",
        )

    def _origin(
        self, heading: Heading, known: dict[bytes, str], fields: dict[str, Json]
    ) -> _Origin:
        """Return whose message it is, remembered for as long as the conversation is read."""
        if len(self._origins) > MAX_PEOPLE:
            raise ValueError
        who = hex_field(fields, "from", 20)
        name = known.get(who) or self._names.get(who, "")
        is_mine, account = self._sender(heading, who, name)
        return _Origin(account, name, is_mine, hex_field(fields, "device", ID_BYTES))

    def _sender(self, heading: Heading, who: bytes, name: str) -> tuple[bool, bytes]:
        """Whose message it is. Another account's word is not taken for who somebody is."""
        if self._is_own:
            return who == self._own, who
        is_mine = who == self.manifest.account_id and bool(name) and name == self._me
        return is_mine, self._own if is_mine else sender_id(heading.key, name or who.hex())


def _content(fields: dict[str, Json]) -> bytes:
    text = text_field(fields, "content")
    if len(text) > _MAX_CONTENT_BYTES:
        raise ValueError
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        raise ValueError from None


def _all(member: Member, limit: int) -> bytes:
    """Return a short file whole."""
    with member:
        found = member.read(limit + 1)
        while len(found) <= limit and (more := member.read(limit + 1 - len(found))):
            found += more
    if len(found) > limit:
        raise ExportDamagedError
    return found
