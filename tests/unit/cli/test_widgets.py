"""The widgets alone, fed with view values, on terminals of several sizes."""

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

import pytest
from rich.cells import cell_len
from textual.app import App, ComposeResult
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Input

from cli_demo.chat.composer import Composer
from cli_demo.chat.conversations import ConversationList, entry
from cli_demo.chat.dialogs import Ask, Confirm, Field, Page
from cli_demo.chat.help import help_text
from cli_demo.chat.history import History
from cli_demo.chat.people import People, Request, Wish, member_line
from cli_demo.chat.safety import Safety, digit_lines
from cli_demo.views import (
    ASCII,
    UNICODE,
    ConversationView,
    Mark,
    MemberView,
    MessageView,
    SafetyView,
    Trust,
    symbols_for,
)

pytestmark = pytest.mark.anyio
NOW = 1_795_600_000_000
T = TypeVar("T")


@pytest.fixture
def anyio_backend() -> str:
    """Textual runs on asyncio only."""
    return "asyncio"


def message(number: int, *, own: bool = False, text: str = "") -> MessageView:
    mark = Mark.QUEUED if own else Mark.RECEIVED
    return MessageView(
        f"m{number}", "alice" if own else "bob", text or f"message {number}", NOW + number, mark
    )


def conversation(uid: str, **changes: object) -> ConversationView:
    fields: dict[str, object] = {
        "uid": uid, "title": uid, "group": False, "unread": 0, "preview": "last words",
        "time_ms": NOW, "open": True, "state": "",
    }  # fmt: skip
    return ConversationView(**{**fields, **changes})  # type: ignore[arg-type] # fields by name


class Frame(App[None]):
    """One widget on a screen, and what it posted."""

    def __init__(self, make: Callable[[], Widget]) -> None:
        super().__init__()
        self._make = make
        self.posted: list[object] = []

    def compose(self) -> ComposeResult:
        yield self._make()

    def on_composer_sent(self, event: Composer.Sent) -> None:
        self.posted.append(event.text)

    def on_conversation_list_chosen(self, event: ConversationList.Chosen) -> None:
        self.posted.append(event.uid)

    def on_history_top_reached(self) -> None:
        self.posted.append("top")


def screen_text(app: App[None]) -> str:
    """What the terminal would show."""
    widget = app.screen
    return "\n".join(
        "".join(segment.text for segment in strip) for strip in widget._compositor.render_strips()
    )


# -- history -------------------------------------------------------------------------------------


async def test_a_history_stands_at_its_newest_message() -> None:
    app = Frame(History)
    async with app.run_test(size=(40, 10)) as pilot:
        app.query_one(History).show([message(n) for n in range(100)])
        await pilot.pause()
        assert "message 99" in screen_text(app)
        assert "message 1 " not in screen_text(app)


async def test_new_messages_are_followed_only_from_the_end() -> None:
    app = Frame(History)
    async with app.run_test(size=(40, 10)) as pilot:
        history = app.query_one(History)
        history.show([message(n) for n in range(100)])
        await pilot.pause()
        history.append([message(100)])
        await pilot.pause()
        assert "message 100" in screen_text(app)
        history.scroll_to(y=20, animate=False)
        await pilot.pause()
        before = screen_text(app).splitlines()[0][:30]
        history.append([message(101)])
        await pilot.pause()
        assert screen_text(app).splitlines()[0][:30] == before


async def test_older_messages_come_in_above_without_moving_what_is_read() -> None:
    app = Frame(History)
    async with app.run_test(size=(40, 10)) as pilot:
        history = app.query_one(History)
        history.show([message(n) for n in range(100, 160)])
        await pilot.pause()
        history.scroll_home(animate=False)
        await pilot.pause()
        assert app.posted == ["top"]
        history.scroll_to(y=5, animate=False)
        await pilot.pause()
        before = screen_text(app).splitlines()[0][:30]
        history.prepend([message(n) for n in range(60, 100)])
        await pilot.pause()
        assert screen_text(app).splitlines()[0][:30] == before
        assert len(history.messages) == 100


async def test_a_message_is_never_shown_twice() -> None:
    app = Frame(History)
    async with app.run_test(size=(40, 10)):
        history = app.query_one(History)
        history.show([message(1)])
        history.append([message(1), message(2)])
        history.prepend([message(1)])
        assert [one.key for one in history.messages] == ["m1", "m2"]


