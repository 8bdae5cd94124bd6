"""Ward and guardian in the writer's thread: what each decides, and what the other has said.

Spec: protocol/spec/85-guardians.md
"""

from dataclasses import replace
from typing import Final

from e2ecore.engine.account import agreeing
from e2ecore.engine.family.guardian_values import (
    ApprovalRequest,
    ApprovalRequestChanged,
    ApprovalState,
    BadMarkError,
    BondState,
    GuardianBond,
    GuardianBondChanged,
    HasGuardianError,
    MinorMarkChanged,
    NoGuardianError,
    NotMarkedError,
    UnknownBondError,
    UnknownRequestError,
)
from e2ecore.engine.running.job import Job
from e2ecore.engine.running.mirror import Mirror
from e2ecore.engine.talk.handles import SentMessage
from e2ecore.engine.talk.writing import check_writable, write_unlisted
from e2ecore.ids import AccountId, MessageId
from e2ecore.storage import guardians
from e2ecore.storage.guardians import LinkRow, LinkState, MarkRow, RequestRow, RequestState, Side
from e2ecore.storage.tx import Tx
from e2ecore_protocol.chain.record import SALT_BYTES, ConsentRecord, hash_of_notice
from e2ecore_protocol.content.guardians import (
    GuardianInvitation,
    GuardianRefusal,
    GuardianRequest,
)
from e2ecore_protocol.content.kind import Content
from e2ecore_protocol.family_limits import GUARDIAN_LINK_ID_BYTES, MAX_MINOR_MS
from e2ecore_protocol.frames.guardians import MarkedBy
from e2ecore_protocol.guardians import (
    NOT_SIGNED,
    EndingScope,
    GuardianApproval,
    GuardianEnding,
    GuardianLink,
    GuardianRetraction,
)

WARD_WANTS: Final = 1
GUARDIAN_WANTS: Final = 2
_LIVE: Final = frozenset({LinkState.INVITED, LinkState.AGREED, LinkState.HOLDS})
_BONDS: Final = dict(zip(LinkState, BondState, strict=True))
_APPROVALS: Final = dict(zip(RequestState, ApprovalState, strict=True))


def bond_of(row: LinkRow) -> GuardianBond:
    """Return what an app sees of a link."""
    return GuardianBond(
        row.link_id,
        AccountId(row.other),
        row.role == Side.WARD,
        _BONDS[LinkState(row.state)],
        row.notice,
        row.until_ms or None,
        bool(row.wishes & WARD_WANTS),
        bool(row.wishes & GUARDIAN_WANTS),
    )


def request_of(row: RequestRow, link: LinkRow) -> ApprovalRequest:
    """Return what an app sees of a request."""
    return ApprovalRequest(
        row.consent_id,
        AccountId(link.other),
        link.role == Side.WARD,
        ConsentRecord.decode(row.record),
        row.notice,
        _APPROVALS[RequestState(row.state)],
        row.changed_ms,
    )


def requests(tx: Tx) -> list[ApprovalRequest]:
    """Return all requests, the oldest first."""
    links = {one.link_id: one for one in guardians.links(tx)}
    return [request_of(row, links[row.link_id]) for row in guardians.requests(tx)]


def own_guardian(tx: Tx) -> LinkRow | None:
    """Return the link as ward that counts now: the one in force, else the newest invitation."""
    live = [one for one in guardians.links(tx) if one.role == Side.WARD and one.state in _LIVE]
    return max(live, key=lambda one: one.state, default=None)


def save_link(job: Job, row: LinkRow) -> None:
    """Store a link, and tell the app if it has changed."""
    before = guardians.link(job.tx, row.link_id)
    if before is not None and before._replace(changed_ms=0) == row._replace(changed_ms=0):
        return
    guardians.save_link(job.tx, row._replace(changed_ms=job.now_ms))
    job.effects.events.append(GuardianBondChanged(bond_of(row)))


def save_request(job: Job, row: RequestRow, link: LinkRow) -> None:
    """Store a request, and tell the app."""
    row = row._replace(changed_ms=job.now_ms)
    guardians.save_request(job.tx, row)
    job.effects.events.append(ApprovalRequestChanged(request_of(row, link)))


