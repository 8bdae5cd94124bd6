"""Carrying out the operator's orders while the relay runs."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import anyio
import anyio.to_thread
import structlog

from e2ecore_relay.domain import blob_orders
from e2ecore_relay.domain.blob_orders import Order, OrderRecord
from e2ecore_relay.domain.coverage import Coverage
from e2ecore_relay.domain.errors import RefusedError
from e2ecore_relay.domain.exchange import Turn
from e2ecore_relay.domain.minor_orders import MinorOrder
from e2ecore_relay.domain.minor_orders import carry_out as carry_out_minor
from e2ecore_relay.server import minor_orders, order_files
from e2ecore_relay.server.asking import ask

if TYPE_CHECKING:
    from e2ecore_relay.server.hub import Hub

_log = structlog.get_logger()

_NOTICE_RANDOM_BYTES: Final = 10
_LOOK_S: Final = 0.5
"""How often the folder of orders is looked into."""


async def keep_obeying(hub: "Hub") -> None:
    """Carry out orders until cancelled."""
    while True:
        try:
            for file in await anyio.to_thread.run_sync(order_files.waiting, hub.config.data):
                await _obey(hub, file)
            files = partial(order_files.waiting, hub.config.data, minor_orders.SUFFIX)
            for file in await anyio.to_thread.run_sync(files):
                await _obey_minor(hub, file)
        except Exception as error:  # noqa: BLE001  the next look tries again
            _log.error("blob_order_failed", error=type(error).__name__, detail=str(error))
        await anyio.sleep(_LOOK_S)


async def _obey(hub: "Hub", file: Path) -> None:
    try:
        order = await anyio.to_thread.run_sync(order_files.read, file)
    except order_files.BadOrderError as error:
        _log.warning("blob_order_refused", file=file.name, reason=str(error))
        await anyio.to_thread.run_sync(order_files.refuse, file)
        return
    record = await ask(hub.store, partial(_carry_out, hub, order))
    hub.office.transfers.cut([order.blob_id])
    hub.office.look_soon()
    _log.warning(
        "blob_ordered",
        blob=order.blob_id.hex(),
        found=record.found.name.lower(),
        reference=order.reference,
    )
    await anyio.to_thread.run_sync(order_files.done, file)


def _carry_out(hub: "Hub", order: Order, turn: Turn) -> OrderRecord:
    ledger = turn.ledger
    return blob_orders.carry_out(ledger.blobs, ledger.orders, hub.office.time(), order)


async def _obey_minor(hub: "Hub", file: Path) -> None:
    """Carry out and record a decision on an account's mark."""
    try:
        order = await anyio.to_thread.run_sync(minor_orders.read, file)
        work = partial(_mark, hub, order)
        hub.cover(await ask(hub.store, work))
    except (order_files.BadOrderError, RefusedError) as error:
        _log.warning("minor_order_refused", file=file.name, reason=str(error))
        await anyio.to_thread.run_sync(order_files.refuse, file)
        return
    _log.warning(
        "minor_ordered",
        account=order.account_id.hex(),
        marked=order.until_ms is not None,
        reason=order.reason.name.lower(),
        reference=order.reference,
    )
    await anyio.to_thread.run_sync(order_files.done, file)


def _mark(hub: "Hub", order: MinorOrder, turn: Turn) -> Coverage:
    return carry_out_minor(turn, order, hub.rng(_NOTICE_RANDOM_BYTES))
