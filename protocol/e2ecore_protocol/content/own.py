"""What the devices of one account say to each other, where nobody else listens.

Spec: protocol/spec/50-content.md, [CNT-90]
"""

from dataclasses import dataclass
from typing import ClassVar

from e2ecore_protocol.content.kind import Content
from e2ecore_protocol.limits import MAX_OWN_BODY_BYTES, MAX_OWN_TOPIC
from e2ecore_protocol.shape import Check, blob, integer


@dataclass(frozen=True, slots=True)
class Own(Content):
    """Something for the own devices: no message, shown to nobody.

    ``topic`` says what ``body`` is. A reader drops what is on a topic that it does not know.
    """

    KIND: ClassVar[int] = 18
    SHAPE: ClassVar[tuple[Check[object], ...]] = (
        integer(MAX_OWN_TOPIC, 1),
        blob(MAX_OWN_BODY_BYTES),
    )
    topic: int
    body: bytes
