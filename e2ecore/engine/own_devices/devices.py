"""The devices of this account: linked, listed, removed.

Spec: protocol/spec/70-linking.md
"""

from collections.abc import Collection, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import TYPE_CHECKING, Final

from e2ecore.engine.account.own_chain import grow_own_chain, own_chain, store_own_chain
from e2ecore.engine.errors import OnlyDeviceError, UnknownOwnDeviceError
from e2ecore.engine.own_devices.arriving import Joining, join_account
from e2ecore.engine.own_devices.confirming import confirm_device
from e2ecore.engine.own_devices.device_values import Device, DeviceNews
from e2ecore.engine.own_devices.handing import confirmation_of
from e2ecore.engine.own_devices.linking import Linking, link_device
from e2ecore.engine.own_devices.moving import has_moved
from e2ecore.engine.own_devices.removals import erasure_of
from e2ecore.engine.own_devices.seating import unsettled
from e2ecore.engine.running.job import Job
from e2ecore.engine.running.state import read_chain
from e2ecore.engine.taking_along.announced import shown_taking
from e2ecore.engine.taking_along.gift_showing import shown_gift
from e2ecore.engine.taking_along.giving import end_gift, give_history
from e2ecore.engine.taking_along.history_values import HistoryTransfer
from e2ecore.ids import DeviceId, GroupId
from e2ecore.storage import account, history_transfers, removals, settings
from e2ecore.storage.tx import Tx
from e2ecore.storage.unlocking import Unlock
from e2ecore_protocol.chain.bodies import DeviceRemoved
from e2ecore_protocol.chain.state import AccountState

if TYPE_CHECKING:
    from e2ecore.engine.running.core import Core

_SEEN: Final = "own_devices_seen"
_SEEN_BYTES: Final = 8


class Devices:
    """The devices of this account. There is one, unless the person has agreed to several."""

    def __init__(self, core: "Core") -> None:
        self._core = core

    async def list(self) -> tuple[Device, ...]:
        """Return the devices in use, the oldest first, then those that were removed."""
        found = await self._core.jobs.run(_listed)
        return tuple(sorted(found, key=lambda one: (one.removed_ms is not None, one.added_ms)))

    async def news(self) -> DeviceNews:
        """Return what the user has not seen yet. Show it whenever the app opens; never hide it."""
        return await self._core.jobs.run(_news)

    async def seen(self) -> None:
        """Note that the user was shown all of ``list``."""
        await self._core.jobs.run(_note_seen)

    async def moved_to(self) -> DeviceId | None:
        """Return the device that has the account now, if it has moved there from this one.

        Say so whenever the app opens: nothing can be sent or received here any more.
        """
        return self._core.read(_moved_to)

    def link(self) -> AbstractAsyncContextManager[Linking]:
        """Show a code by which another device comes to this account. Use it with ``async with``.

        The context gives a ``Linking``. Whatever is not confirmed when it ends was not linked.

        Raises:
            ConsentRequiredError: The person has not agreed to several devices.
            NotHolderError: This device was linked itself.
            TooManyDevicesError: There are six.
            TransientError: The relay was not reached.
        """
        return link_device(self._core)

    def move(self) -> AbstractAsyncContextManager[Linking]:
        """Show a code by which this account *moves* to another device. Needs no consent.

        As ``link``, but when it is confirmed this device is removed from the account in the same
        step in which the other one is added. The account's own key goes with it. What is stored
        here stays here; nothing can be sent from here any more, nor undone. Say so, and ask, before
        ``Linking.confirm``.

        Raises:
            NotHolderError: This device was linked itself.
            AccountMovingError: It is on its way to another device.
            AccountMovedError: It has moved.
            TransientError: The relay was not reached.
        """
        return link_device(self._core, moves=True)

    def join(self, code: str) -> AbstractAsyncContextManager[Joining]:
        """Bring this device, which has no account yet, to that of another one.

        Args:
            code: What the other device shows, as it was typed or scanned.

        Raises:
            BadLinkCodeError: It is no code, or has a slip. Nothing was tried.
            WrongLinkCodeError: It is another code than that of the device that waits.
            RelayRefusedError: Nobody waits for it: it is too old, or was used.
            AlreadyRegisteredError: There is an account here.
            TransientError: The relay was not reached.
        """
        return join_account(self._core, code)

    async def give_history(
        self,
        device_id: bytes,
        *,
        since_ms: int = 0,
        conversations: Collection[bytes] | None = None,
    ) -> HistoryTransfer:
        """Give messages of this device to another one of the same person, through the relay.

        Returns as soon as that is durable; the rest follows whenever both devices are online, also
        after a restart. Messages that disappear are withheld, see ``HistoryTransfer.withheld``.

        Args:
            device_id: Who gets them.
            since_ms: Only what was sent then or later, in milliseconds since 1970; 0: everything.
            conversations: Ids of the only ones to give; None: all.

        Raises:
            ConsentRequiredError: The person has not agreed to ``history_transfer``.
            UnknownOwnDeviceError: It is no other device of this account that may talk now.
            DeviceNotConfirmedError: It was linked and not confirmed for the second time.
            UnknownConversationError: One of them is not here.
        """
        return await give_history(self._core, device_id, since_ms, conversations)

    async def history_transfers(self) -> tuple[HistoryTransfer, ...]:
        """Return what this device gives to others or takes from them, the oldest first."""
        return await self._core.jobs.run(_transfers)

    async def stop_history(self, transfer_id: bytes) -> None:
        """Give no more in a transfer; what was not fetched is deleted at the relay.

        One that is not there, or is over, stays as it is.
        """
        self._core.check_open()
        await end_gift(self._core, transfer_id)

    async def confirm(self, device_id: bytes, key: str | Unlock, *, override: bool = False) -> None:
        """Confirm a linked device for the second time: it gets the account's own key.

        It can link and remove devices, give consents and close the account then, as this one can.
        All devices tell their users. Ask first: is it yours, and still in your hands?

        Args:
            device_id: Which one.
            key: What opens the database here, asked for anew.
            override: Do not wait until a day has passed since it was linked. It is told everywhere.

        Raises:
            DeviceInQuarantineError: It was linked less than a day ago, by the relay's clock.
            WrongKeyError: ``key`` does not open the database.
            UnknownOwnDeviceError: It is none of this account's, or was removed.
            OnlyDeviceError: It is this one.
            NotHolderError: This device is in quarantine itself.
            TransientError: The relay was not reached, or the devices do not talk to each other yet.
        """
        await confirm_device(self._core, device_id, key, override=override)

    async def remove(self, device_id: bytes) -> None:
        """Take a device out of the account, at once and for good.

        The relay sends it away when this returns, and signs that it keeps nothing for it any more:
        ``Device.erasure``. It leaves every conversation, which gets new keys; ``Device.waiting``
        tells which do not have them yet. The device erases itself when it next connects.

        Raises:
            UnknownOwnDeviceError: It is none of this account's, or was removed before.
            OnlyDeviceError: It is this one.
            NotHolderError: This device was linked itself.
            TransientError: The relay was not reached; nothing was changed.
        """
        core = self._core
        await core.await_link()
        entries = await grow_own_chain(
            core, partial(core.jobs.run, partial(_removal, device_id=device_id))
        )
        await core.jobs.run(partial(store_own_chain, entries=entries))


