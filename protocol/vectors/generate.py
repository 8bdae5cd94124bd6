#!/usr/bin/env python3
"""Makes the test vectors of this folder, always the same ones: fixed keys, fixed times.

Run ``python protocol/vectors/generate.py`` and read the difference; with ``--check`` it compares.
What the fields mean, and how to check each without this program, is in README.md beside it.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path

from chains import chains
from comparisons import fingerprints, frames, whole
from consents import consents
from contents import answers, contents, sealed_votes
from encoding import encoding
from guardian_documents import guardian_documents
from inputs import Json
from linking import linking
from own_devices import contents as own_contents
from own_devices import merging, ops
from relay_frames import derived, relay_frames
from sealed_files import sealed_files
from signals import signals
from suite_f001 import suite_f001

HERE = Path(__file__).parent
FILES: dict[str, tuple[str, Callable[[], list[Json]]]] = {
    "encoding.json": ("MessagePack as spec/10-encoding.md restricts it", encoding),
    "frames.json": ("Frames of spec/20-relay-frames.md", relay_frames),
    "derived.json": (
        "Ids, signed messages, sealed votes, answers",
        lambda: derived() + sealed_votes() + answers(),
    ),
    "chain.json": ("Account chains of spec/80-chain-and-consent.md", chains),
    "consents.json": ("Records of consents, spec/80-chain-and-consent.md", consents),
    "guardians.json": ("Documents of spec/85-guardians.md", guardian_documents),
    "linking.json": ("Linking a device, spec/70-linking.md", linking),
    "content.json": ("What members say, spec/50-content.md", contents),
    "signals.json": ("Signals of spec/50-content.md", signals),
    "own-devices.json": (
        "What own devices agree about, spec/75-own-devices.md",
        lambda: [*ops(), *merging(), *own_contents(), *frames(), *fingerprints(), whole()],
    ),
    "sealed-files.json": ("What is in a blob, spec/45-sealed-files.md", sealed_files),
    "suite_f001.json": ("Cipher suite 0xF001, spec/60-cipher-suite.md", suite_f001),
}


def text_of(name: str) -> str:
    """Return a file as it should be; one vector per line, so that differences can be read."""
    about, make = FILES[name]
    head = {"about": about, "source": "protocol/vectors/generate.py; how to check: README.md"}
    lines = [json.dumps(vector, ensure_ascii=True) for vector in make()]
    start = ",\n".join(f"{json.dumps(key)}: {json.dumps(value)}" for key, value in head.items())
    return "{\n" + start + ',\n"vectors": [\n' + ",\n".join(lines) + "\n]\n}\n"


def main() -> int:
    """Write the files, or compare them."""
    if "--check" in sys.argv:
        old = [name for name in FILES if (HERE / name).read_text() != text_of(name)]
        sys.stdout.write("".join(f"{name} is not current\n" for name in old))
        return len(old)
    for name in FILES:
        (HERE / name).write_text(text_of(name))
    return 0


if __name__ == "__main__":
    sys.exit(main())
