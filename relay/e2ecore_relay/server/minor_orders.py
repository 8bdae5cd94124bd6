"""``e2ecore-relay minors ...``: the operator's word that an account is a child's, or is not.

As for attachments, the command leaves a file that the relay which runs finds and carries out; what
it did is in its log. Spec: protocol/spec/85-guardians.md, [GRD-2]
"""

import argparse
import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple

from e2ecore_protocol.limits import ACCOUNT_ID_BYTES
from e2ecore_relay.server import order_files
from e2ecore_relay.server.order_files import BadOrderError

SUFFIX: Final = ".minor"
_MAX_FILE_BYTES: Final = 4_096
_FIELDS: Final = 3
_CANNOT: Final = 2


class MinorOrder(NamedTuple):
    """Mark an account until a time, or take its mark away (None)."""

    account_id: bytes
    until_ms: int | None
    reference: str


def checked(order: MinorOrder) -> MinorOrder:
    """Return an order that can be carried out.

    Raises:
        BadOrderError: It cannot.
    """
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
    account_id, until_ms, reference = checked(order)
    fields = {"account": account_id.hex(), "until_ms": until_ms, "reference": reference}
    return order_files.leave(data, f"{os.urandom(16).hex()}{SUFFIX}", json.dumps(fields))


def read(file: Path) -> MinorOrder:
    """Return the order in a file.

    Raises:
        BadOrderError: There is none in it.
    """
    try:
        with file.open("rb") as opened:
            found = json.loads(opened.read(_MAX_FILE_BYTES))
        account, until_ms, reference = found["account"], found["until_ms"], found["reference"]
        whole = until_ms is None or type(until_ms) is int
        if len(found) != _FIELDS or not isinstance(reference, str) or not whole:
            raise BadOrderError("it is not what the command writes")
        return checked(MinorOrder(bytes.fromhex(account), until_ms, reference))
    except (ValueError, KeyError, TypeError) as error:
        raise BadOrderError("it is not what the command writes") from error


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
        verb.add_argument("--reference", required=True, help="why; goes into the relay's log")


def operate(data: Path, options: argparse.Namespace) -> int:
    """Do what the command line says. Return the exit status: 0, or 2 if it could not be done."""
    try:
        until_ms = None
        if options.verb == "mark":
            day = datetime.strptime(options.until, "%Y-%m-%d").replace(tzinfo=UTC)
            until_ms = int(day.timestamp() * 1000)
        write(data, MinorOrder(bytes.fromhex(options.account), until_ms, options.reference))
    except (BadOrderError, OSError) as error:
        sys.stderr.write(f"Not done: {error}\n")
    except ValueError:
        sys.stderr.write("Not done: an id is hexadecimal, a day is written as 2031-04-30\n")
    else:
        sys.stdout.write(f"{options.account}: noted; the relay carries it out when it runs\n")
        return 0
    return _CANNOT
