"""The engine: one open database, one account, one connection."""

import os
import time
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

import anyio.to_thread
from anyio.abc import TaskGroup

from e2ecore.crypto.rng import Rng, system_rng
from e2ecore.crypto.suites import DEFAULT_SUITE, CipherSuite
from e2ecore.engine.account.consents import Consents
from e2ecore.engine.account.contacts import Contacts
from e2ecore.engine.account.my_data import MyData
from e2ecore.engine.account.names import check_display_name
from e2ecore.engine.account.registering import load_account, register, rename_account
from e2ecore.engine.account.settings import Settings
from e2ecore.engine.errors import NoRelayError
from e2ecore.engine.family.guardians import Guardians
from e2ecore.engine.family.youth import YouthMode
from e2ecore.engine.files.file_store import FileStore
from e2ecore.engine.keys import Keys
from e2ecore.engine.membership.committer import Committer
from e2ecore.engine.opening import chosen_suite, dial_of
from e2ecore.engine.own_devices.devices import Devices
from e2ecore.engine.own_devices.parting import part, refuse_parted
from e2ecore.engine.own_talk.siblings import hear_siblings
from e2ecore.engine.running import chores
from e2ecore.engine.running.changes import ChangeReader
from e2ecore.engine.running.core import Core
from e2ecore.engine.running.duties import CHORES
from e2ecore.engine.running.hub import EventReader
from e2ecore.engine.running.maintenance import check_new_key, one_key
from e2ecore.engine.talk.conversation import Conversation
from e2ecore.engine.talk.conversations import Conversations
from e2ecore.engine.talk.folding import chinese_fold
from e2ecore.engine.talk.searching import SearchPage, SearchStatus, filter_of, run_search, status
from e2ecore.engine.values import Account, ConnectionState, MessageKind
from e2ecore.ids import AccountId
from e2ecore.storage.database import Database, is_present
from e2ecore.storage.errors import DatabaseMissingError
from e2ecore.storage.search_tokens import NO_FOLD, Fold
from e2ecore.storage.unlocking import Unlock
from e2ecore.transport.login import Dial


def system_clock_ms() -> int:
    """Return milliseconds since the Unix epoch, by this machine's clock."""
    return time.time_ns() // 1_000_000


async def open(  # noqa: A001 - the app writes e2ecore.open
    path: str | os.PathLike[str],
    *,
    passphrase: str | None = None,
    unlock: Unlock | None = None,
    relay: str | Dial | None = None,
    relay_ca: str | os.PathLike[str] | None = None,
    create: bool = True,
    allow_plain_loopback: bool = False,
    suite: int = DEFAULT_SUITE.code,
    fold_chinese: bool = False,
    clock_ms: Callable[[], int] = system_clock_ms,
    rng: Rng = system_rng,
) -> "Engine":
    """Open a database, and make it if there is none. Use the result with ``async with``.

    Args:
        path: The database file. Beside it lie its key file, its log and its lock.
        passphrase: What opens it; or
        unlock: ... another key: ``RecoveryCode``, ``HostKey``, ``OsKeyring``. See ``Engine.keys``.
        relay: ``wss://host[:port]``, or what opens a channel (see ``e2ecore.testing``). None: work
            offline.
        relay_ca: PEM file with the certificates to trust, for a relay with its own authority.
        create: Make the database if there is none.
        allow_plain_loopback: Take ``ws://`` to this machine, for tests.
        suite: Cipher suite of new conversations, 0xF001, 1, 2 or 3; all members must know it.
        fold_chinese: Have searches take traditional and simplified characters for the same. Needs
            ``e2ecore[chinese]``. After a change the index is made anew in the background.
        clock_ms: Milliseconds since the Unix epoch.
        rng: Source of all randomness. Anything but the default is for tests.

    Raises:
        WrongKeyError: Nothing is damaged; ``WrongPassphraseError`` for a passphrase: ask again.
        KeyringUnavailableError: The system's keyring does not answer; use another key.
        KeyringEntryMissingError: It has lost its entry, or is another one; use another key.
        WeakPassphraseError: A new database needs a passphrase that is hard to guess.
        LastSlotError: A new database needs something else than the keyring alone.
        DatabaseMissingError: There is none, and ``create`` is false.
        DatabaseInUseError: Another process has it open.
        CorruptStateError: The file is damaged; sub-classes say how.
        DeviceErasedError: The owner has removed this device; what it held is erased now.
        BadRelayAddressError: The relay's address cannot be used.
        UnsupportedSuiteError: Conversations cannot be begun with this cipher suite.
        FoldingMissingError: ``fold_chinese`` without the library that knows the characters.
    """
    file, chosen, key = Path(path), chosen_suite(suite), one_key(passphrase, unlock)
    fold = chinese_fold() if fold_chinese else NO_FOLD

    def opened() -> Database:
        if create and not is_present(file):
            check_new_key(key)
            return Database.create(file, key, rng=rng)
        if not is_present(file):
            raise DatabaseMissingError
        found = Database.open(file, key)
        refuse_parted(found)
        return found

    dial = dial_of(relay, relay_ca, allow_plain_loopback=allow_plain_loopback)
    with anyio.CancelScope(shield=True):
        database = await anyio.to_thread.run_sync(opened)
    return Engine(database, dial, suite=chosen, fold=fold, clock_ms=clock_ms, rng=rng)


