"""Find out what a file is, and open its reader."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import tzinfo
from pathlib import Path
from typing import Final, Protocol

from e2ecore.portability import manifest
from e2ecore.portability.archive import Archive
from e2ecore.portability.errors import UnknownImportFormatError
from e2ecore.portability.inputs import Input
from e2ecore.portability.ours import OwnExport
from e2ecore.portability.records import Entry, Heading, ImportFormat, Position
from e2ecore.portability.signal_export import SignalExport
from e2ecore.portability.tabular import Table, columns
from e2ecore.portability.telegram import TelegramExport
from e2ecore.portability.whatsapp import WhatsAppChat
from e2ecore.portability.whatsapp_lines import begin

GUESS_BYTES: Final = 1 << 16
"""Looked at to find out what a file is."""
_ZIP: Final = b"PK"
_PLAIN: Final = ("_chat.txt", "result.json", "main.jsonl")
_SIGNAL_WORDS: Final = ("backupTimeMs", "account", "recipient", "chatItem")


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the importing person says of a file."""

    own_account: bytes
    """20 bytes: who imports."""
    format: ImportFormat | None = None
    """What the file is; None: look."""
    me: str = ""
    """What the file calls the importing person; empty: unknown."""
    title: str = ""
    """What to call the conversation; empty: as the file says."""
    time_zone: tzinfo | None = None
    """Where local times of the file were written; None: in this machine's zone."""


class Source(Protocol):
    """A reader of one format."""

    @property
    def format(self) -> ImportFormat:
        """What the file is."""

    @property
    def is_mixed(self) -> bool:
        """Can a conversation come up several times?"""

    @property
    def position(self) -> Position:
        """How far it was read."""

    def items(self) -> Iterator[Heading | Entry]:
        """Yield headings, each with the messages of its conversation behind it."""

    def close(self) -> None:
        """Close the file."""


def open_file(path: Path, wishes: Wishes) -> Source:
    """Open a file of any format that is known.

    Raises:
        ImportFileError: It is in none of them, or not as it must be.
        OSError: It cannot be read.
    """
    with path.open("rb") as file:
        start = file.read(len(_ZIP))
    if start != _ZIP:
        return _source_of(Input(path), wishes)
    archive = Archive(path)
    try:
        return _source_in(path, archive, wishes)
    except BaseException:
        archive.close()
        raise


def _source_in(path: Path, archive: Archive, wishes: Wishes) -> Source:
    names = archive.names
    if manifest.MANIFEST in names and wishes.format in {None, ImportFormat.E2ECORE}:
        return OwnExport(archive, own_account=wishes.own_account, me=wishes.me)
    plain = [name for name in names if name.rpartition("/")[2] in _PLAIN]
    texts = [name for name in names if name.endswith(".txt")]
    for name in (*plain, *texts):
        if plain or len(texts) == 1:
            return _source_of(Input(path, archive, name), wishes)
    raise UnknownImportFormatError


def _source_of(source: Input, wishes: Wishes) -> Source:
    chosen = wishes.format or guess(source)
    own, me, title, zone = wishes.own_account, wishes.me, wishes.title, wishes.time_zone
    match chosen:
        case ImportFormat.WHATSAPP:
            return WhatsAppChat(source, own_account=own, me=me, title=title, zone=zone)
        case ImportFormat.TELEGRAM:
            return TelegramExport(source, own_account=own, me=me, title=title, zone=zone)
        case ImportFormat.SIGNAL:
            return SignalExport(source, own_account=own, me=me)
        case ImportFormat.CSV:
            return Table(source, own_account=own, me=me, title=title, zone=zone)
        case ImportFormat.E2ECORE:
            raise UnknownImportFormatError


def guess(source: Input) -> ImportFormat:
    """Return what a file looks like from its first lines.

    Raises:
        UnknownImportFormatError: Like nothing that is known.
    """
    with source.open() as file:
        start = file.read(GUESS_BYTES)
    text = start.decode("utf-8", "ignore").lstrip("\ufeff \t\r\n")
    first = text.partition("\n")[0].rstrip("\r")
    if first.startswith("{"):
        is_line = any(f'"{word}"' in first for word in _SIGNAL_WORDS) and first.endswith("}")
        return ImportFormat.SIGNAL if is_line else ImportFormat.TELEGRAM
    if begin(first) is not None:
        return ImportFormat.WHATSAPP
    if columns(first) is not None:
        return ImportFormat.CSV
    raise UnknownImportFormatError
