"""Exports of ours, written for tests; and the line of a message as Python's json makes it."""

import base64
import json
import zipfile
from collections.abc import Callable, Sequence
from datetime import UTC
from pathlib import Path
from typing import Final, NamedTuple

from e2ecore.crypto.signing import ED25519
from e2ecore.portability.opening import Wishes, open_file
from e2ecore.portability.records import Entry, Heading
from e2ecore.portability.writing import STATES, ExportWriter
from e2ecore_protocol.chain.entry import account_id_of
from e2ecore_protocol.chain.state import genesis_entry

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


def write(
    path: Path, *rows: Row, lines: Sequence[str] = (), sign: Callable[[bytes], bytes] = KEY.sign
) -> Path:
    """Write an export of one conversation: messages, then other lines."""
    writer = ExportWriter(path)
    writer.begin_people()
    writer.add({"account": ANN.hex(), "handle": "ann", "name": ""})
    writer.begin_conversation(bytes(16))
    writer.add(
        {"conversation": bytes(16).hex(), "kind": "direct", "title": "", "created_ms": 1,
         "key": "", "names": {ANN.hex(): "ann"}}
    )  # fmt: skip
    writer.add_lines([*map(line_of, rows), *lines], len(rows))
    writer.finish(ACCOUNT, bytes(16), GENESIS.encode(), 5, sign)
    writer.discard()
    return path


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
