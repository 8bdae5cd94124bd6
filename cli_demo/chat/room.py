"""The open conversation: title line, history, input."""

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.message import Message
from textual.widgets import Static

import e2ecore
from cli_demo.chat.completion import ASCII_SIGNS, SIGNS, Known, Offers, complete
from cli_demo.chat.composer import Composer
from cli_demo.chat.desk import Desk
from cli_demo.chat.digest import Changed, Digest
from cli_demo.chat.history import History
from cli_demo.chat.messages import MOST
from cli_demo.chat.paths import offers
from cli_demo.chat.suggestions import Suggestions
from cli_demo.chat.transfer_lines import TransferLines
from cli_demo.chat.typing_line import TypingLine
from cli_demo.text import lasting, one_line, visible
from cli_demo.views import ASCII, ConversationView, MemberView, MessageView, Symbols, Trust

if TYPE_CHECKING:
    from collections.abc import Sequence

_MAX_TITLE_CELLS: Final = 300
"""Longer than any terminal is wide; the widget cuts it with an ellipsis."""
_QUOTE_CELLS: Final = 40
_NAMING_FILES: Final = ("/send ", "/voice ")
_PAUSE_S: Final = 1.0
"""How long nothing is typed before the draft is kept."""
_TICK_S: Final = 5.0
"""How often it is looked whether the time of messages is over."""


