"""Moving the account to another device, on the device that has it.

In this order, so that a power cut at any point leaves one device that can go on:

1. the new device stores its key, the account's identity key and the place in the chain, then signs
   for it. It does not give them up by itself any more;
2. this one stores the two entries, *removed* and *added*. From here on the move goes on by itself:
   nothing else is appended to the chain, and nothing of the move is undone;
3. the relay takes both entries at once, or neither;
4. the relay turns this device away as removed. Only then are the identity key and the keys of all
   conversations erased here: an answer to step 3 alone could be a lie.

Spec: protocol/spec/70-linking.md, [LNK-50] to [LNK-56]
"""

from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple, cast

import anyio

from e2ecore.crypto.signing import ED25519
from e2ecore.engine.account.own_chain import MOVING, own_chain, store_own_chain
from e2ecore.engine.errors import (
    AccountMovedError,
    AccountMovingError,
    ChangeFailedError,
    EngineClosedError,
    MoveUnfinishedError,
)
from e2ecore.engine.membership.applying import drop_outbox, forget_group
from e2ecore.engine.running.chores import fetch_chain
from e2ecore.engine.running.job import Job
from e2ecore.engine.telling.device_events import AccountMoved
from e2ecore.engine.values import ConversationState
from e2ecore.errors import E2EError
from e2ecore.ids import DeviceId
from e2ecore.linking.ceremony import ExistingSide
from e2ecore.storage import account, conversations, intents, key_packages, outbox, settings
from e2ecore.storage.account import AccountState
from e2ecore.storage.tx import Tx
from e2ecore.transport.errors import RelayRefusedError
from e2ecore.transport.rendezvous import HostLine
from e2ecore_protocol.chain.bodies import DeviceAdded, DeviceRemoved, RemovalReason
from e2ecore_protocol.chain.entry import Entry, device_id_of
from e2ecore_protocol.chain.state import extend
from e2ecore_protocol.codec import pack, unpack
from e2ecore_protocol.content.linking import Place
from e2ecore_protocol.errors import ErrorCode
from e2ecore_protocol.frames.accounts import AppendChain
from e2ecore_protocol.frames.session import Ok
from e2ecore_protocol.limits import MAX_DEVICES, MAX_ENTRY_BYTES

if TYPE_CHECKING:
    from e2ecore.engine.running.core import Core

_MAX_NOTE_BYTES: Final = (MAX_DEVICES + 1) * (MAX_ENTRY_BYTES + 8)
_DRAIN_S: Final = 10
"""How long what was written is given to leave."""
_LOOK_S: Final = 0.05
_MOVED_S: Final = 20
"""How long a call waits for the relay to turn this device away. It goes on without the call."""
_TRIES: Final = 50
"""How often the relay may answer that something waits to be read first, per connection."""


class Removals(NamedTuple):
    """What the chain is to say first, and where the new device follows."""

    entries: tuple[bytes, ...]
    place: Place
    identity_key: bytes
    display_name: str


def check_may_move(job: Job) -> None:
    """Refuse to begin where there is no account to give away.

    Raises:
        AccountMovedError: It was given away.
        AccountMovingError: It is being given away.
        NotHolderError: It is another device's.
    """
    if has_moved(job.tx):
        raise AccountMovedError
    if settings.get(job.tx, MOVING) is not None:
        raise AccountMovingError
    _ = job.own.identity


def has_moved(tx: Tx) -> bool:
    """Has the account moved from this device to another one?"""
    row = account.load(tx)
    return row is not None and row.state == AccountState.MOVED


async def move_account(core: "Core", line: HostLine, side: ExistingSide) -> None:
    """Hand the account over to a device whose check string the person has compared.

    Raises:
        RendezvousOverError: The new device is gone. Nothing was moved.
        LinkBrokenError: It does not keep to the rules. Nothing was moved.
        MoveUnfinishedError: The relay has not said yet that the account has moved.
        TransientError: The relay was not reached. Nothing was moved.
    """
    await drain(core)
    await fetch_chain(core, core.account_id)
    found = await core.jobs.run(_removals)
    await line.pass_on(side.hand_over(found.place, found.identity_key, found.display_name))
    body = DeviceAdded(side.new_key, side.possession(await line.receive()))
    await core.jobs.run(partial(_note, removals=found.entries, body=body))
    core.upkeep.move.to_tell.set()
    with anyio.move_on_after(_MOVED_S):
        await core.upkeep.move.done.wait()
        return
    raise MoveUnfinishedError


async def drain(core: "Core") -> None:
    """Give what was written some time to leave."""
    with anyio.move_on_after(_DRAIN_S):
        while core.read(lambda tx: bool(outbox.after(tx, 0, 1))):  # noqa: ASYNC110 - nobody tells
            await anyio.sleep(_LOOK_S)


