"""``relay``, ``chat``, ``demo``, ``bench``: what runs longer than one question."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import anyio
import typer

from cli_demo.exits import CliError, Exit
from cli_demo.options import Access, Debug, interactive
from cli_demo.passphrase import read_passphrase
from cli_demo.places import default_relay_data
from cli_demo.running import need_account, open_engine, reported
from cli_demo.views import UNICODE, symbols_for


def relay(
    context: typer.Context,
    *,
    data: Annotated[
        Path | None,
        typer.Option(
            "--data",
            metavar="DIR",
            help="Where it keeps its database, key and certificates. Default: one per user.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Run a relay on this machine until Ctrl+C.

    The first start makes a data directory, a certificate authority and a default configuration,
    and says where. All further options go to the relay itself: see `e2e relay -- --help`.
    """
    where = data or default_relay_data()
    command = [sys.executable, "-m", "e2ecore_relay", "--data", str(where), *context.args]
    with reported(debug=False):
        if importlib.util.find_spec("e2ecore_relay") is None:
            raise CliError("the relay is not installed: pip install e2ecore-relay", Exit.FAILURE)
        where.parent.mkdir(parents=True, exist_ok=True)
    os.execv(command[0], command)  # noqa: S606 (our own interpreter; signals reach the relay itself)


@interactive
def chat(
    where: Access,
    *,
    ascii_only: Annotated[
        bool, typer.Option("--ascii", help="Draw with ASCII signs only.")
    ] = False,
) -> None:
    """Chat in the terminal. F1 shows the keys, Ctrl+Q leaves.

    Respects NO_COLOR. Works over ssh and from 40x12 cells up.
    """
    from cli_demo.chat.app import ChatApp

    symbols = symbols_for("ascii" if ascii_only else sys.stdout.encoding)
    colours = not os.environ.get("NO_COLOR")

    async def run(phrase: str) -> None:
        async with open_engine(where, phrase) as engine:
            need_account(engine)
            await ChatApp(engine, symbols, colours=colours).run_async(mouse=symbols is UNICODE)

    with reported(debug=where.debug):
        if not (sys.stdin.isatty() or where.passphrase_fd is not None) or not sys.stdout.isatty():
            raise CliError(
                "chat needs a terminal; for scripts there are `send` and `tail`", Exit.USAGE
            )
        phrase = read_passphrase(fd=where.passphrase_fd, create=False)
        anyio.run(run, phrase, backend="asyncio")


def demo(
    *,
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave databases and logs behind, and say where.")
    ] = False,
    debug: Debug = False,
) -> None:
    """Watch three people chat through a relay, with every claim checked. Takes half a minute.

    Starts real processes in a temporary directory and removes all of it. Exit code 0 only if
    every check was true.
    """
    from cli_demo.demo.story import play

    with reported(debug=debug):
        raise typer.Exit(play(keep=keep))


def demo_device() -> None:
    """One device of the demo, told what to do by JSON lines on standard input."""
    from cli_demo.demo.device import serve

    anyio.run(serve, backend="trio")


def bench(context: typer.Context) -> None:
    """Run the benchmarks of the source tree; all options go to the benchmark runner."""
    with reported(debug=False):
        if importlib.util.find_spec("benchmarks.__main__") is None:
            raise CliError(
                "the benchmarks are part of the source tree, not of the installed package: "
                "run this in the repository",
                Exit.FAILURE,
            )
    done = subprocess.run(  # noqa: S603 (our own interpreter and module)
        [sys.executable, "-m", "benchmarks", *context.args], check=False
    )
    raise typer.Exit(done.returncode)
