"""What ward and guardian submit: links, approvals, retractions, endings; and what they are told.

Nothing of it is told to anybody else. Spec: protocol/spec/85-guardians.md
"""

from collections.abc import Callable
from typing import NamedTuple

from e2ecore_protocol.chain.state import Consent, Verify
from e2ecore_protocol.errors import ErrorCode, MalformedError
from e2ecore_protocol.family_limits import (
    GUARDIAN_DOCUMENT_MS,
    MAX_GUARDIAN_APPROVALS,
    MAX_GUARDIAN_LINKS,
    MAX_WARDS,
)
from e2ecore_protocol.frames.delivery import EnvelopeKind, make_envelope_id
from e2ecore_protocol.frames.guardians import (
    ApprovalState,
    Guardianship,
    MarkedBy,
    MarkMinor,
    WardState,
)
from e2ecore_protocol.frames.notices import GuardianshipChanged
from e2ecore_protocol.guardians import (
    EndingScope,
    GuardianApproval,
    GuardianDocument,
    GuardianEnding,
    GuardianLink,
    GuardianRetraction,
    check_link,
    decode_guardian_document,
    is_fresh,
)
from e2ecore_relay.domain import accounts, minors
from e2ecore_relay.domain.chains import state_of
from e2ecore_relay.domain.coverage import Coverage, review
from e2ecore_relay.domain.errors import BadSignatureError, RefusedError
from e2ecore_relay.domain.exchange import Turn
from e2ecore_relay.domain.guardian_ports import StoredApproval, StoredEnding, StoredLink
from e2ecore_relay.domain.ports import Ledger, StoredAccount


class _Case(NamedTuple):
    """What a document is judged by."""

    turn: Turn
    sender: StoredAccount
    verify: Verify

    @property
    def ledger(self) -> Ledger:
        return self.turn.ledger


def mark(turn: Turn, account_id: bytes, frame: MarkMinor, random: bytes) -> Coverage:
    """Note that an account is a child's, by its own word. Return what its consents come to now.

    Raises:
        RefusedError: Nothing was changed.
    """
    sender = accounts.known(turn.ledger, account_id)
    minors.mark(turn.ledger, sender.account, frame.until_ms, MarkedBy.PERSON, turn.now_ms)
    return _changed(turn, [sender.account], random)


def order(turn: Turn, account_id: bytes, until_ms: int | None, random: bytes) -> Coverage:
    """Note the operator's word: an account is a child's until a time, or is not (None).

    Returns:
        What its consents come to now.

    Raises:
        RefusedError: There is no such account, or the time is over, or too far ahead.
    """
    account = accounts.known(turn.ledger, account_id).account
    if until_ms is None:
        turn.ledger.guardians.forget([account])
    else:
        minors.mark(turn.ledger, account, until_ms, MarkedBy.OPERATOR, turn.now_ms)
    return _changed(turn, [account], random)


def submit(
    turn: Turn, account_id: bytes, document: bytes, verify: Verify, random: bytes
) -> Coverage:
    """Take a document of ward or guardian, if it fits.

    Args:
        turn: The open transaction.
        account_id: Who submits it.
        document: Encoded.
        verify: Checks Ed25519 signatures.
        random: 10 random bytes for the ids of notices.

    Returns:
        What the consents of those whom it concerns come to now.

    Raises:
        RefusedError: Nothing was changed.
    """
    case = _Case(turn, accounts.known(turn.ledger, account_id), verify)
    try:
        concerned = _take(case, decode_guardian_document(document))
    except MalformedError as error:
        raise _invalid(str(error)) from error
    except BadSignatureError as error:
        raise RefusedError(ErrorCode.BAD_SIGNATURE) from error
    return _changed(turn, concerned, random)


