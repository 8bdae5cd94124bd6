"""Orders as files: written by the operator's command, read by the relay that runs.

A folder that only the operator's user can write to needs no port, no password and no protocol; an
order given while the relay is down waits there. A file is removed once its order was carried out
and recorded; what a crash leaves there is read again and found recorded.
"""

import json
import os
from pathlib import Path
from typing import Final

from e2ecore_protocol.limits import BLOB_ID_BYTES
from e2ecore_relay.domain.blob_orders import Order

FOLDER_NAME: Final = "orders"
"""The folder of the orders, in the data directory."""

MAX_REFERENCE_CHARS: Final = 200
"""Longest reference."""

ORDER_ID_BYTES: Final = 16
"""Length of the name of an order, which is that of its file."""

_SUFFIX: Final = ".order"
_REFUSED: Final = ".refused"
_MAX_FILE_BYTES: Final = 4_096


class BadOrderError(Exception):
    """This is no order. The text says why."""


def checked(order: Order) -> Order:
    """Return an order that can be carried out.

    Raises:
        BadOrderError: It cannot.
    """
    if len(order.order_id) != ORDER_ID_BYTES or len(order.blob_id) != BLOB_ID_BYTES:
        raise BadOrderError(f"an attachment's id has {2 * BLOB_ID_BYTES} hexadecimal digits")
    check_reference(order.reference)
    return order


def check_reference(reference: str) -> None:
    """Refuse a reference that is none.

    Raises:
        BadOrderError: It is empty, too long, or more than a line.
    """
    if not reference.strip() or len(reference) > MAX_REFERENCE_CHARS:
        raise BadOrderError(f"a reference has 1 to {MAX_REFERENCE_CHARS} characters")
    if not reference.isprintable():
        raise BadOrderError("a reference is one line")


def write(data: Path, order: Order) -> Path:
    """Leave an order for the relay, durably.

    Args:
        data: The relay's data directory.
        order: What is wanted.

    Raises:
        BadOrderError: It cannot be carried out.
        OSError: The folder cannot be written to.
    """
    checked(order)
    text = json.dumps({"blob": order.blob_id.hex(), "reference": order.reference})
    return leave(data, f"{order.order_id.hex()}{_SUFFIX}", text)


def leave(data: Path, name: str, text: str) -> Path:
    """Put a file into the folder of orders, durably.

    Raises:
        OSError: The folder cannot be written to.
    """
    folder = data / FOLDER_NAME
    folder.mkdir(mode=0o700, exist_ok=True)
    target = folder / name
    part = target.with_suffix(".part")
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.write(handle, text.encode())
        os.fsync(handle)
    finally:
        os.close(handle)
    part.rename(target)
    _sync(folder)
    return target


def waiting(data: Path, suffix: str = _SUFFIX) -> list[Path]:
    """Return the files of orders of one kind that were not carried out, by name."""
    folder = data / FOLDER_NAME
    try:
        return sorted(one for one in folder.iterdir() if one.suffix == suffix)
    except FileNotFoundError:
        return []


def read(file: Path) -> Order:
    """Return the order in a file.

    Raises:
        BadOrderError: There is none in it.
    """
    try:
        with file.open("rb") as opened:
            found = json.loads(opened.read(_MAX_FILE_BYTES))
        blob, reference = found["blob"], found["reference"]
        if len(found) != 2 or not isinstance(reference, str):  # noqa: PLR2004 - the two above
            raise BadOrderError("it is not what the command writes")
        return checked(Order(bytes.fromhex(file.stem), bytes.fromhex(blob), reference))
    except (ValueError, KeyError, TypeError) as error:
        raise BadOrderError("it is not what the command writes") from error


def done(file: Path) -> None:
    """Remove the file of an order that was carried out."""
    file.unlink(missing_ok=True)
    _sync(file.parent)


def refuse(file: Path) -> None:
    """Put a file aside that is no order, for the operator to look at."""
    file.replace(file.with_suffix(_REFUSED))


def _sync(folder: Path) -> None:
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