async def test_marks_change_in_place() -> None:
    app = Frame(History)
    async with app.run_test(size=(40, 10)) as pilot:
        history = app.query_one(History)
        queued = replace(message(1, own=True), order=7)
        history.show([queued])
        await pilot.pause()
        assert UNICODE.queued in screen_text(app)
        assert history.unsettled == [7]
        history.update_messages([replace(queued, mark=Mark.DELIVERED), message(2)])
        await pilot.pause()
        assert UNICODE.delivered in screen_text(app)
        assert history.unsettled == []
        assert len(history.messages) == 1


@pytest.mark.parametrize("width", [12, 20, 40, 80, 200])
async def test_every_line_fits_every_width(width: int) -> None:
    app = Frame(History)
    texts = ["short", "word " * 60, "x" * 500, "日本語" * 40, "\x1b[31mred\x07", "a\nb\n\nc", ""]
    async with app.run_test(size=(width, 12)) as pilot:
        history = app.query_one(History)
        history.show([message(n, own=n % 2 == 0, text=text) for n, text in enumerate(texts)])
        await pilot.pause()
        for _ in range(15):
            assert all(cell_len(line) <= width for line in screen_text(app).splitlines())
            assert "\x1b" not in screen_text(app)
            history.scroll_relative(y=-5, animate=False)
            await pilot.pause()


async def test_a_resize_wraps_again_and_stays_at_the_end() -> None:
    app = Frame(History)
    async with app.run_test(size=(80, 12)) as pilot:
        history = app.query_one(History)
        history.show([message(n, text="word " * 30) for n in range(30)])
        await pilot.pause()
        await pilot.resize_terminal(30, 8)
        await pilot.pause()
        assert history.at_end


async def test_memory_stays_bounded_however_long_the_burst() -> None:
    app = Frame(History)
    async with app.run_test(size=(40, 10)) as pilot:
        history = app.query_one(History)
        for start in range(0, 5000, 250):
            history.append([message(n) for n in range(start, start + 250)])
            await pilot.pause()
        assert len(history.messages) <= 2000
        assert "message 4999" in screen_text(app)


async def test_a_very_long_message_is_cut_and_says_so() -> None:
    app = Frame(History)
    async with app.run_test(size=(80, 12)) as pilot:
        app.query_one(History).show([message(1, text="y" * (1 << 20))])
        await pilot.pause()
        assert "1,048,576 characters in all" in screen_text(app).replace("\n", "")


# -- list ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [18, 28, 60])
@pytest.mark.parametrize("unread", [0, 7, 5000])
def test_an_entry_is_two_lines_of_exactly_the_width(width: int, unread: int) -> None:
    view = conversation(
        "x", title="A rather long title 日本語 " * 3, unread=unread, preview="z" * 200
    )
    lines = entry(view, width, NOW, UNICODE).plain.split("\n")
    assert [cell_len(line) for line in lines] == [width, width]


def test_an_entry_warns_of_changed_keys_and_tells_closed_conversations() -> None:
    assert entry(conversation("x", trust=Trust.CHANGED), 30, NOW, UNICODE).plain.startswith("!")
    closed = entry(conversation("x", open=False, state="you left"), 40, NOW, UNICODE).plain
    assert "(you left)" in closed


async def test_choosing_in_the_list_posts_the_conversation() -> None:
    app = Frame(ConversationList)
    async with app.run_test(size=(40, 10)) as pilot:
        listing = app.query_one(ConversationList)
        listing.show([conversation("a"), conversation("b"), conversation("c")], "a", NOW)
        listing.focus()
        await pilot.press("down", "enter")
        assert app.posted == ["b"]
        assert listing.neighbour("a", 1) == "b"
        assert listing.neighbour("c", 1) is None
        assert listing.neighbour("gone", 1) == "a"
        listing.show([conversation("b"), conversation("a")], "b", NOW)
        assert listing.highlighted == 0


# -- input ---------------------------------------------------------------------------------------


async def test_enter_sends_and_ctrl_j_breaks_the_line() -> None:
    app = Frame(Composer)
    async with app.run_test(size=(40, 10)) as pilot:
        composer = app.query_one(Composer)
        composer.focus()
        await pilot.press("h", "i", "ctrl+j", "y", "o", "enter")
        assert app.posted == ["hi\nyo"]
        assert composer.text == ""
        await pilot.press("space", "enter")
        assert app.posted == ["hi\nyo"]


# -- dialogs -------------------------------------------------------------------------------------


