"""Consents in the writer's thread: stored, compared with the chain, shown.

Spec: protocol/spec/80-chain-and-consent.md
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from e2ecore.consent import ledger
from e2ecore.consent.ledger import ConsentState, Wish
from e2ecore.consent.youth import CLOSED
from e2ecore.crypto.signing import ED25519
from e2ecore.engine.account.own_chain import own_chain, store_own_chain
from e2ecore.engine.errors import (
    BadConsentError,
    GuardianRequiredError,
    YouthModeError,
)
from e2ecore.engine.running.job import Job
from e2ecore.engine.running.state import read_chain
from e2ecore.engine.telling.events import ConsentChanged
from e2ecore.storage import consents, guardians, youth
from e2ecore.storage.consents import ConsentRow
from e2ecore.storage.tx import Tx
from e2ecore_protocol.chain.bodies import Body, ConsentGranted, ConsentWithdrawn
from e2ecore_protocol.chain.record import SALT_BYTES, ConsentRecord
from e2ecore_protocol.chain.state import AccountState, extend
from e2ecore_protocol.chain.state import Consent as Chained
from e2ecore_protocol.errors import MalformedError
from e2ecore_protocol.limits import MAX_ENTRIES_PER_FRAME

_IN_FORCE: Final = frozenset({ConsentState.GRANTING, ConsentState.GRANTED})


@dataclass(frozen=True, slots=True)
class Consent:
    """One consent of this account, in force or over."""

    consent_id: bytes
    purpose: str
    state: ConsentState
    record: ConsentRecord | None
    """What was agreed to; None if that was on another device."""
    notice: str | None
    """The text that was shown; None if that was on another device."""
    granted_ms: int
    expires_ms: int | None
    withdrawn_ms: int | None
    """When the chain took the withdrawal."""

    @property
    def is_in_force(self) -> bool:
        """Does it allow something on this device?"""
        return self.state in _IN_FORCE


def grant(job: Job, record: ConsentRecord, notice: str, approved: bytes = b"") -> Consent:
    """Store a new consent; it replaces an older one to the same purpose.

    Args:
        job: The work under way.
        record: What was agreed to.
        notice: The text that was shown.
        approved: The salt of the commitment that the guardian has approved, if that was needed.

    Raises:
        BadConsentError: The record is beyond a limit.
        GuardianRequiredError: This account is a child's, and its guardian was not asked.
        YouthModeError: The purpose is closed in youth mode, which is on.
    """
    check_open(job, record.purpose)
    if is_minor(job.tx, job.now_ms) and not approved:
        raise GuardianRequiredError(record.purpose)
    _ = job.own.identity  # else the chain could never be told
    for older in in_force(job, record.purpose):
        withdraw(job, older)
    row = ConsentRow(
        record.consent_id, record.purpose, encoded(record),
        approved or job.state.rng(SALT_BYTES), notice, 1, 0, consents.next_place(job.tx),
    )  # fmt: skip
    consents.add(job.tx, row)
    _tell(job, record.purpose, record.consent_id, ConsentState.GRANTING)
    return _view(row, None, job.now_ms)


def check_open(job: Job, purpose: str) -> None:
    """Refuse what is closed in youth mode, if that is on.

    Raises:
        YouthModeError: It is.
    """
    if purpose in CLOSED and is_youth_mode(job):
        raise YouthModeError


def encoded(record: ConsentRecord) -> bytes:
    """Return a record as it is kept.

    Raises:
        BadConsentError: It is beyond a limit.
    """
    try:
        return record.encode()
    except MalformedError as error:
        raise BadConsentError(str(error)) from error


def withdraw(job: Job, one: Consent) -> None:
    """Store that a consent is wanted no longer."""
    _ = job.own.identity
    if not consents.withdraw(job.tx, one.consent_id):
        place = consents.next_place(job.tx)  # it was given on another device
        consents.add(job.tx, ConsentRow(one.consent_id, one.purpose, b"", b"", "", 0, 0, place))
    _tell(job, one.purpose, one.consent_id, ConsentState.WITHDRAWING)


def _tell(job: Job, purpose: str, consent_id: bytes, state: ConsentState) -> None:
    job.effects.events.append(ConsentChanged(purpose, consent_id, state))


def in_force(job: Job, purpose: str) -> list[Consent]:
    """Return the consents to a purpose that count on this device now, oldest first."""
    if _is_closed(job.tx, purpose):
        return []
    return [one for one in listed(job) if one.is_in_force and one.purpose == purpose]


def is_minor(tx: Tx, now_ms: int) -> bool:
    """Is this account marked as that of somebody under 14? See ``guardians``."""
    mark = guardians.mark(tx)
    return mark is not None and now_ms < mark.until_ms


def is_young(tx: Tx, now_ms: int) -> bool:
    """Is youth mode on, or this account that of somebody under 14?"""
    return _is_locked(tx) or is_minor(tx, now_ms)


def is_youth_mode(job: Job) -> bool:
    """Is youth mode on? See ``youth``."""
    return _is_locked(job.tx)


def _is_closed(tx: Tx, purpose: str) -> bool:
    return purpose in CLOSED and _is_locked(tx)


def _is_locked(tx: Tx) -> bool:
    return youth.get(tx) is not None


def missing_entries(job: Job) -> tuple[bytes, ...]:
    """Return the signed entries by which the chain comes to say what is wanted."""
    own, chain = job.own, own_chain(job)
    entries: list[bytes] = []
    for body in _missing(job, chain)[:MAX_ENTRIES_PER_FRAME]:
        entry = chain.next_entry(body, now_ms=job.now_ms, sign=own.identity.sign)
        chain = extend(chain, [entry], ED25519.verify)
        entries.append(entry.encode())
    return tuple(entries)


def note_settled(job: Job, entries: Sequence[bytes]) -> None:
    """Note what the relay has taken."""
    chain = store_own_chain(job, entries)
    missing = _missing(job, chain)
    left = {one.consent_id for one in missing if isinstance(one, ConsentGranted | ConsentWithdrawn)}
    for row in consents.unsettled(job.tx):
        if row.consent_id not in left:
            consents.settle(job.tx, row.consent_id)
            view = _view(row, chain.consents.get(row.consent_id), job.now_ms)
            _tell(job, row.purpose, row.consent_id, view.state)


def _missing(job: Job, chain: AccountState) -> Sequence[Body]:
    wishes = [
        Wish(
            row.consent_id,
            row.purpose,
            ConsentRecord.decode(row.record).granted(row.salt) if row.record else None,
            bool(row.wanted),
        )
        for row in consents.all_rows(job.tx)
    ]
    return ledger.missing_bodies(chain, wishes, job.own.device_id, job.now_ms)


def listed(job: Job) -> list[Consent]:
    """Return what is stored here, and what only the chain knows, by the order of the decisions."""
    return _listed(job.tx, own_chain(job), job.now_ms)


def is_agreed(tx: Tx, account_id: bytes, purpose: str, now_ms: int) -> bool:
    """Does a consent to a purpose count on this device now? For who only reads, without a job."""
    chain = read_chain(tx, account_id)
    if chain is None or _is_closed(tx, purpose):
        return False
    known = _listed(tx, chain, now_ms)
    return any(one.is_in_force and one.purpose == purpose for one in known)


def _listed(tx: Tx, chain: AccountState, now_ms: int) -> list[Consent]:
    rows = {row.consent_id: row for row in consents.all_rows(tx)}
    elsewhere = [one for one in chain.consents.values() if one.consent_id not in rows]
    views = [_chained_view(one, now_ms) for one in elsewhere]
    views += [_view(row, chain.consents.get(row.consent_id), now_ms) for row in rows.values()]
    return sorted(views, key=lambda one: one.granted_ms)


def _chained_view(chained: Chained, now_ms: int) -> Consent:
    state = ledger.state_of(chained, wanted=True, expires_ms=chained.expires_ms, now_ms=now_ms)
    return Consent(
        chained.consent_id, chained.purpose, state, None, None,
        chained.granted_ms, chained.expires_ms, chained.withdrawn_ms,
    )  # fmt: skip


def _view(row: ConsentRow, chained: Chained | None, now_ms: int) -> Consent:
    record = ConsentRecord.decode(row.record) if row.record else None
    given_ms, expires_ms = record.times if record else (0, None)
    if chained is not None:
        expires_ms = chained.expires_ms
    return Consent(
        row.consent_id,
        row.purpose,
        ledger.state_of(chained, wanted=bool(row.wanted), expires_ms=expires_ms, now_ms=now_ms),
        record,
        row.notice if record else None,
        given_ms if record or chained is None else chained.granted_ms,
        expires_ms,
        None if chained is None else chained.withdrawn_ms,
    )
