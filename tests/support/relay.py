"""A relay in this process, on real sockets with real TLS. Needs trio."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

from e2ecore_relay.backends.sqlite.connection import open_connection
from e2ecore_relay.backends.sqlite.database import DATABASE_NAME, KEY_NAME
from e2ecore_relay.domain.clock import Reading
from e2ecore_relay.server.blob_office import system_reading
from e2ecore_relay.server.config import RelayConfig, parse_config
from e2ecore_relay.server.relay import Relay, running


@asynccontextmanager
async def relay_at(folder: Path, **options: object) -> AsyncIterator[Relay]:
    """Run a relay with its data in ``folder``, on free ports."""
    async with running(_config(folder, options)) as relay:
        yield relay


@asynccontextmanager
async def relay_by(
    clock_ms: Callable[[], int], folder: Path, **options: object
) -> AsyncIterator[Relay]:
    """The same by another clock of the day; the one that nobody sets is the machine's."""

    def reading() -> Reading:
        return system_reading()._replace(day_ms=clock_ms())

    async with running(_config(folder, options), clock_ms=clock_ms, reading=reading) as relay:
        yield relay


def _config(folder: Path, options: dict[str, object]) -> RelayConfig:
    return parse_config({"data": folder / "relay", "port": 0, "http_port": 0, **options})


def where(relay: Relay) -> tuple[str, str]:
    """Return the relay's URL and the file of its certificate authority."""
    return relay.url, str(relay.certificates.ca_file)


def relay_values(folder: Path) -> Iterator[bytes]:
    """Return every value in the relay's database, opened with its key."""
    key = bytes.fromhex((folder / KEY_NAME).read_text().strip())
    connection = open_connection(folder / DATABASE_NAME, key, readonly=True)
    try:
        tables = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
        for table in [str(name) for (name,) in tables.fetchall()]:
            for row in connection.execute(f"SELECT * FROM {table}").fetchall():  # noqa: S608
                for value in row:
                    yield value if isinstance(value, bytes) else str(value).encode()
    finally:
        connection.close()
