"""One device of the story, in a process of its own: told what to do by JSON lines, and answers so.

Nothing secret is on its command line; the passphrase comes with the first line.
"""

import sys
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Final

import anyio
from anyio.abc import TaskGroup

import e2ecore
from cli_demo.demo.remarks import REMARKS, report
from cli_demo.demo.values import BadLineError, Values
from cli_demo.exits import explain
from cli_demo.naming import Names

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

_PAGE: Final = 500


def now_ns() -> int:
    """A clock that all processes of one machine share."""
    return time.perf_counter_ns()


def say(fields: dict[str, object]) -> None:
    """Write one line to the storyteller."""
    sys.stdout.buffer.write(Values(fields).encode())
    sys.stdout.buffer.flush()


class Device:
    """Carries out one line after the other. One method per word of the storyteller."""

    def __init__(self, tasks: TaskGroup) -> None:
        self._tasks = tasks
        self._stack = AsyncExitStack()
        self._opened: e2ecore.Engine | None = None
        self._words: dict[str, Callable[[Values], Awaitable[dict[str, object]]]] = {
            "open": self._open,
            "register": self._register,
            "safety": self._safety,
            "verify": self._verify,
            "trust": self._trust,
            "direct": self._direct,
            "group": self._group,
            "send": self._send,
            "send_many": self._send_many,
            "burst": self._burst,
            "read": self._read,
            "members": self._members,
            "remove": self._remove,
            "settle": self._settle,
        }

    @property
    def _engine(self) -> e2ecore.Engine:
        if self._opened is None:
            raise BadLineError("open comes first")
        return self._opened

    async def run(self) -> None:
        """Work until told to quit, or until the storyteller is gone."""
        async with self._stack:
            while line := await anyio.to_thread.run_sync(
                sys.stdin.buffer.readline, abandon_on_cancel=True
            ):
                request = Values.decode(line)
                if request.text("do") == "quit":
                    return
                await self._answer(request)

    async def _answer(self, request: Values) -> None:
        answer: dict[str, object] = {"id": request.number("id"), "begun_ns": now_ns()}
        word = request.text("do")
        try:
            if word in REMARKS:
                conversation = await self._conversation(request)
                answer.update(await REMARKS[word](self._engine, conversation, request))
            else:
                answer.update(await self._words[word](request))
            answer["ok"] = True
        except (e2ecore.E2EError, BadLineError) as error:
            answer.update(ok=False, error=explain(error), kind=type(error).__name__)
        say(answer)

    # -- account and contacts --------------------------------------------------------------------

    async def _open(self, request: Values) -> dict[str, object]:
        path = Path(request.text("db"))
        engine = await e2ecore.open(
            path,
            passphrase=request.text("passphrase"),
            relay=request.text("relay"),
            relay_ca=Path(request.text("ca")),
        )
        self._opened = await self._stack.enter_async_context(engine)
        self._tasks.start_soon(self._report, self._opened.events())
        opened_ns = now_ns()
        if engine.account is not None:
            await engine.caught_up()
        return {"opened_ns": opened_ns}

    async def _register(self, request: Values) -> dict[str, object]:
        account = await self._engine.register(request.text("handle"))
        return {"account": account.account_id.hex()}

    async def _safety(self, request: Values) -> dict[str, object]:
        contact = await self._engine.contacts.find(request.text("handle"))
        return {"digits": contact.safety_number().digits}

    async def _verify(self, request: Values) -> dict[str, object]:
        contact = await self._engine.contacts.find(request.text("handle"))
        await contact.mark_verified()
        return {}

    async def _trust(self, request: Values) -> dict[str, object]:
        contact = await self._engine.contacts.find(request.text("handle"))
        return {"trust": contact.verification.value}

    # -- conversations ---------------------------------------------------------------------------

    async def _direct(self, request: Values) -> dict[str, object]:
        contact = await self._engine.contacts.find(request.text("handle"))
        conversation = await self._engine.conversations.direct(contact)
        await conversation.ready()
        return {"conversation": conversation.conversation_id.hex()}

    async def _group(self, request: Values) -> dict[str, object]:
        contacts = [await self._engine.contacts.find(one) for one in request.texts("handles")]
        conversation = await self._engine.conversations.create_group(
            request.text("title"), contacts
        )
        await conversation.ready()
        return {"conversation": conversation.conversation_id.hex()}

    async def _conversation(self, request: Values) -> e2ecore.Conversation:
        uid = e2ecore.GroupId(bytes.fromhex(request.text("conversation")))
        return await self._engine.conversations.get(uid)

    async def _send(self, request: Values) -> dict[str, object]:
        sent = await (await self._conversation(request)).send(request.text("text"))
        await sent.accepted()
        return {"accepted_ns": now_ns()}

    async def _send_many(self, request: Values) -> dict[str, object]:
        conversation = await self._conversation(request)
        for sent in await conversation.send_many(request.texts("texts")):
            await sent.accepted()
        return {"accepted_ns": now_ns()}

    async def _burst(self, request: Values) -> dict[str, object]:
        """Send one text after the other, and tell after each that it is safe."""
        conversation = await self._conversation(request)
        texts = request.texts("texts")
        for number, text in enumerate(texts, 1):
            await conversation.send(text)
            say({"event": "stored", "upto": number})
        return {}

    async def _read(self, request: Values) -> dict[str, object]:
        conversation = await self._conversation(request)
        messages: list[e2ecore.Message] = []
        before: int | None = None
        while page := await conversation.messages(before=before, limit=_PAGE):
            messages[:0] = [one for one in page if one.notice is None]
            before = page[0].order
        names = Names(self._engine)
        said = [one for one in messages if one.kind is not e2ecore.MessageKind.NOTICE]
        return {
            "authors": [await names.of(one.sender) for one in said],
            "texts": [one.text for one in said],
        }

    async def _members(self, request: Values) -> dict[str, object]:
        names = Names(self._engine)
        members = await (await self._conversation(request)).members()
        return {"handles": [await names.of(one.account_id) for one in members]}

    async def _remove(self, request: Values) -> dict[str, object]:
        contact = await self._engine.contacts.find(request.text("handle"))
        change = await (await self._conversation(request)).remove(contact)
        await change.applied()
        return {}

    async def _settle(self, request: Values) -> dict[str, object]:  # noqa: ARG002
        await self._engine.caught_up()
        return {}

    # -- what happens by itself ------------------------------------------------------------------

    async def _report(self, reader: e2ecore.EventReader) -> None:
        names = Names(self._engine)
        async for event in reader:
            match event:
                case e2ecore.MessageReceived(conversation_id=uid, message=message):
                    say(
                        {
                            "event": "message",
                            "conversation": uid.hex(),
                            "from": await names.of(message.sender),
                            "text": message.text,
                            "at_ns": now_ns(),
                        }
                    )
                case e2ecore.ConversationAdded(conversation_id=uid):
                    say({"event": "added", "conversation": uid.hex()})
                case e2ecore.RemovedFromConversation(conversation_id=uid):
                    say({"event": "removed", "conversation": uid.hex()})
                case e2ecore.CaughtUp():
                    say({"event": "caught_up", "at_ns": now_ns()})
                case _:
                    told = report(event)
                    if told is not None:
                        say(told)


async def serve() -> None:
    """Be a device until the storyteller says quit."""
    async with anyio.create_task_group() as tasks:
        await Device(tasks).run()
        tasks.cancel_scope.cancel()


if __name__ == "__main__":
    anyio.run(serve, backend="trio")
