"""Messages that all members of a conversation shall have at hand.

Spec: protocol/spec/50-content.md
"""

from dataclasses import dataclass
from typing import ClassVar, Final

from e2ecore_protocol.content.kind import Content
from e2ecore_protocol.limits import ACCOUNT_ID_BYTES, MESSAGE_ID_BYTES
from e2ecore_protocol.shape import Check, exactly, one_of
from e2ecore_protocol.shape import time_ms as a_time

UNPINNED: Final = 0
PINNED: Final = 1


@dataclass(frozen=True, slots=True)
class Pin(Content):
    """A message is pinned, or not any more. Of several the one with the greatest stamp counts.

    ``author`` is the account that wrote the message. ``changed_ms`` is the sender's clock, raised
    so that it is later than in everything that the sender knows was said of that message's pin.
    """

    KIND: ClassVar[int] = 13
    SHAPE: ClassVar[tuple[Check[object], ...]] = (
        exactly(MESSAGE_ID_BYTES),
        exactly(ACCOUNT_ID_BYTES),
        a_time,
        one_of(UNPINNED, PINNED),
    )
    message_id: bytes
    author: bytes
    changed_ms: int
    state: int
