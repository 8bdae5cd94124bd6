"""The chat application: shows what the desk fetches, and redraws once per burst of events."""

import asyncio
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import ClassVar, Final

from textual import events, on
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import Footer, Static

import e2ecore
from cli_demo.chat.composer import Composer
from cli_demo.chat.conversations import ConversationList
from cli_demo.chat.desk import Desk, by_time
from cli_demo.chat.dialogs import Page
from cli_demo.chat.digest import Digest, digest
from cli_demo.chat.help import help_text
from cli_demo.chat.history import History
from cli_demo.chat.room import Room
from cli_demo.chat.wishes import Wishes
from cli_demo.exits import explain
from cli_demo.text import visible
from cli_demo.views import ConversationView, Symbols

_BURST_S: Final = 0.05
"""How long events are collected before one redraw: too short to be felt, enough for a burst."""
_NARROW: Final = 64
"""Below this width the list and the conversation take turns."""
_EMPTY: Final = """No conversations yet.

Ctrl+N  write to somebody
Ctrl+G  make a group
F1      all keys"""


class ChatApp(App[None]):
    """Conversations on the left, the open one on the right."""

    TITLE = "e2e chat"
    CSS_PATH = Path(__file__).with_name("chat.tcss")
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f1", "help", "Help"),
        Binding("ctrl+n", "new_direct", "New"),
        Binding("ctrl+g", "new_group", "Group"),
        Binding("ctrl+o", "people", "People"),
        Binding("ctrl+t", "safety", "Verify"),
        Binding("ctrl+down,alt+down", "step(1)", "Next", key_display="^↓", show=False),
        Binding("ctrl+up,alt+up", "step(-1)", "Previous", show=False),
        Binding("ctrl+l", "show_list", "List", show=False),
        Binding("pageup", "page(-1)", show=False, priority=True),
        Binding("pagedown", "page(1)", show=False, priority=True),
        Binding("ctrl+q", "quit", "Quit", priority=True),
    ]

    def __init__(self, engine: e2ecore.Engine, symbols: Symbols, *, colours: bool) -> None:
        super().__init__(ansi_color=None if colours else True)
        self.desk = Desk(engine)
        self.symbols = symbols
        self._engine = engine
        self._rows: dict[str, ConversationView] = {}
        self._wishes = Wishes(self)

    def compose(self) -> ComposeResult:
        """Header, list and conversation, key hints."""
        with Horizontal(id="top"):
            yield Static(id="top-name", markup=False)
            yield Static(id="top-link", markup=False)
        with Horizontal(id="body"):
            with Vertical(id="side"):
                yield Static(_EMPTY, id="empty", markup=False)
                yield ConversationList(self.symbols, id="list")
            yield Room(self.desk, self.symbols, id="room")
        yield Footer(compact=True, show_command_palette=False)

    async def on_mount(self) -> None:
        """Fill the screen, then follow the events."""
        self.query_one("#top-name", Static).update(f"e2e  {visible(self.desk.own_handle)}")
        self._show_link(self._engine.connection, None)
        reader = self._engine.events()
        await self._reload()
        if self._rows:
            await self.open_conversation(next(iter(self._rows)))
        self.run_worker(self._follow(reader), name="events", exit_on_error=True)

    # -- what the engine says --------------------------------------------------------------------

    async def _follow(self, reader: e2ecore.EventReader) -> None:
        """Collect events for a moment, then redraw once."""
        waiting: list[e2ecore.Event] = []
        fresh = asyncio.Event()

        async def collect() -> None:
            async for event in reader:
                waiting.append(event)
                fresh.set()

        collector = asyncio.create_task(collect())
        try:
            while not collector.done():
                await fresh.wait()
                await asyncio.sleep(_BURST_S)
                fresh.clear()
                batch = waiting[:]
                waiting.clear()
                await self.guarded(self._apply(batch))
        finally:
            collector.cancel()

    async def _apply(self, batch: list[e2ecore.Event]) -> None:
        await self.desk.names.learn(batch)
        news = digest(batch, self.desk.names.known, self.desk.own_account)
        with self.batch_update():
            if news.connection is not None:
                self._show_link(news.connection.state, news.connection.error)
            await self.query_one(Room).refresh_messages(news)
            await self._refresh_rows(news)
        for text in news.alerts:
            self.notify(text, severity="warning", timeout=12, markup=False)

    async def _refresh_rows(self, news: Digest) -> None:
        if news.everything:
            await self._reload()
            return
        for conversation in news.conversations:
            view = await self.desk.conversation(conversation.hex())
            self._rows[view.uid] = view
        if news.conversations:
            self._show_rows()

    async def changed(self, uid: str = "") -> None:
        """Something was changed from here: read that conversation, or all of them, again."""
        if uid:
            self._rows[uid] = await self.desk.conversation(uid)
            self._show_rows()
        else:
            await self._reload()
        if self.current is not None:
            await self.query_one(Room).show_title(self.current)

    async def _reload(self) -> None:
        self._rows = {view.uid: view for view in await self.desk.conversations()}
        self._show_rows()

    def _show_rows(self) -> None:
        ordered = by_time(self._rows.values())
        self._rows = {view.uid: view for view in ordered}
        empty = not ordered
        self.query_one("#empty").display = empty
        listing = self.query_one(ConversationList)
        listing.display = not empty
        listing.show(ordered, self.query_one(Room).uid, time.time_ns() // 1_000_000)

    def _show_link(self, state: e2ecore.ConnectionState, error: e2ecore.E2EError | None) -> None:
        signs = {
            e2ecore.ConnectionState.ONLINE: self.symbols.online,
            e2ecore.ConnectionState.OFFLINE: self.symbols.offline,
            e2ecore.ConnectionState.WAITING: self.symbols.offline,
        }
        words = state.value
        if state is e2ecore.ConnectionState.WAITING:
            words = "relay not reached, trying again"
        link = self.query_one("#top-link", Static)
        link.update(f"{signs.get(state, self.symbols.busy)} {words}")
        link.set_class(state is e2ecore.ConnectionState.ONLINE, "online")
        if error is not None and not error.retry:
            self.notify(explain(error), severity="error", timeout=12, markup=False)

    # -- what the user does ----------------------------------------------------------------------

    async def open_conversation(self, uid: str) -> None:
        """Show one conversation, mark it read, and put the cursor into its input."""
        if uid not in self._rows:
            self._rows[uid] = await self.desk.conversation(uid)
        room = self.query_one(Room)
        await room.open(self._rows[uid])
        self._rows[uid] = await self.desk.conversation(uid)
        self._show_rows()
        self.remove_class("listing")

    @property
    def current(self) -> ConversationView | None:
        """The open conversation."""
        return self._rows.get(self.query_one(Room).uid)

    async def guarded(self, work: Coroutine[object, object, None]) -> None:
        """Run something; an error of the library becomes a notice, never a crash."""
        try:
            await work
        except e2ecore.E2EError as error:
            self.notify(explain(error), severity="error", timeout=12, markup=False)

    def start(self, work: Coroutine[object, object, None]) -> None:
        """Run something beside the screen, guarded."""
        self.run_worker(self.guarded(work), exit_on_error=True)

    @on(ConversationList.Chosen)
    def _chosen(self, event: ConversationList.Chosen) -> None:
        self.start(self.open_conversation(event.uid))

    @on(Composer.Sent)
    def _sent(self, event: Composer.Sent) -> None:
        self.start(self.query_one(Room).send(event.text))

    @on(History.TopReached)
    def _top_reached(self) -> None:
        self.start(self.query_one(Room).load_older())

    def on_resize(self, event: events.Resize) -> None:
        """Fold into one column on narrow terminals."""
        self.set_class(event.size.width < _NARROW, "narrow")
        self.call_after_refresh(self._show_rows)

    async def action_help(self) -> None:
        """F1."""
        await self.push_screen(Page("Keys", help_text(self.symbols)))

    def action_new_direct(self) -> None:
        """Ask for a handle and open the conversation."""
        self.start(self._wishes.new_direct())

    def action_new_group(self) -> None:
        """Ask for a title and members."""
        self.start(self._wishes.new_group())

    def action_people(self) -> None:
        """Members of the open conversation."""
        self.start(self._wishes.people())

    def action_safety(self) -> None:
        """Safety number of the other person."""
        self.start(self._wishes.safety())

    def action_step(self, step: int) -> None:
        """Open the conversation above or below."""
        uid = self.query_one(ConversationList).neighbour(self.query_one(Room).uid, step)
        if uid is not None:
            self.start(self.open_conversation(uid))

    def action_show_list(self) -> None:
        """To the list; on narrow terminals it takes the whole width."""
        self.toggle_class("listing")
        self.query_one(ConversationList).focus()

    def action_page(self, direction: int) -> None:
        """Scroll the history from wherever the cursor is."""
        history = self.screen.query(History)
        if not history:
            return
        if direction < 0:
            history.first().action_page_up()
        else:
            history.first().action_page_down()
