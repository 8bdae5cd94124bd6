"""The engine for scripts without async: every call waits, events are an ordinary iterator.

    with blocking.open("alice.db", passphrase="...", relay="wss://relay.example") as alice:
        chat = alice.direct(alice.find("bob"))
        alice.send(chat, "hello")

One background thread runs the event loop. Every call of the asynchronous API has a method here that
does the same and waits; those of contacts, conversations, sent messages and changes take the object
first. ``wait`` runs a coroutine of one's own.
"""

import inspect
import os
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack
from types import TracebackType
from typing import Concatenate, Final, ParamSpec, Self, TypeVar

from anyio.from_thread import BlockingPortal, start_blocking_portal

from e2ecore.engine import engine as shell
from e2ecore.engine.account.consents import Consents
from e2ecore.engine.account.contacts import Contact, Contacts
from e2ecore.engine.account.my_data import MyData
from e2ecore.engine.engine import Engine
from e2ecore.engine.family.guardians import Guardians
from e2ecore.engine.family.youth import YouthMode
from e2ecore.engine.files.file_store import FileStore
from e2ecore.engine.files.file_values import Attachment
from e2ecore.engine.files.offering import Upload
from e2ecore.engine.keys import Keys
from e2ecore.engine.own_devices.arriving import Joining
from e2ecore.engine.own_devices.devices import Devices
from e2ecore.engine.own_devices.linking import Linking
from e2ecore.engine.running.changes import ConversationChanged
from e2ecore.engine.talk.conversation import Conversation
from e2ecore.engine.talk.conversations import Conversations
from e2ecore.engine.talk.handles import Change, SentMessage
from e2ecore.engine.telling.events import Event
from e2ecore.engine.values import Account
from e2ecore.storage.unlocking import Unlock
from e2ecore.transport.login import Dial

__all__ = ["BlockingEngine", "open"]

P = ParamSpec("P")
S = TypeVar("S")
T = TypeVar("T")
F = TypeVar("F")
BACKEND: Final = "trio"
"""The event loop of the background thread."""


