"""Between the engine and the screens: fetches view values, carries out wishes."""

import math
import time
from collections.abc import Iterable, Sequence
from typing import Final

import e2ecore
from cli_demo import words
from cli_demo.chat.finding import FoundPage, FoundView
from cli_demo.chat.messages import PAGE, Messages
from cli_demo.naming import Names
from cli_demo.targets import find_conversation
from cli_demo.text import counted, joined, now_ms
from cli_demo.views import ConversationView, Mark, MemberView, MessageView, SafetyView, Trust

_NAMES_IN_TITLE: Final = 3
_SNIPPET: Final = 64
"""Characters shown around what was found."""
_STATES: Final = {
    e2ecore.ConversationState.CREATING: "starting",
    e2ecore.ConversationState.ACTIVE: "",
    e2ecore.ConversationState.HEALING: "waiting to be added again",
    e2ecore.ConversationState.LEFT: "you left",
    e2ecore.ConversationState.REMOVED: "you were removed",
    e2ecore.ConversationState.FAILED: "could not be created",
    e2ecore.ConversationState.LOST: "unknown to the relay",
}
_CLOSED: Final = frozenset(
    {
        e2ecore.ConversationState.LEFT,
        e2ecore.ConversationState.REMOVED,
        e2ecore.ConversationState.FAILED,
        e2ecore.ConversationState.LOST,
    }
)
_NEXT_ROLE: Final = {
    e2ecore.Role.MEMBER: e2ecore.Role.ADMIN,
    e2ecore.Role.ADMIN: e2ecore.Role.OWNER,
    e2ecore.Role.OWNER: e2ecore.Role.MEMBER,
}


def by_time(views: Iterable[ConversationView]) -> list[ConversationView]:
    """Pinned ones first, those put away last; new ones, where nothing was said; the latest."""
    return sorted(
        views,
        key=lambda view: (not view.archived, view.pinned, view.time_ms or math.inf),
        reverse=True,
    )


