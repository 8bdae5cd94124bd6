"""Read an export of ours. Signature and hashes are checked before a message is given out."""

import hashlib
from collections.abc import Iterator, Mapping
from typing import Final

from e2ecore.portability import manifest
from e2ecore.portability.archive import Archive, Member
from e2ecore.portability.belongings import belongings_of
from e2ecore.portability.errors import ExportDamagedError, MalformedImportError
from e2ecore.portability.lines import CHUNK_BYTES, Json, records
from e2ecore.portability.manifest import (
    MAX_MANIFEST_BYTES,
    MAX_SIGNATURE_BYTES,
    ExportedFile,
    Manifest,
    hex_field,
    int_field,
    text_field,
)
from e2ecore.portability.own_conversation import MAX_PEOPLE, Conversation, Person
from e2ecore.portability.records import (
    Entry,
    Heading,
    ImportFormat,
    Position,
    clean_name,
    conversation_key,
    sender_id,
)

MAX_CONSENTS_BYTES: Final = 16 << 20
"""Largest file of consents that is brought along: thousands, each with the text shown."""


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
        signature = _all(archive.open(manifest.SIGNATURE), MAX_SIGNATURE_BYTES)
        self.manifest: Manifest = manifest.verify(content, signature)
        """What it says of itself."""
        self._is_own = self.manifest.account_id == own_account
        self._names: dict[bytes, str] = {}
        self.blocked: dict[bytes, int] = {}
        """Whom this very account has blocked, and when; known when everything was read."""
        self.called: dict[bytes, str] = {}
        """What this very account calls people; known when everything was read."""
        self._attachments = frozenset(
            [one.name for one in self.manifest.files if one.name.startswith(manifest.ATTACHMENTS)]
        )
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

    @property
    def has_attachments(self) -> bool:
        """Are there files of messages in it?"""
        return any(one.name.startswith(manifest.ATTACHMENTS) for one in self.manifest.files)

    def attachment(self, sha256: bytes) -> Member | None:
        """Open a file of a message; None: it was not there to be exported."""
        name = manifest.attachment_name(sha256)
        return self._archive.open(name) if name in self._attachments else None

    def consents(self) -> bytes:
        """Return what its account has agreed to, with what proves it; empty: nothing, or too much.

        Raises:
            ExportDamagedError: It cannot be unpacked.
        """
        for one in self.manifest.files:
            if one.name == manifest.CONSENTS and one.size <= MAX_CONSENTS_BYTES:
                return _all(self._archive.open(one.name), MAX_CONSENTS_BYTES)
        return b""

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
                who = hex_field(fields, "account", 20)
                self._names[who] = clean_name(name)
                if self._is_own and "blocked_ms" in fields:
                    self.blocked[who] = int_field(fields, "blocked_ms")
                if self._is_own and "called" in fields:
                    self.called[who] = clean_name(text_field(fields, "called"))
            except (KeyError, TypeError, ValueError):
                raise MalformedImportError(f"[{number}]") from None

    def _conversation(self, one: ExportedFile) -> Iterator[Heading | Entry]:
        found = self._records(one)
        number, fields = next(found, (1, {}))
        try:
            conversation = self._opened(fields)
            yield conversation.heading
            for number, fields in found:  # noqa: B007 - the error names where it was
                entry = conversation.take(fields)
                if entry is not None:
                    yield entry
            if (entry := conversation.last()) is not None:
                yield entry
        except (KeyError, TypeError, ValueError):
            raise MalformedImportError(f"[{number}]") from None

    def _opened(self, fields: dict[str, Json]) -> Conversation:
        """Return the conversation that a heading begins."""
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
        heading = Heading(
            key, clean_name(title), live, int_field(fields, "created_ms"), belongings_of(fields)
        )
        return Conversation(heading, lambda who: self._person(heading, known, who))

    def _person(self, heading: Heading, known: Mapping[bytes, str], who: bytes) -> Person:
        """Return who an account of the file is here.

        Another account's word is not taken for who somebody is.
        """
        name = known.get(who) or self._names.get(who, "")
        if self._is_own:
            return Person(who, name, who == self._own)
        is_mine = who == self.manifest.account_id and bool(name) and name == self._me
        account = self._own if is_mine else sender_id(heading.key, name or who.hex())
        return Person(account, name, is_mine)


def _all(member: Member, limit: int) -> bytes:
    """Return a short file whole."""
    with member:
        found = member.read(limit + 1)
        while len(found) <= limit and (more := member.read(limit + 1 - len(found))):
            found += more
    if len(found) > limit:
        raise ExportDamagedError
    return found
