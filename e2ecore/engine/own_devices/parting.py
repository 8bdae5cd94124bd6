"""This device was removed: what it holds is erased. First the app is told, then the keys go.

Only the account's own chain can say so, entry by entry signed by its owner and following what is
known here ([CHN-19]). The relay's word that it knows us no more changes nothing here: it might lie.

The decision is stored in the transaction that stores the entry. A crash behind it leaves a database
that erases itself at its next opening, before anything in it can be read.
"""

from functools import partial
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread

from e2ecore.engine.account.chains import chain_refused, store_chain
from e2ecore.engine.errors import ChainInvalidError, DeviceErasedError, DeviceRevokedError
from e2ecore.engine.own_devices.removals import PARTING
from e2ecore.engine.running.defects import log_defect
from e2ecore.errors import E2EError
from e2ecore.storage import settings
from e2ecore.storage.database import Database
from e2ecore.storage.errors import StorageError
from e2ecore.transport.errors import RemovalShownError

if TYPE_CHECKING:
    from e2ecore.engine.running.core import Core
    from e2ecore.storage.tx import Tx


async def take_proof(core: "Core", shown: RemovalShownError) -> E2EError:
    """The relay shows entries of our chain and sends us away: believe the entries, if anything.

    Returns:
        Why there is no connection.
    """
    account_id = core.account_id
    try:
        await core.jobs.run(partial(store_chain, account_id=account_id, entries=shown.entries))
    except ChainInvalidError as error:
        core.emit(chain_refused(account_id, error))
    return DeviceRevokedError(str(shown))


def is_parting(tx: "Tx") -> bool:
    """Is this database to be erased?"""
    return settings.get(tx, PARTING) is not None


def refuse_parted(database: Database) -> None:
    """Erase a database that a crash has kept from erasing itself. Blocks; off the event loop.

    Raises:
        DeviceErasedError: It was, and is erased now.
        StorageError: It was, and the operating system could not do it.
    """
    if database.readers.read(is_parting):
        database.erase()
        raise DeviceErasedError


async def part(core: "Core") -> None:
    """Tell everybody that it is over, then erase: keys first."""
    with anyio.CancelScope(shield=True):
        await core.finish()
        try:
            await anyio.to_thread.run_sync(core.database.erase)
        except StorageError as error:
            log_defect("erasing this device", error)  # its next opening tries again
