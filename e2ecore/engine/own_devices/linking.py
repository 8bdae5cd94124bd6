"""Linking, on the device that has the account: it shows a code, and confirms.

Spec: protocol/spec/70-linking.md
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

import anyio

from e2ecore.consent.purposes import Purpose
from e2ecore.crypto.signing import ED25519
from e2ecore.engine.account import agreeing
from e2ecore.engine.account.consents import settle
from e2ecore.engine.account.own_chain import grow_own_chain, own_chain, store_own_chain
from e2ecore.engine.errors import (
    ConsentRequiredError,
    NotComparedError,
    TooManyDevicesError,
)
from e2ecore.engine.keys import Keys
from e2ecore.engine.own_devices.confirming import note_linked
from e2ecore.engine.own_devices.moving import check_may_move, move_account
from e2ecore.engine.running.job import Job
from e2ecore.ids import DeviceId
from e2ecore.linking.ceremony import ExistingSide
from e2ecore.linking.code import LinkCode
from e2ecore.linking.keys import LinkBrokenError
from e2ecore.storage import account
from e2ecore.storage.unlocking import Unlock
from e2ecore.transport.errors import RelayRefusedError
from e2ecore.transport.rendezvous import HostLine, RendezvousOverError
from e2ecore_protocol.chain.bodies import DeviceAdded
from e2ecore_protocol.chain.entry import device_id_of
from e2ecore_protocol.chain.state import AccountState
from e2ecore_protocol.errors import ErrorCode
from e2ecore_protocol.frames.rendezvous import OpenRendezvous, RendezvousOpened
from e2ecore_protocol.limits import MAX_DEVICES

if TYPE_CHECKING:
    from e2ecore.engine.running.core import Core

_FAREWELL_S: Final = 10
"""How long to wait for the new device's last word. It is linked without it as well."""


@dataclass(frozen=True, slots=True)
class LinkRequest:
    """A new device has shown that it has the code. Now the person has to compare."""

    device_id: DeviceId
    check_string: str
    """Six digits. The new device shows the same, or somebody is in between."""
    moves: bool
    """Confirmed, the account *moves* to the new device, and this one has it no more. Say so first:
    its history stays here, and it can send nothing any more."""


