"""Whether earlier words of edited messages are kept, and that those that are not are gone."""

from pathlib import Path

import pytest

import e2ecore
from e2ecore.testing.devices import PASSPHRASE, devices
from tests.support.engines import until
from tests.support.pages import plain_pages
from tests.unit.engine.test_remarks import newest, scene

pytestmark = pytest.mark.anyio
CANARY = "canary-of-earlier-words"


async def test_what_was_said_before_is_told_with_its_time_and_device(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        own, _ = await at.say("one")
        await at.chat.edit(own, "two")
        await until(at.at_bob, e2ecore.MessageEdited)
        await at.chat.edit(own, "three")
        edited = (await until(at.at_bob, e2ecore.MessageEdited)).message
        found = await at.other.revisions(edited)
        assert [one.text for one in found] == ["one", "two"]
        assert found[0].said_ms == own.sent_ms
        assert edited.edited_ms is not None
        assert own.sent_ms <= found[1].said_ms <= edited.edited_ms
        assert {one.device_id for one in found} == {own.sender_device}


async def test_who_keeps_no_earlier_words_has_none_of_before_either(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        assert await at.other.keeps_earlier_texts()
        own, _ = await at.say(CANARY)
        await at.chat.edit(own, "other words")
        await until(at.at_bob, e2ecore.MessageEdited)
        assert await at.other.earlier_texts(await newest(at.other)) == [CANARY]
        assert CANARY.encode() in plain_pages(tmp_path / "bob.db", PASSPHRASE)
        await at.other.keep_earlier_texts(on=False)
        assert not await at.other.keeps_earlier_texts()
        assert await at.other.earlier_texts(await newest(at.other)) == []
        assert CANARY.encode() not in plain_pages(tmp_path / "bob.db", PASSPHRASE)
        await at.chat.edit(own, "newer words")
        await until(at.at_bob, e2ecore.MessageEdited)
        assert await at.other.revisions(await newest(at.other)) == []
        assert await at.chat.earlier_texts(own) == [CANARY, "other words"]
        await at.other.keep_earlier_texts(on=None)
        assert await at.other.keeps_earlier_texts()


async def test_one_conversation_is_an_exception_to_the_rest(tmp_path: Path) -> None:
    async with devices(tmp_path, "alice") as (_, (alice,)):
        chats = [await alice.conversations.create_group(name, []) for name in "abc"]
        sent = [await one.send("before") for one in chats]

        async def edit_all(words: str) -> list[int]:
            for chat, one in zip(chats, sent, strict=True):
                await chat.edit(one.order, words)
            return [
                len(await chat.earlier_texts(one.order))
                for chat, one in zip(chats, sent, strict=True)
            ]

        assert await edit_all("one") == [1, 1, 1]
        await chats[0].keep_earlier_texts(on=True)
        await alice.my_data.keep_earlier_texts(on=False)
        assert [await one.keeps_earlier_texts() for one in chats] == [True, False, False]
        assert await edit_all("two") == [2, 0, 0]
        await chats[1].keep_earlier_texts(on=True)
        assert await edit_all("three") == [3, 1, 0]
        await alice.my_data.keep_earlier_texts(on=True)
        await chats[1].keep_earlier_texts(on=None)
        assert await edit_all("four") == [4, 2, 1]
