"""The relay's shell runs on trio; its sockets are real."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from e2ecore_relay.server.relay import Relay
from tests.support.relay import relay_at


@pytest.fixture
def anyio_backend() -> str:
    return "trio"


@pytest.fixture
async def relay(tmp_path: Path) -> AsyncIterator[Relay]:
    async with relay_at(tmp_path) as relay:
        yield relay