class Linking:
    """A code that is shown, until a device was linked with it or it is void."""

    def __init__(
        self, core: "Core", line: HostLine, code: LinkCode, side: ExistingSide, *, moves: bool
    ) -> None:
        self._core = core
        self._line = line
        self._side = side
        self.moves = moves
        """Is the account to move, instead of having two devices?"""
        self.code = code
        """To be shown: ``code.text`` to be typed, ``code.qr`` to be drawn. Never to be sent."""

    async def joined(self) -> LinkRequest:
        """Wait for the new device.

        Raises:
            WrongLinkCodeError: Somebody came with another code. This one is void.
            LinkBrokenError: Somebody came who does not keep to the rules. The code is void.
            RendezvousOverError: Nobody came in time, or the connection broke.
        """
        line, side = self._line, self._side
        try:
            await line.pass_on(side.greet(await line.receive()))
            await line.pass_on(side.meet(await line.receive()))
        except LinkBrokenError:
            line.close()
            raise
        return LinkRequest(
            DeviceId(device_id_of(side.new_key)), side.check_string, moves=self.moves
        )

    async def confirm(self, key: str | Unlock) -> DeviceId:
        """Link the device: the person has compared the check strings, and they are the same.

        Where the account moves, it is on the new device when this returns.

        Args:
            key: What opens the database, asked for anew.

        Returns:
            The new device. Conversations follow; see ``Devices.list``.

        Raises:
            WrongKeyError: It does not open it. Ask again.
            NotComparedError: ``joined`` has not returned yet.
            RendezvousOverError: The new device is gone. Nothing was linked.
            MoveUnfinishedError: The account is to move, and the relay has not said yet that it has.
                It goes on by itself.
            E2EError: The relay did not take it. Nothing was linked.
        """
        if not self._side.check_string:
            raise NotComparedError
        await Keys(self._core).verify(key)
        try:
            if self.moves:
                await move_account(self._core, self._line, self._side)
                return DeviceId(device_id_of(self._side.new_key))
            chain = await self._added()
        except LinkBrokenError:
            self._line.close()
            raise
        with anyio.move_on_after(_FAREWELL_S):
            await self._farewell(chain)
        return DeviceId(device_id_of(self._side.new_key))

    async def refuse(self) -> None:
        """The check strings differ, or it was not meant: the code is void, nothing is linked."""
        self._line.close()

    async def _added(self) -> AccountState:
        """Have the new device sign its place in the chain; tell the relay."""
        core = self._core
        try:
            entries = await grow_own_chain(core, self._placed)
        except RelayRefusedError as error:
            raise _named(error) from error
        relay_ms = core.upkeep.relay_ms()
        return await core.jobs.run(partial(self._store, entries=entries, relay_ms=relay_ms))

    def _store(self, job: Job, entries: Sequence[bytes], relay_ms: int) -> AccountState:
        """Store what the relay has taken, and begin the quarantine."""
        note_linked(job, device_id_of(self._side.new_key), relay_ms)
        return store_own_chain(job, entries)

    async def _placed(self) -> Sequence[bytes]:
        """Have the new device sign for the place behind our chain as it is known now."""
        core, side, line = self._core, self._side, self._line
        chain = await core.jobs.run(own_chain)
        await line.pass_on(side.place(chain.head_seq + 1, chain.head_hash))
        body = DeviceAdded(side.new_key, side.possession(await line.receive()))
        return await core.jobs.run(partial(_entries, body=body))

    async def _farewell(self, chain: AccountState) -> None:
        row = self._core.read(account.load)
        name = "" if row is None else row.display_name
        try:
            await self._line.pass_on(self._side.linked(name, chain.head_seq, chain.head_hash))
            self._side.done(await self._line.receive())
        except (LinkBrokenError, RendezvousOverError):
            return  # it is linked all the same, and finds out by itself


def _named(error: RelayRefusedError) -> Exception:
    if error.code is ErrorCode.CONSENT_REQUIRED and isinstance(error.data, str):
        return ConsentRequiredError(error.data)
    return error


def _entries(job: Job, body: DeviceAdded) -> Sequence[bytes]:
    chain = own_chain(job)
    ED25519.verify(
        body.device_key, chain.next_possession_message(body.device_key), body.device_signature
    )
    return (chain.next_entry(body, now_ms=job.now_ms, sign=job.own.identity.sign).encode(),)


@asynccontextmanager
async def link_device(core: "Core", *, moves: bool = False) -> AsyncIterator[Linking]:
    """Show a code; see ``Devices.link`` and ``Devices.move``."""
    await core.jobs.run(check_may_move if moves else _check_may_link)
    await settle(core)
    link = await core.await_link()
    opened = await link.request(OpenRendezvous(0), RendezvousOpened)
    line = core.line = HostLine(link.post)
    code = LinkCode.draw(opened.number, core.rng)
    own = await core.jobs.run(lambda job: job.own)
    side = ExistingSide(
        code,
        core.server_name,
        account_id=own.account_id,
        device_key=own.signer.public,
        handle=None if core.account is None else core.account.handle,
        rng=core.rng,
    )
    try:
        yield Linking(core, line, code, side, moves=moves)
    finally:
        line.close()
        if core.line is line:
            core.line = None


def _check_may_link(job: Job) -> None:
    _ = job.own.identity
    if not agreeing.in_force(job, Purpose.MULTI_DEVICE_SYNC):
        raise ConsentRequiredError(Purpose.MULTI_DEVICE_SYNC)
    chain = job.state.chain(job.tx, job.own.account_id)
    if chain is not None and len(chain.live_devices()) >= MAX_DEVICES:
        raise TooManyDevicesError
