"""What people do with messages in the chat window: by keys, by menu, behind a slash."""

from pathlib import Path

import anyio
import pytest

import e2ecore
from cli_demo.views import ASCII, Kind, Mark
from e2ecore.engine.running.job import Job
from e2ecore.engine.talk.writing import write_unlisted
from e2ecore.testing import devices
from e2ecore_protocol.codec import pack
from e2ecore_protocol.content import UnknownContent
from tests.support.chat_window import Chat, arrived, talk, talking, window_on
from tests.support.engines import PATIENCE_S, agree

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


@pytest.fixture
def anyio_backend() -> str:
    """Textual runs on asyncio only."""
    return "asyncio"


async def theirs(conversation: e2ecore.Conversation, text: str) -> e2ecore.Message:
    """Wait until the other side has a text as its newest message."""
    found: list[e2ecore.Message] = []
    with anyio.fail_after(PATIENCE_S):
        while not found or found[0].text != text:
            await anyio.sleep(0.02)
            found = await conversation.messages(limit=1)
    return found[0]


async def test_an_answer_shows_what_it_answers_on_both_sides(tmp_path: Path) -> None:
    async with talking(tmp_path) as (desk, bobs):
        await bobs.send("Shall we go?")
        await desk.shows("Shall we go?")
        await desk.press("up", "r")
        await desk.shows("↪ bob (Esc stops): Shall we go?")
        await desk.write("Gladly")
        await desk.shows("↪ bob: Shall we go?")
        await desk.hides("(Esc stops)")
        answer = await theirs(bobs, "Gladly")
        assert answer.reply is not None
        assert answer.reply.text == "Shall we go?"
        await bobs.send_rich("At nine", reply_to=answer)
        await desk.shows("↪ alice: Gladly")
        await desk.press("up", "g")
        await desk.until(lambda: selected(desk) == "Gladly", "the quoted message")


def selected(desk: Chat) -> str:
    return desk.history.selected.text if desk.history.selected else ""


async def test_reactions_are_counted_in_one_line_and_taken_back(tmp_path: Path) -> None:
    async with talking(tmp_path) as (desk, bobs):
        await bobs.send("Who is in?")
        await desk.shows("Who is in?")
        (message,) = await bobs.messages()
        await bobs.react(message, "👍")
        await desk.shows("👍")
        await desk.write("/react 👍 🎉")
        await desk.shows("👍 2  🎉")
        await desk.press("up", "a")
        await desk.shows("take back 👍 🎉")
        await desk.press("t")
        await desk.hides("🎉")
        await reacted(bobs, [("👍",)])


async def reacted(conversation: e2ecore.Conversation, signs: list[tuple[str, ...]]) -> None:
    """Wait until the only message has these reactions."""
    found: list[tuple[str, ...]] = []
    with anyio.fail_after(PATIENCE_S):
        while found != signs:
            await anyio.sleep(0.02)
            (message,) = await conversation.messages()
            found = [one.signs for one in message.reactions]


async def test_an_edit_is_marked_and_says_what_was_said_before(tmp_path: Path) -> None:
    async with talking(tmp_path) as (desk, bobs):
        await desk.write("At nein")
        await desk.shows("✓✓")
        await desk.write("/edit")
        await desk.shows("Editing your message (Esc stops)")
        assert desk.composer.text == "At nein"
        desk.composer.load_text("At nine")
        await desk.press("enter")
        await desk.shows("At nine (edited)")
        assert (await theirs(bobs, "At nine")).edited_ms is not None
        await desk.press("up", "i")
        await desk.shows("It said before:")
        await desk.shows("At nein")


async def test_a_message_is_taken_back_after_a_question(tmp_path: Path) -> None:
    async with talking(tmp_path) as (desk, bobs):
        await desk.write("too much")
        await theirs(bobs, "too much")
        await desk.press("up")
        await desk.press("enter")
        await desk.shows("Take back: everybody erases it")
        await desk.press("t")
        await desk.shows("Who has read it has read it.")
        await desk.press("y")
        await desk.shows("(taken back)")
        assert desk.messages[0].kind is Kind.RECALLED
        await theirs(bobs, "")
        await bobs.send("mine")
        await desk.shows("mine")
        await desk.press("up", "slash")
        await desk.until(lambda: desk.composer.text == "/", "the slash")
        await desk.write("recall")
        await desk.shows("Only who wrote a message")


async def test_what_others_take_back_disappears_here(tmp_path: Path) -> None:
    async with talking(tmp_path) as (desk, bobs):
        await bobs.send("oops")
        await desk.shows("oops")
        await bobs.recall((await bobs.messages())[0])
        await desk.shows("(taken back)")
        await desk.hides("oops")


async def test_a_message_is_deleted_here_only(tmp_path: Path) -> None:
    async with talking(tmp_path) as (desk, bobs):
        await bobs.send_many(["one", "two"])
        await desk.shows("two")
        await desk.press("up", "up", "d")
        await desk.shows("Others keep it.")
        await desk.press("y")
        await desk.until(lambda: desk.texts == ["two"], "the end of the message")
        assert [one.text for one in await bobs.messages()] == ["one", "two"]