def _removals(job: Job) -> Removals:
    """Make the entries that remove every device there is."""
    check_may_move(job)
    chain, key = own_chain(job), job.own.identity
    entries: list[Entry] = []
    for one in chain.live_devices():
        body = DeviceRemoved(one.device_id, RemovalReason.MOVED)
        entries.append(chain.next_entry(body, now_ms=job.now_ms, sign=key.sign))
        chain = extend(chain, entries[-1:], ED25519.verify)
    row = account.load(job.tx)
    return Removals(
        tuple([one.encode() for one in entries]),
        Place(chain.head_seq + 1, chain.head_hash),
        key.private,
        "" if row is None else row.display_name,
    )


def _note(job: Job, removals: Sequence[bytes], body: DeviceAdded) -> None:
    """Store the whole move, which fits the chain as it is. From here on it happens."""
    check_may_move(job)
    chain = extend(own_chain(job), [Entry.decode(one) for one in removals], ED25519.verify)
    ED25519.verify(
        body.device_key, chain.next_possession_message(body.device_key), body.device_signature
    )
    added = chain.next_entry(body, now_ms=job.now_ms, sign=job.own.identity.sign)
    extend(chain, [added], ED25519.verify)
    settings.put(job.tx, MOVING, pack((*removals, added.encode())))


def _noted(tx: Tx) -> tuple[bytes, ...]:
    stored = settings.get(tx, MOVING)
    return () if stored is None else cast("tuple[bytes, ...]", unpack(stored, _MAX_NOTE_BYTES))


async def keep_moving(core: "Core") -> None:
    """Tell the relay that the account moves, for as long as it has not turned us away."""
    try:
        while True:
            await core.upkeep.move.to_tell.wait()
            entries = core.read(_noted)
            if entries and core.link is not None:
                with suppress(E2EError):  # the next connection
                    await _append(core, entries)
    finally:
        core.upkeep.move.done.settle(EngineClosedError())


async def _append(core: "Core", entries: tuple[bytes, ...]) -> None:
    """Have the relay take the entries, once we have read what waits for us."""
    for _ in range(_TRIES):
        try:
            await core.need_link().request(AppendChain(0, entries), Ok)
        except RelayRefusedError as error:
            if error.code is ErrorCode.CHAIN_CONFLICT:
                await _look_for_conflict(core, error)
            if error.code is not ErrorCode.RATE_LIMITED:
                raise
            await anyio.sleep(error.retry_after_ms / 1000)
        else:
            return


async def _look_for_conflict(core: "Core", error: RelayRefusedError) -> None:
    """The relay says that the chain goes on otherwise: believe the chain, which is signed."""
    await fetch_chain(core, core.account_id)
    if await core.jobs.run(_is_void):
        core.upkeep.move.done.settle(error)


def _is_void(job: Job) -> bool:
    """Give the move up if another entry has its place and this device is still in the account."""
    chain, entries = own_chain(job), _noted(job.tx)
    live = {one.device_id for one in chain.live_devices()}
    if not entries or job.own.device_id not in live:
        return False
    if chain.head_seq < Entry.decode(entries[0]).seq:
        return False
    settings.remove(job.tx, MOVING)
    return True


async def depart(core: "Core") -> bool:
    """The relay has turned this device away as removed: if the account was moving, it has moved."""
    if not core.read(_noted):
        return False
    await core.jobs.run(_leave)
    core.upkeep.move.is_done = True
    core.upkeep.move.done.settle()
    return True


def _leave(job: Job) -> None:
    """Store the chain as it is now; erase every key; keep everything that people wrote."""
    entries = _noted(job.tx)
    row = account.load(job.tx)
    if row is None or not entries:
        return
    added = Entry.decode(entries[-1]).parse_body()
    store_own_chain(job, entries)
    settings.remove(job.tx, MOVING)
    account.replace(job.tx, row._replace(identity_key=b"", state=AccountState.MOVED))
    for one in conversations.all_rows(job.tx):
        if one.kind != conversations.ConversationKind.IMPORTED:
            _close(job, one.cid)
    key_packages.remove_all(job.tx)
    if isinstance(added, DeviceAdded):
        job.effects.events.append(AccountMoved(DeviceId(device_id_of(added.device_key))))
    job.state.drop()


def _close(job: Job, cid: int) -> None:
    mirror = job.mirror(cid)
    drop_outbox(job, cid)
    for wish in intents.of_conversation(job.tx, cid):
        intents.remove(job.tx, wish.iid)
        job.effects.changes.append((wish.iid, ChangeFailedError("the account has moved")))
    forget_group(job.tx, mirror)
    if mirror.state != ConversationState.LEFT:
        mirror.state = ConversationState.REMOVED
    mirror.healing_ms = 0
    mirror.dirty = True
    mirror.save(job.tx)
