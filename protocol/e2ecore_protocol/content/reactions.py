"""What somebody thinks of a message, in a sign or a few.

Spec: protocol/spec/50-content.md
"""

from dataclasses import dataclass
from typing import ClassVar

from e2ecore_protocol.content.kind import CheckedContent
from e2ecore_protocol.errors import MalformedError
from e2ecore_protocol.limits import (
    ACCOUNT_ID_BYTES,
    MAX_REACTION_BYTES,
    MAX_REACTIONS,
    MESSAGE_ID_BYTES,
)
from e2ecore_protocol.shape import Check, exactly, listing, text
from e2ecore_protocol.shape import time_ms as a_time


@dataclass(frozen=True, slots=True)
class Reaction(CheckedContent):
    """All signs of one account about one message. Replaces what it said before; none: taken back.

    ``author`` is the account that wrote the message. ``changed_ms`` is the sender's clock, raised
    so that it is later than in everything the account has said of that message before.
    """

    KIND: ClassVar[int] = 5
    SHAPE: ClassVar[tuple[Check[object], ...]] = (
        exactly(MESSAGE_ID_BYTES),
        exactly(ACCOUNT_ID_BYTES),
        a_time,
        listing(text(MAX_REACTION_BYTES, 1, max_bytes=MAX_REACTION_BYTES), MAX_REACTIONS),
    )
    message_id: bytes
    author: bytes
    changed_ms: int
    signs: tuple[str, ...]

    def check(self) -> None:
        """Refuse a sign twice: it is a set.

        Raises:
            MalformedError: There is one.
        """
        if len(set(self.signs)) != len(self.signs):
            raise MalformedError("a sign twice")
