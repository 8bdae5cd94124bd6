"""``e2ecore-relay minors ...``: the operator's word that an account is a child's, or is not.

Deciding leaves an order for the relay that runs (``server.minor_orders``). Looking reads the
database beside it: what was decided, when and why.
"""

import argparse
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from e2ecore_relay.backends.sqlite.connection import StoreError
from e2ecore_relay.backends.sqlite.minor_orders import SqliteMinorOrders
from e2ecore_relay.domain.guardian_ports import MarkReason, MinorRecord
from e2ecore_relay.domain.minor_orders import MinorOrder
from e2ecore_relay.operating import moment, reading
from e2ecore_relay.server import minor_orders, order_files
from e2ecore_relay.server.order_files import BadOrderError

_PAGE: Final = 500
_CANNOT: Final = 2
_REASONS: Final = {one.name.lower(): one for one in MarkReason}


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Describe the commands."""
    minors = commands.add_parser("minors", help="mark accounts of people under 14, and unmark them")
    minors.add_argument("--config", type=Path, metavar="FILE", default=argparse.SUPPRESS)
    minors.add_argument("--data", type=Path, metavar="DIR", default=argparse.SUPPRESS)
    verbs = minors.add_subparsers(dest="verb", required=True)
    mark = verbs.add_parser("mark", help="nothing is agreed to without a guardian until a day")
    mark.add_argument("account", metavar="ID", help="40 hexadecimal digits")
    mark.add_argument("until", metavar="DAY", help="the 14th birthday, as 2031-04-30")
    unmark = verbs.add_parser("unmark", help="the account is like any other")
    unmark.add_argument("account", metavar="ID", help="40 hexadecimal digits")
    for verb in (mark, unmark):
        verb.add_argument("--reason", required=True, choices=_REASONS, help="what it stands on")
        verb.add_argument("--reference", required=True, help="where the papers are: no names")
    verbs.add_parser("orders", help="show what was decided, when and why")


def operate(data: Path, options: argparse.Namespace) -> int:
    """Do what the command line says. Return the exit status: 0, or 2 if it could not be done."""
    try:
        if options.verb == "orders":
            return _orders(data)
        return _decide(data, options)
    except (BadOrderError, StoreError, OSError) as error:
        sys.stderr.write(f"Not done: {error}\n")
    except ValueError:
        sys.stderr.write("Not done: an id is hexadecimal, a day is written as 2031-04-30\n")
    return _CANNOT


def _decide(data: Path, options: argparse.Namespace) -> int:
    until_ms = None
    if options.verb == "mark":
        day = datetime.strptime(options.until, "%Y-%m-%d").replace(tzinfo=UTC)
        until_ms = int(day.timestamp() * 1000)
    account_id, reason = bytes.fromhex(options.account), _REASONS[options.reason]
    order_id = os.urandom(order_files.ORDER_ID_BYTES)
    order = MinorOrder(order_id, account_id, until_ms, reason, options.reference)
    minor_orders.write(data, order)
    sys.stdout.write(f"{options.account}: noted; the relay carries it out when it runs\n")
    return 0


def _orders(data: Path) -> int:
    with reading(data) as connection:
        table, after = SqliteMinorOrders(connection), 0
        while page := table.after(after, _PAGE):
            sys.stdout.writelines(_line(record) for _, record in page)
            after = page[-1][0]
    for file in order_files.waiting(data, minor_orders.SUFFIX):
        sys.stdout.write(f"not carried out yet: {file.name}\n")
    return 0


def _line(record: MinorRecord) -> str:
    done = "marked" if record.is_marked else "mark lifted"
    why = f"{record.reason.name.lower()}: {record.reference}"
    return f"{moment(record.time_ms)}  {record.account_id.hex()}  {done}  ({why})\n"
