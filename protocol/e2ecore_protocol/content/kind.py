"""The base of all kinds of content.

Spec: protocol/spec/50-content.md
"""

from abc import abstractmethod
from typing import ClassVar, Final, Self

from e2ecore_protocol.codec import Wire, pack
from e2ecore_protocol.declared import Declared

CONTENT_VERSION: Final = 1
"""First element of all content."""


class Content(Declared):
    """One thing that a member says. A sub-class is a frozen dataclass of its fields on the wire."""

    __slots__ = ()
    KIND: ClassVar[int]
    """Second element on the wire."""

    def encode(self) -> bytes:
        """Return the canonical encoding."""
        return pack((CONTENT_VERSION, self.KIND, *self.to_fields()))


class CheckedContent(Content):
    """Content whose fields must also fit each other."""

    __slots__ = ()

    @classmethod
    def from_fields(cls, wire: tuple[Wire, ...]) -> Self:
        """Check decoded fields, one by one and together, and make an object of them.

        Raises:
            MalformedError: A field is missing, too much, beyond its limit, or contradicts another.
        """
        found = super().from_fields(wire)
        found.check()
        return found

    @abstractmethod
    def check(self) -> None:
        """Refuse fields that do not fit each other.

        Raises:
            MalformedError: They do not.
        """
