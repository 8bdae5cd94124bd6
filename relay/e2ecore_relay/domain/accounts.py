"""Accounts, handles, chains: the relay checks what everybody else checks again.

Spec: protocol/spec/80-chain-and-consent.md
"""

from collections.abc import Sequence
from typing import NamedTuple

from e2ecore_protocol.chain.bodies import MULTI_DEVICE_SYNC, DeviceAdded
from e2ecore_protocol.chain.entry import Entry, account_id_of, device_id_of
from e2ecore_protocol.chain.errors import ChainError, ChainForkError, ConsentMissingError
from e2ecore_protocol.chain.state import AccountState, Verify, extend, start
from e2ecore_protocol.errors import ErrorCode, MalformedError
from e2ecore_protocol.frames.accounts import Account, ChainHead, ChainHeads
from e2ecore_protocol.frames.conversations import DeviceAddress
from e2ecore_protocol.limits import MAX_ENTRIES_PER_FRAME
from e2ecore_relay.domain import blobs, minors, moving, removals
from e2ecore_relay.domain.blobs import BlobKeeper
from e2ecore_relay.domain.chains import state_of
from e2ecore_relay.domain.coverage import Coverage, Covered, coverage, review
from e2ecore_relay.domain.errors import BadSignatureError, RefusedError
from e2ecore_relay.domain.exchange import Turn
from e2ecore_relay.domain.ports import Ledger, NewEntry, StoredAccount, StoredDevice


class Extension(NamedTuple):
    """What an account chain's growth means for connections.

    Attributes:
        gone: Numbers of the devices that were removed.
        code: What they are told.
        coverage: What the consents say of those that stay.
    """

    gone: list[int]
    code: ErrorCode
    coverage: Coverage


def register(turn: Turn, entries: Sequence[bytes], handle: str | None, verify: Verify) -> bytes:
    """Make an account from its first two entries. Return its id; a repeat gets the same.

    Raises:
        RefusedError: Nothing was changed.
    """
    _, ledger, now_ms = turn
    genesis, added = _parse(entries)
    account_id = account_id_of(genesis)
    stored = ledger.accounts.find([account_id]).get(account_id)
    if stored is not None:
        if ledger.accounts.entries(stored.account, 0, len(entries)) == list(entries):
            return account_id
        raise RefusedError(ErrorCode.ACCOUNT_EXISTS)
    state = _extended(None, [genesis, added], verify)
    if not isinstance(added.parse_body(), DeviceAdded):
        raise RefusedError(ErrorCode.CHAIN_INVALID, "the second entry adds the first device")
    if handle is not None and ledger.accounts.by_handle(handle) is not None:
        raise RefusedError(ErrorCode.HANDLE_TAKEN)
    head = ChainHead(account_id, state.head_seq, state.head_hash)
    account = ledger.accounts.create(head, handle, now_ms)
    _store(turn, account, None, state, [genesis, added])
    return account_id


def append(
    keeper: BlobKeeper, turn: Turn, account_id: bytes, entries: Sequence[bytes], verify: Verify
) -> Extension:
    """Add entries to a chain, all or none; those it holds already are passed over.

    A removed device leaves all routes at once: it cannot come back to read. What was kept for it
    is deleted, and the account's other devices get a receipt. If the account has moved, its new
    device takes the places.

    Raises:
        RefusedError: Nothing was changed.
    """
    _, ledger, now_ms = turn
    stored = known(ledger, account_id)
    before = state_of(ledger, stored.account)
    new = _unknown(ledger, stored, _parse(entries))
    if not new:
        return Extension([], ErrorCode.DEVICE_REVOKED, Coverage([], [], []))
    after = _extended(before, new, verify)
    minors.check_growth(ledger, stored.account, after, new, now_ms)
    gone = _store(turn, stored.account, before, after, new)
    moving.succeed(turn, account_id, before, after)
    removals.erase(keeper, turn, after, gone)
    if after.closed:
        blobs.account_closed(ledger, stored.account)
        minors.account_closed(ledger, stored.account, now_ms)
    return Extension(
        [one.device for one in gone],
        ErrorCode.ACCOUNT_CLOSED if after.closed else ErrorCode.DEVICE_REVOKED,
        review(ledger, {stored.account: after}, now_ms),
    )


def known(ledger: Ledger, account_id: bytes) -> StoredAccount:
    """Return an account.

    Raises:
        RefusedError: There is none.
    """
    stored = ledger.accounts.find([account_id]).get(account_id)
    if stored is None:
        raise RefusedError(ErrorCode.UNKNOWN_ACCOUNT, data=account_id)
    return stored


