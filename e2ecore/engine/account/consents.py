"""What the person has agreed to: asked for, given, withdrawn, shown, and told to the chain.

A decision is stored first, and counts here from then on. A task tells the account chain, as soon as
the relay can be reached and as often as it takes: it compares what the person wants with what the
chain says, so neither a crash nor a lost answer leaves the two apart.
"""

from functools import partial
from typing import TYPE_CHECKING

from e2ecore.consent.audit import ConsentAudit, Paper, verify_consents, write_consents
from e2ecore.consent.notices import ConsentNotice
from e2ecore.consent.purposes import Purpose, Terms
from e2ecore.engine.account import agreeing
from e2ecore.engine.account.agreeing import Consent
from e2ecore.engine.account.own_chain import grow_own_chain
from e2ecore.engine.account.recording import Decision
from e2ecore.engine.errors import ConsentRequiredError, GuardianRequiredError
from e2ecore.engine.running.job import Job
from e2ecore.engine.running.state import read_chain
from e2ecore.errors import E2EError
from e2ecore.storage import chains, consent_papers, consents, reading
from e2ecore.storage.tx import Tx
from e2ecore.transport.errors import RelayRefusedError
from e2ecore_protocol.chain.record import Controller
from e2ecore_protocol.errors import ErrorCode

if TYPE_CHECKING:
    from e2ecore.engine.running.core import Core


class Consents:
    """The consents of this account. Everything that needs one is off until ``grant``."""

    def __init__(self, core: "Core") -> None:
        self._core = core

    async def grant(
        self,
        notice: ConsentNotice,
        *,
        controller: Controller,
        scope: str = "",
        expires_ms: int | None = None,
        jurisdiction: str = "",
        terms: Terms | None = None,
    ) -> Consent:
        """Note that the person agrees to what they were shown just now. Call it for nothing else.

        It counts on this device when this returns, for everybody as soon as the relay has it; see
        ``settled``. An older consent to the same purpose is replaced.

        Args:
            notice: The very text that was shown; ``shipped_notice`` has some.
            controller: Who answers for the data.
            scope: What it is limited to, in words.
            expires_ms: When it ends by itself, in milliseconds since the Unix epoch.
            jurisdiction: Whose law applies, such as ``CN``.
            terms: What is processed; needed for a purpose of your own.

        Raises:
            BadConsentError: A text is too long or missing, or it would be over already.
            GuardianRequiredError: This account is that of somebody under 14: ``guardians.ask``.
            NotRegisteredError: There is no account yet.
            YouthModeError: The purpose is closed in youth mode, which is on.
        """
        decision = Decision(
            notice=notice, controller=controller, scope=scope, expires_ms=expires_ms,
            jurisdiction=jurisdiction, terms=terms,
        )  # fmt: skip

        def work(job: Job) -> Consent:
            return agreeing.grant(job, decision.recorded(job), notice.text)

        made = await self._core.jobs.run(work)
        self._core.upkeep.to_settle.set()
        return made

    async def withdraw(self, purpose: str) -> int:
        """Take back every consent to a purpose. It counts on this device when this returns.

        For everybody else it counts as soon as the relay has it; see ``settled``. Other devices of
        the account are removed with the last consent to ``multi_device_sync``.

        Returns:
            How many consents were in force.
        """

        def work(job: Job) -> int:
            due = agreeing.in_force(job, purpose)
            for one in due:
                agreeing.withdraw(job, one)
            if purpose == Purpose.READ_RECEIPTS:
                reading.share_nothing(job.tx)
            return len(due)

        count = await self._core.jobs.run(work)
        self._core.upkeep.to_settle.set()
        self._core.upkeep.to_give.set()
        return count

    async def list(self) -> tuple[Consent, ...]:
        """Return all consents that were ever given, oldest first."""
        return tuple(await self._core.jobs.run(agreeing.listed))

    async def imported(self) -> tuple[ConsentAudit, ...]:
        """Return what was agreed to elsewhere, from exports that were imported; checked again.

        It is there to be looked at. Nothing of it is in force here, whatever its state says of the
        account that it belongs to: that takes ``grant``.
        """
        self._core.check_open()
        now_ms = self._core.clock_ms()
        rows = self._core.read(consent_papers.all_rows)
        return tuple([verify_consents(row.document, now_ms=now_ms) for row in rows])

    async def forget_imported(self) -> int:
        """Erase what was agreed to elsewhere; return how many accounts' it was."""
        return await self._core.jobs.run(lambda job: consent_papers.forget(job.tx))

    async def in_force(self, purpose: str) -> Consent | None:
        """Return the newest consent to a purpose that counts on this device now."""
        found = await self._core.jobs.run(lambda job: agreeing.in_force(job, purpose))
        return found[-1] if found else None

    async def covers(self, notice: ConsentNotice) -> bool:
        """Tell whether the person has agreed to a text like this, in whatever language.

        If not, show it and ask: they never agreed, took it back, or what they agreed to is not this
        text: it has a greater ``version``, or the same one and language with other words.
        """
        found = await self.in_force(notice.purpose)
        if found is None or found.record is None:
            return found is not None
        agreed = found.record
        if (agreed.notice_version, agreed.notice_language) == (notice.version, notice.language):
            return agreed.notice_hash == notice.hash
        return agreed.notice_version >= notice.version

    async def require(self, purpose: str) -> Consent:
        """Return the consent to a purpose, or refuse to go on without.

        Raises:
            ConsentRequiredError: There is none in force.
        """
        found = await self.in_force(purpose)
        if found is None:
            raise ConsentRequiredError(purpose)
        return found

    async def settled(self) -> None:
        """Wait until the relay, and so everybody, has every decision that was made here.

        Raises:
            TransientError: The relay was not reached. It is tried again with the next connection.
            E2EError: It refused.
        """
        await settle(self._core)

    async def export(self) -> bytes:
        """Return everything about this account's consents as a file; see ``verify_consents``.

        It is **not encrypted**, and proves to whoever has it what the person agreed to.

        Raises:
            NotRegisteredError: There is no account yet.
        """
        account_id = self._core.account_id

        def work(tx: Tx) -> bytes:
            entries = [row.entry for row in chains.entries(tx, account_id)]
            chain = read_chain(tx, account_id)
            known = [
                Paper(row.record, row.salt, row.notice)
                for row in consents.all_rows(tx)
                if row.record and chain is not None and row.consent_id in chain.consents
            ]
            return write_consents(entries, known)

        return self._core.read(work)


async def keep_consents(core: "Core") -> None:
    """Tell the chain what was decided, for the life of the engine."""
    while True:
        await core.upkeep.to_settle.wait()
        if core.link is None:
            continue  # the next connection gives the signal again
        try:
            await settle(core)
        except E2EError:
            continue
        core.upkeep.to_lapse.set()


async def settle(core: "Core") -> None:
    """Have the chain say what the person wants."""
    async with core.upkeep.settling:
        if not core.read(consents.unsettled):
            return
        await core.await_link()
        try:
            entries = await grow_own_chain(core, partial(core.jobs.run, agreeing.missing_entries))
        except RelayRefusedError as error:
            if error.code is not ErrorCode.GUARDIAN_REQUIRED:
                raise
            core.upkeep.guarding.hear()
            raise GuardianRequiredError(str(error.data)) from error
        await core.jobs.run(partial(agreeing.note_settled, entries=entries))
