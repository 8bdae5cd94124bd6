"""Marked accounts: what a chain may not do without a guardian, and what does not count without one.

Spec: protocol/spec/85-guardians.md
"""

from collections.abc import Iterable
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from e2ecore_protocol.chain.bodies import MULTI_DEVICE_SYNC, ConsentGranted, DeviceAdded
from e2ecore_protocol.chain.entry import Entry, device_id_of
from e2ecore_protocol.chain.state import AccountState
from e2ecore_protocol.errors import ErrorCode
from e2ecore_protocol.family_limits import GUARDIAN_DOCUMENT_MS, MAX_MINOR_MS
from e2ecore_protocol.frames.guardians import MarkedBy, MinorMark
from e2ecore_protocol.guardians import GuardianApproval
from e2ecore_relay.domain.errors import RefusedError
from e2ecore_relay.domain.ports import Ledger

_FORGOTTEN_AT_ONCE: Final = 100
"""Marks that one transaction forgets: a few milliseconds."""


def mark_of(ledger: Ledger, account: int, now_ms: int) -> MinorMark | None:
    """Return an account's mark, unless it is over."""
    mark = ledger.guardians.mark(account)
    return mark if mark is not None and now_ms < mark.until_ms else None


def mark(ledger: Ledger, account: int, until_ms: int, by: MarkedBy, now_ms: int) -> None:
    """Mark an account. Its own word can only make a mark later, [GRD-2].

    Raises:
        RefusedError: The time is over, or too far ahead.
    """
    if not now_ms < until_ms <= now_ms + MAX_MINOR_MS:
        raise RefusedError(ErrorCode.GUARDIAN_INVALID, "a mark is for up to 14 years from now")
    held = mark_of(ledger, account, now_ms)
    if by is MarkedBy.OPERATOR or held is None:
        ledger.guardians.set_mark(account, MinorMark(until_ms, by))
    elif until_ms > held.until_ms:
        ledger.guardians.set_mark(account, held._replace(until_ms=until_ms))


def forget_some(ledger: Ledger, now_ms: int) -> int:
    """Forget marks that are over, with all that hangs on them. Return how many."""
    over = ledger.guardians.over(now_ms, _FORGOTTEN_AT_ONCE)
    ledger.guardians.forget(over)
    return len(over)


def account_closed(ledger: Ledger, account: int, now_ms: int) -> None:
    """Forget what was held of a ward; end the links of a guardian."""
    ledger.guardians.forget([account])
    links = [one.link_id for one in ledger.guardians.wards_of(account)]
    ledger.guardians.end_links(links, now_ms)


def counted(ledger: Ledger, account: int, state: AccountState, now_ms: int) -> AccountState:
    """Return a chain with the consents that count at the relay, [GRD-16]."""
    if mark_of(ledger, account, now_ms) is None:
        return state
    standing = {one.consent_id for one in ledger.guardians.approvals(account) if not one.retraction}
    consents = {name: one for name, one in state.consents.items() if name in standing}
    return replace(state, consents=MappingProxyType(consents))


def check_growth(
    ledger: Ledger, account: int, after: AccountState, entries: Iterable[Entry], now_ms: int
) -> None:
    """Refuse what a marked account may not add to its chain.

    Raises:
        RefusedError: A consent that the guardian has not approved, or a device that needs one.
    """
    if mark_of(ledger, account, now_ms) is None:
        return
    bodies = [entry.parse_body() for entry in entries]
    for body in bodies:
        if isinstance(body, ConsentGranted) and not _is_approved(ledger, account, body, now_ms):
            raise RefusedError(ErrorCode.GUARDIAN_REQUIRED, data=body.purpose)
    added = {device_id_of(body.device_key) for body in bodies if isinstance(body, DeviceAdded)}
    if not added:
        return
    valid = {one.device_id for one in counted(ledger, account, after, now_ms).valid_devices(now_ms)}
    live = {one.device_id for one in after.live_devices()}
    if not added & live <= valid:
        raise RefusedError(ErrorCode.GUARDIAN_REQUIRED, "a device", data=MULTI_DEVICE_SYNC)


def _is_approved(ledger: Ledger, account: int, granted: ConsentGranted, now_ms: int) -> bool:
    """Does the guardian of now stand behind this very consent? See [GRD-15]."""
    held = [one.link_id for one in ledger.guardians.links_of(account) if not one.ended]
    for one in ledger.guardians.approvals(account):
        if one.consent_id != granted.consent_id or one.retraction:
            continue
        approval = GuardianApproval.decode(one.document)
        is_young = now_ms - one.given_ms <= GUARDIAN_DOCUMENT_MS
        return is_young and approval.link_id in held and approval.covers(granted)
    return False
