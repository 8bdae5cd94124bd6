"""Content that is a message of its own and more than a plain text: how it is stored.

``messages.body`` holds what is searched and shown, ``messages.ext`` what is besides: of texts and
files their marks, of other kinds the content as it came.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final, NamedTuple, TypeAlias, cast

from e2ecore.engine.values import ContactCard, MessageKind
from e2ecore.ids import AccountId
from e2ecore.messaging.marks import Marks, encode_marks
from e2ecore.storage.messages import MessageRow
from e2ecore_protocol.content import cards
from e2ecore_protocol.content.attachments import Attachments, ForwardedAttachments
from e2ecore_protocol.content.messages import AnyContent, Text, decode_content
from e2ecore_protocol.content.polls import Poll
from e2ecore_protocol.content.rich_text import NO_EXTRAS, Extras, RichText
from e2ecore_protocol.errors import MalformedError

Listed: TypeAlias = RichText | cards.ContactCard | Attachments | Poll
"""Content that is a message of its own and more than a plain text."""


class Form(NamedTuple):
    """What is stored of a message."""

    kind: int
    body: str
    ext: bytes


def bounded(content: Text | Listed, lifetime_s: int) -> Listed:
    """Return content that stays no longer than messages do in its conversation, if it says so."""
    if isinstance(content, Text):
        extras = Extras(lifetime_s=lifetime_s)
        return RichText(content.message_id, content.sent_ms, content.text, extras)
    if isinstance(content, RichText):
        lifetime_s = min(content.extras.lifetime_s or lifetime_s, lifetime_s)
        return replace(content, extras=content.extras._replace(lifetime_s=lifetime_s))
    return content


def listed(content: AnyContent) -> Listed | None:
    """Return content that is a message of its own, a plain text as one with nothing besides."""
    if isinstance(content, Text):
        return RichText(content.message_id, content.sent_ms, content.text, NO_EXTRAS)
    return cast("Listed", content) if type(content) in _FORMS else None


def form_of(content: Listed) -> Form:
    """Return what is stored of a message."""
    return _FORMS[type(content)](content)


def _of_text(content: Listed) -> Form:
    said = cast("RichText", content)
    return Form(int(MessageKind.TEXT), said.text, encode_marks(Marks(said.extras)))


def _of_card(content: Listed) -> Form:
    card = cast("cards.ContactCard", content)
    names = (card.display_name, f"@{card.handle}" if card.handle else "")
    return Form(int(MessageKind.CARD), " ".join(filter(None, names)), card.encode())


def _of_files(content: Listed) -> Form:
    said = cast("Attachments", content)
    hops = said.forwards if isinstance(said, ForwardedAttachments) else 0
    return Form(int(MessageKind.FILES), said.text, encode_marks(Marks(Extras(forwards=hops))))


def _of_poll(content: Listed) -> Form:
    poll = cast("Poll", content)
    return Form(int(MessageKind.POLL), "\n".join((poll.question, *poll.options)), poll.encode())


_FORMS: Final[Mapping[type[Listed], Callable[[Listed], Form]]] = {
    RichText: _of_text,
    cards.ContactCard: _of_card,
    Attachments: _of_files,
    ForwardedAttachments: _of_files,
    Poll: _of_poll,
}


def card_of(row: MessageRow) -> ContactCard | None:
    """Return whom a card shows; None: it came from a file that says something else."""
    found = stored_card(row)
    if found is None:
        return None
    return ContactCard(AccountId(found.account_id), found.handle, found.display_name or None)


def stored_card(row: MessageRow) -> cards.ContactCard | None:
    """Return a card as it was sent; None: it came from a file that says something else."""
    found = _content(row)
    return found if isinstance(found, cards.ContactCard) else None


def poll_of(row: MessageRow) -> Poll | None:
    """Return what a poll asks; None: it came from a file that says something else."""
    found = _content(row)
    return found if isinstance(found, Poll) else None


def _content(row: MessageRow) -> AnyContent | None:
    try:
        return decode_content(row.ext)
    except MalformedError:
        return None
