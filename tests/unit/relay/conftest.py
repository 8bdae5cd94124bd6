"""The relay's shell runs on trio; its sockets are real."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from e2ecore_relay.server.relay import Relay
from tests.support.families_at_desk import Home
from tests.support.relay import relay_at
from tests.support.relay_desk import Desk


@pytest.fixture
def anyio_backend() -> str:
    return "trio"


@pytest.fixture
async def relay(tmp_path: Path) -> AsyncIterator[Relay]:
    async with relay_at(tmp_path) as relay:
        yield relay


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    """A child who is not marked yet, and a parent."""
    desk = Desk(tmp_path)
    yield Home(desk)
    desk.close()


@pytest.fixture
def linked(home: Home) -> Home:
    """The child is marked, and the parent its guardian."""
    home.mark()
    home.submit(home.link())
    return home
