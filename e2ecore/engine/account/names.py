"""Checks of what people type, before anything is stored or sent."""

import re
from typing import Final

from e2ecore.engine.errors import (
    BadHandleError,
    BadTextError,
    EmptyTextError,
    NameTooLongError,
    TextTooLongError,
    TitleTooLongError,
)
from e2ecore_protocol.limits import (
    HANDLE_PATTERN,
    MAX_DISPLAY_NAME_CHARS,
    MAX_TEXT_BYTES,
    MAX_TITLE_CHARS,
)

_HANDLE: Final = re.compile(HANDLE_PATTERN)


def check_handle(handle: str) -> None:
    """Refuse what cannot be a handle.

    Raises:
        BadHandleError: It cannot.
    """
    if not _HANDLE.fullmatch(handle):
        raise BadHandleError


def check_text(text: str) -> None:
    """Refuse what cannot be sent as a text.

    Raises:
        EmptyTextError: Nothing in it.
        BadTextError: Lone surrogates: not Unicode text.
        TextTooLongError: More than 1 MiB in UTF-8.
    """
    if not text:
        raise EmptyTextError
    try:
        size = len(text) if text.isascii() else len(text.encode())
    except UnicodeEncodeError:
        raise BadTextError from None
    if size > MAX_TEXT_BYTES:
        raise TextTooLongError(f"{size} bytes, {MAX_TEXT_BYTES} at most")


def check_title(title: str) -> None:
    """Refuse what cannot be a title.

    Raises:
        TitleTooLongError: More than 128 characters.
        BadTextError: Lone surrogates.
    """
    _check_unicode(title)
    if len(title) > MAX_TITLE_CHARS:
        raise TitleTooLongError


def check_display_name(name: str) -> None:
    """Refuse what cannot be a display name.

    Raises:
        NameTooLongError: More than 64 characters.
        BadTextError: Lone surrogates.
    """
    _check_unicode(name)
    if len(name) > MAX_DISPLAY_NAME_CHARS:
        raise NameTooLongError


def _check_unicode(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise BadTextError from None
