"""What a chain, and the wishes that have not reached it yet, say of each consent."""

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Final, NamedTuple

from e2ecore_protocol.chain.bodies import (
    MULTI_DEVICE_SYNC,
    Body,
    ConsentGranted,
    ConsentWithdrawn,
    DeviceRemoved,
    RemovalReason,
)
from e2ecore_protocol.chain.state import AccountState, Consent

_WITHDRAWN: Final = RemovalReason.CONSENT_WITHDRAWN


class ConsentState(StrEnum):
    """What holds for one consent."""

    GRANTING = "granting"
    """Given here, and in force here; the relay does not have it yet."""
    GRANTED = "granted"
    """In force for everybody."""
    WITHDRAWING = "withdrawing"
    """Withdrawn here, where it counts no more; the relay does not have that yet."""
    WITHDRAWN = "withdrawn"
    """Over for everybody."""
    EXPIRED = "expired"
    """Its time is over."""


class Wish(NamedTuple):
    """A decision that was made here."""

    consent_id: bytes
    purpose: str
    granted: ConsentGranted | None
    """What the chain is to say of it; None: it was given on another device."""
    wanted: bool
    """False: withdrawn."""


def state_of(
    chained: Consent | None, *, wanted: bool, expires_ms: int | None, now_ms: int
) -> ConsentState:
    """Return what holds for a consent.

    Args:
        chained: As the chain tells; None: it does not hold it.
        wanted: The person wants it, as far as this device knows.
        expires_ms: When it ends by itself.
        now_ms: Milliseconds since the Unix epoch.
    """
    if chained is not None and chained.withdrawn_ms is not None:
        return ConsentState.WITHDRAWN
    if not wanted:
        return ConsentState.WITHDRAWN if chained is None else ConsentState.WITHDRAWING
    if expires_ms is not None and expires_ms <= now_ms:
        return ConsentState.EXPIRED
    return ConsentState.GRANTING if chained is None else ConsentState.GRANTED


def missing_bodies(
    chain: AccountState, wishes: Iterable[Wish], own_device: bytes, now_ms: int
) -> Sequence[Body]:
    """Return what the chain has to be told so that it says what the person wants.

    New consents come before withdrawals, [CHN-45]. When the last consent to several devices goes,
    all devices but this one are removed before it, [CHN-16].

    Args:
        chain: As it is.
        wishes: The decisions made here, oldest first.
        own_device: Id of this device.
        now_ms: Milliseconds since the Unix epoch.
    """
    all_wishes = tuple(wishes)
    now_ms = max(now_ms, chain.head_ms)
    grants = [wish.granted for wish in all_wishes if wish.granted and _is_due(chain, wish, now_ms)]
    withdrawn = [wish for wish in all_wishes if not wish.wanted and _is_granted(chain, wish)]
    covering = {one.consent_id for one in grants if one.purpose == MULTI_DEVICE_SYNC}
    covering |= _covering(chain, now_ms) - {wish.consent_id for wish in withdrawn}
    removals: list[Body] = []
    if not covering and any(wish.purpose == MULTI_DEVICE_SYNC for wish in withdrawn):
        others = [one for one in chain.live_devices() if one.device_id != own_device]
        removals = [DeviceRemoved(one.device_id, _WITHDRAWN) for one in others]
    return [*grants, *removals, *[ConsentWithdrawn(wish.consent_id) for wish in withdrawn]]


def _is_due(chain: AccountState, wish: Wish, now_ms: int) -> bool:
    """Does the chain have to be told of a new consent?"""
    if not wish.wanted or wish.granted is None or wish.consent_id in chain.consents:
        return False
    expires_ms = wish.granted.expires_ms
    return expires_ms is None or expires_ms > now_ms


def _covering(chain: AccountState, now_ms: int) -> set[bytes]:
    """Return the consents to several devices that are in force."""
    return {
        one.consent_id
        for one in chain.consents.values()
        if one.purpose == MULTI_DEVICE_SYNC and one.is_in_force(now_ms)
    }


def _is_granted(chain: AccountState, wish: Wish) -> bool:
    chained = chain.consents.get(wish.consent_id)
    return chained is not None and chained.withdrawn_ms is None
