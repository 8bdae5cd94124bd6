"""What all frames have in common: a type number, declared fields, a canonical encoding."""

from typing import ClassVar, Self

from e2ecore_protocol.codec import Wire, pack, unpack_fields
from e2ecore_protocol.declared import Declared
from e2ecore_protocol.errors import MalformedError
from e2ecore_protocol.limits import MAX_FRAME_BYTES


class Frame(Declared):
    """One message between a client and the relay: an array [type, field, ...].

    A sub-class is a frozen dataclass; its fields, in order, are the fields on the wire.
    """

    __slots__ = ()
    TYPE: ClassVar[int]
    """First element on the wire. Clients send 1 to 63, relays 64 to 127."""

    def encode(self) -> bytes:
        """Return the canonical encoding."""
        return pack((self.TYPE, *self.to_fields()))

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
        return cls.from_fields(wire[1:])
