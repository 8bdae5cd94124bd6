"""A device that lost its state is removed and added by one commit, and misses nothing."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from e2ecore_protocol.frames import (
    Accepted,
    Committed,
    Delivery,
    EnvelopeKind,
    Failed,
    ListConversations,
)
from e2ecore_protocol.frames import Conversations as ConversationList
from e2ecore_relay.server.config import RelayConfig
from e2ecore_relay.server.relay import running
from tests.support.raw_client import RawClient, online

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    """The relay's HTTP side runs on trio only."""
    return "trio"


@asynccontextmanager
async def three_online(folder: Path) -> AsyncIterator[tuple[RawClient, RawClient, RawClient]]:
    async with running(RelayConfig(data=folder, port=0, http_port=0)) as relay:
        ca = str(folder / "development-ca.pem")
        async with (
            online(relay.url, ca) as anna,
            online(relay.url, ca) as bert,
            online(relay.url, ca) as carl,
        ):
            yield anna, bert, carl


def seen(deliveries: list[Delivery], log_id: bytes) -> list[tuple[int, int]]:
    return [(one.seq, one.kind) for one in deliveries if one.log_id == log_id]


async def test_a_device_in_both_lists_stays_in_the_route_without_a_break(tmp_path: Path) -> None:
    async with three_online(tmp_path) as (anna, bert, carl):
        group = await anna.group(bert.person, carl.person)
        await anna.submit(group, b"before")
        sick = bert.person.address
        assert isinstance(await anna.commit(group, 1, added=[sick], removed=[sick]), Committed)
        await anna.submit(group, b"after", epoch=2)
        application, commit = int(EnvelopeKind.APPLICATION), int(EnvelopeKind.COMMIT)
        expected = [(2, application), (3, commit), (4, application)]
        assert seen(await carl.wait_for(4), group) == expected
        assert seen(await bert.wait_for(5), group) == expected
        welcomes = [one for one in bert.delivered if one.kind == EnvelopeKind.WELCOME]
        assert [(one.epoch, one.extra) for one in welcomes] == [(1, group), (2, group)]
        (answer,) = await bert.submit(group, b"here again", epoch=2)
        assert isinstance(answer, Accepted)


async def test_a_device_twice_in_one_list_is_refused(tmp_path: Path) -> None:
    async with three_online(tmp_path) as (anna, bert, carl):
        group = await anna.group(bert.person)
        late = carl.person.address
        twice = [bert.person.address] * 2
        assert isinstance(await anna.commit(group, 1, added=[late, late]), Failed)
        assert isinstance(await anna.commit(group, 1, removed=twice), Failed)
        listed = await anna.ask(ListConversations(anna.request()), ConversationList)
        assert isinstance(listed, ConversationList)
        assert [(one.epoch, one.head_seq) for one in listed.conversations] == [(1, 1)]
