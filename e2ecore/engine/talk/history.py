"""Reading what is stored of a conversation. Nothing here waits for the writer or the network."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from e2ecore.engine.account.contacts import VERIFICATIONS
from e2ecore.engine.errors import TooManyMessagesError, TwoCursorsError
from e2ecore.engine.own_talk.op_marks import say_read
from e2ecore.engine.running.job import Job
from e2ecore.engine.talk.showing import dressed, message_of
from e2ecore.engine.values import Member, Message, MessageState, Verification
from e2ecore.ids import AccountId, DeviceId
from e2ecore.messaging.counters import decode_missing
from e2ecore.messaging.receipts import Delivery
from e2ecore.storage import chains, imports, members, messages, reading
from e2ecore.storage.chains import Verification as StoredVerification
from e2ecore.storage.conversations import ConversationKind, ConversationRow
from e2ecore.storage.members import MemberRow
from e2ecore.storage.messages import MessageRow, message_row_id
from e2ecore.storage.overview import OverviewRow
from e2ecore.storage.tx import Tx
from e2ecore_protocol.content.conversation import Role

if TYPE_CHECKING:
    from e2ecore.engine.running.core import Core

_ORDER_MASK: Final = (1 << messages.ORDER_BITS) - 1


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a page of the history lies; at most one field is given, none for the newest page."""

    before: int | None = None
    after: int | None = None
    around: int | None = None
    at_ms: int | None = None

    def __post_init__(self) -> None:
        given = (self.before, self.after, self.around, self.at_ms)
        if sum(one is not None for one in given) > 1:
            raise TwoCursorsError

    def rows(self, tx: Tx, cid: int, limit: int) -> list[MessageRow]:
        """Return the page, the oldest message first."""
        if self.after is not None:
            return messages.after(tx, cid, place_of(cid, self.after), limit)
        if self.around is not None:
            return messages.around(tx, cid, place_of(cid, self.around), limit)
        if self.at_ms is not None:
            return messages.around(tx, cid, messages.place_of_time(tx, cid, self.at_ms), limit)
        before = message_row_id(cid + 1, 0) if self.before is None else place_of(cid, self.before)
        return messages.before(tx, cid, before, limit)[::-1]


def place_of(cid: int, order: int) -> int:
    """Return the row id of a place; numbers that no message has stand for the nearest end."""
    return message_row_id(cid, max(0, min(order, _ORDER_MASK)))


def page(core: "Core", row: ConversationRow, cursor: Cursor, limit: int) -> list[Message]:
    """Return a page of messages, the oldest first."""
    return _show(core, row, lambda tx: cursor.rows(tx, row.cid, limit))


def listed(core: "Core", row: ConversationRow, orders: Sequence[int]) -> list[Message]:
    """Return those of these messages that exist.

    Raises:
        TooManyMessagesError: More than fit in a page.
    """
    if len(orders) > messages.MAX_PAGE:
        raise TooManyMessagesError
    ids = [message_row_id(row.cid, one) for one in sorted(set(orders)) if 0 <= one <= _ORDER_MASK]
    return _show(core, row, lambda tx: messages.pick(tx, ids))


def _show(
    core: "Core", row: ConversationRow, find: Callable[[Tx], list[MessageRow]]
) -> list[Message]:
    own_id = core.account_id

    def work(tx: Tx) -> list[Message]:
        rows = find(tx)
        others = _others(tx, row.cid, own_id)
        shown = [message_of(row.uid, one, own_id, others) for one in rows]
        return dressed(tx, rows, shown, core.desk)

    return core.read(work)


def _others(tx: Tx, cid: int, own_id: bytes) -> list[Delivery]:
    """Return how far the other members' devices are."""
    return _deliveries(members.current(tx, cid), own_id)


def _deliveries(devices: Iterable[MemberRow], own_id: bytes) -> list[Delivery]:
    return [
        Delivery(one.delivered_upto, decode_missing(one.delivered_gaps))
        for one in devices
        if one.account_id != own_id
    ]


def own_id_of(core: "Core") -> bytes:
    """Return our account's id; no bytes before there is one."""
    return b"" if core.account is None else core.account.account_id


def newest_of(tx: Tx, row: OverviewRow, own_id: bytes) -> Message | None:
    """Return the newest message of a conversation as the app sees it."""
    return newest_of_all(tx, [row], own_id)[0]


def newest_of_all(tx: Tx, rows: Sequence[OverviewRow], own_id: bytes) -> list[Message | None]:
    """Return the newest message of each conversation, by one query for however many."""
    waiting = [
        row.conversation.cid
        for row in rows
        if row.newest is not None and row.newest.state == MessageState.ACCEPTED
    ]
    devices = members.current_of(tx, waiting) if waiting else {}
    found: list[Message | None] = []
    for row in rows:
        others = _deliveries(devices.get(row.conversation.cid, ()), own_id)
        uid, newest = row.conversation.uid, row.newest
        found.append(None if newest is None else message_of(uid, newest, own_id, others))
    return found


def list_members(core: "Core", row: ConversationRow) -> list[Member]:
    """Return the accounts that are in a conversation now."""
    own_id = core.account_id
    if row.kind == ConversationKind.IMPORTED:
        return core.read(lambda tx: _writers(tx, row.cid, own_id))

    def work(tx: Tx) -> list[Member]:
        devices: dict[bytes, list[DeviceId]] = {}
        roles: dict[bytes, Role] = {}
        for one in members.current(tx, row.cid):
            devices.setdefault(one.account_id, []).append(DeviceId(one.device_id))
            roles[one.account_id] = Role(one.role)
        return [
            _member(tx, who, roles[who], tuple(ids), own_id) for who, ids in sorted(devices.items())
        ]

    return core.read(work)


def _member(
    tx: Tx, account_id: bytes, role: Role, device_ids: tuple[DeviceId, ...], own_id: bytes
) -> Member:
    known = chains.account(tx, account_id)
    verification = Verification.UNVERIFIED
    if known is not None:
        verification = VERIFICATIONS[StoredVerification(known.verification)]
    return Member(
        AccountId(account_id),
        (known.handle or None) if known else None,
        (known.display_name or None) if known else None,
        role,
        device_ids,
        account_id == own_id,
        verification,
        (known.name or None) if known else None,
    )


def _writers(tx: Tx, cid: int, own_id: bytes) -> list[Member]:
    """Return who wrote in an imported conversation, under the names that the file has for them."""
    return [
        Member(
            AccountId(one.account_id),
            None,
            one.name or None,
            Role.MEMBER,
            (),
            one.account_id == own_id,
            Verification.UNVERIFIED,
        )
        for one in imports.people(tx, cid)
    ]


def mark_read(job: Job, cid: int) -> None:
    """Move the read mark behind everything that is stored."""
    mirror = job.mirror(cid)
    if mirror.unread or mirror.read_order != mirror.next_order:
        mirror.unread = 0
        mirror.read_order = mirror.next_order
        mirror.traffic = True
        mirror.save(job.tx)
        say_read(job, mirror)
        if reading.told(job.tx, cid) is not None:
            job.effects.receipts[cid] = 0
