"""What a device of the story does with single messages. They are named by their words."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import e2ecore
from cli_demo.demo.values import BadLineError, Values

_LOOKED_AT: Final = 200
Remark = Callable[[e2ecore.Engine, e2ecore.Conversation, Values], Awaitable[dict[str, object]]]


async def _message(conversation: e2ecore.Conversation, words: str) -> e2ecore.Message:
    for one in reversed(await conversation.messages(limit=_LOOKED_AT)):
        if one.text == words:
            return one
    raise BadLineError(f"no message says {words!r}")


async def _reply(
    _engine: e2ecore.Engine, conversation: e2ecore.Conversation, request: Values
) -> dict[str, object]:
    about = await _message(conversation, request.text("about"))
    sent = await conversation.send_rich(request.text("text"), reply_to=about)
    await sent.accepted()
    return {}


async def _react(
    _engine: e2ecore.Engine, conversation: e2ecore.Conversation, request: Values
) -> dict[str, object]:
    about = await _message(conversation, request.text("about"))
    await (await conversation.react(about, request.text("sign"))).accepted()
    return {}


async def _edit(
    _engine: e2ecore.Engine, conversation: e2ecore.Conversation, request: Values
) -> dict[str, object]:
    about = await _message(conversation, request.text("about"))
    await (await conversation.edit(about, request.text("text"))).accepted()
    return {}


async def _recall(
    _engine: e2ecore.Engine, conversation: e2ecore.Conversation, request: Values
) -> dict[str, object]:
    about = await _message(conversation, request.text("about"))
    await (await conversation.recall(about)).accepted()
    return {}


async def _look(
    _engine: e2ecore.Engine, conversation: e2ecore.Conversation, request: Values
) -> dict[str, object]:
    """All that is known of a message."""
    found = await _message(conversation, request.text("about"))
    quote = found.reply
    return {
        "quoted": (quote.text or "") if quote is not None and quote.is_intact else "",
        "signs": [sign for one in found.reactions for sign in one.signs],
        "earlier": await conversation.earlier_texts(found),
    }


async def _search(
    engine: e2ecore.Engine, _conversation: e2ecore.Conversation, request: Values
) -> dict[str, object]:
    page = await engine.search(request.text("text"))
    return {"texts": [one.message.text for one in page.hits]}


async def _poll(
    _engine: e2ecore.Engine, conversation: e2ecore.Conversation, request: Values
) -> dict[str, object]:
    await (await conversation.ask(request.text("text"), request.texts("choices"))).accepted()
    return {}


async def _vote(
    _engine: e2ecore.Engine, conversation: e2ecore.Conversation, request: Values
) -> dict[str, object]:
    about = await _message(conversation, request.text("about"))
    await (await conversation.vote(about, [request.number("choice")])).accepted()
    return {}


async def _close(
    _engine: e2ecore.Engine, conversation: e2ecore.Conversation, request: Values
) -> dict[str, object]:
    about = await _message(conversation, request.text("about"))
    await (await conversation.close_poll(about)).accepted()
    return {}


async def _tally(
    engine: e2ecore.Engine, conversation: e2ecore.Conversation, request: Values
) -> dict[str, object]:
    """How a poll stands, as soon as so many votes are in one state."""
    changes = engine.changes()
    about = await _message(conversation, request.text("about"))
    while True:
        found = await conversation.poll(about)
        alike = [one for one in found.ballots if one.state.value == request.text("state")]
        if len(alike) >= request.number("count"):
            changes.close()
            return {"votes": list(found.votes)}
        await anext(changes)


REMARKS: Final[Mapping[str, Remark]] = {
    "reply": _reply,
    "react": _react,
    "edit": _edit,
    "recall": _recall,
    "look": _look,
    "search": _search,
    "poll": _poll,
    "vote": _vote,
    "close": _close,
    "tally": _tally,
}
"""By the storyteller's word."""


def report(event: e2ecore.Event) -> dict[str, object] | None:
    """What a device tells of others' remarks by itself; None: it is something else."""
    match event:
        case e2ecore.ReactionChanged(conversation_id=uid):
            return {"event": "reacted", "conversation": uid.hex()}
        case e2ecore.MessageEdited(conversation_id=uid):
            return {"event": "edited", "conversation": uid.hex()}
        case e2ecore.MessageRecalled(conversation_id=uid):
            return {"event": "recalled", "conversation": uid.hex()}
        case _:
            return None
