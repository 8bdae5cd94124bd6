"""What an author does to a message afterwards: say it in other words, or take it back.

Spec: protocol/spec/50-content.md
"""

from dataclasses import dataclass
from typing import ClassVar

from e2ecore_protocol.content.kind import CheckedContent, Content
from e2ecore_protocol.content.rich_text import Mention, check_mentions, mention_list
from e2ecore_protocol.limits import MAX_TEXT_BYTES, MESSAGE_ID_BYTES
from e2ecore_protocol.shape import Check, exactly, text
from e2ecore_protocol.shape import time_ms as a_time


@dataclass(frozen=True, slots=True)
class Edit(CheckedContent):
    """Other words for a text of the sending account, all of them.

    ``changed_ms`` is the sender's clock, raised so that it is later than in every edit before.
    """

    KIND: ClassVar[int] = 6
    SHAPE: ClassVar[tuple[Check[object], ...]] = (
        exactly(MESSAGE_ID_BYTES),
        a_time,
        text(MAX_TEXT_BYTES, 1, max_bytes=MAX_TEXT_BYTES),
        mention_list,
    )
    message_id: bytes
    changed_ms: int
    text: str
    mentions: tuple[Mention, ...] = ()

    def check(self) -> None:
        """Refuse mentions outside of the text.

        Raises:
            MalformedError: There is one.
        """
        check_mentions(self.mentions, self.text)


@dataclass(frozen=True, slots=True)
class Recall(Content):
    """Everybody shall erase a message of the sending account. It cannot be undone."""

    KIND: ClassVar[int] = 7
    SHAPE: ClassVar[tuple[Check[object], ...]] = (exactly(MESSAGE_ID_BYTES), a_time)
    message_id: bytes
    changed_ms: int
