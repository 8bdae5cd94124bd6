"""Registration: keys first, durable; then the relay; then the account counts."""

from typing import TYPE_CHECKING, Final

import anyio

from e2ecore.engine.account.accounts import prepare, registered
from e2ecore.engine.account.names import check_display_name, check_handle
from e2ecore.engine.account.profiles import note_own_names
from e2ecore.engine.errors import BadHandleError, HandleTakenError, NotRegisteredError
from e2ecore.engine.running.job import Job
from e2ecore.engine.talk.writing import WRITABLE, write_content
from e2ecore.engine.values import Account
from e2ecore.ids import AccountId, DeviceId
from e2ecore.storage import account, conversations, outbox
from e2ecore.storage.account import AccountRow, AccountState
from e2ecore.storage.tx import Tx
from e2ecore.transport.errors import RelayProtocolError, RelayRefusedError, RelayUnreachableError
from e2ecore.transport.login import Dial, Frames, greet
from e2ecore.transport.login import register as register_at
from e2ecore_protocol.content.messages import Profile
from e2ecore_protocol.errors import ErrorCode
from e2ecore_protocol.frames.accounts import Account as FoundAccount
from e2ecore_protocol.frames.accounts import FetchChain
from e2ecore_protocol.limits import AUTHENTICATION_TIMEOUT_S

if TYPE_CHECKING:
    from e2ecore.engine.running.core import Core

SUPPLY_S: Final = 10
"""How long to wait until others can add this device. It is published later if that takes longer."""


def load_account(tx: Tx) -> Account | None:
    """Return the registered account, or None."""
    row = account.load(tx)
    if row is None or row.state in {AccountState.MADE, AccountState.LINKING}:
        return None
    return account_of(row)


def account_of(row: AccountRow) -> Account:
    """Return the public view of an account row."""
    return Account(
        AccountId(row.account_id),
        DeviceId(row.device_id),
        row.handle or None,
        row.display_name or None,
    )


async def register(
    core: "Core", dial: Dial, handle: str | None, display_name: str | None
) -> Account:
    """Make an account at the relay; see ``Engine.register``."""
    if handle is not None:
        check_handle(handle)
    if display_name is not None:
        check_display_name(display_name)
    made = await core.jobs.run(lambda job: prepare(job, handle, display_name, ""))
    try:
        account_id = await register_at_relay(core, dial, made.entries, handle)
    except RelayRefusedError as error:
        if error.code is ErrorCode.HANDLE_TAKEN:
            raise HandleTakenError(handle) from error
        if error.code is ErrorCode.BAD_HANDLE:
            raise BadHandleError(handle) from error
        if error.code is not ErrorCode.ACCOUNT_EXISTS:
            raise
        account_id = made.account_id  # an earlier answer was lost
    if account_id != made.account_id:
        raise RelayProtocolError("the relay registered another account")

    def work(job: Job) -> AccountRow:
        return registered(job)

    core.account = account_of(await core.jobs.run(work))
    core.registered.set()
    if made.is_repeat:
        await confirm_handle(core)
    with anyio.move_on_after(SUPPLY_S):
        await core.supplied.wait()
    return core.account


async def confirm_handle(core: "Core") -> None:
    """Ask the relay which handle it gave us: that of the first registration that it heard of.

    Raises:
        TransientError: The relay was not reached.
    """
    link = await core.await_link()
    chain = await core.jobs.run(lambda job: job.state.chain(job.tx, job.own.account_id))
    head = 0 if chain is None else chain.head_seq
    answer = await link.request(FetchChain(0, core.account_id, head), FoundAccount)
    core.account = await core.jobs.run(lambda job: correct_handle(job, answer.handle))


def correct_handle(job: Job, handle: str | None) -> Account:
    """Note the handle that the relay gave us."""
    row = account.load(job.tx)
    if row is None or row.state == AccountState.MADE:
        raise NotRegisteredError
    if row.handle != (handle or ""):
        row = row._replace(handle=handle or "")
        account.replace(job.tx, row)
        note_own_names(job)
    return account_of(row)


async def register_at_relay(
    core: "Core", dial: Dial, entries: tuple[bytes, ...], handle: str | None
) -> bytes:
    """Make one connection to register over.

    Raises:
        E2EError: The relay was not reached, or refused.
    """
    try:
        with anyio.fail_after(AUTHENTICATION_TIMEOUT_S):
            channel = await dial()
            try:
                frames = Frames(channel)
                await greet(frames, core.clock_ms())
                return await register_at(frames, entries, handle)
            finally:
                with anyio.CancelScope(shield=True):
                    await channel.aclose()
    except TimeoutError as error:
        raise RelayUnreachableError("no answer in time") from error


def rename_account(job: Job, display_name: str) -> Account:
    """Change the display name, and tell all conversations that can be written to."""
    row = account.load(job.tx)
    if row is None or row.state == AccountState.MADE:
        raise NotRegisteredError
    row = row._replace(display_name=display_name)
    account.replace(job.tx, row)
    note_own_names(job)
    for one in conversations.shown(job.tx):
        if one.state in WRITABLE:
            mirror = job.mirror(one.cid)
            content = Profile(display_name).encode()
            outbox.add(job.tx, (write_content(job, mirror, content, 0, job.now_ms),))
            mirror.save(job.tx)
    return account_of(row)
