"""The open conversation: title line, history, input."""

import asyncio
from typing import Final

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Static

import e2ecore
from cli_demo.chat.composer import Composer
from cli_demo.chat.desk import Desk
from cli_demo.chat.digest import Changed, Digest
from cli_demo.chat.history import History
from cli_demo.chat.messages import MOST
from cli_demo.text import one_line
from cli_demo.views import ConversationView, MessageView, Symbols, Trust

_MAX_TITLE_CELLS: Final = 300
"""Longer than any terminal is wide; the widget cuts it with an ellipsis."""
_TICK_S: Final = 5.0
"""How often it is looked whether the time of messages is over."""


class Room(Vertical):
    """Shows at most one conversation and keeps it up to date."""

    def __init__(self, desk: Desk, symbols: Symbols, *, id: str) -> None:  # noqa: A002
        super().__init__(id=id)
        self._desk = desk
        self._symbols = symbols
        self._sending = asyncio.Lock()
        self._refreshing = asyncio.Lock()
        self._title = Static(id="room-title", markup=False)
        self._closed_line = Static(id="closed", markup=False)
        self.history = History(symbols, id="history")
        self.composer = Composer(id="composer")
        self.uid = ""
        """The open conversation's id in hex; empty if none is open."""

    def compose(self) -> ComposeResult:
        """Title, messages, input or the reason why there is none."""
        yield self._title
        yield self.history
        yield self._closed_line
        yield self.composer

    def on_mount(self) -> None:
        """Nothing to write to yet."""
        self.composer.display = False
        self.set_interval(_TICK_S, self.history.tick)

    # -- reading ---------------------------------------------------------------------------------

    async def open(self, view: ConversationView, order: int | None = None) -> None:
        """Show a conversation from its newest message on, or around a place."""
        async with self._refreshing:
            self.uid = view.uid
            self.history.group = view.group
            if order is None or not await self._open_around(order):
                self.history.show(await self._desk.messages.newest(view.uid))
        await self.show_title(view)
        (self.composer if self.composer.display and order is None else self.history).focus()

    async def _open_around(self, order: int) -> bool:
        page = await self._desk.messages.around(self.uid, order)
        is_tail = not page or not await self._desk.messages.after(self.uid, page[-1].order, 1)
        self.history.show(page, tail=is_tail)
        return self.history.select(order)

    async def show_title(self, view: ConversationView) -> None:
        """Bring title, trust and the input's presence up to date."""
        trust = {
            Trust.VERIFIED: f"{self._symbols.verified} verified",
            Trust.UNVERIFIED: "not verified (Ctrl+T)",
            Trust.CHANGED: "KEYS CHANGED, compare again: Ctrl+T",
            None: "",
        }[view.trust]
        about = await self._desk.who(view.uid) if view.group else trust
        parted = f" {self._symbols.bullet} ".join(filter(None, (view.title, about)))
        self._title.update(one_line(parted, _MAX_TITLE_CELLS, self._symbols.more))
        self._title.set_class(view.trust is Trust.CHANGED, "changed")
        if self.composer.has_focus and not view.open:
            self.history.focus()
        self.composer.display = view.open
        self._closed_line.display = not view.open
        self._closed_line.update(f"Read only: {view.state}.")

    async def refresh_messages(self, news: Digest) -> None:
        """After a burst: what is new below, what is different in place, notices."""
        uid = self.uid
        if not uid or not (news.everything or bytes.fromhex(uid) in news.conversations):
            return
        async with self._refreshing:
            if uid == self.uid:
                await self._refresh(news)

    async def _refresh(self, news: Digest) -> None:
        uid = bytes.fromhex(self.uid)
        changed = news.changed.get(uid)
        if changed is not None:
            await self._change(changed)
        view = await self._desk.conversation(self.uid)
        if self.history.is_tail:
            self.history.append(
                self._desk.notice(one.text)
                for one in news.notices
                if one.conversation == uid and (view.group or not one.only_groups)
            )
        await self.show_title(view)

    async def _change(self, changed: Changed) -> None:
        history = self.history
        loaded = {one.order: one for one in history.messages if one.order}
        known = set(loaded) if changed.everything else changed.orders & set(loaded)
        again = known | self._confirmed(changed, loaded)
        found = await self._desk.messages.at(self.uid, sorted(again))
        history.update_messages(found)
        history.remove_messages(known - {one.order for one in found})
        newest = history.newest
        if changed.everything or any(order > newest for order in changed.orders):
            await self._load_newest()

    def _confirmed(self, changed: Changed, loaded: dict[int, MessageView]) -> set[int]:
        """Own messages whose mark may be another one now."""
        orders = set(self.history.unsettled) if changed.receipts else set()
        for who, upto in changed.read.items():
            name = self._desk.names.known(who)
            orders |= {
                order
                for order, one in loaded.items()
                if one.own and one.counter <= upto and name not in one.readers
            }
        return orders

    async def _load_newest(self) -> None:
        """Add what is newer than what is loaded, if that is the end of the conversation."""
        history = self.history
        if not history.is_tail:
            return
        fresh = await self._desk.messages.after(self.uid, history.newest, MOST)
        if len(fresh) < MOST:
            history.append(fresh)
        elif history.at_end:
            history.show(await self._desk.messages.newest(self.uid))
        else:
            history.is_tail = False

    async def load_older(self) -> None:
        """The page above."""
        async with self._refreshing:
            if self.uid:
                messages = await self._desk.messages.before(self.uid, self.history.oldest)
                self.history.prepend(messages)

    async def load_newer(self) -> None:
        """The page below, if something is there."""
        async with self._refreshing:
            if self.uid and self.history.at_bottom and not self.history.is_tail:
                messages = await self._desk.messages.after(self.uid, self.history.newest)
                self.history.is_tail = not messages
                self.history.append(messages)

    @on(History.Left)
    def _write(self, event: History.Left) -> None:
        event.stop()
        self.history.unselect()
        if self.composer.display:
            self.composer.focus()

    # -- writing ---------------------------------------------------------------------------------

    async def send(self, text: str) -> None:
        """Store a text, which appears at once as queued; if it cannot be stored, give it back."""
        uid = self.uid
        async with self._sending:
            try:
                await self._desk.messages.send(uid, text)
            except e2ecore.E2EError:
                if not self.composer.text:
                    self.composer.text = text
                raise
        await self.show_end(uid)

    async def show_end(self, uid: str) -> None:
        """After something was sent: stand at the end of the conversation."""
        async with self._refreshing:
            if uid == self.uid:
                if self.history.is_tail:
                    await self._load_newest()
                else:
                    self.history.show(await self._desk.messages.newest(uid))
                self.history.scroll_end(animate=False)
