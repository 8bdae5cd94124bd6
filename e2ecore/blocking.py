"""The engine for scripts without async: every call waits, events are an ordinary iterator.

    with blocking.open("alice.db", passphrase="...", relay="wss://relay.example") as alice:
        chat = alice.direct(alice.find("bob"))
        alice.wait(chat.send("hello"))

One background thread runs the event loop. ``wait`` runs any coroutine of the asynchronous API there
and returns its result, so everything that API has is at hand; the verbs that scripts use most have
a method of their own.
"""

import os
from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Iterator, Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import Final, Self, TypeVar

from anyio.from_thread import BlockingPortal, start_blocking_portal

from e2ecore.engine import engine as shell
from e2ecore.engine.changes import ConversationChanged
from e2ecore.engine.contacts import Contact
from e2ecore.engine.conversation import Conversation
from e2ecore.engine.engine import Engine
from e2ecore.engine.events import Event
from e2ecore.engine.searching import SearchPage
from e2ecore.engine.values import Account, Message, MessageKind
from e2ecore.ids import AccountId
from e2ecore.storage.unlocking import Unlock
from e2ecore.transport.login import Dial

__all__ = ["BlockingEngine", "open"]

T = TypeVar("T")
BACKEND: Final = "trio"
"""The event loop of the background thread."""


class BlockingEngine:
    """An open engine, driven from ordinary threads. Made by ``open``."""

    def __init__(self, portal: BlockingPortal, engine: Engine, stack: ExitStack) -> None:
        self._portal = portal
        self._stack = stack
        self.engine = engine
        """The asynchronous engine: pass its coroutines to ``wait``."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the engine and end the background thread."""
        self._stack.__exit__(kind, error, trace)

    def wait(self, work: Coroutine[object, object, T]) -> T:
        """Run a coroutine of the asynchronous API and return its result."""

        async def run() -> T:
            return await work

        return self._portal.call(run)

    @property
    def account(self) -> Account | None:
        """This database's account; None before ``register``."""
        return self.engine.account

    def register(self, handle: str | None = None, display_name: str | None = None) -> Account:
        """As ``Engine.register``."""
        return self.wait(self.engine.register(handle, display_name))

    def caught_up(self) -> None:
        """As ``Engine.caught_up``."""
        self.wait(self.engine.caught_up())

    def find(self, handle: str) -> Contact:
        """As ``Contacts.find``."""
        return self.wait(self.engine.contacts.find(handle))

    def direct(self, contact: Contact) -> Conversation:
        """As ``Conversations.direct``."""
        return self.wait(self.engine.conversations.direct(contact))

    def create_group(self, title: str, contacts: Sequence[Contact]) -> Conversation:
        """As ``Conversations.create_group``."""
        return self.wait(self.engine.conversations.create_group(title, contacts))

    def conversations(self) -> list[Conversation]:
        """As ``Conversations.list``."""
        return self.wait(self.engine.conversations.list())

    def send(self, conversation: Conversation, text: str) -> None:
        """Send a text and wait until the relay has it."""

        async def run() -> None:
            await (await conversation.send(text)).accepted()

        self._portal.call(run)

    def messages(
        self,
        conversation: Conversation,
        before: int | None = None,
        limit: int = 50,
        *,
        after: int | None = None,
        around: int | None = None,
        at_ms: int | None = None,
    ) -> list[Message]:
        """As ``Conversation.messages``."""
        return self.wait(
            conversation.messages(before, limit, after=after, around=around, at_ms=at_ms)
        )

    def messages_at(self, conversation: Conversation, orders: Sequence[int]) -> list[Message]:
        """As ``Conversation.messages_at``."""
        return self.wait(conversation.messages_at(orders))

    def search(
        self,
        text: str,
        *,
        conversation: Conversation | None = None,
        sender: AccountId | None = None,
        after: int | None = None,
        before: int | None = None,
        kinds: Collection[MessageKind] | None = None,
        limit: int = 50,
        cursor: int | None = None,
    ) -> SearchPage:
        """As ``Engine.search``."""
        return self.wait(
            self.engine.search(
                text,
                conversation=conversation,
                sender=sender,
                after=after,
                before=before,
                kinds=kinds,
                limit=limit,
                cursor=cursor,
            )
        )

    def lock(self) -> None:
        """As ``Engine.lock``."""
        self.wait(self.engine.lock())

    def unlock(self, key: str | Unlock) -> None:
        """As ``Engine.unlock``."""
        self.wait(self.engine.unlock(key))

    def erase_account(self) -> None:
        """As ``Engine.erase_account``."""
        self.wait(self.engine.erase_account())

    def events(self) -> Iterator[Event]:
        """Iterate over what happens from now on; ends when the engine is closed."""
        return _Iterator(self._portal, self.engine.events)

    def changes(self) -> Iterator[ConversationChanged]:
        """Iterate over the rows of the history that change from now on; see ``Engine.changes``."""
        return _Iterator(self._portal, self.engine.changes)


class _Iterator(Iterator[T]):
    """Waits for each item in the background thread."""

    def __init__(self, portal: BlockingPortal, make: Callable[[], AsyncIterator[T]]) -> None:
        self._portal = portal
        self._reader = portal.call(make)

    def __next__(self) -> T:
        found = self._portal.call(self._next)
        if not found:
            raise StopIteration
        return found[0]

    async def _next(self) -> tuple[T, ...]:
        async for item in self._reader:
            return (item,)
        return ()


def open(  # noqa: A001 - scripts write blocking.open
    path: str | os.PathLike[str],
    *,
    passphrase: str | None = None,
    unlock: Unlock | None = None,
    relay: str | Dial | None = None,
    relay_ca: str | os.PathLike[str] | None = None,
    create: bool = True,
    fold_chinese: bool = False,
) -> BlockingEngine:
    """Open a database as ``e2ecore.open`` does. Use the result with ``with``.

    Args:
        path: The database file.
        passphrase: What opens it; or
        unlock: ... another key.
        relay: ``wss://host[:port]``; None: work offline.
        relay_ca: PEM file with the certificates to trust, for a relay with its own authority.
        create: Make the database if there is none.
        fold_chinese: Have searches take traditional and simplified characters for the same.
    """

    async def opened() -> Engine:
        return await shell.open(
            path,
            passphrase=passphrase,
            unlock=unlock,
            relay=relay,
            relay_ca=relay_ca,
            create=create,
            fold_chinese=fold_chinese,
        )

    with ExitStack() as stack:
        portal = stack.enter_context(start_blocking_portal(BACKEND))
        engine = portal.call(opened)
        stack.enter_context(portal.wrap_async_context_manager(engine))
        return BlockingEngine(portal, engine, stack.pop_all())
