"""The outermost frame of everything that MLS sends. Spec: RFC 9420 §6 (Message Framing)."""

from collections.abc import Mapping
from typing import Final

from e2ecore.mls.codec import Reader, decode_all, u16
from e2ecore.mls.errors import MalformedMessageError, UnsupportedError
from e2ecore.mls.framing import WireFormat
from e2ecore.mls.group_info import GroupInfo, Welcome
from e2ecore.mls.key_package import KeyPackage
from e2ecore.mls.nodes import MLS10
from e2ecore.mls.private_message import PrivateMessage
from e2ecore.mls.public_message import PublicMessage

Message = PublicMessage | PrivateMessage | Welcome | GroupInfo | KeyPackage


def _read(reader: Reader) -> Message:
    if reader.u16() != MLS10:
        raise UnsupportedError("the message is of another version of MLS")
    match reader.u16():
        case WireFormat.PRIVATE_MESSAGE:
            return PrivateMessage.read(reader)
        case WireFormat.PUBLIC_MESSAGE:
            return PublicMessage.read(reader)
        case WireFormat.WELCOME:
            return Welcome.read(reader)
        case WireFormat.GROUP_INFO:
            return GroupInfo.read(reader)
        case WireFormat.KEY_PACKAGE:
            return KeyPackage.read(reader)
        case _:
            raise MalformedMessageError("unknown wire format")


def decode_message(data: bytes) -> Message:
    """Decode one MLSMessage.

    Raises:
        MalformedMessageError: Not exactly one message in its one encoding.
        UnsupportedError: Of another version of MLS.
    """
    return decode_all(_read, data)


def encode_message(message: Message) -> bytes:
    """Encode one MLSMessage."""
    head = u16(MLS10) + u16(_WIRE_FORMATS[type(message)])
    if isinstance(message, (Welcome, GroupInfo)):  # which are long
        return message.encode(head)
    return head + message.encode()


_WIRE_FORMATS: Final[Mapping[type[Message], WireFormat]] = {
    PublicMessage: WireFormat.PUBLIC_MESSAGE,
    PrivateMessage: WireFormat.PRIVATE_MESSAGE,
    Welcome: WireFormat.WELCOME,
    GroupInfo: WireFormat.GROUP_INFO,
    KeyPackage: WireFormat.KEY_PACKAGE,
}
