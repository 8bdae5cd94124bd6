"""What one job has to tell the event loop once its transaction is durable."""

from dataclasses import dataclass, field
from typing import NamedTuple

from e2ecore.engine.talk.handles import SentMessage
from e2ecore.engine.telling.events import Event
from e2ecore.errors import E2EError
from e2ecore_protocol.frames.delivery import Envelope


class Outgoing(NamedTuple):
    """A committed row of the outbox on its way to the relay."""

    oid: int
    cid: int
    message: int
    """Row of the message it carries; 0: none."""
    envelope: Envelope


class OutboxPage(NamedTuple):
    """Rows of the outbox behind one number, up to another one."""

    rows: list[Outgoing]
    after: int
    upto: int
    is_last: bool


@dataclass(slots=True)
class Effects:
    """What one job has to tell the event loop once it is durable."""

    events: list[Event] = field(default_factory=list)
    touched: list[int] = field(default_factory=list)
    """Row ids of the history that are new, changed or gone; see ``Tx.touch``."""
    outgoing: list[Outgoing] = field(default_factory=list)
    sent: list[tuple[int, SentMessage]] = field(default_factory=list)
    """Rows of the outbox whose acceptance somebody may wait for."""
    acks: dict[bytes, int] = field(default_factory=dict)
    """Log id to the number up to which it is durable here."""
    intents: set[int] = field(default_factory=set)
    """Conversations whose intents should be looked at."""
    receipts: dict[int, int] = field(default_factory=dict)
    """Conversation to the number of messages that deserve a receipt."""
    fetch: set[bytes] = field(default_factory=set)
    """Accounts whose chains are needed to go on."""
    changes: list[tuple[int, E2EError | None]] = field(default_factory=list)
    """Intents that ended: their number, and why if in vain."""
    failed: list[tuple[int, E2EError]] = field(default_factory=list)
    """Rows of the outbox that were given up, and why."""
    page: OutboxPage | None = None
    batch_taken: bool = False
    """A batch of deliveries was stored."""
    left_files: bool = False
    """Local files are left whose rows are gone."""
    history: bool = False
    """There is a part of a history to be taken."""
    holding: bool = False
    """Some envelopes are held back: look again before long."""
    key_packages_low: bool = False
    is_parting: bool = False
    """This device was removed, and is to erase itself."""
    guardianship: bool = False
    """The relay is to be asked, or told, about ward and guardian."""
    own_news: bool = False
    """Ops are to be told to our other devices."""
    own_seats: bool = False
    """Something about the conversation of our own devices gives reason to compare with them."""
    past_own: bool = False
    """What waited for us in the conversation of our own devices is stored."""
    erased: bool = False
    """Messages were erased because another device did: the files are to be cleaned of them."""
    pause_ms: int | None = None
    """The sender was stopped for refusals: go on after this time."""
