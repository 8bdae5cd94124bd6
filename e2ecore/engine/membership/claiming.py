"""Key packages for intents, claimed at the relay.

Whole accounts that are to be added are asked for at once. A device that is to be added by itself is
asked for alone, so that its account's other devices lose none. One of our own that comes into many
conversations is asked for many: what they do not use is forgotten, and is of no use to anybody.

Spec: protocol/spec/20-relay-frames.md, [FRM-26] to [FRM-28]
"""

from collections.abc import Collection
from typing import TYPE_CHECKING, Final

import anyio

from e2ecore.engine.membership.committing import NeedKeys
from e2ecore.engine.membership.inviting import is_valid_now
from e2ecore.messaging.identity import LeafIdentity
from e2ecore.messaging.intents import IntentKind, Wish
from e2ecore.mls.key_package import KeyPackage
from e2ecore.storage import intents
from e2ecore.storage.intents import IntentState
from e2ecore.storage.tx import Tx
from e2ecore.transport.errors import RelayRefusedError
from e2ecore_protocol.errors import ErrorCode
from e2ecore_protocol.frames.key_packages import (
    ClaimDeviceKeyPackages,
    ClaimKeyPackages,
    DeviceKeyPackage,
    KeyPackages,
)
from e2ecore_protocol.limits import MAX_CLAIMED_ACCOUNTS, MAX_KEY_PACKAGES_PER_FRAME

if TYPE_CHECKING:
    from e2ecore.engine.running.core import Core

_LAST_RESORT_USES: Final = 8
"""Conversations for which a last resort is taken before the relay is asked for better ones."""
_PUBLISHING_S: Final = 2.0
"""How long a device of ours without key packages is waited for, in all."""
_LOOK_S: Final = 0.05


class Claimer:
    """Claims, and keeps what was claimed for an intent until its commit is in force."""

    def __init__(self, core: "Core") -> None:
        self._core = core
        self._kept: dict[int, tuple[DeviceKeyPackage, ...]] = {}
        """By intent: used again when its commit lost the race."""
        self._stocks: dict[LeafIdentity, list[DeviceKeyPackage]] = {}
        """Of devices of our own that come into many conversations."""
        self._absent: set[LeafIdentity] = set()
        """Those that were waited for in vain."""
        self._stocking = anyio.Lock()

    def forget(self, iid: int) -> None:
        """The commit of an intent is in force."""
        self._kept.pop(iid, None)

    async def claim(self, need: NeedKeys) -> tuple[DeviceKeyPackage, ...]:
        """Return key packages for an intent; without those of who has none that is valid.

        Raises:
            RelayRefusedError: For another reason than that there are none.
            ConnectionLostError: It broke meanwhile.
        """
        known = tuple(one for one in self._kept.pop(need.iid, ()) if self._is_valid(one))
        accounts = {one.account_id for one in known}
        devices = {one.device_id for one in known}
        missing = [who for who in need.accounts if who not in accounts]
        for at in range(0, len(missing), MAX_CLAIMED_ACCOUNTS):
            known += await self._of_accounts(tuple(missing[at : at + MAX_CLAIMED_ACCOUNTS]))
        for who in need.devices:
            if who.device_id not in devices:
                known += await self._of_device(who)
        self._kept[need.iid] = known
        return known

    def _is_valid(self, one: DeviceKeyPackage) -> bool:
        return is_valid_now(KeyPackage.decode(one.key_package), self._core.clock_ms())

    async def _of_accounts(self, accounts: tuple[bytes, ...]) -> tuple[DeviceKeyPackage, ...]:
        """Claim for some accounts; leave out who has none."""
        found = await self._ask(ClaimKeyPackages(0, accounts))
        if found or len(accounts) == 1:
            return found
        each = [await self._of_accounts((one,)) for one in accounts]
        return tuple(package for packages in each for package in packages)

    async def _of_device(self, who: LeafIdentity) -> tuple[DeviceKeyPackage, ...]:
        """Claim one for a device, if it has any."""
        if who.account_id != self._core.account_id:
            return await self._several(who, 1)
        async with self._stocking:
            stock = self._stocks.setdefault(who, [])
            while stock:
                one = stock.pop(0)
                if self._is_valid(one):
                    return (one,)
            stock += await self._stocked(who)
            return (stock.pop(0),) if stock else ()

    async def _stocked(self, who: LeafIdentity) -> tuple[DeviceKeyPackage, ...]:
        """Claim for all conversations that a device of ours is to come into.

        A device that was linked just now is about to publish: that is waited for, once.
        """
        waiting = self._core.read(lambda tx: _waiting(tx, who, self._kept))
        count = min(max(1, waiting), MAX_KEY_PACKAGES_PER_FRAME)
        until = anyio.current_time() + (0 if who in self._absent else _PUBLISHING_S)
        while not (found := await self._several(who, count)):
            if anyio.current_time() >= until:
                self._absent.add(who)
                break
            await anyio.sleep(_LOOK_S)
        return found

    async def _several(self, who: LeafIdentity, count: int) -> tuple[DeviceKeyPackage, ...]:
        """Claim some of one device."""
        answer = await self._ask(ClaimDeviceKeyPackages(0, *who, count))
        found = tuple(one for one in answer if one.device_id == who.device_id)
        if len(found) == 1 and KeyPackage.decode(found[0].key_package).last_resort:
            return found * min(count, _LAST_RESORT_USES)
        return found

    async def _ask(
        self, frame: ClaimKeyPackages | ClaimDeviceKeyPackages
    ) -> tuple[DeviceKeyPackage, ...]:
        try:
            return (await self._core.need_link().request(frame, KeyPackages)).packages
        except RelayRefusedError as error:
            if error.code is not ErrorCode.NO_KEY_PACKAGE:
                raise
            return ()


def _waiting(tx: Tx, who: LeafIdentity, supplied: Collection[int]) -> int:
    """Count the conversations that a device is to be added to, but for intents that have theirs."""
    return sum(
        who in Wish.decode(row.kind, row.args).devices
        for row in intents.all_rows(tx)
        if row.kind != IntentKind.UNSEAT
        and row.state == IntentState.WANTED
        and row.iid not in supplied
    )
