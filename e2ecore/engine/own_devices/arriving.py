"""Linking, on the new device: the code is entered, the check string shown, and the rest follows.

The device's key is stored before the account's chain can name it. If the last word of the other
device does not come, or the power fails, this one asks the relay whether it was added: only that
counts.

Spec: protocol/spec/70-linking.md
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Final

import anyio

from e2ecore.crypto.errors import SignatureError
from e2ecore.crypto.signing import ED25519, SigningKey
from e2ecore.engine.account.chains import store_chain
from e2ecore.engine.account.profiles import note_own_names
from e2ecore.engine.account.registering import SUPPLY_S, account_of
from e2ecore.engine.errors import (
    AlreadyRegisteredError,
    ChainInvalidError,
    MoveUnfinishedError,
    NoRelayError,
    NotRegisteredError,
)
from e2ecore.engine.own_devices.succeeding import check_free, check_place, note_place
from e2ecore.engine.running.job import Job
from e2ecore.engine.values import Account
from e2ecore.errors import E2EError, TransientError
from e2ecore.linking.ceremony import NewSide
from e2ecore.linking.code import LinkCode
from e2ecore.linking.keys import LinkBrokenError
from e2ecore.storage import account
from e2ecore.storage.account import AccountRow, AccountState
from e2ecore.storage.tx import Tx
from e2ecore.transport.errors import ConnectionLostError, RelayRefusedError, RelayUnreachableError
from e2ecore.transport.login import Credentials, Dial, Frames, authenticate, greet
from e2ecore.transport.rendezvous import GuestLine, RendezvousOverError
from e2ecore_protocol.chain.entry import Entry, device_id_of, possession_message
from e2ecore_protocol.chain.errors import ChainError
from e2ecore_protocol.chain.state import AccountState as ChainState
from e2ecore_protocol.chain.state import start
from e2ecore_protocol.content.linking import ExistingDevice, Handover, Linked, Place
from e2ecore_protocol.errors import ErrorCode, MalformedError
from e2ecore_protocol.frames import (
    Account as FoundAccount,
)
from e2ecore_protocol.frames import (
    CaughtUp,
    Deliver,
    Failed,
    FetchChain,
    decode_server_frame,
)
from e2ecore_protocol.limits import AUTHENTICATION_TIMEOUT_S, MAX_CHAIN_ENTRIES, RENDEZVOUS_S

if TYPE_CHECKING:
    from e2ecore.engine.running.core import Core

_FETCH: Final = 1
_RETRY_S: Final = 5.0
"""Pause between two questions to a relay that does not answer."""
_LOOKS: Final = 20
_LOOK_S: Final = 0.5
"""How often and with which pause to look whether an account that moves has come."""
_MEET_S: Final = 30
"""How long both devices may take to come to the check string: the other one has nothing to ask."""
_NOT_ADDED: Final = frozenset(
    {ErrorCode.UNKNOWN_DEVICE, ErrorCode.UNKNOWN_ACCOUNT, ErrorCode.DEVICE_REVOKED}
)
"""What the relay says to a device that the chain does not name."""


class Joining:
    """An account that this device is to be linked to, until the other device has confirmed."""

    def __init__(
        self, core: "Core", line: GuestLine, side: NewSide, key: SigningKey, shown: ExistingDevice
    ) -> None:
        self._core = core
        self._line = line
        self._side = side
        self._key = key
        self._shown = shown

    @property
    def check_string(self) -> str:
        """Six digits. The other device shows the same, or somebody is in between."""
        return self._side.check_string

    @property
    def handle(self) -> str | None:
        """Whose account it is, as the other device says. Not yours? Then close this."""
        return self._shown.handle

    async def finished(self) -> Account:
        """Wait for the confirmation on the other device; then this one has the account.

        Raises:
            RendezvousOverError: It was refused, or nobody confirmed in time. Nothing was linked.
            LinkBrokenError: The other device or the relay does not keep to the rules.
            MoveUnfinishedError: The account moves, and the relay has not heard of it yet.
            TransientError: The relay was not reached. If it was linked, it shows by itself later.
        """
        linked = await self._awaited()
        dial = self._core.dial
        if dial is None:
            raise NoRelayError
        made = await _complete_soon(self._core, dial, linked)
        if linked is not None:
            with suppress(E2EError):  # the chain has told it already
                await self._line.pass_on(self._side.done())
        with anyio.move_on_after(SUPPLY_S):
            await self._core.supplied.wait()
        return made

    async def _awaited(self) -> Linked | None:
        """Wait for the other device, and keep the connection alive meanwhile."""
        failure: E2EError = RendezvousOverError()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._line.keep_alive)
            try:
                with anyio.move_on_after(RENDEZVOUS_S):
                    return await self._confirmed()
            except E2EError as error:
                failure = error
            finally:
                tasks.cancel_scope.cancel()
        raise failure

    async def _confirmed(self) -> Linked | None:
        """Sign what the other device asks for. None: its last word did not come."""
        has_signed = False
        while True:
            try:
                said = self._side.next(await self._line.receive())
            except (RendezvousOverError, ConnectionLostError):
                if has_signed:
                    return None
                raise
            if isinstance(said, Linked):
                return said
            if not has_signed or isinstance(said, Handover):
                await self._core.jobs.run(partial(self._store, said=said))
                has_signed = True
            message = possession_message(
                self._shown.account_id, said.seq, said.prev_hash, self._key.public
            )
            await self._line.pass_on(self._side.possession(self._key.sign(message)))

    def _store(self, job: Job, said: Place | Handover) -> None:
        """Keep the key, before anybody can have it in a chain; and the account's, if it moves."""
        account_id = self._shown.account_id
        check_free(job.tx, account_id)
        row = AccountRow(
            account_id, device_id_of(self._key.public), b"", self._key.private,
            self._shown.handle or "", "", "", AccountState.LINKING, job.now_ms,
        )  # fmt: skip
        if isinstance(said, Handover):
            ED25519.load(said.identity_key)
            row = row._replace(identity_key=said.identity_key, display_name=said.display_name)
            note_place(job.tx, said)
        account.replace(job.tx, row)
        job.state.drop()


