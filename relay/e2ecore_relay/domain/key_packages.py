"""Key packages: each one-time package is handed out once, the last resort when none is left.

Claims run in one transaction with everything else, so two claims never get the same package.
"""

from collections.abc import Sequence

from e2ecore_protocol.errors import ErrorCode
from e2ecore_protocol.frames.conversations import DeviceAddress
from e2ecore_protocol.frames.delivery import EnvelopeKind, make_envelope_id
from e2ecore_protocol.frames.key_packages import DeviceKeyPackage
from e2ecore_protocol.frames.notices import KeyPackagesLow
from e2ecore_protocol.limits import (
    KEY_PACKAGES_LOW,
    LAST_RESORT_KEY_PACKAGE_S,
    MAX_KEY_PACKAGES_PER_FRAME,
    ONE_TIME_KEY_PACKAGE_S,
)
from e2ecore_relay.domain.coverage import coverage
from e2ecore_relay.domain.errors import RefusedError
from e2ecore_relay.domain.exchange import Turn
from e2ecore_relay.domain.ports import Fresh, StoredDevice


def publish(turn: Turn, device: int, packages: Sequence[bytes], last_resort: bytes | None) -> None:
    """Keep packages for whoever wants to add a device, and forget those that are too old."""
    _, ledger, now_ms = turn
    ledger.key_packages.forget([device], _fresh(now_ms))
    ledger.key_packages.publish(device, packages, MAX_KEY_PACKAGES_PER_FRAME, now_ms)
    if last_resort is not None:
        ledger.key_packages.set_last_resort(device, last_resort, now_ms)


def left(turn: Turn, device: int) -> int:
    """Return how many one-time packages of a device can still be handed out."""
    table = turn.ledger.key_packages
    table.forget([device], _fresh(turn.now_ms))
    return table.count([device])[device]


def _fresh(now_ms: int) -> Fresh:
    return Fresh(now_ms - ONE_TIME_KEY_PACKAGE_S * 1000, now_ms - LAST_RESORT_KEY_PACKAGE_S * 1000)


def claim(
    turn: Turn, asker: int, account_ids: Sequence[bytes], random: bytes
) -> list[DeviceKeyPackage]:
    """Take one package for each device of some accounts; tell those who run out.

    Args:
        turn: The open transaction.
        asker: Device that asks; it is left out.
        account_ids: Whose devices.
        random: 10 random bytes for the ids of notices.

    Raises:
        RefusedError: An account is unknown, closed, or one of its devices has no package left.
    """
    _, ledger, now_ms = turn
    devices = [one for one in _covered(turn, account_ids) if one.device != asker]
    ledger.key_packages.forget([device.device for device in devices], _fresh(now_ms))
    before = ledger.key_packages.count([device.device for device in devices])
    claimed = ledger.key_packages.claim(list(before))
    for device in devices:
        if device.device not in claimed:
            raise RefusedError(ErrorCode.NO_KEY_PACKAGE, data=device.address.account_id)
    for left in (KEY_PACKAGES_LOW, 0):
        low = [device for device in devices if before[device.device] == left + 1]
        _tell_low(turn, low, left, make_envelope_id(now_ms, random))
    return [DeviceKeyPackage(*device.address, claimed[device.device]) for device in devices]


def claim_some(
    turn: Turn, asker: StoredDevice, address: DeviceAddress, count: int, random: bytes
) -> list[DeviceKeyPackage]:
    """Take one-time packages of one device, as many as there are; else its last resort.

    Args:
        turn: The open transaction.
        asker: Device that asks.
        address: Whose packages.
        count: How many at most; a device of another account gives one.
        random: 10 random bytes for the id of a notice.

    Raises:
        RefusedError: The account is unknown or closed, or the device has no package left; or it is
            none that others may talk to.
    """
    _, ledger, now_ms = turn
    devices = [one for one in _covered(turn, [address.account_id]) if one.address == address]
    if not devices:
        raise RefusedError(ErrorCode.NO_KEY_PACKAGE, data=address.account_id)
    device, table = devices[0], ledger.key_packages
    table.forget([device.device], _fresh(now_ms))
    before = table.count([device.device])[device.device]
    most = count if device.account == asker.account else 1
    packages = table.claim_one_time(device.device, most)
    left = before - len(packages)
    if left == 0 < before or left <= KEY_PACKAGES_LOW < before:
        _tell_low(turn, devices, left, make_envelope_id(now_ms, random))
    packages = packages or list(table.claim([device.device]).values())
    if not packages:
        raise RefusedError(ErrorCode.NO_KEY_PACKAGE, data=address.account_id)
    return [DeviceKeyPackage(*address, package) for package in packages]


def _covered(turn: Turn, account_ids: Sequence[bytes]) -> list[StoredDevice]:
    """Return the devices of some accounts that may be added to something.

    Raises:
        RefusedError: An account is unknown or closed.
    """
    _, ledger, now_ms = turn
    wanted = list(dict.fromkeys(account_ids))
    stored = ledger.accounts.find(wanted)
    for account_id in wanted:
        if account_id not in stored:
            raise RefusedError(ErrorCode.UNKNOWN_ACCOUNT, data=account_id)
        if stored[account_id].closed:
            raise RefusedError(ErrorCode.ACCOUNT_CLOSED, data=account_id)
    numbers = [stored[account_id].account for account_id in wanted]
    return [one.device for one in coverage(ledger, numbers, now_ms).covered]


def _tell_low(turn: Turn, devices: list[StoredDevice], left: int, envelope_id: bytes) -> None:
    if devices:
        notice = KeyPackagesLow(left).encode()
        readers = [(device.device, device.account) for device in devices]
        wire = (EnvelopeKind.NOTICE.value, 0, envelope_id, notice, None)
        turn.exchange.post(turn.ledger, readers, wire, turn.now_ms)
