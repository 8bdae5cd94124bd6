"""The options that several verbs share, each written once.

A verb takes an ``Access`` as its first parameter; a decorator says which of the shared options the
command line fills it from: ``online``, ``local``, ``silent`` or ``interactive``.
"""

import inspect
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import update_wrapper
from pathlib import Path
from typing import Annotated, Concatenate, Final, ParamSpec, Protocol, TypeAlias

import typer

from cli_demo.places import default_database
from cli_demo.text import period

P = ParamSpec("P")
_RELAY_VARIABLE: Final = "E2E_RELAY"
DEFAULT_TIMEOUT_S: Final = 20.0
"""Enough for a slow mobile network to connect and answer; nobody waits longer without a word."""


def seconds(span: str) -> int:
    """A time as people write it: ``30s``, ``10m``, ``8h``, ``7d``.

    Raises:
        BadParameter: It is something else.
    """
    found = period(span)
    if found is None:
        raise typer.BadParameter("a time is a number and one of s, m, h, d: 30s, 10m, 8h, 7d")
    return found


def day_ms(day: str) -> int:
    """When a day begins on this machine, in UTC milliseconds: ``2026-11-23``.

    Raises:
        BadParameter: It is something else.
    """
    try:
        return int(datetime.strptime(day, "%Y-%m-%d").astimezone().timestamp() * 1000)
    except (ValueError, OverflowError):
        raise typer.BadParameter("a day is written as 2026-11-23") from None


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

Target: TypeAlias = Annotated[
    str,
    typer.Argument(
        metavar="HANDLE|+TITLE|ID",
        help="A person's handle, a group's title after a plus sign, or a conversation id.",
    ),
]
Which: TypeAlias = Annotated[
    str,
    typer.Argument(
        metavar="MESSAGE",
        help="The id of a message as `history --ids` prints it, or `last` for the newest one.",
    ),
]
Mentioned: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--mention",
        metavar="HANDLE",
        help="A member whom `@HANDLE` in the text names; may be given several times.",
    ),
]
Words: TypeAlias = Annotated[
    list[str], typer.Argument(metavar="TEXT", help="The text; several words are joined.")
]
OwnDevice: TypeAlias = Annotated[
    str, typer.Argument(help="Its id, or how that begins: `e2e device list`.")
]
Language: TypeAlias = Annotated[
    str | None,
    typer.Option("--language", metavar="en|zh-CN", help="Default: this system's, else en."),
]
Lifetime: TypeAlias = Annotated[
    int | None,
    typer.Option(
        "--lifetime",
        metavar="TIME",
        parser=seconds,
        help="Have every device erase it after this time: 30s, 10m, 8h, 7d.",
    ),
]


@dataclass(frozen=True, slots=True)
class Access:
    """How to open the database, reach the relay and answer, as the command line says."""

    db: Path
    relay: str | None = None
    relay_ca: Path | None = None
    passphrase_fd: int | None = None
    timeout: float = DEFAULT_TIMEOUT_S
    """How long to wait for the relay, in seconds."""
    json: bool = False
    """Answer in JSON lines."""
    debug: bool = False

    @classmethod
    def of(
        cls,
        db: Path | None = None,
        relay: str | None = None,
        relay_ca: Path | None = None,
        passphrase_fd: int | None = None,
        timeout: float = DEFAULT_TIMEOUT_S,
        *,
        json: bool = False,
        debug: bool = False,
    ) -> "Access":
        """Put the options of one command together, defaults filled in."""
        relay = relay or os.environ.get(_RELAY_VARIABLE)
        place = db or default_database()
        return cls(place, relay, relay_ca, passphrase_fd, timeout, json=json, debug=debug)


_SHARED: Final[Mapping[str, tuple[object, object]]] = {
    "db": (Db, None),
    "relay": (Relay, None),
    "relay_ca": (RelayCa, None),
    "passphrase_fd": (PassphraseFd, None),
    "timeout": (Timeout, DEFAULT_TIMEOUT_S),
    "json": (Json, False),
    "debug": (Debug, False),
}
"""Name of a field of ``Access`` to what the command line takes for it, and its default."""


class Command(Protocol):
    """What the command line calls: keyword arguments by the names of its options."""

    def __call__(self, *args: object, **kwargs: object) -> None:
        """Run the verb."""


def _sharing(verb: Callable[Concatenate[Access, P], None], *names: str) -> Command:
    """Return a verb as the command line calls it: these options in place of its ``Access``."""
    own = list(inspect.signature(verb).parameters.values())[1:]
    shared = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=kind, default=default)
        for name, (kind, default) in ((name, _SHARED[name]) for name in names)
    ]

    def command(*args: object, **kwargs: object) -> None:
        where = Access.of(**{name: kwargs.pop(name) for name in names})  # type: ignore[arg-type]
        verb(where, *args, **kwargs)  # type: ignore[arg-type] # Typer has checked both

    update_wrapper(command, verb)
    command.__signature__ = inspect.Signature([*own, *shared])  # type: ignore[attr-defined] # PEP 362
    return command


def online(verb: Callable[Concatenate[Access, P], None]) -> Command:
    """A verb that reaches the relay."""
    return _sharing(verb, "db", "relay", "relay_ca", "passphrase_fd", "timeout", "json", "debug")


def local(verb: Callable[Concatenate[Access, P], None]) -> Command:
    """A verb that needs no relay."""
    return _sharing(verb, "db", "passphrase_fd", "json", "debug")


def silent(verb: Callable[Concatenate[Access, P], None]) -> Command:
    """A verb that needs no relay and has nothing to say to a script."""
    return _sharing(verb, "db", "passphrase_fd", "debug")


def interactive(verb: Callable[Concatenate[Access, P], None]) -> Command:
    """A verb that takes the terminal for itself."""
    return _sharing(verb, "db", "relay", "relay_ca", "passphrase_fd", "debug")
