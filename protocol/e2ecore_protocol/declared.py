"""The base of everything that is an array of declared fields: frames, entries, content."""

from typing import ClassVar, Self

from e2ecore_protocol.codec import Wire
from e2ecore_protocol.shape import Check, fields


class Declared:
    """A frozen dataclass whose fields, in order, are those on the wire, with a check for each."""

    __slots__ = ()
    SHAPE: ClassVar[tuple[Check[object], ...]]
    """One check per field, in the same order."""

    __match_args__: ClassVar[tuple[str, ...]]

    def __init__(self, *_fields: object) -> None:
        raise NotImplementedError(f"{type(self).__name__} is not a dataclass")

    def to_fields(self) -> tuple[Wire, ...]:
        """Return the fields as they are encoded."""
        return tuple([getattr(self, name) for name in self.__match_args__])

    @classmethod
    def from_fields(cls, wire: tuple[Wire, ...]) -> Self:
        """Check decoded fields and make an object of them.

        Raises:
            MalformedError: A field is missing, too much, of a wrong type or beyond its limit.
        """
        return cls(*fields(wire, cls.SHAPE))