class Engine:
    """An open database with everything that works on it. Made by ``open``."""

    def __init__(
        self,
        database: Database,
        dial: Dial | None,
        *,
        suite: CipherSuite,
        fold: Fold = NO_FOLD,
        clock_ms: Callable[[], int],
        rng: Rng,
    ) -> None:
        self._make_core = partial(Core, dial=dial, suite=suite, clock_ms=clock_ms, rng=rng)
        self._fold = fold
        self._stack = AsyncExitStack()
        self._tasks: TaskGroup | None = None
        self._take(database)

    def _take(self, database: Database) -> None:
        """Begin with an open database; nothing of one before is left."""
        self._core = self._make_core(database)
        self._core.upkeep.fold = self._core.state.fold = self._fold
        self._core.account = database.readers.read(load_account)
        self._scope = anyio.CancelScope()
        self._ended: anyio.Event | None = None
        self._is_stopped = False
        self.contacts = Contacts(self._core)
        self.conversations = Conversations(self._core)
        self.my_data = MyData(self._core)
        """What is stored of this account: take it along, bring it in, see it."""
        self.settings = Settings(self._core)
        """What the app lets all devices of this account know."""
        self.consents = Consents(self._core)
        """What the person has agreed to; all else is off."""
        self.guardians = Guardians(self._core, self.conversations)
        """Children, and who decides for them."""
        self.youth_mode = YouthMode(self._core)
        self.devices = Devices(self._core)
        """The devices of this account."""
        self.files = FileStore(self._core)
        """Local copies of files."""
        self.keys = Keys(self._core)
        """What unlocks the database."""

    async def __aenter__(self) -> Self:
        """Start working: connect, hear what our other devices erased, send what waits, receive."""
        self._tasks = await self._stack.enter_async_context(anyio.create_task_group())
        self._stack.callback(self._tasks.cancel_scope.cancel)
        self._start(self._tasks)
        try:
            await hear_siblings(self._core)
        except BaseException as error:
            await self.__aexit__(type(error), error, None)
            raise
        return self

    def _start(self, tasks: TaskGroup) -> None:
        if self._core.account is not None:
            self._core.registered.set()
        self._ended = anyio.Event()
        self._core.upkeep.on_parting = self._scope.cancel
        tasks.start_soon(self._work, self._core, self._scope, self._ended)

    async def _work(self, core: Core, scope: anyio.CancelScope, ended: anyio.Event) -> None:
        """Run all tasks until the engine is closed, locked or its account erased."""
        try:
            with scope:
                async with anyio.create_task_group() as tasks:
                    for chore in CHORES:
                        tasks.start_soon(chores.keep_going, chore, core)
                    tasks.start_soon(Committer(core).run)
        finally:
            if core.upkeep.is_parting:
                await part(core)
                self._is_stopped = True
            ended.set()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool | None:
        """Close: stop the tasks, finish what was accepted, close the files."""
        core = self._core
        core.closed = True
        try:
            return await self._stack.__aexit__(kind, error, trace)
        except BaseExceptionGroup as group:
            if error is not None and group.split(lambda one: one is error)[1] is None:
                return False  # what the app raised goes on as it is
            raise
        finally:
            try:
                if not self._is_stopped:
                    await core.finish()
            finally:
                with anyio.CancelScope(shield=True):
                    await anyio.to_thread.run_sync(core.database.close)

    @property
    def account(self) -> Account | None:
        """This database's account; None before ``register``."""
        return self._core.account

    @property
    def connection(self) -> ConnectionState:
        """Where the connection to the relay is."""
        return self._core.connection

    def events(self) -> EventReader:
        """Return an asynchronous iterator over everything that happens from now on.

        The first reader also gets what happened between ``open`` and now. Everything is in the
        database as well; a reader that is too slow gets an ``EventsDropped`` and reads there.
        """
        return self._core.hub.reader()

    def changes(self) -> ChangeReader:
        """Return an asynchronous iterator over the rows of the history that change from now on.

        For a live view: what is not fetched yet is merged by conversation, so nothing is missed
        however slow the reader, and a burst of thousands of messages is one change. Make the
        reader first, then read what is to be shown.
        """
        return self._core.changes_hub.reader()

    async def register(self, handle: str | None = None, display_name: str | None = None) -> Account:
        """Make an account at the relay.

        May be repeated after a failure, with another handle too: the keys are made once. If the
        relay had heard of an earlier attempt, the handle of that one stays; see ``Account.handle``.

        Raises:
            BadHandleError: No handle looks like that.
            HandleTakenError: Somebody else has it.
            AlreadyRegisteredError: This database has an account.
            ClockSkewError: This machine's clock is wrong.
            TransientError: The relay was not reached.
        """
        core = self._core
        core.check_open()
        if core.dial is None:
            raise NoRelayError
        return await register(core, core.dial, handle, display_name)

    async def set_display_name(self, display_name: str) -> None:
        """Change what this account wants to be called, and tell all conversations.

        Args:
            display_name: At most 64 characters; empty: take the name back.

        Raises:
            NameTooLongError: It is longer.
            NotRegisteredError: There is no account yet.
        """
        check_display_name(display_name)
        core = self._core
        core.check_open()
        core.account = await core.jobs.run(lambda job: rename_account(job, display_name))

    async def search(
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
        """Find messages, the newest first. Complete at any time; without network.

        Args:
            text: Words or parts of sentences with white space between them; all have to occur.
                Words of scripts that put spaces between them are found by how they begin. Case
                and width do not matter, no character is an operator. At most 256 characters.
            conversation: Only in this one.
            sender: Only from this account.
            after: Only sent then or later, in milliseconds since the Unix epoch, by the sender's
                clock.
            before: Only sent earlier.
            kinds: Only of these kinds.
            limit: At most so many hits, up to 1,000.
            cursor: ``SearchPage.cursor`` of the page before.

        Raises:
            SearchTextError: The text is too long.
        """
        cid = 0 if conversation is None else conversation.local_number
        asked = filter_of(cid, sender or b"", after, before, kinds)
        return await run_search(self._core, text, asked, limit, cursor)

    async def search_status(self) -> SearchStatus:
        """Return how far the search index is."""
        self._core.check_open()
        return status(self._core)

    async def erase_account(self) -> None:
        """Erase this account from this device: its keys first, then its files. For good.

        The engine is closed then. A crash on the way leaves the account as it was, or erased. What
        others have, and what the relay keeps for them, stays.

        Raises:
            ReadOnlyError: The files may not be removed. The account is as it was.
            DiskError: The operating system could not do it. Open it again: it says what happened.
        """
        core = self._core
        core.check_open()
        with anyio.CancelScope(shield=True):
            await self._stop()
            await anyio.to_thread.run_sync(core.database.erase)

    async def lock(self) -> None:
        """Close the database and let go of its keys; ``unlock`` goes on.

        Until then every call says ``EngineLockedError``, nothing is received, and readers of events
        end. What the app itself has fetched, it has to forget itself; what Python keeps of freed
        memory, nobody can wipe.
        """
        core = self._core
        core.check_open()
        core.locked = True
        with anyio.CancelScope(shield=True):
            await self._stop()
            await anyio.to_thread.run_sync(core.database.close)

    async def unlock(self, key: str | Unlock) -> None:
        """Open the database again after ``lock``, or just make sure that a key opens it.

        Conversations, contacts and readers of events are to be fetched anew.

        Args:
            key: The passphrase, or another key.

        Raises:
            WrongKeyError: It stays locked; ``WrongPassphraseError`` for a passphrase.
            DatabaseInUseError: Another process has opened it meanwhile.
            EngineClosedError: The engine was closed.
        """
        if not self._core.locked:
            await self.keys.verify(key)
            return
        with anyio.CancelScope(shield=True):
            self._take(await anyio.to_thread.run_sync(self._core.database.reopen, key))
            if self._tasks is not None:
                self._start(self._tasks)
        await hear_siblings(self._core)

    async def _stop(self) -> None:
        """End all tasks, tell everybody, finish what was accepted."""
        core = self._core
        core.closed = True
        if self._ended is not None:
            self._scope.cancel()
            await self._ended.wait()
        if not self._is_stopped:
            await core.finish()
        self._is_stopped = True

    async def caught_up(self) -> None:
        """Wait until everything that waited at the relay when we connected is stored here.

        Raises:
            EngineClosedError: The engine was closed first.
        """
        self._core.check_open()
        await self._core.all_here.wait()

    async def reconnect(self) -> None:
        """Try to connect now, without waiting for the end of the pause."""
        self._core.reconnect_signal.set()

    def __aiter__(self) -> AsyncIterator[object]:
        """Iterate over ``events``."""
        return self.events()
