"""The window: conversations on the left, the open one on the right, kept up to date."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Final, Literal, TypeAlias, TypeVarTuple

from textual import events, on
from textual.app import ComposeResult, ScreenStackError
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.css.query import NoMatches
from textual.dom import NoScreen
from textual.screen import Screen, ScreenResultType
from textual.widgets import Footer, Static

import e2ecore
from cli_demo.chat import commands, feed
from cli_demo.chat.acts import Acts
from cli_demo.chat.carrier import Carrier
from cli_demo.chat.composer import Composer
from cli_demo.chat.conversations import ConversationList
from cli_demo.chat.desk import Desk, by_time
from cli_demo.chat.dialogs import Page
from cli_demo.chat.digest import Digest, digest
from cli_demo.chat.finding import Find, FoundPage
from cli_demo.chat.help import help_text
from cli_demo.chat.history import History
from cli_demo.chat.menu import Act
from cli_demo.chat.room import Room
from cli_demo.chat.slash import Slash
from cli_demo.chat.wishes import Wishes
from cli_demo.device_news import news_lines
from cli_demo.error_words import EN
from cli_demo.exits import CliError, explain
from cli_demo.text import now_ms, visible
from cli_demo.views import ASCII, ConversationView, Symbols

if TYPE_CHECKING:
    from textual.worker import Worker

Ts = TypeVarTuple("Ts")
_Severity: TypeAlias = Literal["information", "warning", "error"]
_NARROW: Final = 64
"""Below this width the list and the conversation take turns."""
_NOTICE_S: Final = 12
_TICK_S: Final = 0.25
"""How often the lines of what is on its way are drawn."""
_LOOK_S: Final = 20.0
"""How often the relay is asked who still waits for the files on the screen."""
_EMPTY: Final = """No conversations yet.

