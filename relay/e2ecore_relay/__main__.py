"""``python -m e2ecore_relay``: run a relay until SIGTERM or Ctrl-C, or operate one."""

import argparse
import gc
import resource
import signal
import sys
from pathlib import Path
from typing import Final

import anyio

from e2ecore_relay import operating, operating_minors
from e2ecore_relay.backends.sqlite.connection import StoreError
from e2ecore_relay.server.config import ConfigError, RelayConfig, load_config
from e2ecore_relay.server.logs import configure_logs
from e2ecore_relay.server.relay import Relay, running

_YOUNG_PER_FULL_COLLECTION: Final = 100
_SWITCH_INTERVAL_S: Final = 0.0005
"""How long a thread may keep the interpreter: the writer needs it for short moments, often."""

_OPTIONS: Final = ("data", "host", "port", "http_port")
"""Options of the configuration that the command line has as well."""

_CANNOT_START: Final = 2
"""Exit status when the configuration or the data directory cannot be used."""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="e2ecore-relay",
        description="Order and forward ciphertext. All options: docs/operating-the-relay.md",
    )
    parser.add_argument("--config", type=Path, metavar="FILE", help="TOML file with options")
    parser.add_argument("--data", type=Path, metavar="DIR", help="where everything is kept")
    parser.add_argument("--host", help="address to listen on")
    parser.add_argument("--port", type=int, metavar="N", help="port for clients; 0: any free one")
    parser.add_argument("--http-port", type=int, metavar="N", help="port for health and metrics")
    commands = parser.add_subparsers(dest="command", title="instead of running a relay")
    operating.add_parser(commands)
    operating_minors.add_parser(commands)
    return parser


def _announce(relay: Relay) -> None:
    """Tell people what was made and where; tell scripts how to connect."""
    config = relay.hub.config
    data = config.data.resolve()
    if relay.created:
        sys.stderr.write(
            f"First start. Made in {data}:\n"
            "  relay.db   the encrypted database\n"
            "  relay.key  its key: keep a copy apart, without it the database is lost\n"
        )
        for file in relay.created:
            sys.stderr.write(f"  {file.name}\n")
        sys.stderr.write(
            "Clients must trust development-ca.pem; for the public, set certificate_file.\n"
        )
    ca = relay.certificates.ca_file
    sys.stderr.write(f"Relay {config.server_name} is ready at {relay.url}\n")
    sys.stderr.flush()
    trusted = ca.resolve() if ca else ""
    sys.stdout.write(f"ready {relay.url} {relay.http_url} ca={trusted}\n")
    sys.stdout.flush()


async def _run(config: RelayConfig) -> None:
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async with running(config) as relay:
            _collect_less()
            _announce(relay)
            async for _ in signals:
                break


def _collect_less() -> None:
    """Look for cycles of garbage without making everybody wait for long.

    What lives as long as the relay is never looked at again, and all connections only rarely: they
    leave hardly any cycles, and looking at thousands takes tens of milliseconds.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(700, 10, _YOUNG_PER_FULL_COLLECTION)


def _raise_file_limit() -> None:
    """Use all the file descriptors that the system grants: one for each connection."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def main() -> int:
    """Run a relay. Return the exit status: 0 after a signal, 2 if it could not start."""
    options = _parser().parse_args()
    given = {name: value for name in _OPTIONS if (value := getattr(options, name)) is not None}
    try:
        config = load_config(options.config, given)
        if options.command is not None:
            if options.command == "minors":
                return operating_minors.operate(config.data, options)
            return operating.operate(config.data, options)
        configure_logs(config)
        _raise_file_limit()
        sys.setswitchinterval(_SWITCH_INTERVAL_S)
        anyio.run(_run, config, backend="trio")
    except (ConfigError, StoreError, OSError) as error:
        sys.stderr.write(f"The relay cannot start: {error}\n")
        return _CANNOT_START
    except BaseExceptionGroup as errors:
        sys.stderr.write(f"The relay stopped: {errors.exceptions[0]!r}\n")
        raise
    return 0


if __name__ == "__main__":
    sys.exit(main())