def note_mark(job: Job, row: MarkRow | None) -> None:
    """Store the mark of this account, and tell the app if it has changed."""
    before = guardians.mark(job.tx)
    guardians.set_mark(job.tx, row)
    if (before and before.until_ms) != (row and row.until_ms):
        job.effects.events.append(MinorMarkChanged(row.until_ms if row else None))


def mark(job: Job, until_ms: int) -> None:
    """Note that this account is a child's; what was agreed to before without a guardian ends."""
    _ = job.own.identity
    if not job.now_ms < until_ms <= job.now_ms + MAX_MINOR_MS:
        raise BadMarkError
    known = guardians.mark(job.tx)
    if known is not None and until_ms <= known.until_ms:
        return
    if not agreeing.is_minor(job.tx, job.now_ms):
        for one in agreeing.listed(job):
            if one.is_in_force:
                agreeing.withdraw(job, one)
    note_mark(job, MarkRow(until_ms, MarkedBy.PERSON, 0))
    job.effects.guardianship = True


def invite(job: Job, cid: int, notice: str) -> tuple[GuardianBond, SentMessage]:
    """Ask the other one in a direct conversation to be the guardian."""
    if not agreeing.is_minor(job.tx, job.now_ms):
        raise NotMarkedError
    mirror, own = job.mirror(cid), job.own
    check_writable(job, mirror)
    known = own_guardian(job.tx)
    if known is not None and known.state != LinkState.INVITED:
        raise HasGuardianError
    if known is not None:
        save_link(job, known._replace(state=LinkState.OVER))
    link = GuardianLink(
        job.state.rng(GUARDIAN_LINK_ID_BYTES), own.account_id, mirror.peer, job.now_ms,
        hash_of_notice(notice), NOT_SIGNED, NOT_SIGNED,
    )  # fmt: skip
    link = replace(link, ward_signature=own.identity.sign(link.signed_message()))
    known_mark = guardians.mark(job.tx)
    until_ms = known_mark.until_ms if known_mark else 0
    row = LinkRow(
        link.link_id, Side.WARD, mirror.peer, link.encode(), notice, LinkState.INVITED, until_ms,
        0, job.now_ms,
    )  # fmt: skip
    save_link(job, row)
    return bond_of(row), _say(job, mirror, GuardianInvitation(link.encode(), notice))


def accept(job: Job, link_id: bytes) -> GuardianBond:
    """Agree to be somebody's guardian."""
    row = guardians.link(job.tx, link_id)
    if row is None or row.role != Side.GUARDIAN or row.state != LinkState.INVITED:
        raise UnknownBondError
    link = GuardianLink.decode(row.document)
    signed = link.signed_by_guardian(job.own.identity.sign(link.signed_message()))
    row = row._replace(document=signed.encode(), state=LinkState.AGREED)
    save_link(job, row)
    _send(job, signed.encode())
    return bond_of(row)


def decline(job: Job, link_id: bytes, mirror: Mirror) -> SentMessage:
    """Do not be somebody's guardian, and tell them."""
    row = guardians.link(job.tx, link_id)
    if row is None or row.role != Side.GUARDIAN or row.state != LinkState.INVITED:
        raise UnknownBondError
    save_link(job, row._replace(state=LinkState.DECLINED))
    return _say(job, mirror, GuardianRefusal(link_id))


def ask(
    job: Job, record: ConsentRecord, notice: str, cid: int
) -> tuple[ApprovalRequest, SentMessage]:
    """Have the guardian decide about something that the person agrees to."""
    link = own_guardian(job.tx)
    mirror = job.mirror(cid)
    if link is None or link.state != LinkState.HOLDS or link.other != mirror.peer:
        raise NoGuardianError
    _ = job.own.identity
    agreeing.check_open(job, record.purpose)
    check_writable(job, mirror)
    encoded = agreeing.encoded(record)
    row = RequestRow(
        record.consent_id, link.link_id, encoded, job.state.rng(SALT_BYTES), notice,
        RequestState.OPEN, job.now_ms,
    )  # fmt: skip
    save_request(job, row, link)
    note = GuardianRequest(link.link_id, encoded, row.salt, notice)
    return request_of(row, link), _say(job, mirror, note)


