"""How accounts and conversations are called on a screen and in a script."""

import base64
from typing import Final, NamedTuple

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


def shown_name(handle: str, own_name: str | None) -> str:
    """How somebody is called here: by the user's own name for them, then the handle.

    No handle has a space in it, so nobody can pass for somebody else by choosing one.
    """
    return f"{own_name} ({handle})" if own_name else handle


class Called(NamedTuple):
    """How an account is called."""

    shown: str
    handle: str
    """What commands take; the start of the account id where there is none."""


class Names:
    """How accounts are called, looked up once."""

    def __init__(self, engine: e2ecore.Engine) -> None:
        self._engine = engine
        self._known: dict[bytes, Called] = {}

    @property
    def own(self) -> bytes:
        """Our account id."""
        account = self._engine.account
        return account.account_id if account is not None else b""

    async def of(self, account_id: e2ecore.AccountId) -> str:
        """The name that the user gave, with the handle; or that alone."""
        return (await self._called(account_id)).shown

    async def handle_of(self, account_id: e2ecore.AccountId) -> str:
        """The handle, or the start of the account id where there is none."""
        return (await self._called(account_id)).handle

    async def _called(self, account_id: e2ecore.AccountId) -> Called:
        found = self._known.get(account_id)
        if found is None:
            found = self._known[account_id] = await self._look_up(account_id)
        return found

    async def _look_up(self, account_id: e2ecore.AccountId) -> Called:
        name = account_text(account_id)[:_SHORT]
        account = self._engine.account
        if account is not None and account.account_id == account_id:
            return Called(account.handle or name, account.handle or name)
        try:
            contact = await self._engine.contacts.get(account_id)
        except e2ecore.E2EError:
            return Called(name, name)
        handle = contact.handle or name
        return Called(shown_name(handle, contact.name), handle)

    def known(self, account_id: bytes) -> str:
        """As ``of``, without waiting, for accounts that it has seen."""
        found = self._known.get(account_id)
        return account_text(account_id)[:_SHORT] if found is None else found.shown

    def forget(self, account_id: bytes) -> None:
        """Somebody may be called otherwise now."""
        self._known.pop(account_id, None)

    async def learn(self, events: list[e2ecore.Event]) -> None:
        """Look up everybody that these events name."""
        for event in events:
            if isinstance(event, e2ecore.ContactEdited):
                self.forget(event.account_id)
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
