"""The open conversation: title line, history, input."""

import asyncio
from typing import Final

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Static

import e2ecore
from cli_demo.chat.composer import Composer
from cli_demo.chat.desk import PAGE, Desk
from cli_demo.chat.digest import Digest
from cli_demo.chat.history import History
from cli_demo.text import one_line
from cli_demo.views import ConversationView, Symbols, Trust

_MAX_TITLE_CELLS: Final = 300
"""Longer than any terminal is wide; the widget cuts it with an ellipsis."""
_MAX_MARKED: Final = 400
"""Newest messages whose marks are kept up to date on the screen."""


class Room(Vertical):
    """Shows at most one conversation and keeps it up to date."""

    def __init__(self, desk: Desk, symbols: Symbols, *, id: str) -> None:  # noqa: A002
        super().__init__(id=id)
        self._desk = desk
        self._symbols = symbols
        self._newest = -1
        self._sending = asyncio.Lock()
        self._refreshing = asyncio.Lock()
        self.uid = ""
        """The open conversation's id in hex; empty if none is open."""

    def compose(self) -> ComposeResult:
        """Title, messages, input or the reason why there is none."""
        yield Static(id="room-title", markup=False)
        yield History(self._symbols, id="history")
        yield Static(id="closed", markup=False)
        yield Composer(id="composer")

    def on_mount(self) -> None:
        """Nothing to write to yet."""
        self.query_one(Composer).display = False

    # -- reading ---------------------------------------------------------------------------------

    async def open(self, view: ConversationView) -> None:
        """Show another conversation from its newest message on."""
        self.uid = view.uid
        messages = await self._desk.newest(view.uid)
        self._newest = messages[-1].order if messages else -1
        self.query_one(History).show([await self._desk.view(one) for one in messages])
        await self.show_title(view)
        await self._desk.mark_read(view.uid)
        composer = self.query_one(Composer)
        (composer if composer.display else self.query_one(History)).focus()

    async def show_title(self, view: ConversationView) -> None:
        """Bring title, trust and the input's presence up to date."""
        title = self.query_one("#room-title", Static)
        trust = {
            Trust.VERIFIED: f"{self._symbols.verified} verified",
            Trust.UNVERIFIED: "not verified (Ctrl+T)",
            Trust.CHANGED: "KEYS CHANGED, compare again: Ctrl+T",
            None: "",
        }[view.trust]
        about = await self._desk.who(view.uid) if view.group else trust
        parted = f" {self._symbols.bullet} ".join(filter(None, (view.title, about)))
        title.update(one_line(parted, _MAX_TITLE_CELLS))
        title.set_class(view.trust is Trust.CHANGED, "changed")
        composer, closed = self.query_one(Composer), self.query_one("#closed", Static)
        if composer.has_focus and not view.open:
            self.query_one(History).focus()
        composer.display = view.open
        closed.display = not view.open
        closed.update(f"Read only: {view.state}.")

    async def refresh_messages(self, news: Digest) -> None:
        """After a burst: new messages below, new marks in place, notices."""
        if not self.uid:
            return
        uid = bytes.fromhex(self.uid)
        if uid not in news.conversations and not news.everything:
            return
        async with self._refreshing:
            await self._refresh(news, uid)

    async def _refresh(self, news: Digest, uid: bytes) -> None:
        history = self.query_one(History)
        recent = await self._since(self._newest, history.unsettled)
        if self.uid != uid.hex():
            return
        fresh = [one for one in recent if one.order > self._newest]
        history.update_marks(
            {one.message_id.hex(): self._desk.mark(one) for one in recent if one.mine}
        )
        if fresh:
            self._newest = fresh[-1].order
            history.append([await self._desk.view(one) for one in fresh])
        view = await self._desk.conversation(self.uid)
        history.append(
            self._desk.notice(one.text)
            for one in news.notices
            if one.conversation == uid and (view.group or not one.only_groups)
        )
        await self.show_title(view)
        if fresh and self.app.app_focus:
            await self._desk.mark_read(self.uid)

    async def _since(self, order: int, unsettled: int) -> list[e2ecore.Message]:
        """The end of the history: what may have a new mark, and all that is not shown yet."""
        messages = await self._desk.newest(self.uid, min(max(unsettled, PAGE), _MAX_MARKED))
        while messages and messages[0].order > order >= 0:
            older = await self._desk.before(self.uid, messages[0].order)
            if not older:
                break
            messages = older + messages
        return messages

    async def load_older(self) -> None:
        """The page above."""
        if not self.uid:
            return
        history = self.query_one(History)
        if history.oldest:
            messages = await self._desk.before(self.uid, history.oldest)
            history.prepend([await self._desk.view(one) for one in messages])

    # -- writing ---------------------------------------------------------------------------------

    async def send(self, text: str) -> None:
        """Store a text, which appears at once as queued; if it cannot be stored, give it back."""
        uid = self.uid
        async with self._sending:
            try:
                await self._desk.send(uid, text)
            except e2ecore.E2EError:
                composer = self.query_one(Composer)
                if not composer.text:
                    composer.text = text
                raise
        await self.refresh_messages(Digest(conversations={bytes.fromhex(uid)}))