async def answer(screen: Screen[T], *keys: str, size: tuple[int, int] = (80, 24)) -> T | None:
    """Push a screen, press keys, return its answer."""
    answers: list[T | None] = []
    app: App[None] = App()
    async with app.run_test(size=size) as pilot:
        await app.push_screen(screen, answers.append)
        await pilot.pause()
        await pilot.press(*keys)
        await pilot.pause()
    assert len(answers) == 1
    return answers[0]


async def test_a_question_collects_its_fields() -> None:
    fields = [Field("Title"), Field("Members")]
    keys = [*"trip", "enter", *"bob", "enter"]
    assert await answer(Ask("New group", fields, accept="Create"), *keys) == ["trip", "bob"]
    assert await answer(Ask("New group", fields, accept="Create"), "a", "escape") is None


async def test_an_empty_field_is_not_accepted() -> None:
    app: App[None] = App()
    answers: list[list[str] | None] = []
    async with app.run_test() as pilot:
        await app.push_screen(Ask("New", [Field("Handle")], accept="Start"), answers.append)
        await pilot.press("enter")
        assert answers == []
        assert app.screen.query_one(Input).has_focus


@pytest.mark.parametrize(
    ("keys", "expected"), [(["y"], True), (["n"], False), (["escape"], False), (["enter"], False)]
)
async def test_a_dangerous_question_is_no_by_default(keys: list[str], *, expected: bool) -> None:
    assert await answer(Confirm("Remove bob?", yes="Remove"), *keys) is expected


MEMBERS = [
    MemberView("alice", "owner", Trust.VERIFIED, own=True),
    MemberView("bob", "member", Trust.VERIFIED, own=False),
    MemberView("carol", "admin", Trust.CHANGED, own=False),
]


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("s", Request(Wish.SAFETY, "bob")),
        ("enter", Request(Wish.SAFETY, "bob")),
        ("r", Request(Wish.REMOVE, "bob")),
        ("o", Request(Wish.ROLE, "bob")),
        ("n", Request(Wish.NAME, "bob")),
        ("a", Request(Wish.ADD, "")),
        ("t", Request(Wish.RENAME, "")),
        ("l", Request(Wish.LEAVE, "")),
        ("escape", None),
    ],
)
async def test_keys_in_the_people_window_ask_for_changes(
    key: str, expected: Request | None
) -> None:
    assert await answer(People("trip", MEMBERS, UNICODE, group=True), key) == expected


async def test_a_direct_conversation_offers_only_the_safety_number() -> None:
    assert await answer(
        People("bob", MEMBERS, UNICODE, group=False), "r", "l", "a", "s"
    ) == Request(Wish.SAFETY, "bob")


async def test_nobody_compares_a_number_with_himself() -> None:
    window = People("trip", MEMBERS, UNICODE, group=True)
    assert await answer(window, "up", "s", "r", "escape") is None


def test_a_member_line_shouts_about_changed_keys() -> None:
    assert "KEYS CHANGED" in member_line(MEMBERS[2], UNICODE).plain
    assert "this is you" in member_line(MEMBERS[0], UNICODE).plain


SAFETY = SafetyView("bob", "0123456789" * 6, b"e2ecore-sn1" + bytes(range(64)), Trust.UNVERIFIED)


@pytest.mark.parametrize(("key", "expected"), [("v", True), ("escape", False), ("enter", False)])
async def test_only_a_deliberate_key_marks_as_verified(key: str, *, expected: bool) -> None:
    assert await answer(Safety(SAFETY, UNICODE), key) is expected


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_code_and_digits_are_on_one_screen(size: tuple[int, int]) -> None:
    app: App[None] = App(css_path="/dev/null")
    async with app.run_test(size=size) as pilot:
        await app.push_screen(Safety(SAFETY, UNICODE))
        await pilot.pause()
        shown = screen_text(app)
        assert shown.count("█") > 100


def test_digits_are_in_four_lines_of_three_groups() -> None:
    assert digit_lines("0123456789" * 6) == ["01234 56789 01234", "56789 01234 56789"] * 2


async def test_help_is_closed_by_any_usual_key() -> None:
    for key in ("escape", "enter", "q", "f1"):
        await answer(Page("Keys", help_text(UNICODE)), key)


def test_signs_fit_the_terminal() -> None:
    assert symbols_for("utf-8") is UNICODE
    assert symbols_for("ascii") is ASCII
    assert symbols_for("latin-1") is ASCII
    assert symbols_for(None) is ASCII
    assert help_text(ASCII).isascii()