def _moved_to(tx: Tx) -> DeviceId | None:
    row = account.load(tx)
    chain = None if row is None or not has_moved(tx) else read_chain(tx, row.account_id)
    if row is None or chain is None:
        return None
    gone = chain.devices[row.device_id]
    later = [one for one in chain.devices.values() if one.added_seq > gone.added_seq]
    return DeviceId(later[-1].device_id)


def _transfers(job: Job) -> tuple[HistoryTransfer, ...]:
    found = [shown_gift(row) for row in history_transfers.gifts(job.tx)]
    found += [shown_taking(row) for row in history_transfers.takings(job.tx)]
    return tuple(sorted(found, key=lambda one: one.began_ms))


def _listed(job: Job) -> list[Device]:
    chain, waiting, own = own_chain(job), unsettled(job), job.own
    valid = {one.device_id for one in chain.valid_devices(job.now_ms)}
    known = {one: confirmation_of(job.tx, one) for one in chain.devices}
    return [
        Device(
            DeviceId(one.device_id),
            one.added_ms,
            one.removed_ms,
            one.device_id == own.device_id,
            one.device_id in valid,
            tuple(GroupId(uid) for uid in sorted(waiting.get(one.device_id, ()))),
            one.removed_for,
            erasure_of(removals.get(job.tx, one.device_id)),
            None if (said := known[one.device_id]) is None else said.time_ms,
            said is not None and said.early,
        )
        for one in chain.devices.values()
    ]


def _news(job: Job) -> DeviceNews:
    chain = own_chain(job)
    stored = settings.get(job.tx, _SEEN)
    since_ms = int.from_bytes(stored) if stored is not None else _arrived_ms(chain, job)
    every = _listed(job)
    others = [one for one in every if not one.is_this]
    return DeviceNews(
        tuple(one for one in others if one.added_ms > since_ms),
        tuple(one for one in others if one.removed_ms is not None and one.removed_ms > since_ms),
        tuple(one for one in every if one.confirmed_ms is not None and one.confirmed_ms > since_ms),
    )


def _arrived_ms(chain: AccountState, job: Job) -> int:
    return chain.devices[job.own.device_id].added_ms


def _note_seen(job: Job) -> None:
    told = [one.confirmed_ms for one in _listed(job) if one.confirmed_ms is not None]
    newest_ms = max([own_chain(job).head_ms, *told])
    settings.put(job.tx, _SEEN, newest_ms.to_bytes(_SEEN_BYTES))


def _removal(job: Job, device_id: bytes) -> Sequence[bytes]:
    chain = own_chain(job)
    if device_id == job.own.device_id:
        raise OnlyDeviceError
    if all(one.device_id != device_id for one in chain.live_devices()):
        raise UnknownOwnDeviceError
    body = DeviceRemoved(device_id)
    return (chain.next_entry(body, now_ms=job.now_ms, sign=job.own.identity.sign).encode(),)
