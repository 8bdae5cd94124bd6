"""What an op says, by kind. The hundreds of a kind's number are the rule by which ops are merged.

So a device merges, and forgets what is overwritten, also where it does not know the kind.

Spec: protocol/spec/75-own-devices.md
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from types import MappingProxyType
from typing import ClassVar, Final, NamedTuple, Self

from e2ecore_protocol.codec import Wire
from e2ecore_protocol.content.rich_text import Mention, check_mentions, mention_list
from e2ecore_protocol.declared import Declared
from e2ecore_protocol.errors import MalformedError
from e2ecore_protocol.limits import (
    ACCOUNT_ID_BYTES,
    CONVERSATION_ID_BYTES,
    HASH_BYTES,
    MAX_DISPLAY_NAME_CHARS,
    MAX_OP_ERASED,
    MAX_OP_SUBJECT_BYTES,
    MAX_SETTING_BYTES,
    MAX_SHARED_DRAFT_BYTES,
    MESSAGE_ID_BYTES,
)
from e2ecore_protocol.shape import (
    Check,
    blob,
    exactly,
    handle,
    listing,
    maybe,
    number,
    one_of,
    record,
    text,
)
from e2ecore_protocol.shape import time_ms as a_time

ENGINE_SETTINGS: Final = b"e2e_"
"""How names of settings begin that are not for apps. There are none yet."""

KINDS_PER_RULE: Final = 100
"""Kinds that share a rule, by number."""


class Rule(IntEnum):
    """How ops about the same subject become one outcome."""

    REGISTER = 1
    """What was written last counts."""

    GREATEST = 2
    """The greatest number counts, whoever said it and when."""

    VALUES = 3
    """All that nobody has overwritten count, side by side."""

    FOREVER = 4
    """Every one counts, and nothing ever takes one back."""

    FLAG = 5
    """Set as long as one that nobody has overwritten sets it."""


def rule_of(kind: int) -> Rule | None:
    """Return the rule of a kind; None for one of a newer version."""
    number_of_rule = kind // KINDS_PER_RULE
    return Rule(number_of_rule) if Rule.REGISTER <= number_of_rule <= Rule.FLAG else None


class OpBody(Declared):
    """What an op says of its subject. A sub-class is a frozen dataclass of its ``value``."""

    __slots__ = ()
    KIND: ClassVar[int]
    SUBJECT: ClassVar[Check[bytes]]
    """Checks what the op is about."""


_conversation: Final = exactly(CONVERSATION_ID_BYTES)
_account: Final = exactly(ACCOUNT_ID_BYTES)
_switch: Final = one_of(0, 1)


def _conversation_or_all(value: Wire) -> bytes:
    return b"" if value == b"" else _conversation(value)


def _setting_name(value: Wire) -> bytes:
    name = blob(MAX_OP_SUBJECT_BYTES, 1)(value)
    if not name.isascii() or not name.decode().isidentifier() or name != name.lower():
        raise MalformedError("not the name of a setting")
    return name


@dataclass(frozen=True, slots=True)
class Mute(OpBody):
    """Until when a conversation shall not disturb; 0: it may."""

    KIND: ClassVar[int] = 100
    SUBJECT: ClassVar[Check[bytes]] = _conversation
    SHAPE: ClassVar[tuple[Check[object], ...]] = (a_time,)
    until_ms: int


@dataclass(frozen=True, slots=True)
class Archive(OpBody):
    """Whether a conversation is put away: 1 or 0."""

    KIND: ClassVar[int] = 101
    SUBJECT: ClassVar[Check[bytes]] = _conversation
    SHAPE: ClassVar[tuple[Check[object], ...]] = (_switch,)
    on: int


@dataclass(frozen=True, slots=True)
class Place(OpBody):
    """When a conversation was pinned to the top of the list, which is their order; 0: it is not."""

    KIND: ClassVar[int] = 102
    SUBJECT: ClassVar[Check[bytes]] = _conversation
    SHAPE: ClassVar[tuple[Check[object], ...]] = (a_time,)
    pinned_ms: int


@dataclass(frozen=True, slots=True)
class Person(OpBody):
    """Whether an account is a contact (1 or 0), its handle, and what its owner calls it here.

    An empty name: none of their own.
    """

    KIND: ClassVar[int] = 103
    SUBJECT: ClassVar[Check[bytes]] = _account
    SHAPE: ClassVar[tuple[Check[object], ...]] = (
        _switch,
        maybe(handle),
        text(MAX_DISPLAY_NAME_CHARS),
    )
    contact: int
    handle: str | None
    name: str


@dataclass(frozen=True, slots=True)
class Verified(OpBody):
    """What was compared in person, as a hash over keys and devices; None: nothing, or not any more.

    It never says that the keys are still the same: each device judges that by what it sees.
    """

    KIND: ClassVar[int] = 104
    SUBJECT: ClassVar[Check[bytes]] = _account
    SHAPE: ClassVar[tuple[Check[object], ...]] = (maybe(exactly(HASH_BYTES)),)
    compared: bytes | None


@dataclass(frozen=True, slots=True)
class Setting(OpBody):
    """A setting of the account, by its name; what the bytes mean is the setting's own matter."""

    KIND: ClassVar[int] = 105
    SUBJECT: ClassVar[Check[bytes]] = _setting_name
    SHAPE: ClassVar[tuple[Check[object], ...]] = (blob(MAX_SETTING_BYTES),)
    value: bytes