def show(ledger: Ledger, request: int, account_id: bytes, now_ms: int) -> Guardianship:
    """Tell an account what is held of it, as ward and as guardian."""
    account = accounts.known(ledger, account_id).account
    mark = minors.mark_of(ledger, account, now_ms)
    held = _holding(ledger, account) if mark else None
    approvals = ledger.guardians.approvals(account) if mark else []
    wards: list[WardState] = []
    for one in ledger.guardians.wards_of(account):
        its_mark = minors.mark_of(ledger, one.ward, now_ms)
        if its_mark is not None:
            wards.append(WardState(one.document, its_mark.until_ms, _endings(ledger, one)))
    return Guardianship(
        request,
        mark,
        held.document if held else None,
        tuple([ApprovalState(one.document, one.retraction or None) for one in approvals]),
        _endings(ledger, held) if held else (),
        tuple(wards),
    )


def _take(case: _Case, document: GuardianDocument) -> list[int]:
    """Return the numbers of the accounts that it concerns; none if it was known."""
    match document:
        case GuardianLink():
            return _link(case, document)
        case GuardianApproval():
            return _approve(case, document)
        case GuardianRetraction():
            return _retract(case, document)
        case GuardianEnding():
            return _end(case, document)


def _link(case: _Case, link: GuardianLink) -> list[int]:
    ledger, now_ms = case.ledger, case.turn.now_ms
    if case.sender.account_id not in {link.ward, link.guardian}:
        raise _invalid("a link comes from one of the two")
    ward, guardian = _open(ledger, link.ward), _open(ledger, link.guardian)
    stored = ledger.guardians.link(link.link_id)
    if stored is not None:
        _check(stored.document == link.encode() and not stored.ended, "this link was used before")
        return []
    check_link(link, _key(ledger, ward), _key(ledger, guardian), case.verify)
    _check(is_fresh(link.created_ms, now_ms), "the link is too old, or of the future")
    _check(minors.mark_of(ledger, ward.account, now_ms) is not None, "the ward is not marked")
    _check(minors.mark_of(ledger, guardian.account, now_ms) is None, "the guardian is marked")
    known = ledger.guardians.links_of(ward.account)
    _check(all(one.ended for one in known), "the ward has a guardian")
    _check(len(known) < MAX_GUARDIAN_LINKS, "the ward had too many guardians")
    _check(len(ledger.guardians.wards_of(guardian.account)) < MAX_WARDS, "too many wards")
    row = StoredLink(link.link_id, ward.account, guardian.account, link.encode(), ended=False)
    ledger.guardians.add_link(row)
    return [ward.account, guardian.account]


def _approve(case: _Case, approval: GuardianApproval) -> list[int]:
    ledger, now_ms = case.ledger, case.turn.now_ms
    held = _own_link(case, approval.link_id)
    _check(held.guardian == case.sender.account, "only the guardian approves")
    ward = _open(ledger, approval.ward)
    _check(held.ward == ward.account, "the link is with another ward")
    case.verify(_key(ledger, case.sender), approval.signed_message(), approval.signature)
    for one in ledger.guardians.approvals(ward.account):
        if one.consent_id == approval.consent_id:
            _check(one.document == approval.encode(), "there is another approval of this consent")
            return []
    _check(is_fresh(approval.approved_ms, now_ms), "the approval is too old, or of the future")
    _make_room(ledger, ward, now_ms)
    row = StoredApproval(approval.consent_id, held.guardian, approval.encode(), b"", now_ms)
    ledger.guardians.approve(ward.account, row)
    return [ward.account, held.guardian]


def _make_room(ledger: Ledger, ward: StoredAccount, now_ms: int) -> None:
    """Forget approvals of no more use, if there are as many as may be kept."""
    kept = ledger.guardians.approvals(ward.account)
    if len(kept) < MAX_GUARDIAN_APPROVALS:
        return
    consents = state_of(ledger, ward.account).consents
    useless = [one.consent_id for one in kept if not _is_of_use(one, consents.get, now_ms)]
    _check(bool(useless), "too many approvals stand")
    ledger.guardians.drop_approvals(ward.account, useless)


