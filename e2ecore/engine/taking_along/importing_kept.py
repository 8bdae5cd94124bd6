"""What an export of ours holds besides messages: how conversations are arranged, blocks, consents.

What is arranged here already counts: a conversation is arranged when it is brought in for the first
time and left alone afterwards. Blocks, and what people are called, come back only from an export of
this very account, because a stranger's file must not silence or rename anybody. Consents come as
documents to be looked at; what is in force is asked of another table.
"""

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from e2ecore.consent.audit import BadConsentFileError, ConsentAudit, verify_consents
from e2ecore.engine.account.people import set_name
from e2ecore.engine.erasure.erasing import MIN_RETENTION_MS
from e2ecore.engine.own_talk.oplog import say
from e2ecore.engine.running.job import Job
from e2ecore.engine.running.mirror import Mirror
from e2ecore.engine.values import ConversationState
from e2ecore.portability.errors import ExportDamagedError
from e2ecore.portability.ours import OwnExport
from e2ecore.portability.records import Belongings, Heading, ImportFormat
from e2ecore.storage import (
    arrangements,
    blocks,
    chains,
    consent_papers,
    consents,
    conversations,
    drafts,
    erasure,
    imports,
    revisions,
)
from e2ecore.storage.arrangements import ArrangementRow
from e2ecore.storage.blocks import BlockRow
from e2ecore.storage.consent_papers import ConsentPaperRow
from e2ecore.storage.conversations import ConversationKind
from e2ecore.storage.drafts import DraftRow
from e2ecore.storage.imports import FIRST_ORDER, ImportRow
from e2ecore.storage.messages import MessageRow
from e2ecore.storage.tx import Tx
from e2ecore_protocol.codec import pack
from e2ecore_protocol.content.conversation import GROUP_POLICY, ConversationInfo, InfoKind
from e2ecore_protocol.content.op_bodies import Blocked
from e2ecore_protocol.frames.conversations import group_conversation_id
from e2ecore_protocol.limits import (
    MAX_DISPLAY_NAME_CHARS,
    MAX_ENVELOPE_LIFETIME_S,
    MAX_INTEGER,
)

_NO_MENTIONS: Final = pack(())


class Paper(NamedTuple):
    """A file of consents that was checked."""

    audit: ConsentAudit
    document: bytes


class PersonBrought(NamedTuple):
    """What came of the person themselves."""

    blocked: int
    """Accounts that were not blocked here before."""
    consents: int
    """Consents that can be looked at now."""


def homes(tx: Tx, heading: Heading) -> list[int]:
    """Return the local numbers of the conversations in which messages of a file may be already."""
    found: list[int] = []
    known = imports.by_source(tx, heading.key)
    if known is not None:
        found.append(known.cid)
    live = conversations.by_uid(tx, heading.live_uid) if heading.live_uid else None
    if live is not None and live.cid not in found:
        found.append(live.cid)
    return found


def begin(job: Job, heading: Heading, format_: ImportFormat) -> Mirror:
    """Begin a conversation with messages of a file, arranged as its owner had it."""
    row = conversations.create(
        job.tx,
        uid=group_conversation_id(job.state.rng(16)),
        kind=ConversationKind.IMPORTED,
        state=conversations.ConversationState(ConversationState.LEFT),
        title=heading.title,
        info=_info_of(heading),
        created_ms=heading.created_ms or job.now_ms,
    )
    imports.add(job.tx, ImportRow(row.cid, heading.key, format_.value, job.now_ms))
    if not heading.live_uid or conversations.by_uid(job.tx, heading.live_uid) is None:
        _arrange(job, row.cid, heading.belongings)
    mirror = Mirror(row)
    mirror.next_order = mirror.read_order = FIRST_ORDER
    job.state.add_mirror(mirror)
    return mirror


def _info_of(heading: Heading) -> bytes:
    """Return what an imported conversation says of itself."""
    lifetime_s = heading.belongings.lifetime_s
    policy = GROUP_POLICY
    if lifetime_s is not None and 1 <= lifetime_s < MAX_ENVELOPE_LIFETIME_S:
        policy = policy._replace(message_lifetime_s=lifetime_s)
    return ConversationInfo(InfoKind.GROUP, heading.title, policy=policy).encode()


def _arrange(job: Job, cid: int, kept: Belongings) -> None:
    """Arrange a conversation that was just begun as its owner had it."""
    pinned_ms, muted_ms = min(kept.pinned_ms, MAX_INTEGER), min(kept.muted_ms, MAX_INTEGER)
    row = ArrangementRow(cid, pinned_ms, muted_ms, int(kept.is_archived))
    if row != ArrangementRow(cid):
        arrangements.save(job.tx, row)
    if kept.keep_ms is not None and kept.keep_ms >= MIN_RETENTION_MS:
        erasure.retain(job.tx, cid, kept.keep_ms)
    if kept.keeps_earlier is not None:
        revisions.choose(job.tx, cid, kept.keeps_earlier)
    if kept.begun is not None and (kept.begun.text or kept.begun.reply):
        at_ms = min(kept.begun.at_ms, job.now_ms)
        drafts.save(job.tx, DraftRow(cid, at_ms, kept.begun.text, 0, _NO_MENTIONS))


def answer(job: Job, cid: int, kept: Belongings, rows: Iterable[MessageRow]) -> None:
    """Have the draft that was brought in answer its message, if that is one of these."""
    begun = kept.begun
    if begun is None or not begun.reply:
        return
    for row in rows:
        if row.uid == begun.reply:
            draft = drafts.get(job.tx, cid)
            if draft is not None and not draft.reply and draft.body == begun.text:
                drafts.save(job.tx, draft._replace(reply=row.id))


def read_paper(source: OwnExport, now_ms: int) -> Paper | None:
    """Return the consents of an export, checked; None: there are none.

    Raises:
        ExportDamagedError: They do not prove what they say, or are another account's.
    """
    document = source.consents()
    if not document:
        return None
    try:
        audit = verify_consents(document, now_ms=now_ms)
    except BadConsentFileError:
        raise ExportDamagedError from None
    if audit.account_id != source.manifest.account_id:
        raise ExportDamagedError
    return Paper(audit, document)


def bring_person(
    job: Job, blocked: Mapping[bytes, int], called: Mapping[bytes, str], paper: Paper | None
) -> PersonBrought:
    """Store what belongs to the person and to no conversation."""
    for who, name in called.items():
        row = chains.account(job.tx, who)
        if row is not None and not row.name:
            set_name(job, who, name[:MAX_DISPLAY_NAME_CHARS])
    known = job.state.blocked(job.tx)
    fresh = [who for who in blocked if who not in known and who != job.own.account_id]
    for who in fresh:
        blocks.add(job.tx, BlockRow(who, min(blocked[who], job.now_ms)))
        say(job, who, Blocked(1))
    if fresh:
        job.state.forget_blocked()
    return PersonBrought(len(fresh), _bring_paper(job, paper))


def _bring_paper(job: Job, paper: Paper | None) -> int:
    if paper is None:
        return 0
    here = {row.consent_id for row in consents.all_rows(job.tx) if row.record}
    shown = [one.record.consent_id for one in paper.audit.consents if one.record is not None]
    if here.issuperset(shown):
        return 0  # none of them, or this account's own, which are here
    row = ConsentPaperRow(paper.audit.account_id, paper.audit.entries, paper.document, job.now_ms)
    return len(shown) if consent_papers.keep(job.tx, row) else 0
