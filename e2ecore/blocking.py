"""The engine for scripts without async: every call waits, events are an ordinary iterator.

    with blocking.open("alice.db", passphrase="...", relay="wss://relay.example") as alice:
        chat = alice.direct(alice.find("bob"))
        alice.send(chat, "hello")

One background thread runs the event loop. Every call of the asynchronous API has a method here that
does the same and waits; those of contacts, conversations, sent messages and changes take the object
first. ``wait`` runs a coroutine of one's own.
"""

import os
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import AbstractContextManager, ExitStack
from types import TracebackType
from typing import Final, Self, TypeVar

from anyio.from_thread import BlockingPortal, start_blocking_portal

from e2ecore.engine import engine as shell
from e2ecore.engine.account.consents import Consents
from e2ecore.engine.account.contacts import Contact, Contacts
from e2ecore.engine.account.my_data import MyData
from e2ecore.engine.account.settings import Settings
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
from e2ecore.engine.waiting import at, of
from e2ecore.storage.unlocking import Unlock
from e2ecore.transport.login import Dial

__all__ = ["BlockingEngine", "open"]

T = TypeVar("T")
BACKEND: Final = "trio"
"""The event loop of the background thread."""


def _engine(engine: Engine) -> Engine:
    return engine


def _contacts(engine: Engine) -> Contacts:
    return engine.contacts


def _conversations(engine: Engine) -> Conversations:
    return engine.conversations


def _my_data(engine: Engine) -> MyData:
    return engine.my_data


