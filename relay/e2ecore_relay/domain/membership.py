"""Commits: the compare-and-set of an epoch, with the route and the Welcomes that go with it.

Everything is checked before anything is changed, so that a refused commit costs nothing to undo.

Spec: protocol/spec/30-ordering.md
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from e2ecore_protocol.errors import ErrorCode
from e2ecore_protocol.frames.conversations import (
    Commit,
    Committed,
    DeviceAddress,
    direct_conversation_id,
    is_group_conversation,
    is_self_conversation,
)
from e2ecore_protocol.frames.delivery import EnvelopeKind
from e2ecore_protocol.limits import (
    MAX_CONVERSATIONS,
    MAX_DIRECT_ATTEMPT,
    MAX_MEMBER_DEVICES,
    MAX_MEMBERS,
)
from e2ecore_relay.domain import blobs
from e2ecore_relay.domain.errors import RefusedError
from e2ecore_relay.domain.exchange import Exchange, Turn
from e2ecore_relay.domain.log import Log, LogKind, Reader
from e2ecore_relay.domain.ports import Ledger, StoredDevice

if TYPE_CHECKING:
    from e2ecore_protocol.codec import Wire


class _Change(NamedTuple):
    """A route change whose rules were checked.

    ``welcomed`` are the added devices, also those that were in the route already: they stay in it
    as they are, and get a Welcome for their new leaf.
    """

    added: list[StoredDevice]
    removed: list[int]
    welcomed: list[StoredDevice]


def commit(turn: Turn, sender: StoredDevice, frame: Commit) -> Committed:
    """Carry out a commit, or refuse it as a whole.

    Args:
        turn: The open transaction.
        sender: Who commits.
        frame: The commit. A repeat of an accepted one is answered as at first.

    Raises:
        RefusedError: Nothing was changed.
    """
    exchange, ledger, now_ms = turn
    answer = exchange.first_answer(ledger, sender.device, frame.envelope_id)
    if answer is not None:
        return Committed(frame.request, *answer)
    log = _existing(exchange, ledger, sender, frame)
    kind = LogKind(log.kind if log else frame.create_kind or 0)
    change = _check_change(ledger, sender, log, frame)
    if kind is LogKind.DIRECT:
        _check_pair(frame.conversation, sender, change.added, begins=log is None)
    elif kind is LogKind.SELF:
        _check_own(frame.conversation, sender, change.added)
    _check_size(ledger, sender, log, change)
    if log is None:
        founder = {sender.device: Reader(sender.account, 0)}
        log = exchange.create(ledger, frame.conversation, kind, founder)
    return Committed(frame.request, _carry_out(turn, log, sender, frame, change), now_ms)


def _existing(
    exchange: Exchange, ledger: Ledger, sender: StoredDevice, frame: Commit
) -> Log | None:
    """Compare the epoch. Return the log, or None if it is to be made."""
    log = exchange.log(ledger, frame.conversation)
    if frame.create_kind is not None:
        if log is not None:
            raise RefusedError(ErrorCode.CONVERSATION_EXISTS)
        if frame.epoch:
            raise RefusedError(ErrorCode.MALFORMED, "a conversation begins with epoch 0")
        is_group = frame.create_kind == LogKind.GROUP
        if is_group != is_group_conversation(frame.conversation):
            raise RefusedError(ErrorCode.MALFORMED, "not an id of this kind of conversation")
        _live(ledger.accounts.devices([sender.address]), sender.address)
        return None
    if log is None or log.kind == LogKind.INBOX:
        raise RefusedError(ErrorCode.UNKNOWN_CONVERSATION)
    if log.member(sender.device) is None:
        raise RefusedError(ErrorCode.NOT_A_MEMBER)
    if frame.epoch != log.epoch:
        late = frame.epoch < log.epoch
        code = ErrorCode.STALE_EPOCH if late else ErrorCode.FUTURE_EPOCH
        raise RefusedError(code, data=log.epoch)
    return log


def _check_change(ledger: Ledger, sender: StoredDevice, log: Log | None, frame: Commit) -> _Change:
    if bool(frame.added) != (frame.welcome is not None):
        raise RefusedError(ErrorCode.MALFORMED, "a Welcome comes with added devices, and only then")
    if len({*frame.added}) + len({*frame.removed}) != len(frame.added) + len(frame.removed):
        raise RefusedError(ErrorCode.MALFORMED, "a device is named twice")
    if not frame.added and not frame.removed:
        return _Change([], [], [])
    stored = ledger.accounts.devices({*frame.added, *frame.removed})
    welcomed = [_live(stored, address) for address in frame.added]
    members = {stored[address].device for address in frame.removed if address in stored}
    members = {device for device in members if log is not None and log.member(device)}
    if any(device.device == sender.device for device in welcomed):
        raise RefusedError(ErrorCode.MALFORMED, "the sender cannot add itself")
    added = [one for one in welcomed if log is None or log.member(one.device) is None]
    if sender.device in members:
        raise RefusedError(ErrorCode.MALFORMED, "the sender cannot remove itself")
    removed = members - {device.device for device in welcomed}
    return _Change(added, sorted(removed), welcomed)


def _live(stored: dict[DeviceAddress, StoredDevice], address: DeviceAddress) -> StoredDevice:
    device = stored.get(address)
    if device is None:
        raise RefusedError(ErrorCode.UNKNOWN_DEVICE, data=address.account_id)
    if not device.live:
        raise RefusedError(ErrorCode.DEVICE_REVOKED, data=address.account_id)
    return device


def _check_pair(
    conversation: bytes, sender: StoredDevice, added: Iterable[StoredDevice], *, begins: bool
) -> None:
    """A direct conversation's id names its two accounts: nobody else can be added."""
    own = sender.address.account_id
    others = {device.address.account_id for device in added} - {own}
    if len(others) > 1:
        raise RefusedError(ErrorCode.TOO_MANY_MEMBERS, "a direct conversation has two")
    if begins and not others:
        raise RefusedError(ErrorCode.MALFORMED, "a direct conversation begins with both")
    for other in others:
        attempts = range(MAX_DIRECT_ATTEMPT + 1)
        if conversation not in {direct_conversation_id(own, other, n) for n in attempts}:
            raise RefusedError(ErrorCode.MALFORMED, "not the id of these two accounts")


