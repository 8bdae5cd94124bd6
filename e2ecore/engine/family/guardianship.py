"""What the relay tells of ward and guardian: believed only as far as the two have signed it.

The relay's word counts for what it enforces itself: whether the account is marked, and which link
holds. That a guardian approves, or does not any more, counts by their signature alone.
"""

from collections.abc import Iterable
from typing import Final

from e2ecore.crypto.errors import SignatureError
from e2ecore.crypto.signing import ED25519
from e2ecore.engine.account import agreeing
from e2ecore.engine.family.guarding import (
    GUARDIAN_WANTS,
    WARD_WANTS,
    note_mark,
    save_link,
    save_request,
)
from e2ecore.engine.running.job import Job
from e2ecore.storage import consents, guardians
from e2ecore.storage.guardians import LinkRow, LinkState, MarkRow, RequestState, Side
from e2ecore_protocol.chain.record import ConsentRecord
from e2ecore_protocol.errors import MalformedError
from e2ecore_protocol.frames.guardians import ApprovalState, Guardianship
from e2ecore_protocol.guardians import (
    EndingScope,
    GuardianApproval,
    GuardianEnding,
    GuardianLink,
    GuardianRetraction,
    check_link,
    decode_guardian_document,
)

_HELD: Final = frozenset({LinkState.AGREED, LinkState.HOLDS})
_FORGED: Final = (MalformedError, SignatureError)


def unknown_accounts(job: Job, answer: Guardianship) -> set[bytes]:
    """Return accounts whose chains are needed to check an answer."""
    found: set[bytes] = set()
    for data in (answer.link, *[one.link for one in answer.wards]):
        if data is not None:
            link = GuardianLink.decode(data)
            found |= {link.ward, link.guardian}
    return {one for one in found if job.state.chain(job.tx, one) is None}


def take_guardianship(job: Job, answer: Guardianship) -> None:
    """Note what the relay tells."""
    mark = answer.mark
    known = guardians.mark(job.tx)
    if mark is not None:
        note_mark(job, MarkRow(mark.until_ms, mark.by, 1))
    elif known is not None and known.told:
        note_mark(job, None)
    until_ms = mark.until_ms if mark else 0
    own = [] if answer.link is None else [(answer.link, until_ms, answer.endings)]
    _take_links(job, Side.WARD, own)
    _take_links(job, Side.GUARDIAN, answer.wards)
    for one in answer.approvals:
        try:
            _take_approval(job, one)
        except _FORGED:
            continue
    _drop_unapproved(job)


def _take_links(job: Job, side: Side, held: Iterable[tuple[bytes, int, tuple[bytes, ...]]]) -> None:
    """Note the links that hold on one side; all others of that side do not hold any more."""
    names: set[bytes] = set()
    for document, until_ms, endings in held:
        try:
            row = _checked(job, side, document)
        except _FORGED:
            continue
        names.add(row.link_id)
        wishes = _wishes(job, row, endings)
        # A guardian who has left says so; of a ward, only an invitation can be over.
        ended = side is Side.GUARDIAN and row.state == LinkState.OVER
        state = LinkState.OVER if ended else LinkState.HOLDS
        save_link(job, row._replace(state=state, until_ms=until_ms, wishes=wishes | row.wishes))
    for row in guardians.links(job.tx):
        if row.role != side or row.link_id in names:
            continue
        if names and side is Side.WARD and row.state == LinkState.INVITED:
            save_link(job, row._replace(state=LinkState.OVER))  # somebody else has accepted
        if row.state == LinkState.HOLDS:
            save_link(job, row._replace(state=LinkState.OVER))
            _void(job, row)


def _checked(job: Job, side: Side, document: bytes) -> LinkRow:
    """Return the row of a link that both have signed."""
    link = GuardianLink.decode(document)
    ours, other = (link.ward, link.guardian) if side is Side.WARD else (link.guardian, link.ward)
    ward, guardian = (job.state.chain(job.tx, one) for one in (link.ward, link.guardian))
    if ours != job.own.account_id or ward is None or guardian is None:
        raise MalformedError("a link of others")
    check_link(link, ward.identity_key, guardian.identity_key, ED25519.verify)
    known = guardians.link(job.tx, link.link_id)
    if known is not None:
        return known._replace(document=document)
    state = LinkState.INVITED
    return LinkRow(link.link_id, side, other, document, "", state, 0, 0, job.now_ms)