def approve(job: Job, consent_id: bytes) -> ApprovalRequest:
    """Agree to what a ward has asked for."""
    row, link = _asked(job, consent_id, RequestState.OPEN)
    granted = ConsentRecord.decode(row.record).granted(row.salt)
    approval = GuardianApproval(
        link.link_id, link.other, granted.consent_id, granted.purpose, granted.notice_hash,
        granted.commitment, granted.expires_ms, job.now_ms, NOT_SIGNED,
    )  # fmt: skip
    signature = job.own.identity.sign(approval.signed_message())
    _send(job, replace(approval, signature=signature).encode())
    return _decided(job, row, link, RequestState.APPROVED)


def refuse(job: Job, consent_id: bytes, mirror: Mirror) -> tuple[ApprovalRequest, SentMessage]:
    """Do not agree to what a ward has asked for, and tell them."""
    row, link = _asked(job, consent_id, RequestState.OPEN)
    said = _say(job, mirror, GuardianRefusal(consent_id))
    return _decided(job, row, link, RequestState.REFUSED), said


def take_back(job: Job, consent_id: bytes) -> ApprovalRequest:
    """Agree no longer to what a ward has asked for: the consent ends."""
    row, link = _asked(job, consent_id, RequestState.APPROVED)
    bare = GuardianRetraction(link.link_id, link.other, consent_id, NOT_SIGNED)
    signature = job.own.identity.sign(bare.signed_message())
    _send(job, replace(bare, signature=signature).encode())
    return _decided(job, row, link, RequestState.TAKEN_BACK)


def end(job: Job, link_id: bytes, scope: EndingScope) -> GuardianBond:
    """Say that a bond, or the mark as well, is to end."""
    row = guardians.link(job.tx, link_id)
    if row is None or row.state not in {LinkState.AGREED, LinkState.HOLDS}:
        raise UnknownBondError
    own = job.own
    bare = GuardianEnding(link_id, own.account_id, scope, NOT_SIGNED)
    _send(job, replace(bare, signature=own.identity.sign(bare.signed_message())).encode())
    if scope is EndingScope.MARK:
        mine = WARD_WANTS if row.role == Side.WARD else GUARDIAN_WANTS
        row = row._replace(wishes=row.wishes | mine)
    elif row.role == Side.GUARDIAN:
        row = row._replace(state=LinkState.OVER)
    save_link(job, row)
    return bond_of(row)


def peer_of(tx: Tx, link_id: bytes) -> bytes:
    """Return who is on the other side of a link.

    Raises:
        UnknownBondError: There is none.
    """
    row = guardians.link(tx, link_id)
    if row is None:
        raise UnknownBondError
    return row.other


def asker_of(tx: Tx, consent_id: bytes) -> bytes:
    """Return who has asked for something.

    Raises:
        UnknownRequestError: Nobody has.
    """
    row = guardians.request(tx, consent_id)
    if row is None:
        raise UnknownRequestError
    return peer_of(tx, row.link_id)


def _asked(job: Job, consent_id: bytes, state: RequestState) -> tuple[RequestRow, LinkRow]:
    """Return what a ward of this account has asked for."""
    row = guardians.request(job.tx, consent_id)
    link = guardians.link(job.tx, row.link_id) if row else None
    if row is None or link is None or link.role != Side.GUARDIAN or row.state != state:
        raise UnknownRequestError
    if state is RequestState.OPEN and link.state != LinkState.HOLDS:
        raise UnknownRequestError
    return row, link


def _decided(job: Job, row: RequestRow, link: LinkRow, state: RequestState) -> ApprovalRequest:
    row = row._replace(state=state, changed_ms=job.now_ms)
    save_request(job, row, link)
    return request_of(row, link)


def _send(job: Job, document: bytes) -> None:
    guardians.add_errand(job.tx, document)
    job.effects.guardianship = True


def _say(job: Job, mirror: Mirror, note: Content) -> SentMessage:
    """Say something in the conversation of the two that is no message."""
    row = write_unlisted(job, mirror, note)
    said = SentMessage(MessageId(row.envelope_id), row.counter, 0)
    job.effects.sent.append((row.oid, said))
    return said
