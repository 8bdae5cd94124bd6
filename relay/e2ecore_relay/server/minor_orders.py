"""The operator's decisions on marks of children as files, like those on attachments.

The command (``operating_minors``) leaves a file that the relay which runs finds, carries out and
records. Spec: protocol/spec/85-guardians.md, [GRD-2]
"""

import json
from pathlib import Path
from typing import Final

from e2ecore_protocol.limits import ACCOUNT_ID_BYTES
from e2ecore_relay.domain.guardian_ports import MarkReason
from e2ecore_relay.domain.minor_orders import MinorOrder
from e2ecore_relay.server import order_files
from e2ecore_relay.server.order_files import BadOrderError

SUFFIX: Final = ".minor"
_MAX_FILE_BYTES: Final = 4_096
_FIELDS: Final = 4


def checked(order: MinorOrder) -> MinorOrder:
    """Return an order that can be carried out.

    Raises:
        BadOrderError: It cannot.
    """
    if len(order.order_id) != order_files.ORDER_ID_BYTES:
        raise BadOrderError("it is not what the command writes")
    if len(order.account_id) != ACCOUNT_ID_BYTES:
        raise BadOrderError(f"an account's id has {2 * ACCOUNT_ID_BYTES} hexadecimal digits")
    order_files.check_reference(order.reference)
    return order


def write(data: Path, order: MinorOrder) -> Path:
    """Leave an order for the relay, durably.

    Raises:
        BadOrderError: It cannot be carried out.
        OSError: The folder cannot be written to.
    """
    order_id, account_id, until_ms, reason, reference = checked(order)
    fields = {
        "account": account_id.hex(),
        "until_ms": until_ms,
        "reason": reason.value,
        "reference": reference,
    }
    return order_files.leave(data, f"{order_id.hex()}{SUFFIX}", json.dumps(fields))


def read(file: Path) -> MinorOrder:
    """Return the order in a file.

    Raises:
        BadOrderError: There is none in it.
    """
    try:
        with file.open("rb") as opened:
            found = json.loads(opened.read(_MAX_FILE_BYTES))
        until_ms, reason, reference = found["until_ms"], found["reason"], found["reference"]
        whole = (until_ms is None or type(until_ms) is int) and type(reason) is int
        if len(found) != _FIELDS or not isinstance(reference, str) or not whole:
            raise BadOrderError("it is not what the command writes")
        order_id, account_id = bytes.fromhex(file.stem), bytes.fromhex(found["account"])
        return checked(MinorOrder(order_id, account_id, until_ms, MarkReason(reason), reference))
    except (ValueError, KeyError, TypeError) as error:
        raise BadOrderError("it is not what the command writes") from error