@asynccontextmanager
async def join_account(core: "Core", text: str) -> AsyncIterator[Joining]:
    """Enter a code; see ``Devices.join``."""
    code = LinkCode.parse(text)
    core.check_open()
    if core.dial is None:
        raise NoRelayError
    await _finish_earlier(core, core.dial)
    if core.read(_has_account):
        raise AlreadyRegisteredError
    channel = await core.dial()
    try:
        frames = Frames(channel)
        try:
            with anyio.fail_after(_MEET_S):
                joining = await _meet(core, frames, code)
        except TimeoutError as error:
            raise RelayUnreachableError("no answer in time") from error
        yield joining
    finally:
        with anyio.CancelScope(shield=True):
            await channel.aclose()


async def _meet(core: "Core", frames: Frames, code: LinkCode) -> Joining:
    """Go as far as the check string."""
    challenge = await greet(frames, core.clock_ms())
    line, key = GuestLine(frames), ED25519.generate(core.rng)
    await line.join(code.number)
    side = NewSide(code, challenge.server_name, device_key=key.public, rng=core.rng)
    await line.pass_on(side.hello())
    await line.pass_on(side.prove(await line.receive()))
    return Joining(core, line, side, key, side.meet(await line.receive()))


async def _finish_earlier(core: "Core", dial: Dial) -> None:
    """An arrival was broken off: whether it succeeded is known before another one is begun."""
    row = core.read(account.load)
    if row is not None and row.state == AccountState.LINKING:
        with suppress(LinkBrokenError):
            await complete(core, dial, None)


def _has_account(tx: Tx) -> bool:
    row = account.load(tx)
    return row is not None and row.state != AccountState.LINKING


async def _complete_soon(core: "Core", dial: Dial, linked: Linked | None) -> Account:
    """Look a few times for an account that moves: the other device may have to read first."""
    for _ in range(_LOOKS):
        with suppress(MoveUnfinishedError):
            return await complete(core, dial, linked)
        await anyio.sleep(_LOOK_S)
    return await complete(core, dial, linked)


async def complete(core: "Core", dial: Dial, linked: Linked | None) -> Account:
    """Ask the relay for the account's chain; if it names this device, the account is here.

    Raises:
        LinkBrokenError: It does not; or the chain is not what the other device said.
        MoveUnfinishedError: It does not yet, and the account is on its way here.
        TransientError: The relay was not reached.
    """
    async with core.upkeep.settling:
        row = core.read(account.load)
        if row is None:
            raise NotRegisteredError
        if row.state != AccountState.LINKING:
            return account_of(row)
        return await _complete(core, dial, linked, row)