def _is_of_use(
    one: StoredApproval, granted: Callable[[bytes], Consent | None], now_ms: int
) -> bool:
    consent = granted(one.consent_id)
    if consent is None:
        return now_ms - one.given_ms <= GUARDIAN_DOCUMENT_MS and not one.retraction
    return consent.is_in_force(now_ms)


def _retract(case: _Case, retraction: GuardianRetraction) -> list[int]:
    ledger = case.ledger
    ward = accounts.known(ledger, retraction.ward)
    given = next(
        (
            one
            for one in ledger.guardians.approvals(ward.account)
            if one.consent_id == retraction.consent_id and one.guardian == case.sender.account
        ),
        None,
    )
    if given is None or GuardianApproval.decode(given.document).link_id != retraction.link_id:
        raise _invalid("there is no such approval")
    case.verify(_key(ledger, case.sender), retraction.signed_message(), retraction.signature)
    if given.retraction:
        return []
    ledger.guardians.retract(ward.account, retraction.consent_id, retraction.encode())
    return [ward.account, case.sender.account]


def _end(case: _Case, ending: GuardianEnding) -> list[int]:
    ledger = case.ledger
    _check(case.sender.account_id == ending.account_id, "it is somebody else's word")
    stored = ledger.guardians.link(ending.link_id)
    if stored is not None and stored.ended and stored.guardian == case.sender.account:
        return []
    held = _own_link(case, ending.link_id)
    case.verify(_key(ledger, case.sender), ending.signed_message(), ending.signature)
    row = StoredEnding(case.sender.account, ending.scope, ending.encode())
    ledger.guardians.want_end(held.link_id, row)
    wanted = {one.account: one.scope for one in ledger.guardians.endings(held.link_id)}
    if wanted.get(held.ward) == wanted.get(held.guardian) == EndingScope.MARK:
        ledger.guardians.forget([held.ward])
    elif wanted.get(held.guardian) == EndingScope.LINK:
        ledger.guardians.end_links([held.link_id], case.turn.now_ms)
    return [held.ward, held.guardian]


def _own_link(case: _Case, link_id: bytes) -> StoredLink:
    """Return a link that holds, of the account that asks."""
    held = case.ledger.guardians.link(link_id)
    if held is None or held.ended or case.sender.account not in {held.ward, held.guardian}:
        raise _invalid("there is no such link")
    if minors.mark_of(case.ledger, held.ward, case.turn.now_ms) is None:
        raise _invalid("the mark is over")
    return held


def _holding(ledger: Ledger, ward: int) -> StoredLink | None:
    return next((one for one in ledger.guardians.links_of(ward) if not one.ended), None)


def _endings(ledger: Ledger, link: StoredLink) -> tuple[bytes, ...]:
    return tuple([one.document for one in ledger.guardians.endings(link.link_id)])


def _open(ledger: Ledger, account_id: bytes) -> StoredAccount:
    stored = accounts.known(ledger, account_id)
    _check(not stored.closed, "the account is closed")
    return stored


def _key(ledger: Ledger, stored: StoredAccount) -> bytes:
    return state_of(ledger, stored.account).identity_key


def _check(holds: bool, rule: str) -> None:  # noqa: FBT001 - a condition, and what it says
    if not holds:
        raise _invalid(rule)


def _invalid(rule: str) -> RefusedError:
    return RefusedError(ErrorCode.GUARDIAN_INVALID, rule)


def _changed(turn: Turn, concerned: list[int], random: bytes) -> Coverage:
    """Tell the devices of some accounts; return what their consents come to now."""
    _, ledger, now_ms = turn
    live = ledger.accounts.live_devices(concerned)
    if not live:
        return Coverage([], [], [])
    envelope_id = make_envelope_id(now_ms, random)
    wire = (EnvelopeKind.NOTICE.value, 0, envelope_id, GuardianshipChanged().encode(), None)
    readers = [(device.device, device.account) for device in live]
    turn.exchange.post(ledger, readers, wire, now_ms)
    return review(ledger, {one: state_of(ledger, one) for one in concerned}, now_ms)
