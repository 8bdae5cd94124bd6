"""What is done on this device that our other devices shall know: ops, written with the action.

An op is written in the transaction of what it says, and only while several devices count: an
account with one device has none. A task tells the other devices of what is new. Of the ops that are
here those are kept that nothing overwrites, see ``e2ecore.sync.merging``.

Spec: protocol/spec/75-own-devices.md
"""

from collections.abc import Iterable, Sequence

from e2ecore.engine.own_talk.own_group import several_count
from e2ecore.engine.running.job import Job
from e2ecore.engine.running.mirror import Mirror
from e2ecore.storage import ops, shared_marks
from e2ecore.storage.messages import MessageRow
from e2ecore.storage.ops import OpRow
from e2ecore.sync.authoring import Author
from e2ecore.sync.hlc import Hlc
from e2ecore.sync.merging import keeps_all, kept
from e2ecore_protocol.content.op_bodies import Erased, Named, OpBody
from e2ecore_protocol.content.ops import Op
from e2ecore_protocol.limits import MAX_OP_ERASED


def say(job: Job, subject: bytes, body: OpBody) -> None:
    """Note for our other devices what is done here; nothing while there are none.

    Args:
        job: The work under way: it does what the op says.
        subject: What it is about: a conversation's id, an account id, a name.
        body: What is so from now on.
    """
    if not several_count(job):
        return
    own = job.own
    before = touched(job, body.KIND, subject)
    author, op = author_of(job).write(
        subject,
        body,
        before,
        now_ms=job.relay_ms,
        sign=lambda one: one.signed(own.account_id, own.signer.sign),
    )
    keep(job, before, op)
    save_author(job, author)
    job.effects.own_news = True


def say_erased(job: Job, mirror: Mirror, rows: Iterable[MessageRow]) -> None:
    """Note that messages were erased here, for ever and everywhere."""
    if not several_count(job):
        return
    named = sorted({Named(row.uid, row.account_id) for row in rows if row.counter})
    for at in range(0, len(named), MAX_OP_ERASED):
        part = tuple(named[at : at + MAX_OP_ERASED])
        say(job, mirror.uid, Erased(part))
        never_again(job, mirror.uid, part)


def never_again(job: Job, conversation: bytes, named: Iterable[Named]) -> None:
    """Have messages not stored, should they come again."""
    shared_marks.add_names(job.tx, conversation, named)
    job.state.any_erased = True


def is_gone(job: Job, mirror: Mirror, uid: bytes, author: bytes, seq: int) -> bool:
    """Was a message erased by one of our devices, perhaps before it came here?

    Whatever stores messages of others or of our other devices asks here first.

    Args:
        job: The work under way.
        mirror: The conversation.
        uid: Message id.
        author: Account id.
        seq: Its number in the relay's log; 0: unknown.
    """
    if 0 < seq <= mirror.marks.cleared_seq:
        return True
    if job.state.any_erased is None:
        job.state.any_erased = shared_marks.any_name(job.tx)
    return job.state.any_erased and shared_marks.is_named(job.tx, mirror.uid, uid, author)


def slot(job: Job, kind: int, subject: bytes) -> tuple[Op, ...]:
    """Return what is kept of a kind about a subject, in order."""
    return kept(map(Op.decode, ops.slot(job.tx, kind, subject)))


def touched(job: Job, kind: int, subject: bytes) -> tuple[Op, ...]:
    """Return what a new op of a slot may overwrite: nothing, where everything is kept for ever.

    There may be thousands of deletes in one conversation, and each new one touches none of them.
    """
    return () if keeps_all(kind) else slot(job, kind, subject)


def keep(job: Job, before: Sequence[Op], op: Op) -> tuple[Op, ...]:
    """Merge an op into what is kept of its slot, as far as it touches that, and store it.

    Returns:
        What is kept now of those that it touches, and itself.
    """
    now = kept((*before, op))
    names = {one.hash() for one in now}
    ops.remove(job.tx, {one.hash() for one in before} - names)
    if op.hash() in names:
        row = OpRow(
            op.hash(), op.time, op.device_id, op.number, op.kind, op.subject, op.encode()
        )  # fmt: skip
        ops.add(job.tx, row)
    return now


def author_of(job: Job) -> Author:
    """Return where this device stands in its list of ops."""
    device_id = job.own.device_id
    row = ops.author(job.tx, device_id)
    if row is None:
        return Author(device_id)
    return Author(device_id, row.number, row.prev_hash, Hlc(row.time))


def save_author(job: Job, author: Author) -> None:
    """Note where this device stands."""
    ops.advance(job.tx, author.device_id, author.number, author.prev_hash, author.time)
