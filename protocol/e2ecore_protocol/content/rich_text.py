"""A text with something besides: an answer to another message, mentions, a lifetime.

Spec: protocol/spec/50-content.md
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final, NamedTuple

from e2ecore_protocol.codec import Wire, pack
from e2ecore_protocol.content.kind import CheckedContent
from e2ecore_protocol.errors import MalformedError
from e2ecore_protocol.limits import (
    ACCOUNT_ID_BYTES,
    HASH_BYTES,
    MAX_FORWARDS,
    MAX_MENTIONS,
    MAX_TEXT_BYTES,
    MAX_TEXT_LIFETIME_S,
    MESSAGE_ID_BYTES,
)
from e2ecore_protocol.shape import Check, exactly, integer, listing, maybe, record, text
from e2ecore_protocol.shape import time_ms as a_time

_QUOTE_LABEL: Final = b"e2ecore quote v1"


class Reply(NamedTuple):
    """The message that a text answers: its id, the account of its author, ``quote_digest``."""

    message_id: bytes
    author: bytes
    digest: bytes


class Mention(NamedTuple):
    """Part of a text that names somebody; ``start`` and ``length`` count Unicode code points."""

    account_id: bytes
    start: int
    length: int


class Extras(NamedTuple):
    """What a text has besides; ``lifetime_s`` is in seconds, from when somebody has stored it."""

    reply: Reply | None = None
    mentions: tuple[Mention, ...] = ()
    forwards: int = 0
    lifetime_s: int | None = None


NO_EXTRAS: Final = Extras()
mention_list: Final = listing(
    record(
        Mention._make,
        exactly(ACCOUNT_ID_BYTES),
        integer(MAX_TEXT_BYTES),
        integer(MAX_TEXT_BYTES, 1),
    ),
    MAX_MENTIONS,
)
extras: Final = record(
    Extras._make,
    maybe(
        record(
            Reply._make,
            exactly(MESSAGE_ID_BYTES),
            exactly(ACCOUNT_ID_BYTES),
            exactly(HASH_BYTES),
        )
    ),
    mention_list,
    integer(MAX_FORWARDS),
    maybe(integer(MAX_TEXT_LIFETIME_S, 1)),
)


@dataclass(frozen=True, slots=True)
class RichText(CheckedContent):
    """A text with something besides. One with nothing besides is a Text."""

    KIND: ClassVar[int] = 4
    SHAPE: ClassVar[tuple[Check[object], ...]] = (
        exactly(MESSAGE_ID_BYTES),
        a_time,
        text(MAX_TEXT_BYTES, 1, max_bytes=MAX_TEXT_BYTES),
        extras,
    )
    message_id: bytes
    sent_ms: int
    text: str
    extras: Extras

    def check(self) -> None:
        """Refuse what a Text could say, and mentions outside of the text.

        Raises:
            MalformedError: It is one of these.
        """
        if self.extras == NO_EXTRAS:
            raise MalformedError("a text with nothing besides is of kind 1")
        check_mentions(self.extras.mentions, self.text)


def check_mentions(mentions: Sequence[Mention], body: str) -> None:
    """Refuse mentions that overlap, are not in order, or reach beyond the text.

    Raises:
        MalformedError: They do.
    """
    end = 0
    for one in mentions:
        if one.start < end:
            raise MalformedError("mentions are in order and do not overlap")
        end = one.start + one.length
    if end > len(body):
        raise MalformedError("a mention reaches beyond the text")


def quote_digest(message_id: bytes, author: bytes, said: Wire) -> bytes:
    """Return what binds a reply to the very words that it answers.

    Args:
        message_id: Of the message that is answered.
        author: Who wrote that.
        said: Of a text its words; of other kinds see ``quotes``.
    """
    return hashlib.sha256(_QUOTE_LABEL + pack((message_id, author, said))).digest()