def _wishes(job: Job, row: LinkRow, endings: Iterable[bytes]) -> int:
    """Return who of the two wants the mark to end, by their signatures."""
    wishes = 0
    link = GuardianLink.decode(row.document)
    for data in endings:
        try:
            ending = GuardianEnding.decode(data)
            chain = job.state.chain(job.tx, ending.account_id)
            if chain is None or ending.link_id != row.link_id:
                continue
            ED25519.verify(chain.identity_key, ending.signed_message(), ending.signature)
        except _FORGED:
            continue
        if ending.scope == EndingScope.MARK:
            wishes |= WARD_WANTS if ending.account_id == link.ward else GUARDIAN_WANTS
    return wishes


def _take_approval(job: Job, given: ApprovalState) -> None:
    """Have the consent begin that the guardian has approved, or end what they have taken back."""
    approval = GuardianApproval.decode(given.approval)
    row = guardians.request(job.tx, approval.consent_id)
    link = guardians.link(job.tx, row.link_id) if row else None
    if row is None or link is None or link.role != Side.WARD:
        return
    chain = job.state.chain(job.tx, link.other)
    record = ConsentRecord.decode(row.record)
    if chain is None or approval.link_id != link.link_id:
        return
    if not approval.covers(record.granted(row.salt)):
        return
    ED25519.verify(chain.identity_key, approval.signed_message(), approval.signature)
    if given.retraction is not None:
        if row.state != RequestState.TAKEN_BACK:
            _take_back(job, given.retraction, approval, chain.identity_key)
            save_request(job, row._replace(state=RequestState.TAKEN_BACK), link)
    elif row.state == RequestState.OPEN and link.state == LinkState.HOLDS:
        expires_ms = record.times.expires_ms
        if expires_ms is not None and expires_ms <= job.now_ms:
            save_request(job, row._replace(state=RequestState.VOID), link)
            return
        save_request(job, row._replace(state=RequestState.APPROVED), link)
        agreeing.grant(job, record, row.notice, row.salt)


def _take_back(job: Job, data: bytes, approval: GuardianApproval, key: bytes) -> None:
    """End what the guardian does not approve any more."""
    retraction = GuardianRetraction.decode(data)
    if (retraction.link_id, retraction.consent_id) != (approval.link_id, approval.consent_id):
        raise MalformedError("the retraction of another approval")
    ED25519.verify(key, retraction.signed_message(), retraction.signature)
    for one in agreeing.listed(job):
        if one.consent_id == approval.consent_id and one.is_in_force:
            agreeing.withdraw(job, one)


def _drop_unapproved(job: Job) -> None:
    """Take back what was agreed to here, and nobody has approved: the relay did not take it."""
    if not agreeing.is_minor(job.tx, job.now_ms):
        return
    waiting = {row.consent_id for row in consents.unsettled(job.tx) if row.wanted}
    for one in agreeing.listed(job):
        row = guardians.request(job.tx, one.consent_id)
        approved = row is not None and row.state == RequestState.APPROVED
        if one.consent_id in waiting and one.is_in_force and not approved:
            agreeing.withdraw(job, one)


def refused(job: Job, document: bytes) -> None:
    """The relay does not want a document: what it was to bring about is not so."""
    match decode_guardian_document(document):
        case GuardianLink(link_id):
            row = guardians.link(job.tx, link_id)
            if row is not None and row.state in _HELD:
                save_link(job, row._replace(state=LinkState.OVER))
        case GuardianApproval() as approval:
            asked = guardians.request(job.tx, approval.consent_id)
            link = guardians.link(job.tx, asked.link_id) if asked else None
            if asked is not None and link is not None:
                save_request(job, asked._replace(state=RequestState.VOID), link)
        case _:
            pass


def _void(job: Job, link: LinkRow) -> None:
    for row in guardians.requests_of(job.tx, link.link_id):
        if row.state == RequestState.OPEN:
            save_request(job, row._replace(state=RequestState.VOID), link)