def _settings(engine: Engine) -> Settings:
    return engine.settings


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

    register = at(_engine, Engine.register)
    caught_up = at(_engine, Engine.caught_up)
    reconnect = at(_engine, Engine.reconnect)
    set_display_name = at(_engine, Engine.set_display_name)
    search = at(_engine, Engine.search)
    search_status = at(_engine, Engine.search_status)
    lock = at(_engine, Engine.lock)
    unlock = at(_engine, Engine.unlock)
    erase_account = at(_engine, Engine.erase_account)

    find = at(_contacts, Contacts.find)
    contact = at(_contacts, Contacts.get)
    contacts = at(_contacts, Contacts.list)
    mark_verified = of(Contact.mark_verified)
    mark_unverified = of(Contact.mark_unverified)
    refresh_contact = of(Contact.refresh)
    compare_checkpoint = of(Contact.compare_checkpoint)
    block = of(Contact.block)
    unblock = of(Contact.unblock)
    set_contact_name = of(Contact.set_name)
    forget_contact = of(Contact.forget)

    direct = at(_conversations, Conversations.direct)
    create_group = at(_conversations, Conversations.create_group)
    conversation = at(_conversations, Conversations.get)
    conversations = at(_conversations, Conversations.list)

    messages = of(Conversation.messages)
    messages_at = of(Conversation.messages_at)
    messages_with_files = of(Conversation.messages_with_files)
    find_message = of(Conversation.find_message)
    refresh = of(Conversation.refresh)
    mark_read = of(Conversation.mark_read)
    send_many = of(Conversation.send_many)
    send_rich = of(Conversation.send_rich)
    forward = of(Conversation.forward)
    forward_files = of(Conversation.forward_files)
    share_contact = of(Conversation.share_contact)
    ask = of(Conversation.ask)
    vote = of(Conversation.vote)
    close_poll = of(Conversation.close_poll)
    poll = of(Conversation.poll)
    react = of(Conversation.react)
    edit = of(Conversation.edit)
    earlier_texts = of(Conversation.earlier_texts)
    recall = of(Conversation.recall)
    share_reading = of(Conversation.share_reading)
    typing = of(Conversation.typing)
    shares_reading = of(Conversation.shares_reading)
    delete_messages = of(Conversation.delete_messages)
    delete_before = of(Conversation.delete_before)
    clear = of(Conversation.clear)
    retention = of(Conversation.retention)
    set_retention = of(Conversation.set_retention)
    accepted = of(SentMessage.accepted)
    pin_message = of(Conversation.pin_message)
    unpin_message = of(Conversation.unpin_message)
    pinned_messages = of(Conversation.pinned_messages)
    revisions = of(Conversation.revisions)
    keeps_earlier_texts = of(Conversation.keeps_earlier_texts)
    keep_earlier_texts = of(Conversation.keep_earlier_texts)
    keep_all_earlier_texts = at(_my_data, MyData.keep_earlier_texts)
    keeps_all_earlier_texts = at(_my_data, MyData.keeps_earlier_texts)
    set_lifetime = of(Conversation.set_lifetime)
    set_draft = of(Conversation.set_draft)
    other_drafts = of(Conversation.other_drafts)
    send_draft = of(Conversation.send_draft)
    set_pinned = of(Conversation.set_pinned)
    set_archived = of(Conversation.set_archived)
    mute = of(Conversation.mute)
    unmute = of(Conversation.unmute)

    send_file = of(Conversation.send_file)
    send_files = of(Conversation.send_files)
    uploads = of(Conversation.uploads)
    sent = of(Upload.sent)
    pause = of(Upload.pause)
    resume = of(Upload.resume)
    cancel = of(Upload.cancel)
    download = of(Attachment.download)
    read_file = of(Attachment.read)
    file_status = of(Attachment.status)
    ask_again = of(Attachment.ask_again)
    upload_again = of(Attachment.upload_again)
    discard = of(Attachment.discard)
    files_size = at(_files, FileStore.size)
    files_limit = at(_files, FileStore.limit)
    set_files_limit = at(_files, FileStore.set_limit)

    members = of(Conversation.members)
    ready = of(Conversation.ready)
    add = of(Conversation.add)
    remove = of(Conversation.remove)
    leave = of(Conversation.leave)
    rename = of(Conversation.rename)
    set_role = of(Conversation.set_role)
    renew_keys = of(Conversation.renew_keys)
    applied = of(Change.applied)

    setting = at(_settings, Settings.get)
    settings = at(_settings, Settings.all)
    set_setting = at(_settings, Settings.set)
    remove_setting = at(_settings, Settings.remove)

    export = at(_my_data, MyData.export)
    import_file = at(_my_data, MyData.import_file)
    profile = at(_my_data, MyData.profile)

    consents = at(_consents, Consents.list)
    grant_consent = at(_consents, Consents.grant)
    withdraw_consent = at(_consents, Consents.withdraw)
    consent_in_force = at(_consents, Consents.in_force)
    consent_covers = at(_consents, Consents.covers)
    require_consent = at(_consents, Consents.require)
    consents_settled = at(_consents, Consents.settled)
    export_consents = at(_consents, Consents.export)
    own_devices = at(_devices, Devices.list)
    device_news = at(_devices, Devices.news)
    devices_seen = at(_devices, Devices.seen)
    remove_device = at(_devices, Devices.remove)
    give_history = at(_devices, Devices.give_history)
    history_transfers = at(_devices, Devices.history_transfers)
    stop_history = at(_devices, Devices.stop_history)
    link_joined = of(Linking.joined)
    confirm_link = of(Linking.confirm)
    refuse_link = of(Linking.refuse)
    join_finished = of(Joining.finished)
    minor_status = at(_guardians, Guardians.status)
    mark_minor = at(_guardians, Guardians.mark)
    invite_guardian = at(_guardians, Guardians.invite)
    guardian_bonds = at(_guardians, Guardians.bonds)
    accept_ward = at(_guardians, Guardians.accept)
    decline_ward = at(_guardians, Guardians.decline)
    ask_guardian = at(_guardians, Guardians.ask)
    guardian_requests = at(_guardians, Guardians.requests)
    approve_request = at(_guardians, Guardians.approve)
    refuse_request = at(_guardians, Guardians.refuse)
    take_back_approval = at(_guardians, Guardians.take_back)
    leave_bond = at(_guardians, Guardians.leave)
    release_ward = at(_guardians, Guardians.release)
    guardians_settled = at(_guardians, Guardians.settled)
    youth_status = at(_youth_mode, YouthMode.status)
    turn_youth_mode_on = at(_youth_mode, YouthMode.turn_on)
    turn_youth_mode_off = at(_youth_mode, YouthMode.turn_off)
    key_slots = at(_keys, Keys.list)
    verify_key = at(_keys, Keys.verify)
    change_passphrase = at(_keys, Keys.change_passphrase)
    add_recovery_code = at(_keys, Keys.add_recovery_code)
    add_keyring = at(_keys, Keys.add_keyring)
    add_host_key = at(_keys, Keys.add_host_key)
    remove_key = at(_keys, Keys.remove)

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
