"""Carrying out intents: one task per conversation that has any, none otherwise."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

import anyio
from anyio.abc import TaskGroup

from e2ecore.engine.errors import EngineClosedError
from e2ecore.engine.membership.claiming import Claimer
from e2ecore.engine.membership.committing import (
    NeedKeys,
    Send,
    Step,
    Wait,
    commit_accepted,
    commit_refused,
    keys_refused,
    next_step,
)
from e2ecore.engine.membership.isolating import drop, isolate
from e2ecore.engine.membership.judging import ChainsNeeded
from e2ecore.engine.running.chores import TROUBLE_S, fetch_chain, note_fetched
from e2ecore.engine.running.defects import IntentBrokenError, is_defect
from e2ecore.engine.running.job import Job
from e2ecore.engine.running.signals import Signal
from e2ecore.errors import E2EError, PeerError, TransientError
from e2ecore.transport.errors import ConnectionLostError, RelayRefusedError
from e2ecore_protocol.frames.conversations import Commit, Committed
from e2ecore_protocol.frames.key_packages import DeviceKeyPackage

if TYPE_CHECKING:
    from e2ecore.engine.running.core import Core

DEVICES_AT_ONCE: Final = 32
"""Conversations that single devices are added to at the same time. A device that comes into
hundreds publishes new key packages meanwhile, instead of being added by its last resort."""
_LOOK_AGAIN: Final = Wait(1)


class Committer:
    """Looks after the conversations whose intents are due."""

    def __init__(self, core: "Core") -> None:
        self._core = core
        self._workers: dict[int, Signal] = {}
        self._claimer = Claimer(core)
        self._adding = anyio.Semaphore(DEVICES_AT_ONCE)

    async def run(self) -> None:
        """Run for the life of the engine."""
        core = self._core
        async with anyio.create_task_group() as tasks:
            while True:
                await core.intents_signal.wait()
                due, core.intents_due = core.intents_due, set()
                for cid in due:
                    self._wake(tasks, cid)

    def _wake(self, tasks: TaskGroup, cid: int) -> None:
        signal = self._workers.get(cid)
        if signal is None:
            signal = self._workers[cid] = Signal()
            tasks.start_soon(self._work, cid, signal)
        signal.set()

    async def _work(self, cid: int, signal: Signal) -> None:
        """Carry out what is due in one conversation, until nothing is."""
        pause: float | None = None
        while True:
            if pause is None:
                await signal.wait()
            else:
                await signal.wait_for(pause)
            if self._core.link is None:
                pause = None
                continue  # the next connection wakes us
            try:
                pause = await self._step(cid)
            except ConnectionLostError:
                pause = None
            except EngineClosedError:
                return
            except (TransientError, PeerError):
                pause = TROUBLE_S
            except Exception as error:  # noqa: BLE001 - contained: this intent fails, no other
                pause = await self._contain(error)
            if pause == 0 and not signal.is_raised:
                del self._workers[cid]
                return

    async def _contain(self, error: Exception) -> float | None:
        """Give up the intent that the engine failed at; the others go on.

        Returns:
            As ``_step``.
        """
        core = self._core
        cause = error.__cause__ or error
        core.report_defect("carrying out a change", cause)
        if not isinstance(error, IntentBrokenError):
            return None  # tried again over the next connection
        iid, name = error.iid, type(cause).__name__
        try:
            await core.jobs.run(lambda job: isolate(job, iid, name))
        except Exception as second:  # noqa: BLE001 - not even that: the wish alone is deleted
            core.report_defect("giving up a change", second)
            await core.jobs.run(lambda job: drop(job, iid, name))
        return 0.001

    async def _run(self, iid: int, work: Callable[[Job], None]) -> None:
        """Run a job for an intent.

        Raises:
            IntentBrokenError: It failed by a defect.
        """
        try:
            await self._core.jobs.run(work)
        except Exception as error:
            if is_defect(error):
                raise IntentBrokenError(iid) from error
            raise

    async def _step(self, cid: int) -> float | None:
        """Do one thing. Return for how many seconds there is nothing to do; 0: no more at all."""
        while True:
            step = await self._next(cid, None)
            if isinstance(step, NeedKeys):
                step = await self._with_keys(cid, step)
            if isinstance(step, Wait):
                return step.ms / 1000
            if isinstance(step, Send):
                await self._send(step.iid, step.frame)

    async def _next(self, cid: int, packages: Sequence[DeviceKeyPackage] | None) -> Step:
        core = self._core

        def work(job: Job) -> Step:
            return next_step(job, cid, packages)

        while True:
            try:
                return await core.jobs.run(work)
            except ChainsNeeded as needed:
                for account_id in needed.accounts:
                    await self._fetch(account_id)

    async def _fetch(self, account_id: bytes) -> None:
        core = self._core
        try:
            await fetch_chain(core, account_id)
        except ConnectionLostError:
            raise
        except E2EError:
            pass
        await core.jobs.run(lambda job: note_fetched(job, (account_id,)))

    async def _with_keys(self, cid: int, need: NeedKeys) -> Step:
        """Claim key packages and use them; of single devices for a few conversations at a time."""
        if not need.devices:
            return await self._claimed(cid, need)
        async with self._adding:
            step = await self._claimed(cid, need)
            if not isinstance(step, Send):
                return step
            await self._send(step.iid, step.frame)
            return _LOOK_AGAIN

    async def _claimed(self, cid: int, need: NeedKeys) -> Step:
        """Get key packages for an intent; that they could not be had is seen to."""
        try:
            packages = await self._claimer.claim(need)
        except ConnectionLostError:
            raise
        except E2EError as error:
            problem = error
            can_retry = isinstance(error, RelayRefusedError) and error.can_retry

            def work(job: Job) -> None:
                keys_refused(job, need.iid, problem, can_retry=can_retry)

            await self._run(need.iid, work)
            return _LOOK_AGAIN
        return await self._next(cid, packages)

    async def _send(self, iid: int, frame: Commit) -> None:
        """Send a stored commit and act on the answer."""
        core = self._core
        try:
            await core.need_link().request(frame, Committed)
        except RelayRefusedError as error:
            refusal = error
            epoch = error.data if isinstance(error.data, int) else None

            def refused(job: Job) -> None:
                commit_refused(
                    job,
                    iid,
                    refusal.code.value,
                    can_retry=refusal.can_retry,
                    retry_after_ms=refusal.retry_after_ms,
                    relay_epoch=epoch,
                )

            await self._run(iid, refused)
            return
        self._claimer.forget(iid)
        await self._run(iid, lambda job: commit_accepted(job, iid))
