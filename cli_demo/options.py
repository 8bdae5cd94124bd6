"""The options that several verbs share, each written once."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, TypeAlias

import typer

from cli_demo.places import default_database

_RELAY_VARIABLE: Final = "E2E_RELAY"

Db: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--db",
        metavar="FILE",
        envvar="E2E_DB",
        help="The encrypted database. Default: one per user, in the usual place for data.",
        show_default=False,
    ),
]
Relay: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--relay",
        metavar="URL",
        envvar=_RELAY_VARIABLE,
        help="The relay, as wss://HOST:PORT. Default: the one of the registration, "
        "else a relay on this machine.",
        show_default=False,
    ),
]
RelayCa: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--relay-ca",
        metavar="FILE",
        envvar="E2E_RELAY_CA",
        exists=True,
        dir_okay=False,
        help="Trust this certificate authority (PEM) for the relay; "
        "needed for a relay that made its own.",
        show_default=False,
    ),
]
PassphraseFd: TypeAlias = Annotated[
    int | None,
    typer.Option(
        "--passphrase-fd",
        metavar="N",
        help="Read the passphrase from this open file descriptor instead of asking. "
        "E2E_PASSPHRASE_FILE names a file instead.",
        show_default=False,
    ),
]
Json: TypeAlias = Annotated[
    bool, typer.Option("--json", help="One JSON object per line, for scripts.")
]
Debug: TypeAlias = Annotated[
    bool, typer.Option("--debug", help="Show the traceback of an error.", hidden=False)
]
Timeout: TypeAlias = Annotated[
    float,
    typer.Option("--timeout", metavar="SECONDS", min=0.1, help="How long to wait for the relay."),
]


@dataclass(frozen=True, slots=True)
class Access:
    """How to open the database and reach the relay, as the command line says."""

    db: Path
    relay: str | None
    relay_ca: Path | None
    passphrase_fd: int | None
    debug: bool


def access(
    db: Path | None,
    relay: str | None,
    relay_ca: Path | None,
    passphrase_fd: int | None,
    *,
    debug: bool,
) -> Access:
    """Put the shared options together, defaults filled in."""
    relay = relay or os.environ.get(_RELAY_VARIABLE)
    return Access(db or default_database(), relay, relay_ca, passphrase_fd, debug)
