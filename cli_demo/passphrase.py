"""Where the passphrase comes from: a prompt without echo, a file, or an open file descriptor.

Never from the command line, where every process on the machine could read it.
"""

import getpass
import os
import sys
from pathlib import Path
from typing import Final

from cli_demo.consent_words import words_in

FILE_VARIABLE: Final = "E2E_PASSPHRASE_FILE"
_MAX_BYTES: Final = 4096
"""Of a passphrase; far above what anybody types, far below what would be a wrong file."""
_MIN_CHARS: Final = 8
"""For a new database. Argon2id slows guessing down; it cannot save a word of four letters."""


class PassphraseError(Exception):
    """No usable passphrase could be had. Nothing was changed."""


def read_passphrase(*, fd: int | None, create: bool, language: str | None = "en") -> str:
    """Get the passphrase from the first source that there is: descriptor, file, terminal.

    Args:
        fd: An open descriptor to read one line from, or None.
        create: For a new database: asked twice, and refused if it is too short.
        language: In which to ask; None: the system's.

    Raises:
        PassphraseError: There is none, it is too long or short, or the two entries differ.
    """
    file = os.environ.get(FILE_VARIABLE)
    if fd is not None:
        phrase = _from_fd(fd)
    elif file:
        phrase = _from_file(Path(file))
    else:
        words = words_in(language)
        ask = (words.new_passphrase, words.once_more) if create else (words.passphrase, "")
        phrase = _from_terminal(*ask)
    if not phrase:
        raise PassphraseError("the passphrase is empty")
    if create and len(phrase) < _MIN_CHARS:
        raise PassphraseError(f"a passphrase needs at least {_MIN_CHARS} characters")
    return phrase


def read_secret(*, fd: int | None, ask: str, again: str = "") -> str:
    """Get a passphrase or code from a descriptor, else from the terminal, without echo.

    Args:
        fd: An open descriptor to read one line from, or None.
        ask: What the terminal shows.
        again: What it shows when it asks a second time; empty: it does not.

    Raises:
        PassphraseError: There is none, it is too long, or the two entries differ.
    """
    secret = _from_fd(fd) if fd is not None else _from_terminal(ask, again)
    if not secret:
        raise PassphraseError("nothing was entered")
    return secret


def _from_fd(fd: int) -> str:
    try:
        with os.fdopen(os.dup(fd), "rb") as stream:
            return _first_line(stream.readline(_MAX_BYTES + 1), f"descriptor {fd}")
    except OSError as error:
        raise PassphraseError(f"cannot read descriptor {fd}: {error.strerror}") from None


def _from_file(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            return _first_line(stream.readline(_MAX_BYTES + 1), f"{FILE_VARIABLE} ({path})")
    except OSError as error:
        raise PassphraseError(f"cannot read {path} ({FILE_VARIABLE}): {error.strerror}") from None


def _first_line(raw: bytes, source: str) -> str:
    if len(raw) > _MAX_BYTES:
        raise PassphraseError(f"{source}: the passphrase is longer than {_MAX_BYTES} bytes")
    try:
        return raw.rstrip(b"\r\n").decode()
    except UnicodeDecodeError:
        raise PassphraseError(f"{source}: the passphrase is not UTF-8") from None


def _from_terminal(ask: str, again: str) -> str:
    if not sys.stdin.isatty():
        raise PassphraseError(
            f"there is no terminal to ask on; set {FILE_VARIABLE} or use --passphrase-fd"
        )
    try:
        first = getpass.getpass(ask)
        if again and getpass.getpass(again) != first:
            raise PassphraseError("the two entries differ")
    except EOFError:
        raise PassphraseError("no passphrase was entered") from None
    return first
