"""Write the golden key files: ``python -m tests.stored.slots``. Once, and never again.

Every later version must open them, in each of the ways that they name.
"""

import json
from pathlib import Path
from typing import Final

from e2ecore.crypto.rng import system_rng
from e2ecore.storage.keys import KeyFile
from e2ecore.storage.recovery_codes import encode
from e2ecore.storage.unlocking import HostKey, OsKeyring, Passphrase, RecoveryCode, Unlock
from tests.support.databases import CHEAP, PASSPHRASE
from tests.support.keyrings import MemoryKeyring

FOLDER: Final = Path(__file__).parent
WHOLE: Final = FOLDER / "slots_1.keys"
"""All ways to open a database."""
CHANGING: Final = FOLDER / "slots_2.keys"
"""The same, while the database gets another master key that each of them opens as well."""
ENTRIES: Final = FOLDER / "slots_keyring.json"
"""What the keyring has for both."""


def ways(entries: dict[tuple[str, str], str]) -> dict[str, Unlock]:
    """Return every way to open the golden files, given what the keyring keeps."""
    keyring = MemoryKeyring()
    keyring.entries = entries
    return {
        "passphrase": Passphrase(PASSPHRASE),
        "recovery code": RecoveryCode(encode(bytes(range(16)))),
        "host key": HostKey(bytes(range(100, 132))),
        "keyring": OsKeyring(keyring),
    }


def entries() -> dict[tuple[str, str], str]:
    """Return what the keyring keeps."""
    found = json.loads(ENTRIES.read_text())
    return {(service, name): secret for service, name, secret in found}


def main() -> None:
    """Write the files."""
    kept: dict[tuple[str, str], str] = {}
    first, *others = ways(kept).values()
    keys, master = KeyFile.new(first, parameters=CHEAP, rng=system_rng)
    for way in others:
        keys = keys.add(master, way, parameters=CHEAP)
    keys = keys.complete()
    keys.save(WHOLE)
    _, following = KeyFile.new(first, parameters=CHEAP, rng=system_rng)
    pending = keys.with_pending(following, [first, *others], parameters=CHEAP, rng=system_rng)
    pending.save(CHANGING)
    ENTRIES.write_text(json.dumps([[*name, secret] for name, secret in kept.items()], indent=1))


if __name__ == "__main__":
    main()
