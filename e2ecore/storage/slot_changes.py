"""Adding and removing ways to open a database. Each change replaces its key file, and no page."""

from pathlib import Path

from e2ecore.crypto.password import DEFAULT_PARAMETERS, Argon2idParameters
from e2ecore.crypto.rng import Rng, system_rng
from e2ecore.storage import files
from e2ecore.storage.keys import KeyFile, forget_entries
from e2ecore.storage.slots import KeySlot
from e2ecore.storage.unlocking import Key


def listed(path: Path) -> tuple[KeySlot, ...]:
    """Return the slots of a database, in the order in which they were made."""
    return KeyFile.load(files.keys_of(path)).described()


def verify(path: Path, key: Key) -> None:
    """Make sure that a key opens a database, whether that is open or not.

    Raises:
        WrongKeyError: It does not.
    """
    KeyFile.load(files.keys_of(path)).unlock(key)


def add(
    path: Path,
    proof: Key,
    new: Key,
    *,
    parameters: Argon2idParameters = DEFAULT_PARAMETERS,
    rng: Rng = system_rng,
) -> KeySlot:
    """Have one more key open a database; a passphrase takes the place of the one before.

    Args:
        path: The database.
        proof: What opens it now: an open database alone may not be given away.
        new: What shall open it as well.
        parameters: The price of one guess at a passphrase.
        rng: Source of salts.

    Raises:
        WrongKeyError: ``proof`` does not open it.
        TooManySlotsError: There are 32.
        KeyringUnavailableError: ``new`` is a keyring that does not answer.
    """
    keys = KeyFile.load(files.keys_of(path))
    changed = keys.add(keys.unlock(proof), new, parameters=parameters, rng=rng)
    changed.save(files.keys_of(path))
    return changed.described()[-1]


def remove(path: Path, proof: Key, slot_id: str) -> None:
    """Have a slot open a database no more.

    Raises:
        WrongKeyError: ``proof`` does not open it.
        UnknownSlotError: There is no such slot.
        LastSlotError: Nothing, or nothing but the keyring, would be left.
    """
    keys = KeyFile.load(files.keys_of(path))
    keys.unlock(proof)
    changed = keys.remove(slot_id)
    changed.save(files.keys_of(path))
    forget_entries([slot for slot in keys.slots if slot not in changed.slots], [proof])
