"""One conversation of an export of ours: its messages, and what was said of them."""

import base64
import binascii
from collections.abc import Callable
from typing import Final, NamedTuple

from e2ecore.messaging.marks import decode_marks, encode_marks
from e2ecore.portability.lines import Json
from e2ecore.portability.manifest import hex_field, int_field, text_field
from e2ecore.portability.records import (
    MAX_TEXT_BYTES,
    TEXT,
    Close,
    Entry,
    Heading,
    Opened,
    Pin,
    Said,
    Vote,
    scalar,
)
from e2ecore.portability.remarks import Gathered
from e2ecore.portability.writing import STATES
from e2ecore_protocol.errors import MalformedError

MAX_PEOPLE: Final = 200_000
"""People of whom names are kept while an export is read: 60 MB at most."""
_ID_BYTES: Final = 16
_MAX_KIND: Final = 0xFFFF
_MAX_CONTENT_BYTES: Final = 2 * MAX_TEXT_BYTES
_STATES: Final = frozenset(STATES)
_USUAL_FIELDS: Final = 9
"""Of the line of a plain message."""


class Person(NamedTuple):
    """Who somebody in the file is here."""

    account_id: bytes
    name: str
    is_mine: bool


class _Origin(NamedTuple):
    person: Person
    device_id: bytes


class Conversation:
    """Takes line after line. A message is complete when the next one begins."""

    def __init__(self, heading: Heading, person: Callable[[bytes], Person]) -> None:
        """Begin.

        Args:
            heading: What the first line says.
            person: Tells who an account of the file is here.
        """
        self.heading: Final = heading
        self._person = person
        self._people: dict[bytes, Person] = {}
        self._origins: dict[tuple[Json, Json], _Origin] = {}
        self._entry: Entry | None = None
        self._gathered: Gathered | None = None

    def take(self, fields: dict[str, Json]) -> Entry | None:
        """Take a line; return the message before it, if the line begins another one.

        Raises:
            KeyError: A field is missing.
            TypeError: A field is something else.
            ValueError: A field cannot be what it says.
        """
        if "id" not in fields:
            self._take_remark(fields)
            return None
        before = self.last()
        self._entry = self._message(fields)
        return before

    def last(self) -> Entry | None:
        """Return the message that was taken last, now complete."""
        entry, self._entry = self._entry, None
        if entry is not None and self._gathered is not None:
            entry = entry._replace(said=self._said(self._gathered))
            self._gathered = None
        return entry

    def _message(self, fields: dict[str, Json]) -> Entry:
        origin = fields["from"], fields["device"]
        found = self._origins.get(origin)
        if found is None:
            found = self._origins[origin] = self._origin(fields)
        text, uid, kind = fields["text"], fields["id"], int_field(fields, "kind")
        if not isinstance(text, str) or not isinstance(uid, str):
            raise TypeError
        raw = bytes.fromhex(uid)
        if len(raw) != _ID_BYTES or raw.hex() != uid or len(text) > MAX_TEXT_BYTES:
            raise ValueError
        if fields["state"] not in _STATES or kind > _MAX_KIND:
            raise ValueError
        person = found.person
        entry = Entry(
            raw, person.account_id, person.name, person.is_mine, int_field(fields, "sent_ms"),
            text if text.isascii() else scalar(text), found.device_id, int_field(fields, "counter"),
            kind,
        )  # fmt: skip
        return self._with_more(entry, fields) if len(fields) > _USUAL_FIELDS else entry

    def _with_more(self, entry: Entry, fields: dict[str, Json]) -> Entry:
        """Return a message with what its line has besides."""
        content = _content(fields) if "content" in fields else b""
        if content and entry.kind == TEXT:
            content = self._marks(content, entry.text)
        expires_ms = int_field(fields, "expires_ms") if "expires_ms" in fields else None
        seq = int_field(fields, "seq") if "seq" in fields else 0
        return entry._replace(content=content, expires_ms=expires_ms, seq=seq)

    def _marks(self, content: bytes, text: str) -> bytes:
        """Return what a text has besides, with whoever the accounts in it are here."""
        try:
            marks = decode_marks(content)
        except MalformedError:
            raise ValueError from None
        extras = marks.extras
        if any(one.start + one.length > len(text) for one in extras.mentions):
            raise ValueError
        reply, who = extras.reply, self._known
        if reply is not None:
            reply = reply._replace(author=who(reply.author).account_id)
        mentions = [
            one._replace(account_id=who(one.account_id).account_id) for one in extras.mentions
        ]
        return encode_marks(
            marks._replace(extras=extras._replace(reply=reply, mentions=tuple(mentions)))
        )

    def _origin(self, fields: dict[str, Json]) -> _Origin:
        """Return whose message it is, remembered for as long as the conversation is read."""
        if len(self._origins) > MAX_PEOPLE:
            raise ValueError
        person = self._known(hex_field(fields, "from", 20))
        return _Origin(person, hex_field(fields, "device", _ID_BYTES))

    def _known(self, who: bytes) -> Person:
        found = self._people.get(who)
        if found is None:
            if len(self._people) > MAX_PEOPLE:
                raise ValueError
            found = self._people[who] = self._person(who)
        return found

    def _take_remark(self, fields: dict[str, Json]) -> None:
        if self._entry is None:
            raise ValueError
        if self._gathered is None:
            self._gathered = Gathered(self._entry.uid.hex())
        self._gathered.take(fields)

    def _said(self, gathered: Gathered) -> Said:
        """Return what was said of a message, by whoever that is here."""
        found = gathered.said
        people = [self._known(one.account_id) for one in found.reactions]
        reactions = [
            one._replace(account_id=who.account_id, name=who.name)
            for one, who in zip(found.reactions, people, strict=True)
        ]
        return found._replace(
            reactions=tuple(reactions),
            pins=tuple([one._replace(account_id=self._who(one)) for one in found.pins]),
            votes=tuple([one._replace(account_id=self._who(one)) for one in found.votes]),
            opened=tuple([one._replace(account_id=self._who(one)) for one in found.opened]),
            closes=tuple(map(self._close, found.closes)),
        )

    def _who(self, said: Pin | Vote | Opened) -> bytes:
        return self._known(said.account_id).account_id

    def _close(self, said: Close) -> Close:
        counted = {self._known(who).account_id: one for who, one in said.counted}
        by = self._known(said.account_id).account_id
        return said._replace(account_id=by, counted=tuple(counted.items()))


def _content(fields: dict[str, Json]) -> bytes:
    text = text_field(fields, "content")
    if len(text) > _MAX_CONTENT_BYTES:
        raise ValueError
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        raise ValueError from None
