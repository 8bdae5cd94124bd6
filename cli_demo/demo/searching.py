"""Looking for plaintext where none may be: every file, byte by byte, in every likely disguise."""

import base64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_WINDOW: Final = 1 << 20
_MIN_BYTES: Final = 8
"""Shorter texts would be found by chance."""


@dataclass(frozen=True, slots=True)
class Search:
    """What was looked at, and where something was found."""

    files: int
    bytes: int
    needles: int
    hits: tuple[str, ...]
    """File names, without what was found in them."""


def needles(text: str) -> list[bytes]:
    """A text as UTF-8, UTF-16, hexadecimal and Base64 at each of the three alignments."""
    raw = text.encode()
    if len(raw) < _MIN_BYTES:
        return []
    aligned = (base64.b64encode(b"\0" * shift + raw) for shift in range(3))
    # The first and last Base64 characters depend on the neighbours, so only the middle is certain.
    return [raw, text.encode("utf-16-le"), raw.hex().encode(), *(part[4:-4] for part in aligned)]


def search(roots: Iterable[Path], texts: Sequence[str]) -> Search:
    """Look for all texts in all files under the roots (files or directories)."""
    wanted = [needle for text in texts for needle in needles(text)]
    files = sorted({file for root in roots for file in _files(root)})
    total = 0
    hits: list[str] = []
    for file in files:
        size, found = _look(file, wanted)
        total += size
        if found:
            hits.append(file.name)
    return Search(len(files), total, len(wanted), tuple(hits))


def _files(root: Path) -> Iterable[Path]:
    return [root] if root.is_file() else (one for one in root.rglob("*") if one.is_file())


def _look(file: Path, wanted: Sequence[bytes]) -> tuple[int, bool]:
    overlap = max(map(len, wanted), default=1) - 1
    size, tail, found = 0, b"", False
    with file.open("rb") as stream:
        while block := stream.read(_WINDOW):
            size += len(block)
            window = tail + block
            found = found or any(needle in window for needle in wanted)
            tail = window[-overlap:] if overlap else b""
    return size, found
