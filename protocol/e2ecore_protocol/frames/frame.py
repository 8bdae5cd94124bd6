"""What all frames have in common: a type number, declared fields, a canonical encoding."""

from typing import ClassVar, Self

from e2ecore_protocol.codec import Wire, pack, unpack_fields
from e2ecore_protocol.errors import MalformedError
from e2ecore_protocol.limits import MAX_FRAME_BYTES
from e2ecore_protocol.shape import Check, fields


class Frame:
    """One message between a client and the relay: an array [type, field, ...].

    A sub-class is a frozen dataclass; its fields, in order, are the fields on the wire.
    """

    __slots__ = ()
    TYPE: ClassVar[int]
    """First element on the wire. Clients send 1 to 63, relays 64 to 127."""

    SHAPE: ClassVar[tuple[Check[object], ...]]
    """One check per field."""

    __match_args__: ClassVar[tuple[str, ...]]

    def __init__(self, *_fields: object) -> None:
        raise NotImplementedError("a frame is one of the sub-classes")

    def encode(self) -> bytes:
        """Return the canonical encoding."""
        names = self.__match_args__
        return pack((self.TYPE, *[getattr(self, name) for name in names]))

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Parse exactly one frame of this type.

        Raises:
            MalformedError: Not the canonical encoding of such a frame, or beyond a limit.
        """
        wire = unpack_fields(data, MAX_FRAME_BYTES)
        if not wire or type(wire[0]) is not int or wire[0] != cls.TYPE:
            raise MalformedError(f"not a {cls.__name__}")
        return cls.from_wire(wire)

    @classmethod
    def from_wire(cls, wire: tuple[Wire, ...]) -> Self:
        """Check the fields of a decoded array whose type number is ours.

        Raises:
            MalformedError: A field is missing, too much, of a wrong type or beyond its limit.
        """
        return cls(*fields(wire[1:], cls.SHAPE))
