"""Remarks of members who break the rules, and remarks that come in the wrong order or twice."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

import e2ecore
from e2ecore import Conversation, Engine, MessageKind
from e2ecore.engine.running.job import Job
from e2ecore.engine.talk.writing import write_unlisted
from e2ecore.messaging.revisions import EditedKindError, EditTooLateError
from e2ecore.storage.remarks import MAX_EARLY, MAX_REVISIONS
from e2ecore_protocol.codec import pack
from e2ecore_protocol.content import Edit, Reaction, Recall, Text, UnknownContent
from e2ecore_protocol.content.kind import Content
from e2ecore_protocol.limits import EDIT_WINDOW_MS
from tests.support.engines import history, texts, until
from tests.unit.engine.test_remarks import Scene, newest, scene

pytestmark = pytest.mark.anyio


async def say(
    engine: Engine,
    chat: Conversation,
    *said: Content | UnknownContent,
    counters: Sequence[int] = (),
) -> None:
    """Send content past everything that an honest engine checks, under whatever counters.

    Args:
        engine: Of the sender.
        chat: As the sender sees it.
        said: In the order in which it leaves.
        counters: Added to the last counter that was used; as usual if there are none.
    """

    def work(job: Job) -> None:
        mirror = job.mirror(chat.local_number)
        first = mirror.own_counter
        for content, ahead in zip(said, counters or range(1, len(said) + 1), strict=True):
            mirror.own_counter = first + ahead - 1
            write_unlisted(job, mirror, content)
        mirror.own_counter = first + len(said)

    await engine._core.jobs.run(work)


async def done(at: Scene, text: str = "done") -> None:
    """Wait until Bob has taken everything that Alice has said."""
    await at.chat.send(text)
    while await texts(at.at_bob, 1) != [text]:
        continue


async def test_others_can_neither_edit_nor_recall_nor_take_the_id_of_a_message(
    tmp_path: Path,
) -> None:
    async with scene(tmp_path) as at:
        await at.other.send("of bob")
        target = (await until(at.at_alice, e2ecore.MessageReceived)).message
        uid, late = target.message_id, target.sent_ms + 1
        await say(
            at.alice, at.chat,
            Edit(uid, late, "forged"), Recall(uid, late), Text(uid, late, "of alice"),
            Reaction(uid, b"x" * 20, late, ("x",)), Edit(uid, late, "edited by alice"),
        )  # fmt: skip
        await done(at)
        assert await history(at.other) == ["of bob", "edited by alice", "done"]
        shown = await at.other.messages()
        assert [one.reactions for one in shown] == [(), (), ()]
        await at.other.recall(shown[0])
        await until(at.at_alice, e2ecore.MessageRecalled)
        assert (await newest(at.chat)).text == "done"


async def test_edits_behind_the_window_and_of_no_text_are_set_aside(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        own, _ = await at.say("words")
        late = own.sent_ms + EDIT_WINDOW_MS + 1
        await say(at.alice, at.chat, Edit(own.message_id, late, "too late"))
        aside = await until(at.at_bob, e2ecore.EnvelopeQuarantined)
        assert aside.error == EditTooLateError.__name__
        await say(at.alice, at.chat, UnknownContent(4_000, pack((1, 4_000, "later"))))
        unknown = (await until(at.at_bob, e2ecore.MessageReceived)).message
        await say(at.alice, at.chat, Edit(unknown.message_id, unknown.sent_ms, "known"))
        aside = await until(at.at_bob, e2ecore.EnvelopeQuarantined)
        assert aside.error == EditedKindError.__name__
        await done(at)
        assert await history(at.other) == ["words", "", "done"]


async def test_edits_in_any_order_and_twice_end_alike(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        own, seen = await at.say("first")
        uid, sent_ms = own.message_id, own.sent_ms
        edits = [Edit(uid, sent_ms + ahead, f"edit {ahead}") for ahead in (2, 1, 3, 2, 3)]
        await say(at.alice, at.chat, *edits)
        await done(at)
        shown = (await at.other.messages_at([seen.order]))[0]
        assert (shown.text, shown.edited_ms) == ("edit 3", sent_ms + 3)
        assert await at.other.earlier_texts(shown) == ["first", "edit 1", "edit 2"]


async def test_reactions_in_any_order_end_alike(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        own, seen = await at.say("first")
        said = [Reaction(own.message_id, own.sender, ms, (str(ms),)) for ms in (2, 3, 1, 3)]
        await say(at.alice, at.chat, *said)
        await done(at)
        (shown,) = await at.other.messages_at([seen.order])
        assert [one.signs for one in shown.reactions] == [("3",)]


async def test_nothing_changes_a_recalled_message(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        own, seen = await at.say("secret")
        uid, late = own.message_id, own.sent_ms + 1
        await say(
            at.alice, at.chat,
            Recall(uid, late), Edit(uid, late + 5, "again"), Recall(uid, late),
            Reaction(uid, own.sender, late, ("x",)),
        )  # fmt: skip
        await done(at)
        (shown,) = await at.other.messages_at([seen.order])
        assert (shown.kind, shown.text, shown.reactions) == (MessageKind.RECALLED, "", ())


async def test_what_comes_before_its_message_waits_for_it(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        await at.say("before")
        uid, sent_ms = b"u" * 16, 1_000
        said = (Edit(uid, sent_ms + 1, "as it should be"), Text(uid, sent_ms, "as it was"))
        await say(at.alice, at.chat, *said, counters=(2, 1))
        await done(at)
        assert await history(at.other) == ["before", "as it should be", "done"]
        assert (await at.other.messages())[1].edited_ms == sent_ms + 1


async def test_what_refers_to_nothing_is_not_kept_and_what_waits_is_bounded(
    tmp_path: Path,
) -> None:
    async with scene(tmp_path) as at:
        uid = b"u" * 16

        def waiting(job: Job) -> int:
            cid = at.other.local_number
            count = "SELECT count(*) FROM early_remarks WHERE cid = ?"
            return job.tx.value(int, count, (cid,)) or 0

        await say(at.alice, at.chat, Recall(uid, 1))
        await done(at, "nothing is missing")
        assert await at.bob._core.jobs.run(waiting) == 0
        many = [Recall(uid, ms) for ms in range(MAX_EARLY + 3)]
        await say(at.alice, at.chat, *many, counters=range(2, len(many) + 2))
        await at.alice._core.jobs.run(_skip_one(at.chat))
        await done(at, "one is missing")
        assert await at.bob._core.jobs.run(waiting) == MAX_EARLY


def _skip_one(chat: Conversation) -> Callable[[Job], None]:
    def work(job: Job) -> None:
        job.mirror(chat.local_number).own_counter += 1

    return work


async def test_only_so_many_earlier_words_are_kept(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        own, seen = await at.say("first")
        count = MAX_REVISIONS + 5
        edits = [Edit(own.message_id, own.sent_ms + ahead, str(ahead)) for ahead in range(1, count)]
        await say(at.alice, at.chat, *edits)
        await done(at)
        kept = await at.other.earlier_texts(seen)
        assert len(kept) == MAX_REVISIONS
        assert (kept[0], kept[-1]) == ("first", str(count - 2))


async def test_an_erased_message_does_not_come_back_by_an_edit(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        own, seen = await at.say("forget this")
        assert await at.other.delete_messages([seen]) == 1
        await at.chat.edit(own, "forget that")
        await done(at)
        assert await history(at.other) == ["done"]