@dataclass(frozen=True, slots=True)
class Retention(OpBody):
    """For how long messages are kept; None: for ever. No subject: where nothing else is said."""

    KIND: ClassVar[int] = 106
    SUBJECT: ClassVar[Check[bytes]] = _conversation_or_all
    SHAPE: ClassVar[tuple[Check[object], ...]] = (maybe(number),)
    keep_ms: int | None


@dataclass(frozen=True, slots=True)
class Revisions(OpBody):
    """Whether earlier words of edited messages are kept; None: as where the subject is empty."""

    KIND: ClassVar[int] = 107
    SUBJECT: ClassVar[Check[bytes]] = _conversation_or_all
    SHAPE: ClassVar[tuple[Check[object], ...]] = (maybe(_switch),)
    kept: int | None


@dataclass(frozen=True, slots=True)
class ReadUpTo(OpBody):
    """How far a conversation is read: up to and including this number of its log at the relay."""

    KIND: ClassVar[int] = 200
    SUBJECT: ClassVar[Check[bytes]] = _conversation
    SHAPE: ClassVar[tuple[Check[object], ...]] = (number,)
    seq: int


@dataclass(frozen=True, slots=True)
class ClearedUpTo(OpBody):
    """All messages of a conversation up to and including this number of its log are erased."""

    KIND: ClassVar[int] = 201
    SUBJECT: ClassVar[Check[bytes]] = _conversation
    SHAPE: ClassVar[tuple[Check[object], ...]] = (number,)
    seq: int


class Named(NamedTuple):
    """A message, by its id and who wrote it."""

    message_id: bytes
    author: bytes


_named: Final = record(Named._make, exactly(MESSAGE_ID_BYTES), _account)


@dataclass(frozen=True, slots=True)
class Draft(OpBody):
    """What was begun to be written. No words, and nothing that is answered: there is no draft."""

    KIND: ClassVar[int] = 300
    SUBJECT: ClassVar[Check[bytes]] = _conversation
    SHAPE: ClassVar[tuple[Check[object], ...]] = (
        text(MAX_SHARED_DRAFT_BYTES, max_bytes=MAX_SHARED_DRAFT_BYTES),
        maybe(_named),
        mention_list,
    )
    text: str
    reply: Named | None
    mentions: tuple[Mention, ...]

    @classmethod
    def from_fields(cls, wire: tuple[Wire, ...]) -> Self:
        """Check the fields, and that mentions lie in the text, in order and apart."""
        draft = super(Draft, cls).from_fields(wire)
        check_mentions(draft.mentions, draft.text)
        return draft


@dataclass(frozen=True, slots=True)
class Erased(OpBody):
    """Messages of a conversation that are erased. Ascending."""

    KIND: ClassVar[int] = 400
    SUBJECT: ClassVar[Check[bytes]] = _conversation
    SHAPE: ClassVar[tuple[Check[object], ...]] = (listing(_named, MAX_OP_ERASED, 1),)
    messages: tuple[Named, ...]

    @classmethod
    def from_fields(cls, wire: tuple[Wire, ...]) -> Self:
        """Check the fields, and that each message is named once, in order."""
        erased = super(Erased, cls).from_fields(wire)
        if list(erased.messages) != sorted(set(erased.messages)):
            raise MalformedError("erased messages ascend, each once")
        return erased


@dataclass(frozen=True, slots=True)
class Blocked(OpBody):
    """Whether an account's words are not wanted: 1 or 0."""

    KIND: ClassVar[int] = 500
    SUBJECT: ClassVar[Check[bytes]] = _account
    SHAPE: ClassVar[tuple[Check[object], ...]] = (_switch,)
    on: int


OP_BODIES: Final[Mapping[int, type[OpBody]]] = MappingProxyType(
    {
        body.KIND: body
        for body in (
            *(Mute, Archive, Place, Person, Verified, Setting, Retention, Revisions),
            *(ReadUpTo, ClearedUpTo, Draft, Erased, Blocked),
        )
    }
)
"""Known kinds of ops."""
