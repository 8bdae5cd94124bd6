"""Extensions and what a group requires of its members.

Spec: RFC 9420 §13.4 (Extensions) and RFC 9420 §11.1 (Required Capabilities).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from struct import iter_unpack
from typing import Final

from e2ecore.mls.codec import Reader, decode_all, length, u16, vector
from e2ecore.mls.errors import MalformedMessageError


class ExtensionType(IntEnum):
    """Spec: RFC 9420 §17.3 (MLS Extension Types)."""

    APPLICATION_ID = 1
    RATCHET_TREE = 2
    REQUIRED_CAPABILITIES = 3
    EXTERNAL_PUB = 4
    EXTERNAL_SENDERS = 5
    LAST_RESORT_KEY_PACKAGE = 0x000A
    """In a KeyPackage, empty: it may be used more than once. From draft-ietf-mls-extensions, for
    RFC 9420 §16.8 (KeyPackage Reuse)."""


DEFAULT_EXTENSION_TYPES: Final = frozenset(range(1, 6))
"""Everybody knows these; they are not listed (RFC 9420 §7.2 (Leaf Node Contents))."""
DEFAULT_PROPOSAL_TYPES: Final = frozenset(range(1, 8))
"""Everybody knows these; they are not listed (RFC 9420 §7.2 (Leaf Node Contents))."""


@dataclass(frozen=True, slots=True)
class Extension:
    """A type and what it says. The content of unknown types is kept as it came."""

    type: int
    data: bytes

    def encode(self) -> bytes:
        """Return the Extension."""
        return b"".join((u16(self.type), length(len(self.data)), self.data))


Extensions = tuple[Extension, ...]


def _read_extension(reader: Reader) -> Extension:
    return Extension(reader.u16(), reader.opaque())


def read_extensions(reader: Reader) -> Extensions:
    """Read ``Extension extensions<V>``.

    Raises:
        MalformedMessageError: Also if a type occurs twice (RFC 9420 §13.4 (Extensions)).
    """
    extensions = tuple(reader.vector(_read_extension))
    if len(extensions) > 1 and len({extension.type for extension in extensions}) != len(extensions):
        raise MalformedMessageError("two extensions have the same type")
    return extensions


def encode_extensions(extensions: Iterable[Extension]) -> bytes:
    """Return ``Extension extensions<V>``."""
    return vector(extension.encode() for extension in extensions)


def find_extension(extensions: Iterable[Extension], type_: int) -> bytes | None:
    """Return the content of the extension with this type, or None."""
    return next((each.data for each in extensions if each.type == type_), None)


def encode_u16s(numbers: Iterable[int]) -> bytes:
    """Return a vector of two-byte numbers."""
    return vector(map(u16, numbers))


def read_u16s(reader: Reader) -> tuple[int, ...]:
    """Read a vector of two-byte numbers.

    Raises:
        MalformedMessageError: Also if its last number is cut in half.
    """
    return _numbers(reader.opaque())


@lru_cache(maxsize=256)
def _numbers(data: bytes) -> tuple[int, ...]:
    """Split a list of numbers. Members of a group send the same few lists."""
    if len(data) % 2:
        raise MalformedMessageError("the message ends too early")
    return tuple(number for (number,) in iter_unpack(">H", data))


@dataclass(frozen=True, slots=True)
class RequiredCapabilities:
    """What every member must support. Spec: RFC 9420 §11.1 (Required Capabilities)."""

    extension_types: tuple[int, ...] = ()
    proposal_types: tuple[int, ...] = ()
    credential_types: tuple[int, ...] = ()

    def encode(self) -> bytes:
        """Return the content of the extension."""
        lists = (self.extension_types, self.proposal_types, self.credential_types)
        return b"".join(map(encode_u16s, lists))

    def to_extension(self) -> Extension:
        """Return it as an extension of the group context."""
        return Extension(ExtensionType.REQUIRED_CAPABILITIES, self.encode())


def _read_required(reader: Reader) -> RequiredCapabilities:
    return RequiredCapabilities(read_u16s(reader), read_u16s(reader), read_u16s(reader))


def required_capabilities(extensions: Iterable[Extension]) -> RequiredCapabilities:
    """Return what the extensions of a group context require; nothing if they say nothing.

    Raises:
        MalformedMessageError: The extension is there and does not decode.
    """
    data = find_extension(extensions, ExtensionType.REQUIRED_CAPABILITIES)
    return _NOTHING_REQUIRED if data is None else decode_all(_read_required, data)


_NOTHING_REQUIRED: Final = RequiredCapabilities()