def _check_own(conversation: bytes, sender: StoredDevice, added: Iterable[StoredDevice]) -> None:
    """The id names one account, whose devices alone come in."""
    own = sender.address.account_id
    if not is_self_conversation(conversation, own):
        raise RefusedError(ErrorCode.MALFORMED, "not the id of this account")
    if any(device.address.account_id != own for device in added):
        raise RefusedError(ErrorCode.TOO_MANY_MEMBERS, "own devices alone")


def _check_size(ledger: Ledger, sender: StoredDevice, log: Log | None, change: _Change) -> None:
    if not change.added:
        return
    leaving = set(change.removed)
    staying = {
        device: reader.account
        for device, reader in (log.readers.items() if log else ())
        if not reader.until and device not in leaving
    }
    accounts = {sender.account, *staying.values(), *(device.account for device in change.added)}
    if len(accounts) > MAX_MEMBERS:
        raise RefusedError(ErrorCode.TOO_MANY_MEMBERS)
    if len(staying) + len(change.added) > MAX_MEMBER_DEVICES:
        raise RefusedError(ErrorCode.TOO_MANY_DEVICES)
    joining = [device.device for device in change.added]
    if log is None:
        joining.append(sender.device)
    if max(ledger.logs.count_conversations(joining).values(), default=0) >= MAX_CONVERSATIONS:
        raise RefusedError(ErrorCode.QUOTA_EXCEEDED, "a device is in too many conversations")


def _carry_out(turn: Turn, log: Log, sender: StoredDevice, frame: Commit, change: _Change) -> int:
    exchange, ledger, now_ms = turn
    tail: tuple[Wire, ...] = (frame.payload, (frame.added, frame.removed, sender.address))
    seq = exchange.append_commit(log, sender.device, frame.envelope_id, tail, now_ms)
    log.epoch += 1
    ledger.logs.set_epoch(log.lid, log.epoch)
    if change.removed:
        log.dismiss(change.removed, seq)
        ledger.logs.dismiss(log.lid, change.removed, seq)
    if change.added:
        newcomers = [(device.device, device.account) for device in change.added]
        holes = log.admit(newcomers, seq)
        ledger.logs.admit(log.lid, [device for device, _ in newcomers], seq, holes)
    if log.vacant_ms:
        ledger.logs.seat(log.lid, log.seat([one.device for one in change.welcomed]))
    if change.welcomed and frame.welcome is not None:
        inboxes = [(device.device, device.account) for device in change.welcomed]
        wire = (EnvelopeKind.WELCOME.value, log.epoch, frame.envelope_id, frame.welcome, log.name)
        exchange.post(ledger, inboxes, wire, now_ms)
    return seq


def leave(turn: Turn, device: int, conversation: bytes) -> None:
    """Drop a device's own route and cursor.

    Raises:
        RefusedError: There is no such conversation, or the device does not read it.
    """
    exchange, ledger, _ = turn
    log = exchange.log(ledger, conversation)
    if log is None or log.kind == LogKind.INBOX:
        raise RefusedError(ErrorCode.UNKNOWN_CONVERSATION)
    if device not in log.readers:
        raise RefusedError(ErrorCode.NOT_A_MEMBER)
    exchange.drop(ledger, [(log.lid, device)])
    blobs.device_left(ledger, device, log.lid)
