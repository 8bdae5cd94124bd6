"""A relay in this process, on real sockets with real TLS. Needs trio."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from e2ecore_relay.server.config import parse_config
from e2ecore_relay.server.relay import Relay, running


@asynccontextmanager
async def relay_at(folder: Path, **options: object) -> AsyncIterator[Relay]:
    """Run a relay with its data in ``folder``, on free ports."""
    config = parse_config({"data": folder / "relay", "port": 0, "http_port": 0, **options})
    async with running(config) as relay:
        yield relay


def where(relay: Relay) -> tuple[str, str]:
    """Return the relay's URL and the file of its certificate authority."""
    return relay.url, str(relay.certificates.ca_file)