@dataclass(frozen=True, slots=True)
class _Aim:
    """What is written refers to this message."""

    message: MessageView
    rewrites: bool
    """It takes the message's place; else it answers it."""


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
        self._context_line = Static(id="context", markup=False)
        self._aim: _Aim | None = None
        self._lifetime_s: int | None = None
        self._members: list[MemberView] = []
        self._signs = ASCII_SIGNS if symbols is ASCII else SIGNS
        self.history = History(symbols, id="history")
        self._suggestions = Suggestions(id="suggestions")
        self._typing_line = TypingLine(id="typing")
        self._loaded: str | None = ""
        """What was put into the input, and not changed since by typing."""
        self.transfers = TransferLines(symbols, id="transfers")
        self.composer = Composer(
            id="composer", suggestions=self._suggestions, complete=self._complete
        )
        self.places: Sequence[str] = ()
        """Handles and ``+TITLE`` of conversations that can be written to."""
        self.uid = ""
        """The open conversation's id in hex; empty if none is open."""

    def compose(self) -> ComposeResult:
        """Title, messages, input or the reason why there is none."""
        yield self._title
        yield self.history
        yield self._closed_line
        yield self._typing_line
        yield self.transfers
        yield self._suggestions
        yield self._context_line
        yield self.composer

    def on_mount(self) -> None:
        """Nothing to write to yet."""
        self.composer.display = self._context_line.display = False
        self.set_interval(_TICK_S, self.history.tick)
        self._pause = self.set_interval(_PAUSE_S, self._rest, pause=True)

    class Rested(Message):
        """Nothing was typed for a moment: the draft can be kept."""

    class Typed(Message):
        """Something is being written to others, or not any more."""

        def __init__(self, uid: str, *, on: bool) -> None:
            super().__init__()
            self.uid, self.on = uid, on

    def _rest(self) -> None:
        self._pause.pause()
        self.post_message(self.Rested())

    @property
    def writable(self) -> bool:
        """Something can be sent in the open conversation."""
        return self.composer.display

    def _complete(self, before: str) -> Offers:
        if before.startswith(_NAMING_FILES) and "\n" not in before:
            return offers(before, before.index(" ") + 1)
        others = tuple(one.handle for one in self._members if not one.own)
        return complete(before, Known(others, self.places, self._signs))

    # -- reading ---------------------------------------------------------------------------------

    async def open(self, view: ConversationView, order: int | None = None) -> None:
        """Show a conversation from its newest message on, or around a place."""
        if view.uid != self.uid:
            await self.keep_draft()
        async with self._refreshing:
            is_other, self.uid = view.uid != self.uid, view.uid
            self._members = await self._desk.members(view.uid)
            self.history.group = view.group
            if order is None or not await self._open_around(order):
                self.history.show(await self._desk.messages.newest(view.uid))
        if is_other:
            await self._take_up_draft()
            self._typing_line.show(await self._desk.typists(view.uid))
        self.show_title(view)
        (self.composer if self.composer.display and order is None else self.history).focus()

    async def _open_around(self, order: int) -> bool:
        page = await self._desk.messages.around(self.uid, order)
        is_tail = not page or not await self._desk.messages.after(self.uid, page[-1].order, 1)
        self.history.show(page, tail=is_tail)
        return self.history.select(order)

    def show_title(self, view: ConversationView) -> None:
        """Bring title, trust and the input's presence up to date."""
        trust = {
            Trust.VERIFIED: f"{self._symbols.verified} verified",
            Trust.UNVERIFIED: "not verified (Ctrl+T)",
            Trust.CHANGED: "KEYS CHANGED, compare again: Ctrl+T",
            None: "",
        }[view.trust]
        about = self._desk.who(self._members) if view.group else trust
        parted = f" {self._symbols.bullet} ".join(filter(None, (view.title, about)))
        self._title.update(one_line(parted, _MAX_TITLE_CELLS, self._symbols.more))
        self._title.set_class(view.trust is Trust.CHANGED, "changed")
        if self.composer.has_focus and not view.open:
            self.history.focus()
        self.composer.display = view.open
        self._closed_line.display = not view.open
        self._closed_line.update(f"Read only: {view.state}.")
        self._lifetime_s = view.lifetime_s
        self.show_context()

    async def refresh_messages(self, news: Digest) -> None:
        """After a burst: what is new below, what is different in place, notices."""
        uid = self.uid
        if not uid or not (news.everything or bytes.fromhex(uid) in news.conversations):
            return
        async with self._refreshing:
            if uid == self.uid:
                await self._refresh(news)

    async def show_typists(self, news: Digest) -> None:
        """Say who is typing here, if that is different."""
        uid = self.uid
        if uid and (news.everything or bytes.fromhex(uid) in news.typing):
            self._typing_line.show(await self._desk.typists(uid))

    async def _refresh(self, news: Digest) -> None:
        uid = bytes.fromhex(self.uid)
        changed = news.changed.get(uid)
        if changed is not None:
            await self._change(changed)
        view = await self._desk.conversation(self.uid)
        told = [one for one in news.notices if one.conversation == uid]
        if uid in news.members or news.everything:
            self._members = await self._desk.members(self.uid)
        if self.history.is_tail:
            self.history.append(self._desk.notice(one.text) for one in told)
        self.show_title(view)

    async def _change(self, changed: Changed) -> None:
        history = self.history
        loaded = {one.order: one for one in history.messages if one.order}
        known = set(loaded) if changed.everything else changed.orders & set(loaded)
        quoting = {
            order
            for order, one in loaded.items()
            if one.quote is not None and one.quote.order in known
        }
        again = known | quoting | self._confirmed(changed, loaded)
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

    @on(Composer.Up)
    def _read(self, event: Composer.Up) -> None:
        event.stop()
        self.history.focus()
        self.history.action_select(-1)

    @on(History.Slash)
    def _command(self, event: History.Slash) -> None:
        event.stop()
        if self.writable:
            self.composer.focus()
            self.composer.load_text("/")
            self.composer.move_cursor((0, 1))

    @on(History.Left)
    def _write(self, event: History.Left) -> None:
        event.stop()
        self.history.unselect()
        if self.composer.display:
            self.composer.focus()

    # -- writing ---------------------------------------------------------------------------------

    def answer(self, message: MessageView) -> None:
        """What is written next answers this message."""
        self._take_aim(_Aim(message, rewrites=False))

    def rewrite(self, message: MessageView) -> None:
        """What is written next takes this message's place."""
        self.composer.load_text(message.text)
        self.composer.move_cursor(self.composer.document.end)
        self._take_aim(_Aim(message, rewrites=True))

    def _take_aim(self, aim: _Aim | None) -> None:
        self._aim = aim
        self.history.unselect()
        self.show_context()
        if aim is not None:
            self.composer.focus()

    @on(Composer.Escaped)
    def give_up(self) -> None:
        """Neither answer nor rewrite, and stand on no message."""
        if self._aim is not None and self._aim.rewrites:
            self.composer.clear()
        self._take_aim(None)

    def show_context(self) -> None:
        """Say what will become of that which is written."""
        said: list[str] = []
        if self._aim is not None:
            message, more = self._aim.message, self._symbols.more
            if self._aim.rewrites:
                said.append("Editing your message (Esc stops)")
            else:
                text = one_line(message.brief, _QUOTE_CELLS, more)
                said.append(f"{self._symbols.answer} {message.author} (Esc stops): {text}")
        if self._lifetime_s is not None and not (self._aim and self._aim.rewrites):
            said.append(f"messages erase themselves after {lasting(self._lifetime_s)}")
        self._context_line.display = bool(said) and self.writable
        self._context_line.update(visible(f" {self._symbols.bullet} ".join(said)))

    async def send(self, text: str) -> None:
        """Store a text, which appears at once as queued; if it cannot be stored, give it back."""
        uid, aim = self.uid, self._aim
        self._take_aim(None)
        async with self._sending:
            try:
                await self._store(uid, text, aim)
            except e2ecore.E2EError:
                if uid == self.uid and not self.composer.text:
                    self.composer.load_text(text)
                    self._take_aim(aim)
                raise
        await self._desk.discard_draft(uid)
        if aim is None or not aim.rewrites:
            await self.show_end(uid)

    async def _store(self, uid: str, text: str, aim: _Aim | None) -> None:
        if aim is not None and aim.rewrites:
            await self._desk.messages.edit(uid, aim.message.order, text)
            return
        order = aim.message.order if aim is not None else None
        await self._desk.messages.send(uid, text, answer_to=order)

    async def show_end(self, uid: str) -> None:
        """After something was sent: stand at the end of the conversation."""
        async with self._refreshing:
            if uid == self.uid:
                if self.history.is_tail:
                    await self._load_newest()
                else:
                    self.history.show(await self._desk.messages.newest(uid))
                self.history.scroll_end(animate=False)

    # -- drafts ----------------------------------------------------------------------------------

    @on(Composer.Changed)
    def _typed(self) -> None:
        self._pause.reset()
        self._pause.resume()
        if self._is_for_others and self.composer.text != self._loaded:
            self._loaded = None
            self.post_message(self.Typed(self.uid, on=bool(self.composer.text.strip())))

    @property
    def _is_for_others(self) -> bool:
        """Will what is written be a new message?"""
        text, aim = self.composer.text, self._aim
        is_command = text.startswith("/") and not text.startswith("//")
        return bool(self.uid and self.writable and not is_command and not (aim and aim.rewrites))

    async def keep_draft(self) -> None:
        """Remember what was begun to be written, on disk."""
        text, aim = self.composer.text, self._aim
        if not self._is_for_others:
            return
        if text.strip():
            order = aim.message.order if aim is not None else None
            await self._desk.keep_draft(self.uid, text, order)
        else:
            await self._desk.discard_draft(self.uid)

    async def _take_up_draft(self) -> None:
        text, order = await self._desk.draft(self.uid)
        self._aim = None
        if order is not None:
            found = await self._desk.messages.at(self.uid, [order])
            self._aim = _Aim(found[0], rewrites=False) if found else None
        self._loaded = text
        self.composer.load_text(text)
        self.composer.move_cursor(self.composer.document.end)
