"""Our own account chain: read, and grown at the relay, where another device may be faster."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Final

from e2ecore.engine.account.chains import store_chain
from e2ecore.engine.errors import AccountMovingError, NotRegisteredError
from e2ecore.engine.running.chores import fetch_chain
from e2ecore.engine.running.job import Job
from e2ecore.storage import settings
from e2ecore.transport.errors import RelayRefusedError
from e2ecore_protocol.chain.state import AccountState
from e2ecore_protocol.errors import ErrorCode
from e2ecore_protocol.frames.accounts import AppendChain
from e2ecore_protocol.frames.session import Ok

if TYPE_CHECKING:
    from e2ecore.engine.running.core import Core

MOVING: Final = "account_moving"
"""The setting that holds the entries by which the account moves, until they are in the chain."""
_ATTEMPTS: Final = 4
"""How often the chain may grow under our hands before we give up."""


def own_chain(job: Job) -> AccountState:
    """Return our own chain as it is known here.

    Raises:
        NotRegisteredError: There is no account yet.
    """
    chain = job.state.chain(job.tx, job.own.account_id)
    if chain is None:
        raise NotRegisteredError
    return chain


async def grow_own_chain(
    core: "Core", make: Callable[[], Awaitable[Sequence[bytes]]]
) -> Sequence[bytes]:
    """Have the relay take entries behind the newest ones; made anew if others were faster.

    Args:
        core: The engine.
        make: Returns the signed entries that follow the chain as it is known then; maybe none.

    Returns:
        What the relay has taken. It is not stored here yet.

    Raises:
        AccountMovingError: The account is on its way to another device.
        RelayRefusedError: Not taken.
        TransientError: The relay was not reached.
    """
    if core.read(lambda tx: settings.get(tx, MOVING)) is not None:
        raise AccountMovingError
    for attempt in range(1, _ATTEMPTS + 1):
        await fetch_chain(core, core.account_id)
        entries = await make()
        try:
            if entries:
                await core.need_link().request(AppendChain(0, tuple(entries)), Ok)
        except RelayRefusedError as error:
            if error.code is not ErrorCode.CHAIN_CONFLICT or attempt == _ATTEMPTS:
                raise
        else:
            return entries
    raise AssertionError("the last attempt returns or raises")


def store_own_chain(job: Job, entries: Sequence[bytes]) -> AccountState:
    """Store what the relay has taken."""
    return store_chain(job, job.own.account_id, entries)
