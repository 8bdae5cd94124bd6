"""``e2ecore-relay blobs ...``: what an operator can do to attachments, and look at.

Deleting leaves an order for the relay that runs (``server.order_files``). Looking reads the
database beside it. There is no command that reads an attachment: the relay could not.
"""

import argparse
import fcntl
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from e2ecore_relay.backends.sqlite.blob_orders import SqliteOrders, listed
from e2ecore_relay.backends.sqlite.connection import Connection, StoreError, open_connection
from e2ecore_relay.backends.sqlite.database import DATABASE_NAME, KEY_NAME, LOCK_NAME
from e2ecore_relay.domain.blob_orders import Found, Order, OrderRecord
from e2ecore_relay.domain.blob_ports import Stage
from e2ecore_relay.server import order_files

_LOOK_S: Final = 0.2
_PAGE: Final = 500
_NOT_FOUND: Final = 1
_CANNOT: Final = 2
_WORDS: Final = {
    Found.DESTROYED: "its share is destroyed; bytes and receipt follow",
    Found.GONE: "it was gone before",
    Found.UNKNOWN: "this relay knows of no such attachment",
}


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Describe the commands."""
    blobs = commands.add_parser("blobs", help="delete attachments by order; look at what waits")
    blobs.add_argument("--config", type=Path, metavar="FILE", default=argparse.SUPPRESS)
    blobs.add_argument("--data", type=Path, metavar="DIR", default=argparse.SUPPRESS)
    verbs = blobs.add_subparsers(dest="verb", required=True)
    delete = verbs.add_parser("delete", help="destroy the share of an attachment, then its bytes")
    delete.add_argument("blob", metavar="ID", help="32 hexadecimal digits")
    delete.add_argument("--reference", required=True, help="by whose order; kept in the record")
    delete.add_argument("--wait", type=float, default=10.0, metavar="S", help="for the relay")
    verbs.add_parser("orders", help="show what was ordered, and what came of it")
    shown = verbs.add_parser("list", help="show the attachments that wait")
    shown.add_argument("--account", default="", metavar="ID", help="hexadecimal; else all")


def operate(data: Path, options: argparse.Namespace) -> int:
    """Do what the command line says. Return the exit status.

    0: done, or noted for the relay; 1: there is no such attachment; 2: it could not be done.
    """
    try:
        if options.verb == "delete":
            return _delete(data, options.blob, options.reference, options.wait)
        if options.verb == "list":
            return _list(data, bytes.fromhex(options.account))
        return _orders(data)
    except (order_files.BadOrderError, StoreError, OSError) as error:
        sys.stderr.write(f"Not done: {error}\n")
    except ValueError:
        sys.stderr.write("Not done: an id is written in hexadecimal digits\n")
    return _CANNOT


def _delete(data: Path, blob: str, reference: str, wait_s: float) -> int:
    if not (data / DATABASE_NAME).exists():
        raise FileNotFoundError(f"{data} is not the data directory of a relay")
    order = Order(os.urandom(16), bytes.fromhex(blob), reference)
    order_files.write(data, order)
    until = time.monotonic() + wait_s
    while _is_running(data) and time.monotonic() < until:
        with reading(data) as connection:
            record = SqliteOrders(connection).find(order.order_id)
        if record is not None:
            sys.stdout.write(f"{blob}: {_WORDS[record.found]}\n")
            return _NOT_FOUND if record.found is Found.UNKNOWN else 0
        time.sleep(_LOOK_S)
    sys.stdout.write(f"{blob}: noted; the relay carries it out as soon as it runs\n")
    return 0


def _orders(data: Path) -> int:
    with reading(data) as connection:
        table, after = SqliteOrders(connection), 0
        while page := table.after(after, _PAGE):
            sys.stdout.writelines(_line(record) for _, record in page)
            after = page[-1][0]
    for file in order_files.waiting(data):
        sys.stdout.write(f"not carried out yet: {file.name}\n")
    return 0


def _line(record: OrderRecord) -> str:
    order = record.order
    words = _WORDS[record.found]
    return f"{moment(record.time_ms)}  {order.blob_id.hex()}  {words}  ({order.reference})\n"


def _list(data: Path, account_id: bytes) -> int:
    with reading(data) as connection:
        after = b""
        while page := listed(connection, account_id, after, _PAGE):
            for one in page:
                sys.stdout.write(
                    f"{one.blob_id.hex()}  account {one.account_id.hex()}  {one.size} bytes"
                    f"  {Stage(one.stage).name.lower()}  {one.waiting} waiting"
                    f"  until {moment(one.expires_ms)}\n"
                )
            after = page[-1].blob_id
    return 0


def moment(time_ms: int) -> str:
    """Write a time as people read it, in UTC."""
    return datetime.fromtimestamp(time_ms / 1000, UTC).isoformat(timespec="seconds")


def _is_running(data: Path) -> bool:
    """Does a relay work on this directory?"""
    lock = os.open(data / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(lock)
    return False


@contextmanager
def reading(data: Path) -> Iterator[Connection]:
    """Look into a relay's database, also while the relay runs.

    Raises:
        FileNotFoundError: There is none.
        StoreError: It cannot be read.
    """
    if not (data / DATABASE_NAME).exists():
        raise FileNotFoundError(f"{data} is not the data directory of a relay")
    key = bytes.fromhex((data / KEY_NAME).read_text("ascii").strip())
    connection = open_connection(data / DATABASE_NAME, key, readonly=True)
    try:
        yield connection
    finally:
        connection.close()
