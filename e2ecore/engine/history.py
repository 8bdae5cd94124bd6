"""Reading what is stored of a conversation. Nothing here waits for the writer or the network."""

from typing import TYPE_CHECKING

from e2ecore.engine.contacts import VERIFICATIONS
from e2ecore.engine.job import Job
from e2ecore.engine.values import Member, Message, MessageKind, MessageState, Verification
from e2ecore.ids import AccountId, DeviceId, GroupId, MessageId
from e2ecore.messaging.counters import decode_missing
from e2ecore.messaging.receipts import Delivery
from e2ecore.storage import chains, members, messages
from e2ecore.storage.chains import Verification as StoredVerification
from e2ecore.storage.conversations import ConversationRow
from e2ecore.storage.messages import MessageRow, message_row_id
from e2ecore.storage.tx import Tx
from e2ecore_protocol.content.conversation import Role

if TYPE_CHECKING:
    from e2ecore.engine.core import Core

_ORDER_MASK = (1 << 32) - 1


def page(core: "Core", row: ConversationRow, before: int | None, limit: int) -> list[Message]:
    """Return a page of messages, the oldest first."""
    own_id = core.account_id

    def work(tx: Tx) -> list[Message]:
        if before is None:
            rows = messages.newest(tx, row.cid, limit)
        else:
            rows = messages.before(tx, row.cid, message_row_id(row.cid, before), limit)
        others = [
            Delivery(one.delivered_upto, decode_missing(one.delivered_gaps))
            for one in members.current(tx, row.cid)
            if one.account_id != own_id
        ]
        return [message_of(row.uid, one, own_id, others) for one in reversed(rows)]

    return core.read(work)


def message_of(uid: bytes, row: MessageRow, own_id: bytes, others: list[Delivery]) -> Message:
    """Return a stored message as the app sees it; ``others`` is how far the other members are."""
    state = MessageState(row.state)
    delivered = others and all(one.has(row.counter) for one in others)
    if delivered and state is MessageState.ACCEPTED:
        state = MessageState.DELIVERED
    return Message(
        MessageId(row.uid),
        GroupId(uid),
        AccountId(row.account_id),
        DeviceId(row.device_id),
        row.account_id == own_id,
        MessageKind.TEXT if row.kind == MessageKind.TEXT else MessageKind.UNKNOWN,
        row.body,
        row.sent_ms,
        row.stored_ms,
        row.id & _ORDER_MASK,
        state,
        row.counter,
    )


def list_members(core: "Core", row: ConversationRow) -> list[Member]:
    """Return the accounts that are in a conversation now."""
    own_id = core.account_id

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
    )


def mark_read(job: Job, cid: int) -> None:
    """Move the read mark behind everything that is stored."""
    mirror = job.mirror(cid)
    if mirror.unread or mirror.read_order != mirror.next_order:
        mirror.unread = 0
        mirror.read_order = mirror.next_order
        mirror.traffic = True
        mirror.save(job.tx)
