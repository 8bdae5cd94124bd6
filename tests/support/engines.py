"""Short words for the scenarios: wait for an event, collect texts, compare groups."""

from collections.abc import Iterable
from typing import TypeVar

import anyio

import e2ecore
from e2ecore import Conversation, Engine, Event, EventReader, Message
from e2ecore.engine.running.job import Job

E = TypeVar("E", bound=Event)
PATIENCE_S = 120
"""Only ever waited in full by a test that fails."""


async def until(reader: EventReader, kind: type[E]) -> E:
    """Return the next event of a kind; fail if none comes."""
    with anyio.fail_after(PATIENCE_S):
        async for event in reader:
            if isinstance(event, kind):
                return event
    raise AssertionError("the engine was closed")


async def texts(reader: EventReader, count: int) -> list[str]:
    """Return the texts of the next messages received."""
    return [(await until(reader, e2ecore.MessageReceived)).message.text for _ in range(count)]


async def history(conversation: Conversation) -> list[str]:
    """Return all texts of a conversation."""
    return [one.text for one in await said(conversation)]


async def said(conversation: Conversation) -> list[Message]:
    """Return what people have written in a conversation, without notices."""
    every = page = await conversation.messages(limit=1000)
    while len(page) == 1000:
        page = await conversation.messages(page[0].order, limit=1000)
        every = [*page, *every]
    return [one for one in every if one.kind is not e2ecore.MessageKind.NOTICE]


async def group_of(engines: Iterable[Engine], title: str = "team") -> list[Conversation]:
    """Make the first engine's group with all others; return everybody's view of it."""
    first, *others = engines
    contacts = [await first.contacts.find(handle_of(one)) for one in others]
    group = await first.conversations.create_group(title, contacts)
    with anyio.fail_after(PATIENCE_S):
        await group.ready()
    return [group, *[await same(one, group) for one in others]]


async def pair(alice: Engine, bob: Engine) -> tuple[Conversation, Conversation]:
    """Begin the direct conversation of two people; return both views."""
    contact = await alice.contacts.find(handle_of(bob))
    chat = await alice.conversations.direct(contact)
    with anyio.fail_after(PATIENCE_S):
        await chat.ready()
    return chat, await same(bob, chat)


async def same(engine: Engine, conversation: Conversation) -> Conversation:
    """Wait for a conversation to appear at somebody else's."""
    with anyio.fail_after(PATIENCE_S):
        while True:
            try:
                return await engine.conversations.get(conversation.conversation_id)
            except e2ecore.UnknownConversationError:
                await anyio.sleep(0.005)


async def epoch_reached(conversation: Conversation, epoch: int) -> None:
    """Wait until a device has come to an epoch."""
    with anyio.fail_after(PATIENCE_S):
        while conversation.epoch < epoch:
            await anyio.sleep(0.005)
            await conversation.refresh()


def handle_of(engine: Engine) -> str:
    """Return an engine's handle."""
    assert engine.account is not None
    assert engine.account.handle is not None
    return engine.account.handle


async def authenticator(engine: Engine, conversation: Conversation) -> bytes:
    """Return the epoch authenticator: equal exactly where two members are in the same state."""
    core = engine._core
    uid = conversation.conversation_id

    def work(job: Job) -> bytes:
        mirror = core.state.find(job.tx, uid)
        assert mirror is not None
        assert mirror.group is not None
        return mirror.group.epoch_authenticator

    return await core.jobs.run(work)


async def agree(engine: Engine, purpose: e2ecore.Purpose) -> e2ecore.Consent:
    """Consent to something, as a person does who was shown the notice."""
    return await engine.consents.grant(
        e2ecore.shipped_notice(purpose),
        controller=e2ecore.Controller("The Operator", "privacy@relay.example"),
    )
