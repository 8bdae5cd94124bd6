"""Exports of ours, written for tests; and the line of a message as Python's json makes it."""

import base64
import hashlib
import json
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC
from pathlib import Path
from typing import Final, NamedTuple

from e2ecore.consent.audit import Paper, write_consents
from e2ecore.consent.notices import shipped_notice
from e2ecore.consent.purposes import Purpose
from e2ecore.crypto.signing import ED25519
from e2ecore.portability import manifest
from e2ecore.portability.opening import Wishes, open_file
from e2ecore.portability.records import Earlier, Entry, Heading, Reaction
from e2ecore.portability.remarks import earlier_text, reaction_text
from e2ecore.portability.writing import STATES, ExportWriter
from e2ecore_protocol.chain.entry import account_id_of
from e2ecore_protocol.chain.record import ConsentRecord, Controller, Times
from e2ecore_protocol.chain.state import genesis_entry, start

KEY: Final = ED25519.load(bytes(range(32)))
GENESIS: Final = genesis_entry(KEY.public, created_ms=1, sign=KEY.sign)
ACCOUNT: Final = account_id_of(GENESIS)
OWN: Final = b"\x07" * 20
ANN: Final = b"\x09" * 20
Files = dict[str, bytes]


class Row(NamedTuple):
    """What of a stored message is exported."""

    uid: bytes
    account_id: bytes
    device_id: bytes
    counter: int
    sent_ms: int
    stored_ms: int
    kind: int
    state: int
    body: str
    ext: bytes


def row(number: int, body: str = "text", ext: bytes = b"", kind: int = 1) -> Row:
    """A message that Ann has sent."""
    return Row(number.to_bytes(16), ANN, bytes(16), number, 1, 2, kind, 0, body, ext)


def line_of(row: Row) -> str:
    """The line of a message."""
    fields: dict[str, object] = {
        "id": row.uid.hex(),
        "from": row.account_id.hex(),
        "device": row.device_id.hex(),
        "counter": row.counter,
        "sent_ms": row.sent_ms,
        "stored_ms": row.stored_ms,
        "kind": row.kind,
        "state": STATES[row.state],
        "text": row.body,
    }
    if row.ext:
        fields["content"] = base64.b64encode(row.ext).decode()
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":")) + "\n"


def consents_file() -> bytes:
    """What proves that the account of exports has agreed to something."""
    notice = shipped_notice(Purpose.PRESENCE, "en")
    record = ConsentRecord(
        1, b"c" * 16, ACCOUNT, bytes(16), notice.purpose, "", notice.version, notice.language,
        notice.hash, ("when",), (Controller("Somebody", "somebody@example.org"),), ("relay",), (),
        None, "CN", "in the app", Times(2, None),
    )  # fmt: skip
    chain = start([GENESIS], ED25519.verify)
    granted = chain.next_entry(record.granted(bytes(32)), now_ms=2, sign=KEY.sign)
    paper = Paper(record.encode(), bytes(32), notice.text)
    return write_consents([GENESIS.encode(), granted.encode()], [paper])


def write(
    path: Path,
    *rows: Row,
    lines: Sequence[str] = (),
    sign: Callable[[bytes], bytes] = KEY.sign,
    kept: Mapping[str, object] | None = None,
    consents: bytes = b"",
    person: Mapping[str, object] | None = None,
) -> Path:
    """Write an export of one conversation: messages, then other lines.

    Args:
        path: The file.
        rows: The messages.
        lines: What follows them.
        sign: The account's key.
        kept: More fields of the conversation's heading.
        consents: The file of consents; empty: none.
        person: More fields of Ann's line.
    """
    writer = ExportWriter(path)
    writer.begin_people()
    writer.add({"account": ANN.hex(), "handle": "ann", "name": "", **(person or {})})
    if consents:
        writer.add_file(manifest.CONSENTS, consents)
    writer.begin_conversation(bytes(16))
    writer.add(
        {"conversation": bytes(16).hex(), "kind": "direct", "title": "", "created_ms": 1,
         "key": "", "names": {ANN.hex(): "ann"}, **(kept or {})}
    )  # fmt: skip
    writer.add_lines([*map(line_of, rows), *lines], len(rows))
    writer.finish(ACCOUNT, bytes(16), GENESIS.encode(), 5, sign)
    writer.discard()
    return path


def said_lines(number: int, who: bytes) -> list[str]:
    """The lines of a reaction to a message and of its earlier words."""
    uid = number.to_bytes(16)
    return [
        reaction_text(uid, Reaction(who, bytes(16), 7, ("👍", "x"))),
        earlier_text(uid, Earlier(6, bytes(16), "befor")),
    ]


def sign_lines(path: Path, content: bytes) -> Path:
    """Write an export of one conversation whose lines are these bytes, whatever they are."""
    good = files_of(write(path))
    inner = next(name for name in good if name.startswith(manifest.FOLDER))
    good[inner] += content
    stated = manifest.decode(good[manifest.MANIFEST])
    size, digest = len(good[inner]), hashlib.sha256(good[inner]).digest()
    files = tuple(
        replace(one, size=size, sha256=digest) if one.name == inner else one for one in stated.files
    )
    encoded = replace(stated, files=files).encode()
    good[manifest.MANIFEST], good[manifest.SIGNATURE] = encoded, manifest.sign(encoded, KEY.sign)
    path.unlink()
    return pack(path, good)


def entries(path: Path, own: bytes = OWN) -> list[Entry]:
    """The messages of a file."""
    source = open_file(path, Wishes(own, time_zone=UTC))
    try:
        return [one for one in source.items() if not isinstance(one, Heading)]
    finally:
        source.close()


def files_of(path: Path) -> Files:
    """What is in an archive."""
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def pack(path: Path, files: Files) -> Path:
    """Make an archive."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path
