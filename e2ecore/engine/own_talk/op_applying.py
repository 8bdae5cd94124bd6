"""What the ops of our other devices do here: to the rows that an action on this device changes.

Each function brings the rows of one slot to what counts of its ops. It may be called again with the
same: then nothing changes. An op about a conversation or an account that is not here yet is kept,
and applied when that comes.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeAlias, TypeVar

from e2ecore.engine.account import blocks
from e2ecore.engine.account.chains import apply_verified
from e2ecore.engine.account.people import apply_person
from e2ecore.engine.own_talk.op_marks import take_cleared, take_erased, take_read
from e2ecore.engine.own_talk.oplog import say, slot
from e2ecore.engine.running.job import Job
from e2ecore.engine.running.mirror import Mirror
from e2ecore.engine.talk.drafting import show_draft
from e2ecore.engine.telling.own_events import ContactEdited, SettingChanged
from e2ecore.ids import AccountId
from e2ecore.storage import app_settings, arrangements, chains, erasure, revisions
from e2ecore.storage.chains import ChainAccountRow
from e2ecore.storage.revisions import EVERYWHERE
from e2ecore.sync import merging
from e2ecore_protocol.content import op_bodies
from e2ecore_protocol.content.op_bodies import OpBody
from e2ecore_protocol.content.ops import Op

B = TypeVar("B", bound=OpBody)
_OnConversation: TypeAlias = Callable[[Job, Mirror, Sequence[Op]], None]


def apply_slot(job: Job, kind: int, subject: bytes, kept: Sequence[Op], new: Op | None) -> None:
    """Bring this device to what counts of a slot.

    Args:
        job: The work under way.
        kind: Of the slot.
        subject: Of the slot.
        kept: Its ops.
        new: The one that has just come; None: any may be new here.
    """
    on_conversation = _ON_CONVERSATIONS.get(kind)
    if on_conversation is not None:
        mirror = job.state.find(job.tx, subject)
        if mirror is not None:
            is_list = kind == op_bodies.Erased.KIND and new is not None
            on_conversation(job, mirror, [new] if is_list and new is not None else kept)
    elif kind in _ON_PEOPLE:
        _apply_to_person(job, kind, subject, kept)
    elif kind == op_bodies.Setting.KIND:
        _set(job, subject.decode(), kept)
    if kind in _EVERYWHERE and not subject:
        _EVERYWHERE[kind](job, kept)


def apply_conversation(job: Job, mirror: Mirror) -> None:
    """A conversation has come: what was said of it before counts now."""
    for kind, apply in _ON_CONVERSATIONS.items():
        kept = slot(job, kind, mirror.uid)
        if kept:
            apply(job, mirror, kept)


def _latest(job: Job, kept: Sequence[Op], kind: type[B]) -> B | None:
    """Return what counts of a register; written again where one op of it is from the future."""
    op = merging.written_last(kept, job.relay_ms)
    body = None if op is None else op.body()
    if op is None or not isinstance(body, kind):
        return None
    if merging.wants_settling(kept, job.relay_ms):
        say(job, op.subject, body)
    return body


def _mute(job: Job, mirror: Mirror, kept: Sequence[Op]) -> None:
    if (body := _latest(job, kept, op_bodies.Mute)) is not None:
        row = arrangements.get(job.tx, mirror.cid)
        arrangements.save(job.tx, row._replace(muted_ms=body.until_ms))


def _archive(job: Job, mirror: Mirror, kept: Sequence[Op]) -> None:
    if (body := _latest(job, kept, op_bodies.Archive)) is not None:
        row = arrangements.get(job.tx, mirror.cid)
        arrangements.save(job.tx, row._replace(archived=body.on))


def _place(job: Job, mirror: Mirror, kept: Sequence[Op]) -> None:
    if (body := _latest(job, kept, op_bodies.Place)) is not None:
        row = arrangements.get(job.tx, mirror.cid)
        arrangements.save(job.tx, row._replace(pinned_ms=body.pinned_ms))


def _retention(job: Job, mirror: Mirror, kept: Sequence[Op]) -> None:
    if (body := _latest(job, kept, op_bodies.Retention)) is not None:
        erasure.retain(job.tx, mirror.cid, body.keep_ms)
        job.effects.erased = True


def _revisions(job: Job, mirror: Mirror, kept: Sequence[Op]) -> None:
    _choose(job, mirror.cid, _latest(job, kept, op_bodies.Revisions))


def _revisions_everywhere(job: Job, kept: Sequence[Op]) -> None:
    _choose(job, EVERYWHERE, _latest(job, kept, op_bodies.Revisions))


def _choose(job: Job, cid: int, body: op_bodies.Revisions | None) -> None:
    if body is None:
        return
    revisions.choose(job.tx, cid, None if body.kept is None else bool(body.kept))
    while not revisions.are_kept(job.tx, cid) and revisions.forget_some(job.tx, cid):
        job.effects.erased = True


def _read(job: Job, mirror: Mirror, kept: Sequence[Op]) -> None:
    for op in kept:
        if isinstance(body := op.body(), op_bodies.ReadUpTo):
            take_read(job, mirror, body.seq)


def _cleared(job: Job, mirror: Mirror, kept: Sequence[Op]) -> None:
    for op in kept:
        if isinstance(body := op.body(), op_bodies.ClearedUpTo):
            take_cleared(job, mirror, body.seq)


def _erased(job: Job, mirror: Mirror, kept: Sequence[Op]) -> None:
    for op in kept:
        if isinstance(body := op.body(), op_bodies.Erased):
            take_erased(job, mirror, body.messages)


def _draft(job: Job, mirror: Mirror, kept: Sequence[Op]) -> None:
    show_draft(job, mirror.cid, kept)


def _set(job: Job, name: str, kept: Sequence[Op]) -> None:
    body = _latest(job, kept, op_bodies.Setting)
    if body is None or name.encode().startswith(op_bodies.ENGINE_SETTINGS):
        return
    if body.value != (app_settings.get(job.tx, name) or b""):
        app_settings.put(job.tx, name, body.value)
        job.effects.events.append(SettingChanged(name))


def _apply_to_person(job: Job, kind: int, account_id: bytes, kept: Sequence[Op]) -> None:
    before = _known(job, account_id)
    _ON_PEOPLE[kind](job, account_id, kept)
    if _known(job, account_id) != before:
        job.effects.events.append(ContactEdited(AccountId(account_id)))


def _known(job: Job, account_id: bytes) -> tuple[ChainAccountRow | None, bool]:
    return chains.account(job.tx, account_id), account_id in job.state.blocked(job.tx)


def _verify(job: Job, account_id: bytes, _kept: Sequence[Op]) -> None:
    apply_verified(job, account_id)


def _block(job: Job, account_id: bytes, kept: Sequence[Op]) -> None:
    if merging.is_set(kept):
        blocks.block(job, account_id)
    elif kept:
        blocks.unblock(job, account_id)


_ON_CONVERSATIONS: Final[Mapping[int, _OnConversation]] = {
    op_bodies.ClearedUpTo.KIND: _cleared,
    op_bodies.Erased.KIND: _erased,
    op_bodies.ReadUpTo.KIND: _read,
    op_bodies.Mute.KIND: _mute,
    op_bodies.Archive.KIND: _archive,
    op_bodies.Place.KIND: _place,
    op_bodies.Retention.KIND: _retention,
    op_bodies.Revisions.KIND: _revisions,
    op_bodies.Draft.KIND: _draft,
}
"""Erasures first."""
_ON_PEOPLE: Final[Mapping[int, Callable[[Job, bytes, Sequence[Op]], None]]] = {
    op_bodies.Person.KIND: apply_person,
    op_bodies.Verified.KIND: _verify,
    op_bodies.Blocked.KIND: _block,
}
_EVERYWHERE: Final[Mapping[int, Callable[[Job, Sequence[Op]], None]]] = {
    op_bodies.Revisions.KIND: _revisions_everywhere,
}
"""Kinds whose empty subject stands for all conversations of which nothing else is said."""