async def _complete(core: "Core", dial: Dial, linked: Linked | None, row: AccountRow) -> Account:
    try:
        found = await _own_chain(core, dial, row)
        chain = _check_chain(found.entries, row, linked)
        if row.identity_key:
            core.read(partial(check_place, row=row, chain=chain))
    except RelayRefusedError as error:
        if error.code not in _NOT_ADDED:
            raise
        if row.identity_key:
            raise MoveUnfinishedError from error
        await core.jobs.run(_give_up)
        raise LinkBrokenError("this device was not added") from error
    name = row.display_name if linked is None else linked.display_name
    made = await core.jobs.run(lambda job: _settle(job, found, name))
    core.account = account_of(made)
    core.registered.set()
    return core.account


def _give_up(job: Job) -> None:
    row = account.load(job.tx)
    if row is not None and row.state == AccountState.LINKING:
        account.remove(job.tx)
        job.state.drop()


def _settle(job: Job, found: FoundAccount, display_name: str) -> AccountRow:
    row = account.load(job.tx)
    if row is None:
        raise NotRegisteredError
    row = row._replace(
        state=AccountState.REGISTERED, handle=found.handle or "", display_name=display_name
    )
    account.replace(job.tx, row)
    job.state.drop()
    store_chain(job, row.account_id, found.entries, handle=found.handle)
    note_own_names(job)
    return row


async def _own_chain(core: "Core", dial: Dial, row: AccountRow) -> FoundAccount:
    """Return the whole chain, by a connection of this device: so it is in it."""
    key = ED25519.load(row.device_key)
    try:
        with anyio.fail_after(AUTHENTICATION_TIMEOUT_S):
            channel = await dial()
            try:
                frames = Frames(channel)
                challenge = await greet(frames, core.clock_ms())
                who = Credentials(row.account_id, row.device_id, key.sign)
                await authenticate(frames, challenge, who)
                return await _pages(frames, row.account_id)
            finally:
                with anyio.CancelScope(shield=True):
                    await channel.aclose()
    except TimeoutError as error:
        raise RelayUnreachableError("no answer in time") from error


async def _pages(frames: Frames, account_id: bytes) -> FoundAccount:
    entries: list[bytes] = []
    while True:
        wanted = FetchChain(_FETCH, account_id, len(entries))
        await frames.channel.send([wanted.encode()])
        page = await _answer(frames)
        entries.extend(page.entries)
        if len(entries) > page.head_seq or not page.entries or len(entries) > MAX_CHAIN_ENTRIES:
            return FoundAccount(_FETCH, page.account_id, page.handle, tuple(entries), page.head_seq)


async def _answer(frames: Frames) -> FoundAccount:
    """Return the page, behind deliveries: they come again over the next connection."""
    while True:
        try:
            frame = decode_server_frame(await frames.raw())
        except MalformedError as error:
            raise LinkBrokenError("nothing that can be read") from error
        if isinstance(frame, FoundAccount):
            return frame
        if isinstance(frame, Failed):
            raise RelayRefusedError(frame.code, frame.detail, frame.retry_after_ms, frame.data)
        if not isinstance(frame, Deliver | CaughtUp):
            raise LinkBrokenError("something else than was due")


def _check_chain(entries: tuple[bytes, ...], row: AccountRow, linked: Linked | None) -> ChainState:
    """Check that the relay shows the chain that the other device has.

    Raises:
        LinkBrokenError: It does not.
    """
    try:
        parsed = [Entry.decode(one) for one in entries]
        chain = start(parsed, ED25519.verify)
    except (ChainError, MalformedError, SignatureError) as error:
        raise LinkBrokenError("a chain that is not valid") from error
    live = {one.device_id for one in chain.live_devices()}
    if chain.account_id != row.account_id or row.device_id not in live:
        raise LinkBrokenError("not the chain of this account")
    if linked is not None and (
        linked.head_seq >= len(parsed) or parsed[linked.head_seq].hash() != linked.head_hash
    ):
        raise LinkBrokenError("another chain than the other device has")
    return chain


async def finish_arriving(core: "Core") -> None:
    """Take up what a crash or a broken connection has interrupted, once, at the start."""
    row = core.read(account.load)
    while row is not None and row.state == AccountState.LINKING and core.dial is not None:
        try:
            await complete(core, core.dial, None)
        except (LinkBrokenError, ChainInvalidError):
            return
        except TransientError:
            await anyio.sleep(_RETRY_S)
        row = core.read(account.load)
