"""How accounts and conversations are called on a screen and in a script."""

import base64
from typing import Final

import e2ecore
from cli_demo.text import joined

_SHORT: Final = 10
_DIGITS: Final = 8
_NAMES_IN_TITLE: Final = 3


def account_text(account_id: bytes) -> str:
    """An account id in lower-case base32, as people may quote it."""
    return base64.b32encode(account_id).decode().rstrip("=").lower()


def short(anything: bytes) -> str:
    """The beginning of an id, as people need it; commands take it for the whole."""
    return anything.hex()[:_DIGITS]


class Names:
    """Handles of accounts, looked up once."""

    def __init__(self, engine: e2ecore.Engine) -> None:
        self._engine = engine
        self._known: dict[bytes, str] = {}

    @property
    def own(self) -> bytes:
        """Our account id."""
        account = self._engine.account
        return account.account_id if account is not None else b""

    async def of(self, account_id: e2ecore.AccountId) -> str:
        """The handle, or the start of the account id where there is none."""
        name = self._known.get(account_id)
        if name is None:
            name = self._known[account_id] = await self._look_up(account_id)
        return name

    async def _look_up(self, account_id: e2ecore.AccountId) -> str:
        account = self._engine.account
        if account is not None and account.account_id == account_id:
            return account.handle or account_text(account_id)[:_SHORT]
        try:
            contact = await self._engine.contacts.get(account_id)
        except e2ecore.E2EError:
            return account_text(account_id)[:_SHORT]
        return contact.handle or account_text(account_id)[:_SHORT]

    def known(self, account_id: bytes) -> str:
        """The same without waiting, for accounts that ``of`` has seen."""
        return self._known.get(account_id) or account_text(account_id)[:_SHORT]

    async def learn(self, events: list[e2ecore.Event]) -> None:
        """Look up everybody that these events name."""
        for event in events:
            of_guardians = getattr(event, "bond", None), getattr(event, "request", None)
            for one in (event, *of_guardians):
                for field in ("account_id", "by"):
                    account = getattr(one, field, None)
                    if isinstance(account, bytes):
                        await self.of(e2ecore.AccountId(account))

    async def title(self, conversation: e2ecore.Conversation) -> str:
        """A group's title, or the other person's name."""
        if conversation.title:
            return conversation.title
        others = [
            await self.of(one.account_id) for one in await conversation.members() if not one.is_self
        ]
        if len(others) > _NAMES_IN_TITLE:
            return f"{', '.join(others[:_NAMES_IN_TITLE])} and {len(others) - _NAMES_IN_TITLE} more"
        if not others and conversation.state is e2ecore.ConversationState.HEALING:
            return "an invitation"
        return joined(others) or "nobody else"
