"""What ward and guardian say to each other, taken in: nothing is believed without a check."""

from typing import Final, TypeAlias

from e2ecore.crypto.signing import ED25519
from e2ecore.engine.family.guarding import save_link, save_request
from e2ecore.engine.running.job import Job
from e2ecore.engine.running.mirror import Mirror
from e2ecore.errors import PeerError
from e2ecore.storage import guardians
from e2ecore.storage.guardians import LinkRow, LinkState, RequestRow, RequestState, Side
from e2ecore_protocol.chain.record import ConsentRecord, hash_of_notice
from e2ecore_protocol.content.guardians import (
    GuardianInvitation,
    GuardianRefusal,
    GuardianRequest,
)
from e2ecore_protocol.family_limits import MAX_GUARDIAN_APPROVALS, MAX_WARDS
from e2ecore_protocol.guardians import NOT_SIGNED, GuardianLink

GuardianNote: TypeAlias = GuardianInvitation | GuardianRequest | GuardianRefusal
_MOST_INVITATIONS: Final = MAX_WARDS
"""Open invitations that are kept: more is no family, but somebody who wants to annoy."""


class GuardianNoteError(PeerError):
    """What somebody has said as ward or guardian does not fit what is known. It was dropped."""


def take_note(job: Job, mirror: Mirror, sender: bytes, note: GuardianNote) -> None:
    """Take what the other one in a direct conversation says.

    Raises:
        GuardianNoteError: It does not fit, or comes from elsewhere.
        MalformedError: What is inside is none of what it should be.
        SignatureError: It is forged.
    """
    if mirror.peer and sender == job.own.account_id:
        return  # said by another device of ours, which keeps it
    if not mirror.peer or sender != mirror.peer:
        raise GuardianNoteError
    match note:
        case GuardianInvitation():
            _take_invitation(job, sender, note)
        case GuardianRequest():
            _take_request(job, sender, note)
        case GuardianRefusal(about):
            _take_refusal(job, sender, about)


def _take_invitation(job: Job, sender: bytes, note: GuardianInvitation) -> None:
    link = GuardianLink.decode(note.link)
    fits = (
        (link.ward, link.guardian) == (sender, job.own.account_id)
        and link.notice_hash == hash_of_notice(note.notice)
        and link.guardian_signature == NOT_SIGNED
    )
    chain = job.state.chain(job.tx, sender)
    if not fits or chain is None:
        raise GuardianNoteError
    ED25519.verify(chain.identity_key, link.signed_message(), link.ward_signature)
    if guardians.link(job.tx, link.link_id) is not None:
        return
    invited = [
        one
        for one in guardians.links(job.tx)
        if one.role == Side.GUARDIAN and one.state == LinkState.INVITED
    ]
    for one in invited:
        if one.other == sender:  # they have asked anew
            save_link(job, one._replace(state=LinkState.OVER))
    if len(invited) >= _MOST_INVITATIONS:
        raise GuardianNoteError
    row = LinkRow(
        link.link_id, Side.GUARDIAN, sender, note.link, note.notice, LinkState.INVITED, 0, 0,
        job.now_ms,
    )  # fmt: skip
    save_link(job, row)


def _take_request(job: Job, sender: bytes, note: GuardianRequest) -> None:
    link = guardians.link(job.tx, note.link_id)
    record = ConsentRecord.decode(note.record)
    fits = (
        link is not None
        and (link.role, link.other) == (Side.GUARDIAN, sender)
        and link.state in {LinkState.AGREED, LinkState.HOLDS}
        and record.account_id == sender
        and record.notice_hash == hash_of_notice(note.notice)
    )
    if link is None or not fits:
        raise GuardianNoteError
    if guardians.request(job.tx, record.consent_id) is not None:
        return
    known = guardians.requests_of(job.tx, link.link_id)
    if sum(one.state == RequestState.OPEN for one in known) >= MAX_GUARDIAN_APPROVALS:
        raise GuardianNoteError
    row = RequestRow(
        record.consent_id, link.link_id, note.record, note.salt, note.notice, RequestState.OPEN,
        job.now_ms,
    )  # fmt: skip
    save_request(job, row, link)


def _take_refusal(job: Job, sender: bytes, about: bytes) -> None:
    link = guardians.link(job.tx, about)
    if link is not None and (link.role, link.other) == (Side.WARD, sender):
        if link.state == LinkState.INVITED:
            save_link(job, link._replace(state=LinkState.DECLINED))
        return
    row = guardians.request(job.tx, about)
    link = guardians.link(job.tx, row.link_id) if row else None
    if row is None or link is None or (link.role, link.other) != (Side.WARD, sender):
        raise GuardianNoteError
    if row.state == RequestState.OPEN:
        save_request(job, row._replace(state=RequestState.REFUSED), link)
