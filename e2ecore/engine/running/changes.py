"""Which rows of the history changed, for whoever keeps a view of it: merged, never dropped.

A job notes the ids of the rows that it writes. When its transaction is durable they are handed to
the readers, where there are any. A reader that does not come to read costs the engine nothing more:
what it has not fetched is merged, conversation by conversation, and long lists become "read
again".
"""

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import anyio

from e2ecore.engine.telling.events import Delivered, Event, MessagesRead
from e2ecore.ids import GroupId
from e2ecore.storage.messages import MAX_PAGE, ORDER_BITS

MAX_LISTED: Final = 20_000
"""Messages that wait for one reader, of all conversations; more become "read again": 2 MB."""
_ORDER_MASK: Final = (1 << ORDER_BITS) - 1

NameOf = Callable[[int], GroupId | None]
"""From a conversation's local number to its id; None: there is none any more."""


@dataclass(frozen=True, slots=True)
class ConversationChanged:
    """What changed in one conversation since the reader last heard of it; it is stored already.

    The conversation itself may have changed as well (unread, title, state): ``refresh`` it.
    """

    conversation_id: GroupId
    orders: tuple[int, ...]
    """``Message.order`` of messages that are new, changed or gone, ascending, at most 1,000: ask
    ``Conversation.messages_at``. Those that it does not return are gone."""
    everything: bool
    """More changed than ``orders`` lists: read again what is shown."""
    receipts: bool
    """A device confirmed own messages, or somebody has read them: ``Message.state`` and ``read_by``
    of own messages may differ."""


class _Merged:
    """What a reader has not fetched of one conversation."""

    __slots__ = ("everything", "orders", "receipts")

    def __init__(self) -> None:
        self.orders: set[int] = set()
        self.everything = False
        self.receipts = False

    def add(self, order: int) -> int:
        """Add a row: of a message, or (0) of the conversation; return how many more wait."""
        if not order or self.everything:
            return 0
        before = len(self.orders)
        self.orders.add(order)
        if len(self.orders) > MAX_PAGE:
            self.give_up()
        return len(self.orders) - before

    def give_up(self) -> None:
        """List nothing any more: it is to be read again."""
        self.orders.clear()
        self.everything = True


class ChangeReader(AsyncIterator[ConversationChanged]):
    """One reader's view of the changes, from the moment it was made. Iterate over it."""

    __slots__ = ("_closed", "_hub", "_listed", "_merged", "_wakeup")

    def __init__(self, hub: "ChangeHub") -> None:
        self._hub = hub
        self._merged: dict[int, _Merged] = {}
        self._listed = 0
        self._wakeup: anyio.Event | None = None
        self._closed = False

    def __aiter__(self) -> "ChangeReader":
        return self

    async def __anext__(self) -> ConversationChanged:
        """Return the conversation that changed first, with all its changes until now."""
        while True:
            while self._merged:
                cid = next(iter(self._merged))
                merged = self._merged.pop(cid)
                self._listed -= len(merged.orders)
                uid = self._hub.name_of(cid)
                if uid is not None:
                    orders = tuple(sorted(merged.orders))
                    return ConversationChanged(uid, orders, merged.everything, merged.receipts)
            if self._closed:
                raise StopAsyncIteration
            self._wakeup = anyio.Event()
            await self._wakeup.wait()

    def close(self) -> None:
        """Stop listening. What waits can still be read."""
        self._closed = True
        self._hub.forget(self)
        self._wake()

    def put(self, ids: Iterable[int], confirmed: Iterable[int]) -> None:
        """Add row ids, and conversations whose own messages were confirmed; for the hub."""
        for one in ids:
            self._listed += self._of(one >> ORDER_BITS).add(one & _ORDER_MASK)
        if self._listed > MAX_LISTED:
            for merged in self._merged.values():
                if merged.orders:
                    merged.give_up()
            self._listed = 0
        for cid in confirmed:
            self._of(cid).receipts = True
        self._wake()

    def _of(self, cid: int) -> _Merged:
        merged = self._merged.get(cid)
        if merged is None:
            merged = self._merged[cid] = _Merged()
        return merged

    def _wake(self) -> None:
        if self._wakeup is not None:
            self._wakeup.set()
            self._wakeup = None


class ChangeHub:
    """Hands what committed jobs changed to every reader."""

    __slots__ = ("_cids", "_closed", "_find", "_readers", "_uids")

    def __init__(self, find: NameOf) -> None:
        """Names are asked for with ``find`` once per conversation."""
        self._find = find
        self._uids: dict[int, GroupId] = {}
        self._cids: dict[GroupId, int] = {}
        self._readers: list[ChangeReader] = []
        self._closed = False

    def reader(self) -> ChangeReader:
        """Return a new reader."""
        reader = ChangeReader(self)
        if self._closed:
            reader.close()
        else:
            self._readers.append(reader)
        return reader

    def committed(self, ids: Sequence[int], events: Sequence[Event]) -> None:
        """Tell of the rows that one job wrote, and of what it told the app."""
        if not self._readers or not (ids or events):
            return
        for one in ids:
            self.name_of(one >> ORDER_BITS)
        confirmed = [
            self._cids[event.conversation_id]
            for event in events
            if isinstance(event, Delivered | MessagesRead) and event.conversation_id in self._cids
        ]
        for reader in self._readers:
            reader.put(ids, confirmed)

    def name_of(self, cid: int) -> GroupId | None:
        """Return the id of a conversation."""
        known = self._uids.get(cid)
        if known is None:
            known = self._find(cid)
            if known is not None:
                self._uids[cid] = known
                self._cids[known] = cid
        return known

    def forget(self, reader: ChangeReader) -> None:
        """Stop handing changes to a reader."""
        if reader in self._readers:
            self._readers.remove(reader)

    def close(self) -> None:
        """End every iteration."""
        self._closed = True
        for reader in list(self._readers):
            reader.close()
