"""A member who breaks the rules: with the keys of a member, and past everything that the engine
checks before it commits."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from unittest.mock import patch

import anyio

from e2ecore import Conversation, ConversationState, Engine
from e2ecore.crypto.rng import system_rng
from e2ecore.engine.engine import system_clock_ms
from e2ecore.engine.running.job import Job
from e2ecore.mls import tree_math
from e2ecore.mls.group import Group
from e2ecore.mls.pending_commit import PendingCommit
from e2ecore.mls.proposals import Proposal
from e2ecore.mls.ratchet_tree import RatchetTree
from e2ecore.mls.treekem import NewPath, UpdatePath
from e2ecore.testing import MemoryRelay
from e2ecore_protocol.frames.conversations import Commit, Committed, DeviceAddress
from e2ecore_protocol.frames.delivery import Delivery, make_envelope_id
from tests.support.engines import PATIENCE_S, history
from tests.support.lies import keys_of


async def place_of(engine: Engine, group: Conversation) -> tuple[int, int]:
    """Return the MLS epoch of a device, and the epoch of the log as it counts it."""

    def work(job: Job) -> tuple[int, int]:
        mirror = engine._core.state.find(job.tx, group.conversation_id)
        assert mirror is not None
        return mirror.epoch, mirror.log_epoch

    return await engine._core.jobs.run(work)


async def state_of(engine: Engine, group: Conversation) -> bytes:
    """Return what is equal for members in the same state; nothing for who cannot follow."""

    def work(job: Job) -> bytes:
        mirror = engine._core.state.find(job.tx, group.conversation_id)
        assert mirror is not None
        if mirror.group is None or mirror.state != ConversationState.ACTIVE:
            return b""
        return mirror.group.epoch_authenticator

    return await engine._core.jobs.run(work)


async def settled(views: dict[Engine, Conversation]) -> None:
    """Wait until all members are in one state of the group."""
    with anyio.fail_after(PATIENCE_S):
        while True:
            states = {await state_of(engine, view) for engine, view in views.items()}
            if len(states) == 1 and b"" not in states:
                return
            await anyio.sleep(0.02)


async def check_alive(views: dict[Engine, Conversation], said: str) -> None:
    """All can be heard by all, and the first can change the group."""
    first = next(iter(views.values()))
    with anyio.fail_after(2 * PATIENCE_S):
        await settled(views)
        await (await first.rename(said)).applied()
        await settled(views)
        for number, view in enumerate(views.values()):
            await (await view.send(f"{said} {number}")).accepted()
        wanted = {f"{said} {number}" for number in range(len(views))}
        for view in views.values():
            while not wanted <= set(await history(view)):  # noqa: ASYNC110 - a database tells nobody
                await anyio.sleep(0.02)
            await view.refresh()
            assert view.title == said


async def leaf_of(engine: Engine, group: Conversation, who: Engine) -> int:
    """Return where somebody's device sits in a group."""
    address = await address_of(who)

    def work(job: Job) -> int:
        mirror = engine._core.state.find(job.tx, group.conversation_id)
        assert mirror is not None
        return mirror.devices[address.device_id].leaf

    return await engine._core.jobs.run(work)


async def make_commit(
    engine: Engine, group: Conversation, wishes: Callable[[Group], Iterable[Proposal]]
) -> PendingCommit:
    """Make a commit with a member's keys and nobody's leave."""
    own = await keys_of(engine)

    def work(job: Job) -> PendingCommit:
        mirror = engine._core.state.find(job.tx, group.conversation_id)
        assert mirror is not None
        assert mirror.group is not None
        return mirror.group.create_commit(
            tuple(wishes(mirror.group)),
            signer=own.signer,
            now_ms=system_clock_ms(),
            rng=system_rng,
        )

    return await engine._core.jobs.run(work)


async def place_commit(
    engine: Engine,
    group: Conversation,
    payload: bytes,
    *,
    number: int | None = None,
    added: tuple[DeviceAddress, ...] = (),
    removed: tuple[DeviceAddress, ...] = (),
    welcome: bytes | None = None,
) -> None:
    """Have the relay take a commit, whatever is in it, with whatever lists."""
    place = number if number is not None else (await place_of(engine, group))[1]
    envelope_id = make_envelope_id(system_clock_ms(), system_rng(10))
    frame = Commit(
        *(0, group.conversation_id, envelope_id, place, payload, None, added, removed), welcome
    )
    await engine._core.need_link().request(frame, Committed)


async def deafen(relay: MemoryRelay, engine: Engine) -> None:
    """Deliver nothing more to a device: its honest engine must not repair what it has done."""
    device = (await address_of(engine)).device_id

    def drop(to: bytes, items: Sequence[Delivery]) -> list[Delivery]:
        return [] if to == device else list(items)

    relay.faults.deliveries.append(drop)


async def address_of(engine: Engine) -> DeviceAddress:
    """Return what the relay calls a device."""
    own = await keys_of(engine)
    return DeviceAddress(own.account_id, own.device_id)


@contextmanager
def spoiled_for(leaves: frozenset[int], spoiled: set[int]) -> Iterator[None]:
    """Seal path secrets so that some members cannot open theirs.

    Args:
        leaves: Whom it shall concern, as far as they can be told apart from others.
        spoiled: Filled with the leaves that it does concern.
    """
    honest = NewPath.seal

    def seal(
        self: NewPath, tree: RatchetTree, context: bytes, added: Collection[int]
    ) -> UpdatePath:
        path = honest(self, tree, context, added)
        nodes = []
        for step, node in zip(self._steps, path.nodes, strict=True):
            sealed = list(node.encrypted_path_secret)
            for at, index in enumerate(tree.resolution(step.other, added)):
                below = {leaf for leaf in range(16) if tree_math.contains(index, 2 * leaf)}
                if below & leaves:
                    spoiled.update(below)
                    sealed[at] = sealed[at]._replace(ciphertext=bytes(len(sealed[at].ciphertext)))
            nodes.append(node._replace(encrypted_path_secret=tuple(sealed)))
        return replace(path, nodes=tuple(nodes))

    with patch.object(NewPath, "seal", seal):
        yield
