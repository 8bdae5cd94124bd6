"""What readers of foreign files share: long texts are cut, equal lines are told apart."""

from collections.abc import Iterable, Iterator
from typing import Final

from e2ecore.portability.records import MAX_TEXT_BYTES, Entry, Heading, message_uid, sender_id

GATHERED: Final = 16_000
"""Messages collected before they are given out by conversation."""
GATHERED_CHARS: Final = 4 << 20
"""... or so much text."""
_PIECE_CHARS: Final = MAX_TEXT_BYTES // 4
"""A text of so many characters is never too long in UTF-8."""


def pieces(text: str) -> list[str]:
    """Return a text, cut where it is longer than a message may be."""
    if len(text) <= _PIECE_CHARS:
        return [text]
    return [text[at : at + _PIECE_CHARS] for at in range(0, len(text), _PIECE_CHARS)]


def gathered(items: Iterable[tuple[Heading, Entry]]) -> Iterator[Heading | Entry]:
    """Yield headings and entries of conversations that are mixed up in a file."""
    waiting: dict[bytes, tuple[Heading, list[Entry]]] = {}
    count = chars = 0
    for heading, entry in items:
        waiting.setdefault(heading.key, (heading, []))[1].append(entry)
        count += 1
        chars += len(entry.text)
        if count >= GATHERED or chars >= GATHERED_CHARS:
            yield from _flushed(waiting)
            count = chars = 0
    yield from _flushed(waiting)


def _flushed(waiting: dict[bytes, tuple[Heading, list[Entry]]]) -> Iterator[Heading | Entry]:
    for heading, entries in waiting.values():
        yield heading
        yield from entries
    waiting.clear()


class Writers:
    """Makes entries for one conversation of a file that knows people by name."""

    def __init__(self, key: bytes, own_account: bytes, me: str) -> None:
        self._key, self._own, self._me = key, own_account, me
        self._accounts: dict[str, bytes] = {}
        self._at_ms = -1
        self._equal: dict[tuple[str, str], int] = {}

    def entries(
        self, sent_ms: int, name: str, text: str, *, mine: bool = False, number: str = ""
    ) -> Iterator[Entry]:
        """Yield one entry; more, if the text is longer than a message may be.

        Args:
            sent_ms: When.
            name: Who; empty: nobody.
            text: What.
            mine: Is it known to be of the importing person?
            number: What the file calls the message; empty: it has no names for messages, so equal
                ones of one moment are counted.
        """
        is_mine = mine or (bool(name) and name == self._me)
        account = self._own if is_mine else self._account(name)
        for at, piece in enumerate(pieces(text)):
            uid = message_uid(self._key, *self._name_of(sent_ms, name, piece, number), at)
            yield Entry(uid, account, name, is_mine, sent_ms, piece)

    def _account(self, name: str) -> bytes:
        found = self._accounts.get(name)
        if found is None:
            found = sender_id(self._key, name)
            if len(self._accounts) < GATHERED:
                self._accounts[name] = found
        return found

    def _name_of(self, sent_ms: int, name: str, text: str, number: str) -> tuple[str | int, ...]:
        if number:
            return ("number", number)
        if sent_ms != self._at_ms:
            self._at_ms = sent_ms
            self._equal.clear()
        count = self._equal[name, text] = self._equal.get((name, text), 0) + 1
        return (sent_ms, name, text, count)
