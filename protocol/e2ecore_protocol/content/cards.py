"""A contact card: somebody is shown to the others, so that they can write to them.

Spec: protocol/spec/50-content.md
"""

from dataclasses import dataclass
from typing import ClassVar

from e2ecore_protocol.content.kind import Content
from e2ecore_protocol.limits import ACCOUNT_ID_BYTES, MAX_DISPLAY_NAME_CHARS, MESSAGE_ID_BYTES
from e2ecore_protocol.shape import Check, exactly, handle, maybe, text
from e2ecore_protocol.shape import time_ms as a_time


@dataclass(frozen=True, slots=True)
class ContactCard(Content):
    """An account, and how the sender knows it. The names are the sender's word.

    ``sent_ms`` is the sender's clock. ``handle`` is None where the sender knows none.
    """

    KIND: ClassVar[int] = 12
    SHAPE: ClassVar[tuple[Check[object], ...]] = (
        exactly(MESSAGE_ID_BYTES),
        a_time,
        exactly(ACCOUNT_ID_BYTES),
        maybe(handle),
        text(MAX_DISPLAY_NAME_CHARS),
    )
    message_id: bytes
    sent_ms: int
    account_id: bytes
    handle: str | None
    display_name: str