def usable_device(ledger: Ledger, address: DeviceAddress, now_ms: int) -> Covered:
    """Return a device that may connect: live, and covered by a consent unless it is the only one.

    Raises:
        RefusedError: It may not, and why.
    """
    device = ledger.accounts.devices([address]).get(address)
    if device is None:
        known(ledger, address.account_id)
        raise RefusedError(ErrorCode.UNKNOWN_DEVICE)
    if not device.live:
        closed = known(ledger, address.account_id).closed
        raise RefusedError(ErrorCode.ACCOUNT_CLOSED if closed else ErrorCode.DEVICE_REVOKED)
    for one in coverage(ledger, [device.account], now_ms).covered:
        if one.device == device:
            return one
    detail = "the consent to several devices expired"
    raise RefusedError(ErrorCode.CONSENT_REQUIRED, detail, data=MULTI_DEVICE_SYNC)


def removal_of(ledger: Ledger, address: DeviceAddress) -> list[Account]:
    """Return the chain from the entry on that added a device, as it is told who was removed."""
    stored = known(ledger, address.account_id)
    first = state_of(ledger, stored.account).devices[address.device_id].added_seq
    return [
        page(ledger, 0, stored, at)
        for at in range(first, stored.head_seq + 1, MAX_ENTRIES_PER_FRAME)
    ]


def page(ledger: Ledger, request: int, stored: StoredAccount, from_seq: int) -> Account:
    """Answer with a part of a chain."""
    entries = ledger.accounts.entries(stored.account, from_seq, MAX_ENTRIES_PER_FRAME)
    return Account(request, stored.account_id, stored.handle, tuple(entries), stored.head_seq)


def by_handle(ledger: Ledger, request: int, handle: str) -> Account:
    """Answer with the account that has a handle.

    Raises:
        RefusedError: Nobody has it.
    """
    stored = ledger.accounts.by_handle(handle)
    if stored is None:
        raise RefusedError(ErrorCode.UNKNOWN_HANDLE)
    return page(ledger, request, stored, 0)


def heads(ledger: Ledger, request: int, account_ids: Sequence[bytes]) -> ChainHeads:
    """Answer with the heads of the accounts that exist, in the order asked for."""
    stored = ledger.accounts.find(account_ids)
    found = [stored[account_id] for account_id in account_ids if account_id in stored]
    return ChainHeads(
        request, tuple([ChainHead(one.account_id, one.head_seq, one.head_hash) for one in found])
    )


def _parse(entries: Sequence[bytes]) -> list[Entry]:
    try:
        return [Entry.decode(entry) for entry in entries]
    except MalformedError as error:
        raise RefusedError(ErrorCode.CHAIN_INVALID, str(error)) from error


def _extended(before: AccountState | None, entries: list[Entry], verify: Verify) -> AccountState:
    try:
        return start(entries, verify) if before is None else extend(before, entries, verify)
    except BadSignatureError as error:
        raise RefusedError(ErrorCode.BAD_SIGNATURE) from error
    except ConsentMissingError as error:
        raise RefusedError(ErrorCode.CONSENT_REQUIRED, str(error), data=error.purpose) from error
    except ChainForkError as error:
        head = before.head_seq if before else None
        raise RefusedError(ErrorCode.CHAIN_CONFLICT, data=head) from error
    except ChainError as error:
        raise RefusedError(ErrorCode.CHAIN_INVALID, str(error)) from error


def _unknown(ledger: Ledger, stored: StoredAccount, entries: list[Entry]) -> list[Entry]:
    """Pass over the entries that the chain holds; refuse what contradicts it or leaves a gap."""
    first = entries[0].seq
    held = ledger.accounts.entries(stored.account, first, len(entries))
    conflict = RefusedError(ErrorCode.CHAIN_CONFLICT, data=stored.head_seq)
    if first > stored.head_seq + 1:
        raise conflict
    for mine, theirs in zip(held, entries, strict=False):
        if mine != theirs.encode():
            raise conflict
    return entries[len(held) :]


def _store(
    turn: Turn,
    account: int,
    before: AccountState | None,
    after: AccountState,
    entries: list[Entry],
) -> list[StoredDevice]:
    """Write entries and what they do to devices. Return the devices that are gone."""
    _, ledger, now_ms = turn
    rows = [NewEntry(entry.seq, entry.hash(), entry.encode()) for entry in entries]
    known_ids = set(before.devices) if before else set()
    for device_id, device in after.devices.items():
        if device_id not in known_ids:
            ledger.accounts.add_device(account, device_id_of(device.key), device.key, now_ms)
    live = {device.device_id for device in after.live_devices()}
    stored = ledger.accounts.live_devices([account])  # before it may be closed: then none is
    ledger.accounts.extend(account, rows, closed=after.closed)
    gone = [device for device in stored if device.address.device_id not in live]
    ledger.accounts.remove_devices([device.device for device in gone], now_ms)
    return gone
