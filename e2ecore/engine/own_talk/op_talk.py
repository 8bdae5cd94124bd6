"""Ops between our devices: told, taken, compared. In the writer's thread.

What comes is checked as a whole before anything of it counts: each op must be signed by a device
that the account's chain names, or named once. Then each is merged into what is kept of its slot,
and where that changes, what counts now is brought to the rows.

Two devices that were apart find out by comparison what either lacks, see ``e2ecore.sync``: the one
that asks remembers how far it is, the one that answers nothing. A comparison that is interrupted is
forgotten, and begun anew when there is reason to.

Spec: protocol/spec/75-own-devices.md, [OPL-4] to [OPL-6], [OPL-40] to [OPL-59]
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final, TypeAlias

from e2ecore.crypto.errors import SignatureError
from e2ecore.engine.own_talk.op_applying import apply_slot
from e2ecore.engine.own_talk.oplog import author_of, keep, save_author, touched
from e2ecore.engine.own_talk.own_group import own_group, several_count, tell_own_devices
from e2ecore.engine.own_talk.own_topic import OwnTopic
from e2ecore.engine.running.job import Job
from e2ecore.engine.telling.own_events import OwnDeviceForked
from e2ecore.errors import PeerError
from e2ecore.ids import DeviceId
from e2ecore.storage import ops
from e2ecore.sync.authoring import check_links, verify
from e2ecore.sync.errors import ForkedDeviceError
from e2ecore.sync.items import Items
from e2ecore.sync.reconciling import Reconciler, answer
from e2ecore_protocol.content.op_bodies import ClearedUpTo, Erased
from e2ecore_protocol.content.ops import Op
from e2ecore_protocol.content.own_devices import (
    SESSION_BYTES,
    OpsAnswered,
    OpsCompared,
    OpsTold,
    OpsWanted,
    OwnContent,
    decode_own_content,
)
from e2ecore_protocol.limits import KIB, MAX_OPS_PER_CONTENT, MAX_OPS_WANTED

if TYPE_CHECKING:
    from e2ecore.engine.running.mirror import Mirror, Peer

MAX_TOLD_BYTES: Final = 256 * KIB
"""Ops of one envelope: half of what it may carry."""
_FIRST: Final = frozenset({Erased.KIND, ClearedUpTo.KIND})
"""Kinds that are applied before all others of the same content."""


class ForeignOpError(PeerError):
    """Another of our devices told an op that no device of this account has signed. It was refused.

    Nothing of what came with it counts.
    """


def take_ops(job: Job, _mirror: "Mirror", sender: "Peer", body: bytes) -> None:
    """Take what another device of ours says about ops.

    Raises:
        MalformedError: It cannot be read.
        ForeignOpError: An op is not signed by a device that the account has or had.
        ComparisonError: It is no question.
    """
    said = decode_own_content(body)
    if said is not None:
        _TAKERS[type(said)](job, sender, said)


def tell_new(job: Job) -> None:
    """Tell the other devices what was done here and they do not know; once each."""
    if own_group(job) is None or not several_count(job):
        return
    row = ops.author(job.tx, job.own.device_id)
    if row is None:
        return
    while new := ops.behind(job.tx, row.device_id, row.told, MAX_OPS_PER_CONTENT):
        _tell(job, [one.op for one in new])
        row = row._replace(told=new[-1].number)
    if row.told < row.number:
        row = row._replace(told=row.number)  # the last ones are overwritten already
    ops.save_author(job.tx, row)


def compare(job: Job, device_id: bytes) -> None:
    """Begin to compare what is kept here with what another device of ours keeps."""
    session = job.state.rng(SESSION_BYTES)
    asking = Reconciler(_items(job))
    job.state.comparisons.ask(session, device_id, asking)
    _say(job, OpsCompared(device_id, session, asking.initiate()))


def _take_told(job: Job, _sender: "Peer", said: OwnContent) -> None:
    if isinstance(said, OpsTold):
        found = [Op.decode(one) for one in said.ops]
        new = [one for one in found if not ops.has(job.tx, one.hash())]
        _verify(job, new)
        for op in sorted(new, key=lambda one: one.kind not in _FIRST):
            _take(job, op)


def _verify(job: Job, found: Iterable[Op]) -> None:
    chain = job.state.chain(job.tx, job.own.account_id)
    for op in found:
        device = None if chain is None else chain.devices.get(op.device_id)
        if device is None:
            raise ForeignOpError
        try:
            verify(op, job.own.account_id, device.key)
        except SignatureError as error:
            raise ForeignOpError from error


def _take(job: Job, op: Op) -> None:
    try:
        check_links(op, map(Op.decode, ops.near(job.tx, op.device_id, op.number)))
    except ForkedDeviceError:
        job.effects.events.append(OwnDeviceForked(DeviceId(op.device_id)))
    before = touched(job, op.kind, op.subject)
    now = keep(job, before, op)
    save_author(job, author_of(job).hear(op, job.relay_ms))
    if now != before:
        apply_slot(job, op.kind, op.subject, now, op)


def _take_question(job: Job, sender: "Peer", said: OwnContent) -> None:
    if not isinstance(said, OpsCompared) or said.device_id != job.own.device_id:
        return
    if job.state.comparisons.may_answer(sender.device_id):
        frame = answer(_items(job), said.frame)
        _say(job, OpsAnswered(sender.device_id, said.session, frame))


def _take_answer(job: Job, sender: "Peer", said: OwnContent) -> None:
    if not isinstance(said, OpsAnswered) or said.device_id != job.own.device_id:
        return
    device_id = sender.device_id
    asking = job.state.comparisons.answered(said.session, device_id)
    if asking is None:
        return
    found = asking.respond(said.frame)
    if found.frame is not None:
        job.state.comparisons.ask(said.session, device_id, asking)
        _say(job, OpsCompared(device_id, said.session, found.frame))
    _tell(job, ops.pick(job.tx, found.have))
    for at in range(0, len(found.need), MAX_OPS_WANTED):
        _say(job, OpsWanted(device_id, found.need[at : at + MAX_OPS_WANTED]))


def _take_wish(job: Job, _sender: "Peer", said: OwnContent) -> None:
    if isinstance(said, OpsWanted) and said.device_id == job.own.device_id:
        _tell(job, ops.pick(job.tx, said.hashes))


def _items(job: Job) -> Items:
    return Items(ops.items(job.tx))


def _tell(job: Job, found: Sequence[bytes]) -> None:
    part: list[bytes] = []
    size = 0
    for op in found:
        if part and (size + len(op) > MAX_TOLD_BYTES or len(part) == MAX_OPS_PER_CONTENT):
            _say(job, OpsTold(tuple(part)))
            part, size = [], 0
        part.append(op)
        size += len(op)
    if part:
        _say(job, OpsTold(tuple(part)))


def _say(job: Job, said: OwnContent) -> None:
    tell_own_devices(job, OwnTopic.OPS, (said.encode(),))


_Taker: TypeAlias = Callable[[Job, "Peer", OwnContent], None]
_TAKERS: Final[Mapping[type[OwnContent], _Taker]] = {
    OpsTold: _take_told,
    OpsCompared: _take_question,
    OpsAnswered: _take_answer,
    OpsWanted: _take_wish,
}
