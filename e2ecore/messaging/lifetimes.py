"""How long messages stay: what their sender wants, and what the conversation's policy wants."""

from e2ecore_protocol.content.conversation import Policy
from e2ecore_protocol.limits import MAX_ENVELOPE_LIFETIME_S


def lifetime_of(policy: Policy) -> int | None:
    """Return after how many seconds messages of a conversation erase themselves; None: never."""
    wanted = policy.message_lifetime_s
    return wanted if wanted < MAX_ENVELOPE_LIFETIME_S else None


def sooner(one: int | None, other: int | None) -> int | None:
    """Return the shorter of two lifetimes; None is for ever."""
    if one is None or other is None:
        return other if one is None else one
    return min(one, other)
