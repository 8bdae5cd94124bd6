"""An account that moves: its new device takes the places of those that it had.

The chain says it in one append: every live device is removed and one is added. The new device is in
the routes from then on, so that it can ask to be added; it has a leaf in no conversation yet.

Spec: protocol/spec/70-linking.md, [LNK-50] to [LNK-56]; protocol/spec/30-ordering.md, [ORD-50]
"""

from collections.abc import Sequence
from typing import Final

from e2ecore_protocol.chain.bodies import DeviceRemoved
from e2ecore_protocol.chain.entry import Entry
from e2ecore_protocol.chain.state import AccountState
from e2ecore_protocol.errors import ErrorCode, MalformedError
from e2ecore_protocol.frames.conversations import DeviceAddress
from e2ecore_relay.domain.errors import RefusedError
from e2ecore_relay.domain.exchange import Turn
from e2ecore_relay.domain.log import LogKind
from e2ecore_relay.domain.ports import StoredDevice

_RETRY_MS: Final = 200
"""How soon a device that has something to read may ask again to be removed."""


def check_read(turn: Turn, sender: StoredDevice, entries: Sequence[bytes]) -> None:
    """Refuse to let a device remove itself before it has read what waits for it.

    Nobody else could read that: not the new device, either.

    Raises:
        RefusedError: Something waits for it. Nothing was changed.
    """
    try:
        bodies = [Entry.decode(one).parse_body() for one in entries]
    except MalformedError:
        return  # refused for that
    removed = {one.device_id for one in bodies if isinstance(one, DeviceRemoved)}
    exchange, ledger, _ = turn
    if sender.address.device_id in removed and exchange.connect(ledger, sender.device):
        detail = "something waits to be read first"
        raise RefusedError(ErrorCode.RATE_LIMITED, detail, retry_after_ms=_RETRY_MS)


def succeed(turn: Turn, account_id: bytes, before: AccountState, after: AccountState) -> None:
    """Put the device that an account has moved to into the routes of those that it had."""
    exchange, ledger, now_ms = turn
    live = after.live_devices()
    if len(live) != 1 or live[0].device_id in before.devices:
        return
    wanted = [DeviceAddress(account_id, one.device_id) for one in before.live_devices()]
    new = DeviceAddress(account_id, live[0].device_id)
    stored = ledger.accounts.devices([new, *wanted])
    heir = stored[new].device
    for address in wanted:
        old = stored[address].device
        for log in exchange.numbered(ledger, ledger.logs.routes_of(old)):
            if log.kind != LogKind.INBOX and log.member(old) and log.member(heir) is None:
                log.succeed(old, heir, now_ms)
                ledger.logs.succeed(log.lid, heir, log.head, now_ms)
