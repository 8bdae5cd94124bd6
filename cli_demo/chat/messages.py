"""The messages of conversations, as the screens see them and act upon them."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import e2ecore
from cli_demo import polls
from cli_demo.chat.ballot import Asked
from cli_demo.chat.files import Files
from cli_demo.happenings import told
from cli_demo.naming import Names
from cli_demo.views import Kind, Mark, MessageView, PollView, QuoteView, SignView
from cli_demo.words import quoted

PAGE: Final = 60
"""Messages fetched at once."""
MOST: Final = 1_000
"""Messages fetched at once at most: the engine's limit."""
_MARKS: Final = {
    e2ecore.MessageState.RECEIVED: Mark.RECEIVED,
    e2ecore.MessageState.QUEUED: Mark.QUEUED,
    e2ecore.MessageState.ACCEPTED: Mark.ACCEPTED,
    e2ecore.MessageState.DELIVERED: Mark.DELIVERED,
    e2ecore.MessageState.FAILED: Mark.FAILED,
}
_KINDS: Final = {
    e2ecore.MessageKind.TEXT: Kind.TEXT,
    e2ecore.MessageKind.FILES: Kind.FILES,
    e2ecore.MessageKind.RECALLED: Kind.RECALLED,
    e2ecore.MessageKind.CARD: Kind.CARD,
    e2ecore.MessageKind.POLL: Kind.POLL,
}
_MAX_MENTIONS: Final = 100
"""The protocol's limit for one text; further names are just words."""
_MENTION: Final = re.compile(r"(?<![\w@.])@([a-z][a-z0-9_.]{2,31})")


def mentions_in(
    text: str, members: Sequence[tuple[str, e2ecore.AccountId]]
) -> list[e2ecore.Mention]:
    """The members whose handles stand in a text behind an ``@``."""
    ids = dict(members)
    found: list[e2ecore.Mention] = []
    for match in _MENTION.finditer(text):
        name = match[1] if match[1] in ids else match[1].rstrip(".")
        if name in ids:
            found.append(e2ecore.Mention(ids[name], match.start(), len(name) + 1))
    return found[:_MAX_MENTIONS]


def _text(message: e2ecore.Message) -> str:
    """The words of a message, as they stand in the history."""
    return message.text if message.poll is None else message.poll.question


