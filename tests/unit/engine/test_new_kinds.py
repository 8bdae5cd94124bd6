"""Kinds that were not known when their messages came: kept, and understood by a newer version."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar
from unittest.mock import patch

import anyio
import pytest

import e2ecore
from e2ecore import Conversation, Engine, Message, MessageKind
from e2ecore.engine.arrival import listed
from e2ecore.engine.arrival.learning import SLICE, learn_kinds
from e2ecore.engine.arrival.listed import Form
from e2ecore.storage.tx import Tx
from e2ecore.testing.devices import PASSPHRASE, devices
from e2ecore_protocol.codec import pack
from e2ecore_protocol.content import UnknownContent, messages, reactions
from e2ecore_protocol.content.kind import Content
from e2ecore_protocol.shape import Check, exactly, text
from e2ecore_protocol.shape import time_ms as a_time
from tests.support.engines import PATIENCE_S, pair, until
from tests.support.pages import plain_pages
from tests.unit.engine.test_hostile_remarks import say

pytestmark = pytest.mark.anyio
FUTURE = 60_000
LATER = 60_001


@dataclass(frozen=True, slots=True)
class Haiku(Content):
    """What nobody knows yet."""

    KIND: ClassVar[int] = FUTURE
    SHAPE: ClassVar[tuple[Check[object], ...]] = (exactly(16), a_time, text(100))
    message_id: bytes
    sent_ms: int
    words: str


def haiku(number: int, words: str = "an old pond") -> UnknownContent:
    uid = number.to_bytes(16, "big")
    return UnknownContent(FUTURE, pack((1, FUTURE, uid, 1_000 + number, words)))


@contextmanager
def taught(*, remarks: bool = False) -> Iterator[None]:
    """A newer version of the program; by choice one that knows a kind of reaction, too."""
    forms = {Haiku: lambda one: Form(int(MessageKind.TEXT), one.words, b"")}
    kinds = {FUTURE: Haiku, **({LATER: reactions.Reaction} if remarks else {})}
    with patch.dict(messages.KINDS, kinds), patch.dict(listed._FORMS, forms):
        yield


async def learnt(engine: Engine) -> None:
    """Wait until an engine has looked at everything."""
    with anyio.fail_after(PATIENCE_S):
        await learn_kinds(engine._core)


async def shown(chat: Conversation) -> list[tuple[MessageKind, str]]:
    return [(one.kind, one.text) for one in await chat.messages(limit=1_000)]


async def sent_to(
    alice: Engine, bob: Engine, *said: UnknownContent
) -> tuple[Conversation, Conversation, list[Message]]:
    """Have Alice, who has a newer version, say something to Bob."""
    at_bob = bob.events()
    chat, other = await pair(alice, bob)
    await say(alice, chat, *said)
    found = [(await until(at_bob, e2ecore.MessageReceived)).message for _ in said]
    return chat, other, found


async def test_what_is_not_known_is_kept_and_understood_after_an_upgrade(tmp_path: Path) -> None:
    count = 2 * SLICE + 3
    async with devices(tmp_path, "alice", "bob") as (_, (alice, bob)):
        odd = UnknownContent(FUTURE, pack((1, FUTURE, "not", "such")))
        other_kind = UnknownContent(59_999, pack((1, 59_999, "x")))
        said = [haiku(number, f"frog {number}") for number in range(count)]
        _, other, found = await sent_to(alice, bob, odd, *said, other_kind)
        assert {(one.kind, one.text) for one in found} == {(MessageKind.UNKNOWN, "")}
        assert (await bob.search("frog")).hits == ()
        with taught():
            changes = bob.changes()
            await learnt(bob)
            every = await other.messages(limit=1_000)
            words = [(MessageKind.TEXT, f"frog {number}") for number in range(count)]
            unknown = [(MessageKind.UNKNOWN, "")]
            assert await shown(other) == [*unknown, *words, *unknown]
            assert (every[1].message_id, every[1].sent_ms) == (bytes(16), 1_000)
            assert [one.order for one in every] == [one.order for one in found]
            assert len((await bob.search("frog", limit=1_000)).hits) == count
            assert (await other.find_message(every[5].message_id)) == every[5]
            assert await other.find_message(found[5].message_id) is None
            with anyio.fail_after(PATIENCE_S):
                told = await anext(changes)
            assert set(told.orders) == {one.order for one in every[1:-1]}
            await other.refresh()
            assert other.unread == count + 2
            await other.send_rich("nice", reply_to=every[1])


async def test_it_is_looked_for_once_per_version(tmp_path: Path) -> None:
    async with devices(tmp_path, "alice", "bob") as (_, (alice, bob)):
        _, other, _ = await sent_to(alice, bob, haiku(1))
        await learnt(bob)
        with patch.object(bob._core.jobs, "run", side_effect=AssertionError):
            await learnt(bob)
        with taught():
            await learnt(bob)
            assert await shown(other) == [(MessageKind.TEXT, "an old pond")]


async def test_a_remark_that_was_not_known_is_put_where_it_belongs(tmp_path: Path) -> None:
    async with devices(tmp_path, "alice", "bob") as (_, (alice, bob)):
        at_bob = bob.events()
        chat, other = await pair(alice, bob)
        await chat.send("look")
        target = (await until(at_bob, e2ecore.MessageReceived)).message
        body = (target.message_id, target.sender, 5, ("canary-sign",))
        await say(alice, chat, UnknownContent(LATER, pack((1, LATER, *body))))
        await until(at_bob, e2ecore.MessageReceived)
        await other.refresh()
        assert (len(await shown(other)), other.unread) == (2, 2)
        with taught(remarks=True):
            await learnt(bob)
        assert await shown(other) == [(MessageKind.TEXT, "look")]
        (seen,) = await other.messages()
        assert [one.signs for one in seen.reactions] == [("canary-sign",)]
        await other.refresh()
        assert other.unread == 1
        await other.delete_messages([seen])
        assert b"canary-sign" not in plain_pages(tmp_path / "bob.db", PASSPHRASE)


def plan_of(tx: Tx) -> list[str]:
    asked = "EXPLAIN QUERY PLAN SELECT id FROM messages WHERE kind = 0 AND id > 5 ORDER BY id"
    return tx.rows(lambda row: str(row[3]), asked)


async def test_unknown_messages_are_found_without_reading_the_others(tmp_path: Path) -> None:
    async with devices(tmp_path, "alice") as (_, (alice,)):
        (plan,) = alice._core.read(plan_of)
        assert "messages_unknown" in plan
