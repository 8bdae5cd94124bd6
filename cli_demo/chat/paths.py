"""Names of files as they are typed behind a command."""

import os
import shlex
from itertools import islice
from pathlib import Path
from typing import Final

from cli_demo.chat.completion import MAX_OFFERS, Offer, Offers
from cli_demo.exits import CliError, Exit

_LOOKED_AT: Final = 2_000
"""Names of a folder that are looked at: a keystroke must not wait for more."""


def paths_in(text: str) -> list[Path]:
    """Return the files that a line names: one as it stands, or several as in a shell.

    Raises:
        CliError: One does not exist, or quotes do not match.
    """
    whole = Path(text).expanduser()
    if _exists(whole):
        return [whole]
    try:
        found = [Path(one).expanduser() for one in shlex.split(text)]
    except ValueError:
        raise CliError("A quotation mark is missing.", Exit.USAGE) from None
    missing = [one for one in found if not _exists(one)]
    if missing or not found:
        raise CliError(f"There is no file {missing[0] if missing else text}.", Exit.USAGE)
    return found


def folder_of(text: str) -> Path:
    """Return the folder that a word names."""
    return Path(text).expanduser()


def make_folder(folder: Path) -> None:
    """Make a folder, if it is not there.

    Raises:
        CliError: It cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CliError(f"{folder}: {error.strerror}.", Exit.FAILURE) from None


def offers(before: str, start: int) -> Offers:
    """Return how the name of a file may go on.

    Args:
        before: The text before the cursor.
        start: Where in it the names of files begin.
    """
    for begin in (start, before.rfind(" ") + 1):
        found = _matching(before[begin:]) if begin >= start else []
        if found:
            return Offers(begin, tuple(found))
    return Offers()


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # it may not be looked at, or its name is too long
        return False


def _matching(typed: str) -> list[Offer]:
    folder, _, begun = typed.rpartition("/")
    folder += "/" if "/" in typed else ""
    found: list[Offer] = []
    try:
        with os.scandir(Path(folder or ".").expanduser() if folder != "/" else "/") as entries:
            for entry in islice(entries, _LOOKED_AT):
                if entry.name.startswith(begun) and (begun or entry.name[0] != "."):
                    end = "/" if entry.is_dir() else ""
                    found.append(Offer(f"{folder}{entry.name}{end}", entry.name + end))
    except OSError:
        return []
    if any(one.text == typed for one in found):
        return []
    return sorted(found, key=lambda one: one.text)[:MAX_OFFERS]