Ctrl+N  write to somebody
Ctrl+G  make a group
F1      all keys"""


class Window(Screen[None]):
    """Shows what the desk fetches, and redraws once per burst of news."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f1", "help", "Help"),
        Binding("ctrl+n", "new_direct", "New"),
        Binding("ctrl+g", "new_group", "Group"),
        Binding("ctrl+o", "people", "People"),
        Binding("ctrl+t", "safety", "Verify"),
        Binding("ctrl+f", "find", "Find"),
        Binding("ctrl+down,alt+down", "step(1)", "Next", key_display="^↓", show=False),
        Binding("ctrl+up,alt+up", "step(-1)", "Previous", show=False),
        Binding("ctrl+l", "show_list", "List", show=False),
        Binding("pageup", "page(-1)", show=False, priority=True),
        Binding("pagedown", "page(1)", show=False, priority=True),
    ]

    def __init__(self, engine: e2ecore.Engine, desk: Desk, symbols: Symbols) -> None:
        super().__init__()
        self.desk = desk
        self.symbols = symbols
        self.set_class(symbols is ASCII, "ascii")
        self.room = Room(desk, symbols, id="room")
        self._engine = engine
        self._rows: dict[str, ConversationView] = {}
        self._told: set[str] = set()
        """News of our own devices."""
        self._wishes = Wishes(self)
        self._carrier = Carrier(self)
        self._acts = Acts(self, self._carrier)
        self._slash = Slash(self, self._acts, self._wishes, self._carrier)
        self._own_line = Static(id="top-name", markup=False)
        self._link_line = Static(id="top-link", markup=False)
        self._nothing = Static(_EMPTY, id="empty", markup=False)
        self._list = ConversationList(symbols, id="list")

    def compose(self) -> ComposeResult:
        """Header, list and conversation, key hints."""
        with Horizontal(id="top"):
            yield self._own_line
            yield self._link_line
        with Horizontal(id="body"):
            with Vertical(id="side"):
                yield self._nothing
                yield self._list
            yield self.room
        yield Footer(compact=True, show_command_palette=False)

    async def on_mount(self) -> None:
        """Fill the screen, then follow what happens."""
        self._show_link(self._engine.connection, None)
        events, changes = self._engine.events(), self._engine.changes()
        await self._reload()
        if self._rows:
            await self.open_conversation(next(iter(self._rows)))
        await self._tell_devices()
        self.start(feed.follow, events, changes, self._show)
        self.set_interval(_TICK_S, self._carrier.tick)
        self.set_interval(_LOOK_S, lambda: self.start(self._carrier.look))

    # -- what the engine says --------------------------------------------------------------------

    async def _show(self, batch: feed.Batch) -> None:
        await self._guarded(self._apply, batch)

    async def _apply(self, batch: feed.Batch) -> None:
        await self.desk.names.learn(batch.events)
        own = self.desk.own_account
        news = digest(batch.events, self.desk.names.known, own, batch.changes)
        with self.app.batch_update():
            if news.connection is not None:
                self._show_link(news.connection.state, news.connection.error)
            await self.room.refresh_messages(news)
            await self.room.show_typists(news)
            await self._mark_read()
            await self._refresh_rows(news)
        for text in news.alerts:
            self.tell(text, severity="warning")
        if news.devices:
            await self._tell_devices()

    async def _tell_devices(self) -> None:
        """Say what has changed among our devices, until `e2e device list` has shown it."""
        for line in await news_lines(self._engine, EN):
            if line not in self._told:
                self._told.add(line)
                self.tell(line, severity="warning")

    async def _refresh_rows(self, news: Digest) -> None:
        if news.everything:
            await self._reload()
            return
        for conversation in news.conversations:
            view = await self.desk.conversation(conversation.hex())
            self._rows[view.uid] = view
        if news.conversations:
            self._show_rows()

    async def _mark_read(self) -> None:
        """What is on the screen, while somebody looks at it, has been read."""
        seen = self.is_active and self.app.app_focus and self.room.history.at_end
        uid = self.room.uid
        if uid and seen and (await self.desk.conversation(uid)).unread:
            await self.desk.mark_read(uid)

    async def changed(self, uid: str = "") -> None:
        """Something was changed from here: read that conversation, or all of them, again."""
        if uid:
            self._rows[uid] = await self.desk.conversation(uid)
            self._show_rows()
        else:
            await self._reload()
        if self.current is not None:
            self.room.show_title(self.current)

    async def _reload(self) -> None:
        self._rows = {view.uid: view for view in await self.desk.conversations()}
        self._show_rows()

    def _show_rows(self) -> None:
        ordered = by_time(self._rows.values())
        self._rows = {view.uid: view for view in ordered}
        self._nothing.display = not ordered
        self._own_line.update(self._own_words(ordered))
        self._list.display = bool(ordered)
        self.room.places = [name for _, name in self.places()]
        self._list.show(ordered, self.room.uid, now_ms())

    def _own_words(self, rows: list[ConversationView]) -> str:
        """Who we are, and how much there is to be read."""
        waiting = sum(one.unread for one in rows if not one.muted)
        unread = f"  {self.symbols.bullet} {waiting:,} unread" if waiting else ""
        return f"e2e  {visible(self.desk.own_handle)}{unread}"

    def _show_link(self, state: e2ecore.ConnectionState, error: e2ecore.E2EError | None) -> None:
        signs = {
            e2ecore.ConnectionState.ONLINE: self.symbols.online,
            e2ecore.ConnectionState.OFFLINE: self.symbols.offline,
            e2ecore.ConnectionState.WAITING: self.symbols.offline,
        }
        words = state.value
        if state is e2ecore.ConnectionState.WAITING:
            words = "relay not reached, trying again"
        self._link_line.update(f"{signs.get(state, self.symbols.busy)} {words}")
        self._link_line.set_class(state is e2ecore.ConnectionState.ONLINE, "online")
        if error is not None and not error.retry:
            self.tell(explain(error))

    # -- work beside the screen ------------------------------------------------------------------

    async def _guarded(self, work: Callable[[*Ts], Awaitable[object]], *args: *Ts) -> None:
        """Run something; an error of the library becomes a notice, never a crash.

        What is under way when the window closes may still look for its parts: that is no error.
        """
        try:
            await work(*args)
        except (e2ecore.E2EError, CliError) as error:
            self.tell(explain(error))
        except (NoMatches, NoScreen, ScreenStackError):
            if not self.is_gone:
                raise

    def start(self, work: Callable[[*Ts], Awaitable[object]], *args: *Ts) -> None:
        """Run something beside the screen, guarded; it ends with the window."""
        _: Worker[None] = self.run_worker(partial(self._guarded, work, *args))

    @property
    def is_gone(self) -> bool:
        """The window is being closed, or closed."""
        return not (self.app.is_running and self.is_attached)

    @property
    def is_online(self) -> bool:
        """There is a connection to the relay, and nothing to catch up with."""
        return self._engine.connection is e2ecore.ConnectionState.ONLINE

    def tell(self, text: str, *, severity: _Severity = "error") -> None:
        """Show something for a moment, above whatever is open."""
        if not self.is_gone:
            self.notify(text, severity=severity, timeout=_NOTICE_S, markup=False)

    async def ask(self, screen: Screen[ScreenResultType]) -> ScreenResultType | None:
        """Show a screen above the window, and wait for its answer."""
        screen.set_class(self.symbols is ASCII, "ascii")
        return await self.app.push_screen_wait(screen)

    # -- what the user does ----------------------------------------------------------------------

    async def open_conversation(self, uid: str, order: int | None = None) -> None:
        """Show one conversation, mark it read, and put the cursor into its input.

        Args:
            uid: Which one.
            order: The place to stand on, instead of the end.
        """
        if uid not in self._rows:
            self._rows[uid] = await self.desk.conversation(uid)
        await self.room.open(self._rows[uid], order)
        await self._carrier.take_up(uid)
        self.start(self._carrier.look)
        await self._mark_read()
        self._rows[uid] = await self.desk.conversation(uid)
        self._show_rows()
        self.remove_class("listing")

    @property
    def current(self) -> ConversationView | None:
        """The open conversation."""
        return self._rows.get(self.room.uid)

    @on(ConversationList.Chosen)
    def _chosen(self, event: ConversationList.Chosen) -> None:
        self.start(self.open_conversation, event.uid)

    @on(Composer.Sent)
    def _sent(self, event: Composer.Sent) -> None:
        match commands.read(event.text):
            case commands.Words(text):
                self.start(self.room.send, text)
            case commands.Call() as call:
                self.start(self._slash.run, call)
            case commands.Puzzle(hint):
                self.room.composer.load_text(event.text)
                self.room.composer.move_cursor(self.room.composer.document.end)
                self.tell(hint, severity="warning")

    @on(Room.Typed)
    def _typed(self, event: Room.Typed) -> None:
        self.start(partial(self.desk.type, on=event.on), event.uid)

    @on(Room.Rested)
    def _rested(self) -> None:
        self.start(self.room.keep_draft)

    @on(History.Chosen)
    def _message_chosen(self, event: History.Chosen) -> None:
        if event.letter:
            self.start(self._acts.do, Act(event.letter), event.message)
        else:
            self.start(self._acts.menu, event.message)

    @on(History.TopReached)
    def _top_reached(self) -> None:
        self.start(self.room.load_older)

    @on(History.BottomReached)
    def _bottom_reached(self) -> None:
        self.start(self._go_on)

    async def _go_on(self) -> None:
        await self.room.load_newer()
        await self._mark_read()

    @on(events.ScreenResume)
    @on(events.AppFocus)
    def _looked_at(self) -> None:
        self.start(self._mark_read)

    def on_resize(self, event: events.Resize) -> None:
        """Fold into one column on narrow terminals."""
        self.set_class(event.size.width < _NARROW, "narrow")
        self.call_after_refresh(self._show_rows)

    async def jump(self, uid: str, order: int) -> None:
        """Stand on a message, wherever it is."""
        if uid == self.room.uid and self.room.history.select(order):
            self.room.history.focus()
        else:
            await self.open_conversation(uid, order)

    async def find(self, text: str) -> None:
        """Ask what to look for, and go to what was chosen."""
        uid = self.room.uid

        async def search(words: str, only_here: bool, cursor: int | None) -> FoundPage:  # noqa: FBT001
            return await self.desk.search(words, uid if only_here else "", cursor)

        here = self.current.title if self.current is not None else ""
        found = await self.ask(Find(search, here, text, now_ms()))
        if found is not None:
            await self.jump(found.uid, found.order)

    async def help(self) -> None:
        """Show all keys and commands."""
        await self.ask(Page("Help", help_text(self.symbols)))

    async def leave(self) -> None:
        """Close the window; what was begun to be written is kept."""
        await self._guarded(self.room.keep_draft)
        self.app.exit()

    def places(self) -> list[tuple[str, str]]:
        """Conversations that can be written to: their ids and names, as commands take them."""
        return [(one.uid, one.address) for one in self._rows.values() if one.open]

    def action_help(self) -> None:
        """F1."""
        self.start(self.help)

    def action_find(self) -> None:
        """Search."""
        self.start(self.find, "")

    def action_new_direct(self) -> None:
        """Ask for a handle and open the conversation."""
        self.start(self._wishes.new_direct)

    def action_new_group(self) -> None:
        """Ask for a title and members."""
        self.start(self._wishes.new_group)

    def action_people(self) -> None:
        """Members of the open conversation."""
        self.start(self._wishes.people)

    def action_safety(self) -> None:
        """Safety number of the other person."""
        self.start(self._wishes.safety)

    def action_step(self, step: int) -> None:
        """Open the conversation above or below."""
        uid = self._list.neighbour(self.room.uid, step)
        if uid is not None:
            self.start(self.open_conversation, uid)

    def action_show_list(self) -> None:
        """To the list; on narrow terminals it takes the whole width."""
        self.toggle_class("listing")
        self._list.focus()

    def action_page(self, direction: int) -> None:
        """Scroll the history from wherever the cursor is."""
        if direction < 0:
            self.room.history.action_page_up()
        else:
            self.room.history.action_page_down()