def _of(
    method: Callable[Concatenate[S, P], Coroutine[object, object, T]],
) -> Callable[Concatenate["BlockingEngine", S, P], T]:
    """Return a method of a class as a method of the engine that takes the object, and waits."""

    def call(engine: "BlockingEngine", one: S, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return engine.wait(method(one, *args, **kwargs))

    itself, *others = inspect.signature(method).parameters.values()
    owner = _owner(method.__qualname__)
    named = itself.replace(name=owner.replace("SentMessage", "sent").lower(), annotation=owner)
    return _like(call, method, [itself, named, *others])


def _at(
    part: Callable[[Engine], S], method: Callable[Concatenate[S, P], Coroutine[object, object, T]]
) -> Callable[Concatenate["BlockingEngine", P], T]:
    """Return a method of the engine or a part of it as one that waits."""

    def call(engine: "BlockingEngine", /, *args: P.args, **kwargs: P.kwargs) -> T:
        return engine.wait(method(part(engine.engine), *args, **kwargs))

    return _like(call, method, inspect.signature(method).parameters.values())


def _like(call: F, method: Callable[P, object], parameters: Iterable[inspect.Parameter]) -> F:
    """Note what a call stands for, for readers and tests."""
    result = inspect.signature(method).return_annotation
    call.__doc__ = f"As ``{_owner(method.__qualname__)}.{method.__name__}``."
    call.__wrapped__ = method  # type: ignore[attr-defined] # as functools.wraps notes it
    call.__signature__ = inspect.Signature(  # type: ignore[attr-defined] # PEP 362
        list(parameters), return_annotation=result
    )
    return call


def _owner(qualified: str) -> str:
    """Return the public class of a method; some are parts of ``Conversation``."""
    name = qualified.partition(".")[0]
    return (
        "Conversation"
        if name in {"Talk", "Sharing", "Polling", "Pinned", "Arranged", "Kept"}
        else name
    )


def _engine(engine: Engine) -> Engine:
    return engine


def _contacts(engine: Engine) -> Contacts:
    return engine.contacts


def _conversations(engine: Engine) -> Conversations:
    return engine.conversations


def _my_data(engine: Engine) -> MyData:
    return engine.my_data


def _consents(engine: Engine) -> Consents:
    return engine.consents


def _devices(engine: Engine) -> Devices:
    return engine.devices


def _files(engine: Engine) -> FileStore:
    return engine.files


def _guardians(engine: Engine) -> Guardians:
    return engine.guardians


def _youth_mode(engine: Engine) -> YouthMode:
    return engine.youth_mode


def _keys(engine: Engine) -> Keys:
    return engine.keys


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

    def send(self, conversation: Conversation, text: str) -> None:
        """Send a text and wait until the relay has it."""

        async def run() -> None:
            await (await conversation.send(text)).accepted()

        self._portal.call(run)

    register = _at(_engine, Engine.register)
    caught_up = _at(_engine, Engine.caught_up)
    reconnect = _at(_engine, Engine.reconnect)
    set_display_name = _at(_engine, Engine.set_display_name)
    search = _at(_engine, Engine.search)
    search_status = _at(_engine, Engine.search_status)
    lock = _at(_engine, Engine.lock)
    unlock = _at(_engine, Engine.unlock)
    erase_account = _at(_engine, Engine.erase_account)

    find = _at(_contacts, Contacts.find)
    contact = _at(_contacts, Contacts.get)
    contacts = _at(_contacts, Contacts.list)
    mark_verified = _of(Contact.mark_verified)
    mark_unverified = _of(Contact.mark_unverified)
    refresh_contact = _of(Contact.refresh)
    compare_checkpoint = _of(Contact.compare_checkpoint)
    block = _of(Contact.block)
    unblock = _of(Contact.unblock)

    direct = _at(_conversations, Conversations.direct)
    create_group = _at(_conversations, Conversations.create_group)
    conversation = _at(_conversations, Conversations.get)
    conversations = _at(_conversations, Conversations.list)

    messages = _of(Conversation.messages)
    messages_at = _of(Conversation.messages_at)
    messages_with_files = _of(Conversation.messages_with_files)
    find_message = _of(Conversation.find_message)
    refresh = _of(Conversation.refresh)
    mark_read = _of(Conversation.mark_read)
    send_many = _of(Conversation.send_many)
    send_rich = _of(Conversation.send_rich)
    forward = _of(Conversation.forward)
    forward_files = _of(Conversation.forward_files)
    share_contact = _of(Conversation.share_contact)
    ask = _of(Conversation.ask)
    vote = _of(Conversation.vote)
    close_poll = _of(Conversation.close_poll)
    poll = _of(Conversation.poll)
    react = _of(Conversation.react)
    edit = _of(Conversation.edit)
    earlier_texts = _of(Conversation.earlier_texts)
    recall = _of(Conversation.recall)
    share_reading = _of(Conversation.share_reading)
    typing = _of(Conversation.typing)
    shares_reading = _of(Conversation.shares_reading)
    delete_messages = _of(Conversation.delete_messages)
    delete_before = _of(Conversation.delete_before)
    clear = _of(Conversation.clear)
    retention = _of(Conversation.retention)
    set_retention = _of(Conversation.set_retention)
    accepted = _of(SentMessage.accepted)
    pin_message = _of(Conversation.pin_message)
    unpin_message = _of(Conversation.unpin_message)
    pinned_messages = _of(Conversation.pinned_messages)
    revisions = _of(Conversation.revisions)
    keeps_earlier_texts = _of(Conversation.keeps_earlier_texts)
    keep_earlier_texts = _of(Conversation.keep_earlier_texts)
    keep_all_earlier_texts = _at(_my_data, MyData.keep_earlier_texts)
    keeps_all_earlier_texts = _at(_my_data, MyData.keeps_earlier_texts)
    set_lifetime = _of(Conversation.set_lifetime)
    set_draft = _of(Conversation.set_draft)
    other_drafts = _of(Conversation.other_drafts)
    send_draft = _of(Conversation.send_draft)
    set_pinned = _of(Conversation.set_pinned)
    set_archived = _of(Conversation.set_archived)
    mute = _of(Conversation.mute)
    unmute = _of(Conversation.unmute)

    send_file = _of(Conversation.send_file)
    send_files = _of(Conversation.send_files)
    uploads = _of(Conversation.uploads)
    sent = _of(Upload.sent)
    pause = _of(Upload.pause)
    resume = _of(Upload.resume)
    cancel = _of(Upload.cancel)
    download = _of(Attachment.download)
    read_file = _of(Attachment.read)
    file_status = _of(Attachment.status)
    ask_again = _of(Attachment.ask_again)
    upload_again = _of(Attachment.upload_again)
    discard = _of(Attachment.discard)
    files_size = _at(_files, FileStore.size)
    files_limit = _at(_files, FileStore.limit)
    set_files_limit = _at(_files, FileStore.set_limit)

    members = _of(Conversation.members)
    ready = _of(Conversation.ready)
    add = _of(Conversation.add)
    remove = _of(Conversation.remove)
    leave = _of(Conversation.leave)
    rename = _of(Conversation.rename)
    set_role = _of(Conversation.set_role)
    renew_keys = _of(Conversation.renew_keys)
    applied = _of(Change.applied)

    export = _at(_my_data, MyData.export)
    import_file = _at(_my_data, MyData.import_file)
    profile = _at(_my_data, MyData.profile)

    consents = _at(_consents, Consents.list)
    grant_consent = _at(_consents, Consents.grant)
    withdraw_consent = _at(_consents, Consents.withdraw)
    consent_in_force = _at(_consents, Consents.in_force)
    consent_covers = _at(_consents, Consents.covers)
    require_consent = _at(_consents, Consents.require)
    consents_settled = _at(_consents, Consents.settled)
    export_consents = _at(_consents, Consents.export)
    own_devices = _at(_devices, Devices.list)
    device_news = _at(_devices, Devices.news)
    devices_seen = _at(_devices, Devices.seen)
    remove_device = _at(_devices, Devices.remove)
    give_history = _at(_devices, Devices.give_history)
    history_transfers = _at(_devices, Devices.history_transfers)
    stop_history = _at(_devices, Devices.stop_history)
    link_joined = _of(Linking.joined)
    confirm_link = _of(Linking.confirm)
    refuse_link = _of(Linking.refuse)
    join_finished = _of(Joining.finished)
    minor_status = _at(_guardians, Guardians.status)
    mark_minor = _at(_guardians, Guardians.mark)
    invite_guardian = _at(_guardians, Guardians.invite)
    guardian_bonds = _at(_guardians, Guardians.bonds)
    accept_ward = _at(_guardians, Guardians.accept)
    decline_ward = _at(_guardians, Guardians.decline)
    ask_guardian = _at(_guardians, Guardians.ask)
    guardian_requests = _at(_guardians, Guardians.requests)
    approve_request = _at(_guardians, Guardians.approve)
    refuse_request = _at(_guardians, Guardians.refuse)
    take_back_approval = _at(_guardians, Guardians.take_back)
    leave_bond = _at(_guardians, Guardians.leave)
    release_ward = _at(_guardians, Guardians.release)
    guardians_settled = _at(_guardians, Guardians.settled)
    youth_status = _at(_youth_mode, YouthMode.status)
    turn_youth_mode_on = _at(_youth_mode, YouthMode.turn_on)
    turn_youth_mode_off = _at(_youth_mode, YouthMode.turn_off)
    key_slots = _at(_keys, Keys.list)
    verify_key = _at(_keys, Keys.verify)
    change_passphrase = _at(_keys, Keys.change_passphrase)
    add_recovery_code = _at(_keys, Keys.add_recovery_code)
    add_keyring = _at(_keys, Keys.add_keyring)
    add_host_key = _at(_keys, Keys.add_host_key)
    remove_key = _at(_keys, Keys.remove)

    def link_device(self) -> AbstractContextManager[Linking]:
        """Show a code by which another device comes to this account; see ``Devices.link``."""
        return self._portal.wrap_async_context_manager(self.engine.devices.link())

    def join_account(self, code: str) -> AbstractContextManager[Joining]:
        """Bring this device to the account of another one; see ``Devices.join``."""
        return self._portal.wrap_async_context_manager(self.engine.devices.join(code))

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