async def test_members_are_named_with_completion(tmp_path: Path) -> None:
    async with talking(tmp_path) as (desk, bobs):
        await desk.type("hello @b")
        await desk.shows("@bob")
        await desk.press("tab")
        assert desk.composer.text == "hello @bob "
        await desk.press("enter")
        message = await theirs(bobs, "hello @bob ")
        assert [(one.start, one.length) for one in message.mentions] == [(6, 4)]
        await desk.until(lambda: desk.messages[-1].named == ("@bob",), "the mention")
        own = message.sender
        await bobs.send_rich("and @alice", mentions=[e2ecore.Mention(own, 4, 6)])
        await desk.until(lambda: desk.messages[-1].names_us, "our name")


async def test_messages_say_how_long_they_last_and_go(tmp_path: Path) -> None:
    async with talking(tmp_path) as (desk, bobs):
        await desk.write("/lifetime 1h")
        await desk.shows("messages erase themselves after 1 h")
        await desk.write("for a while")
        await desk.shows("min left)")
        assert (await theirs(bobs, "for a while")).lifetime_s == 3600
        await desk.write("/lifetime off")
        await desk.shows("you changed the rules: messages stay")
        await bobs.send_rich("blink", lifetime_s=1)
        await desk.shows("blink")
        await desk.until(lambda: desk.texts == ["for a while"], "its end")


async def test_reading_is_told_only_if_that_is_wanted(tmp_path: Path) -> None:
    async with talking(tmp_path) as (desk, bobs):
        await desk.write("read me")
        await theirs(bobs, "read me")
        await desk.shows("✓✓")
        await desk.write("/receipts on")
        await desk.shows("e2e consent grant read_receipts")
        for engine in (desk.alice, *desk.others):
            await agree(engine, e2ecore.Purpose.READ_RECEIPTS)
        await bobs.share_reading(on=True)
        await bobs.mark_read()
        await desk.until(lambda: desk.messages[0].readers == ("bob",), "the mark")
        await desk.shows(" read")
        await desk.write("/receipts on")
        await desk.shows("The others get to know")
        await bobs.send("seen?")
        read: tuple[e2ecore.AccountId, ...] = ()
        with anyio.fail_after(PATIENCE_S):
            while not read:
                await anyio.sleep(0.02)
                read = (await bobs.messages())[-1].read_by


async def test_a_message_is_forwarded_and_says_so(tmp_path: Path) -> None:
    async with talking(tmp_path) as (desk, bobs):
        await desk.write("pass it on")
        await desk.shows("✓✓")
        await desk.write("/forward bob")
        await desk.shows("pass it on (forwarded)")
        assert (await bobs.messages())[-1].forwards in {0, 1}


async def test_what_a_newer_version_made_is_kept_and_named(tmp_path: Path) -> None:
    async with talking(tmp_path, symbols=ASCII) as (desk, bobs):
        await send_unknown(bobs)
        await desk.shows("(this needs a newer version of e2e)")
        assert desk.messages[0].mark is Mark.RECEIVED


async def send_unknown(conversation: e2ecore.Conversation) -> None:
    """Have a device say something that no version knows."""
    core, cid = conversation._core, conversation.local_number
    content = UnknownContent(60_000, pack((1, 60_000, "from the future")))

    def work(job: Job) -> None:
        write_unlisted(job, job.mirror(cid), content)

    await core.jobs.run(work)


async def test_a_draft_outlives_the_window(tmp_path: Path) -> None:
    async with talking(tmp_path) as (desk, bobs):
        await bobs.send("a question")
        await desk.shows("a question")
        await desk.write("/reply")
        await desk.type("half an ans")
        await desk.shows("draft: half an ans")
        await desk.window.leave()
        desk.room.composer.clear()
        text, order = await desk.window.desk.draft(desk.room.uid)
        assert text == "half an ans"
        assert order == desk.messages[0].order


async def test_somebody_is_shown_to_the_others(tmp_path: Path) -> None:
    async with devices(tmp_path, "alice", "bob", "carol") as (_, (alice, bob, _carol)):
        bobs = await talk(bob, "alice")
        await arrived(alice, bobs)
        async with window_on(alice, bob) as desk:
            await bobs.share_contact(await bob.contacts.find("carol"))
            await desk.shows("(contact) @carol")
            await desk.press("up", "c")
            await desk.until(lambda: "carol" in title(desk), "the conversation with her")
            await desk.write("/contact bob")
            await desk.shows("(contact) @bob")


def title(desk: Chat) -> str:
    return desk.window.current.title if desk.window.current else ""


async def test_a_message_is_pinned_for_all_and_gone_to(tmp_path: Path) -> None:
    async with talking(tmp_path) as (desk, bobs):
        await bobs.send_many(["the address", "something else"])
        await desk.shows("something else")
        await desk.press("up", "up", "p")
        await desk.shows("the address (pinned)")
        pinned: list[e2ecore.Message] = []
        with anyio.fail_after(PATIENCE_S):
            while not pinned:
                await anyio.sleep(0.02)
                pinned = await bobs.pinned_messages()
        await desk.press("escape")
        await desk.write("/pins")
        await desk.shows("Pinned messages")
        await desk.press("enter")
        await desk.until(lambda: selected(desk) == "the address", "the pinned message")
        await bobs.unpin_message(pinned[0])
        await desk.hides("(pinned)")