class Messages:
    """Fetches messages as views, and does what can be done with one."""

    def __init__(self, engine: e2ecore.Engine, names: Names) -> None:
        self._engine = engine
        self._names = names
        self.files: Final = Files(engine)

    # -- reading ---------------------------------------------------------------------------------

    async def newest(self, uid: str, limit: int = PAGE) -> list[MessageView]:
        """The end of the history, oldest first."""
        conversation = await self._get(uid)
        return await self._views(conversation, await conversation.messages(limit=limit))

    async def before(self, uid: str, order: int) -> list[MessageView]:
        """The page above a place, oldest first; empty at the beginning."""
        conversation = await self._get(uid)
        found = await conversation.messages(before=order, limit=PAGE)
        return await self._views(conversation, found)

    async def after(self, uid: str, order: int, limit: int = PAGE) -> list[MessageView]:
        """The page below a place, oldest first; empty at the end."""
        conversation = await self._get(uid)
        found = await conversation.messages(after=order, limit=limit)
        return await self._views(conversation, found)

    async def around(self, uid: str, order: int) -> list[MessageView]:
        """The page with a place in its middle."""
        conversation = await self._get(uid)
        found = await conversation.messages(around=order, limit=PAGE)
        return await self._views(conversation, found)

    async def pinned(self, uid: str) -> list[MessageView]:
        """The pinned messages, the one pinned last first."""
        conversation = await self._get(uid)
        return await self._views(conversation, await conversation.pinned_messages())

    async def place_of(self, uid: str, time_ms: int) -> int | None:
        """The place of the first message sent at a time or later; None: there is none."""
        page = await (await self._get(uid)).messages(at_ms=time_ms, limit=PAGE)
        return next((one.order for one in page if one.sent_ms >= time_ms), None)

    async def at(self, uid: str, orders: Sequence[int]) -> list[MessageView]:
        """Those of these messages that still exist; of more than ``MOST``, the newest."""
        if not orders:
            return []
        conversation = await self._get(uid)
        found = await conversation.messages_at(sorted(orders)[-MOST:])
        return await self._views(conversation, found)

    async def _views(
        self, conversation: e2ecore.Conversation, messages: Sequence[e2ecore.Message]
    ) -> list[MessageView]:
        pinned = {one.order for one in await conversation.pinned_messages()}
        views = [await self._view(conversation, one) for one in messages]
        return [replace(one, pinned=True) if one.order in pinned else one for one in views]

    async def happened(self, notice: e2ecore.Notice) -> str:
        """A line of the history that nobody wrote."""
        return await told(notice, self._names)

    async def _view(
        self, conversation: e2ecore.Conversation, message: e2ecore.Message
    ) -> MessageView:
        if message.notice is not None:
            return MessageView(
                key=message.message_id.hex(),
                author="",
                text=await self.happened(message.notice),
                time_ms=message.stored_ms,
                mark=Mark.RECEIVED,
                notice=True,
                order=message.order,
            )
        return MessageView(
            key=message.message_id.hex(),
            author=await self._names.of(message.sender),
            text=_text(message),
            time_ms=message.stored_ms if message.mine else message.sent_ms,
            mark=_MARKS[message.state],
            order=message.order,
            kind=_KINDS.get(message.kind, Kind.UNKNOWN),
            quote=await self._quote(message.reply) if message.reply else None,
            named=await self._named(message) if message.mentions else (),
            names_us=any(one.account_id == self._own for one in message.mentions),
            signs=await self._signs(message.reactions) if message.reactions else (),
            forwards=message.forwards,
            edited=message.edited_ms is not None,
            until_ms=message.stored_ms + message.lifetime_s * 1000 if message.lifetime_s else 0,
            readers=tuple([await self._names.of(one) for one in message.read_by]),
            counter=message.counter,
            account=message.card.account_id if message.card else b"",
            poll=await self._poll(conversation, message) if message.poll else None,
            files=tuple(map(self.files.view, message.attachments)),
        )

    @property
    def _own(self) -> bytes:
        return self._names.own

    async def _poll(
        self, conversation: e2ecore.Conversation, message: e2ecore.Message
    ) -> PollView | None:
        """How a poll stands; None: it was erased just now."""
        try:
            return await polls.view(await conversation.poll(message), self._names)
        except e2ecore.MessageGoneError:
            return None

    async def _quote(self, quote: e2ecore.Quote) -> QuoteView:
        author = await self._names.of(quote.author)
        text = None if quote.text is None else quoted(quote)
        return QuoteView(author, text, quote.order, quote.is_intact)

    async def _named(self, message: e2ecore.Message) -> tuple[str, ...]:
        """The words that name members, where they are what these members are called."""
        found = {message.text[one.start : one.start + one.length] for one in message.mentions}
        names = {await self._names.handle_of(one.account_id) for one in message.mentions}
        return tuple(sorted(one for one in found if one.removeprefix("@") in names))

    async def _signs(self, reactions: Sequence[e2ecore.Reaction]) -> tuple[SignView, ...]:
        counts = Counter(sign for one in reactions for sign in one.signs)
        found = []
        for sign, _ in counts.most_common():
            who = [one.account_id for one in reactions if sign in one.signs]
            names = tuple([await self._names.of(one) for one in who])
            found.append(SignView(sign, names, self._own in who))
        return tuple(found)

    async def _get(self, uid: str) -> e2ecore.Conversation:
        return await self._engine.conversations.get(e2ecore.GroupId(bytes.fromhex(uid)))

    # -- doing -----------------------------------------------------------------------------------

    async def send(self, uid: str, text: str, *, answer_to: int | None = None) -> None:
        """Returns when the text is safe on this device."""
        conversation = await self._get(uid)
        mentions = await self._mentions(conversation, text)
        if mentions or answer_to is not None:
            await conversation.send_rich(text, reply_to=answer_to, mentions=mentions)
        else:
            await conversation.send(text)

    async def edit(self, uid: str, order: int, text: str) -> None:
        """Put an own message in other words."""
        conversation = await self._get(uid)
        await conversation.edit(order, text, await self._mentions(conversation, text))

    @staticmethod
    async def _mentions(conversation: e2ecore.Conversation, text: str) -> list[e2ecore.Mention]:
        if "@" not in text:
            return []
        members = await conversation.members()
        return mentions_in(text, [(one.handle, one.account_id) for one in members if one.handle])

    async def react(self, uid: str, order: int, signs: Sequence[str]) -> None:
        """Say what we think of a message, instead of what we said before."""
        await (await self._get(uid)).react(order, *signs)

    async def recall(self, uid: str, order: int) -> None:
        """Have everybody erase an own message."""
        await (await self._get(uid)).recall(order)

    async def delete(self, uid: str, order: int) -> None:
        """Erase a message from this device."""
        await (await self._get(uid)).delete_messages([order])

    async def forward(self, uid: str, order: int, to: str) -> None:
        """Send a text of one conversation to another one."""
        found = await (await self._get(uid)).messages_at([order])
        if not found:
            raise e2ecore.MessageGoneError
        await (await self._get(to)).forward(found[0])

    async def ask(self, uid: str, poll: Asked) -> None:
        """Begin a poll."""
        conversation = await self._get(uid)
        await conversation.ask(
            poll.question, poll.choices, max_choices=poll.most, closes_ms=poll.closes_ms
        )

    async def vote(self, uid: str, order: int, choices: Sequence[int]) -> None:
        """Vote on a poll; no choice takes the vote back."""
        await (await self._get(uid)).vote(order, choices)

    async def close(self, uid: str, order: int) -> None:
        """Close a poll."""
        await (await self._get(uid)).close_poll(order)

    async def pin(self, uid: str, order: int, *, on: bool) -> None:
        """Have all see a message among the pinned ones, or not any more."""
        conversation = await self._get(uid)
        await (conversation.pin_message(order) if on else conversation.unpin_message(order))

    async def earlier(self, uid: str, order: int) -> list[str]:
        """What an edited message said before, the first words first."""
        return await (await self._get(uid)).earlier_texts(order)