class Desk:
    """Everything the chat asks of the engine, in the chat's own values."""

    def __init__(self, engine: e2ecore.Engine) -> None:
        self._engine = engine
        self.names = Names(engine)
        self.messages = Messages(engine, self.names)

    @property
    def own_account(self) -> bytes:
        """Our account id."""
        account = self._engine.account
        return account.account_id if account else b""

    @property
    def own_handle(self) -> str:
        """How others call us."""
        account = self._engine.account
        return (account.handle or "?") if account else "?"

    # -- reading ---------------------------------------------------------------------------------

    async def conversations(self) -> list[ConversationView]:
        """All conversations, the latest first."""
        views = [await self._view(one) for one in await self._engine.conversations.list()]
        return by_time(views)

    async def conversation(self, uid: str) -> ConversationView:
        """One line of the list."""
        return await self._view(await self._get(uid))

    @staticmethod
    def notice(text: str) -> MessageView:
        """A line about the conversation, told now."""
        now_ns = time.time_ns()
        return MessageView(
            f"notice {now_ns}", "", text, now_ns // 1_000_000, Mark.RECEIVED, notice=True
        )

    @staticmethod
    def who(members: Sequence[MemberView]) -> str:
        """The members of a group in a few words."""
        names = [member.shown for member in members]
        return joined(names) if len(names) <= _NAMES_IN_TITLE else counted(len(names), "member")

    async def search(self, text: str, uid: str, cursor: int | None) -> FoundPage:
        """Messages with these words, the newest first.

        Args:
            text: The words.
            uid: Only in this conversation; empty: in all.
            cursor: Of the page before.
        """
        only = await self._get(uid) if uid else None
        page = await self._engine.search(text, conversation=only, limit=PAGE, cursor=cursor)
        while not page.hits and page.cursor is not None:
            page = await self._engine.search(
                text, conversation=only, limit=PAGE, cursor=page.cursor
            )
        return FoundPage([await self._found(one) for one in page.hits], page.cursor)

    async def _found(self, hit: e2ecore.SearchHit) -> FoundView:
        message, snippet = hit.message, hit.snippet(_SNIPPET)
        where = await self._engine.conversations.get(message.conversation_id)
        return FoundView(
            uid=message.conversation_id.hex(),
            order=message.order,
            title=await self.names.title(where),
            author=await self.names.of(message.sender),
            time_ms=message.sent_ms,
            snippet=snippet.text,
            marks=snippet.marks,
        )

    async def members(self, uid: str) -> list[MemberView]:
        """Who is in a conversation; ourselves first, then by name."""
        members = await (await self._get(uid)).members()
        views = [
            MemberView(
                handle=await self.names.handle_of(member.account_id),
                role=member.role.name.lower(),
                trust=Trust(member.verification.value),
                own=member.is_self,
                name=member.name or "",
            )
            for member in members
        ]
        return sorted(views, key=lambda view: (not view.own, view.handle))

    async def safety(self, handle: str) -> SafetyView:
        """What to compare with a contact."""
        contact = await self._engine.contacts.find(handle)
        number = contact.safety_number()
        trust = Trust(contact.verification.value)
        return SafetyView(handle, number.digits, number.qr_bytes, trust)

    async def _view(self, conversation: e2ecore.Conversation) -> ConversationView:
        newest = conversation.last_message
        group = conversation.kind is e2ecore.ConversationKind.GROUP
        trust: Trust | None = None
        if not group:
            others = [one for one in await conversation.members() if not one.is_self]
            trust = Trust(others[0].verification.value) if others else None
        return ConversationView(
            uid=conversation.conversation_id.hex(),
            title=await self.names.title(conversation),
            group=group,
            unread=conversation.unread,
            preview=await self._preview(conversation, group=group),
            time_ms=newest.stored_ms if newest else 0,
            open=conversation.state not in _CLOSED,
            state=_STATES[conversation.state],
            trust=trust,
            lifetime_s=conversation.lifetime_s,
            pinned=conversation.pinned,
            archived=conversation.archived,
            muted=bool(words.muted_words(conversation.muted_until_ms, now_ms())),
            handle=await self.names.handle_of(conversation.peer) if conversation.peer else "",
        )

    async def _preview(self, conversation: e2ecore.Conversation, *, group: bool) -> str:
        draft, message = conversation.draft, conversation.last_message
        if draft is not None and draft.text:
            return f"draft: {draft.text}"
        if message is None:
            return ""
        if message.notice is not None:
            return await self.messages.happened(message.notice)
        if message.mine:
            return f"you: {words.body(message)}"
        said = words.body(message)
        return f"{await self.names.of(message.sender)}: {said}" if group else said

    async def _get(self, uid: str) -> e2ecore.Conversation:
        return await self._engine.conversations.get(e2ecore.GroupId(bytes.fromhex(uid)))

    # -- doing -----------------------------------------------------------------------------------

    async def draft(self, uid: str) -> tuple[str, int | None]:
        """What was begun to be written, and the place of the message that it answers."""
        draft = (await self._get(uid)).draft
        return ("", None) if draft is None else (draft.text, draft.reply_to)

    async def keep_draft(self, uid: str, text: str, answer_to: int | None) -> None:
        """Remember what was begun to be written."""
        conversation = await self._get(uid)
        draft = conversation.draft
        if draft is None or (draft.text, draft.reply_to) != (text, answer_to):
            await conversation.set_draft(text, reply_to=answer_to)

    async def discard_draft(self, uid: str) -> None:
        """Forget it, if there is any."""
        conversation = await self._get(uid)
        if conversation.draft is not None:
            await conversation.set_draft("")

    async def pin(self, uid: str) -> bool:
        """Pin a conversation to the top of the list, or not any more; what holds now."""
        conversation = await self._get(uid)
        await conversation.set_pinned(on=not conversation.pinned)
        return conversation.pinned

    async def put_away(self, uid: str) -> bool:
        """Move a conversation to the end of the list, or back; what holds now."""
        conversation = await self._get(uid)
        await conversation.set_archived(on=not conversation.archived)
        return conversation.archived

    async def mute(self, uid: str, seconds: int | None) -> str:
        """Have it not disturb for a time; None: for good, or if it is muted, not any more.

        Returns:
            What holds now, in words; empty: it is not muted.
        """
        conversation = await self._get(uid)
        if seconds is not None:
            await conversation.mute(now_ms() + seconds * 1000)
        elif words.muted_words(conversation.muted_until_ms, now_ms()):
            await conversation.unmute()
        else:
            await conversation.mute()
        return words.muted_words(conversation.muted_until_ms, now_ms())

    async def profile(self, passphrase: str | None) -> e2ecore.OwnProfile:
        """What is stored of us; without the passphrase only as it begins."""
        return await self._engine.my_data.profile(passphrase)

    async def set_name(self, name: str) -> None:
        """Change what we want to be called."""
        await self._engine.set_display_name(name)

    async def call(self, handle: str, name: str) -> None:
        """Give somebody a name of the user's own, which nobody else sees; empty: none."""
        contact = await self._engine.contacts.find(handle)
        await contact.set_name(name)
        self.names.forget(contact.account_id)

    async def keep(self, uid: str, seconds: int | None) -> None:
        """Have all older messages erased here; None: keep them."""
        await (await self._get(uid)).set_retention(None if seconds is None else seconds * 1000)

    async def kept(self, uid: str) -> int | None:
        """How many seconds messages are kept here; None: for ever."""
        keep_ms = await (await self._get(uid)).retention()
        return None if keep_ms is None else keep_ms // 1000

    async def set_lifetime(self, uid: str, seconds: int | None) -> None:
        """Have new messages erase themselves at everybody's, and wait until all agree."""
        await (await (await self._get(uid)).set_lifetime(seconds)).applied()

    async def show_contact(self, uid: str, handle: str) -> None:
        """Show somebody to the others."""
        contact = await self._engine.contacts.find(handle)
        await (await self._get(uid)).share_contact(contact)

    async def write_to(self, account: bytes) -> str:
        """Find or start the conversation with an account; returns its id."""
        contact = await self._engine.contacts.get(e2ecore.AccountId(account))
        return (await self._engine.conversations.direct(contact)).conversation_id.hex()

    async def type(self, uid: str, *, on: bool) -> None:
        """Let the others know whether we are typing, if we have agreed to that."""
        await (await self._get(uid)).typing(on=on)

    async def typists(self, uid: str) -> list[str]:
        """Who of the others is typing, as far as they let us know."""
        return [await self.names.of(one) for one in (await self._get(uid)).typists]

    async def share_reading(self, uid: str, *, on: bool) -> None:
        """Let the others know what we have read, or not."""
        await (await self._get(uid)).share_reading(on=on)

    async def find(self, target: str) -> str:
        """The conversation of a handle or ``+TITLE``; its id."""
        return (await find_conversation(self._engine, target)).conversation_id.hex()

    async def mark_read(self, uid: str) -> None:
        """Everything in the conversation has been seen."""
        await (await self._get(uid)).mark_read()

    async def start_direct(self, handle: str) -> str:
        """Find or start the conversation with one person; returns its id."""
        contact = await self._engine.contacts.find(handle)
        return (await self._engine.conversations.direct(contact)).conversation_id.hex()

    async def start_group(self, title: str, handles: Sequence[str]) -> str:
        """Make a group; returns its id."""
        contacts = [await self._engine.contacts.find(one) for one in handles]
        group = await self._engine.conversations.create_group(title, contacts)
        return group.conversation_id.hex()

    async def add(self, uid: str, handles: Sequence[str]) -> None:
        """Add people, and wait until all are in."""
        conversation = await self._get(uid)
        for one in handles:
            await (await conversation.add(await self._engine.contacts.find(one))).applied()

    async def remove(self, uid: str, handle: str) -> None:
        """Remove somebody, and wait until all agree."""
        contact = await self._engine.contacts.find(handle)
        await (await (await self._get(uid)).remove(contact)).applied()

    async def next_role(self, uid: str, handle: str) -> None:
        """Member, admin, owner, and around; wait until all agree."""
        conversation = await self._get(uid)
        contact = await self._engine.contacts.find(handle)
        members = await conversation.members()
        role = next(one.role for one in members if one.account_id == contact.account_id)
        await (await conversation.set_role(contact, _NEXT_ROLE[role])).applied()

    async def rename(self, uid: str, title: str) -> None:
        """Change the title, and wait until all agree."""
        await (await (await self._get(uid)).rename(title)).applied()

    async def leave(self, uid: str) -> None:
        """Leave. Nothing more is shown from now on; the others' devices complete it."""
        await (await self._get(uid)).leave()

    async def verify(self, handle: str) -> None:
        """The safety numbers were compared and are equal."""
        await (await self._engine.contacts.find(handle)).mark_verified()
