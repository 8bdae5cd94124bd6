"""Children and their guardians: who decides, what is asked, what was decided.

Spec: protocol/spec/85-guardians.md
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from e2ecore.consent.notices import ConsentNotice, shipped_notice
from e2ecore.consent.purposes import Terms
from e2ecore.engine.account.contacts import Contact, load_contact
from e2ecore.engine.account.recording import Decision
from e2ecore.engine.family import guardianship, guarding
from e2ecore.engine.family.guardian_values import (
    ApprovalRequest,
    GuardianBond,
    MinorStatus,
    NoGuardianError,
)
from e2ecore.engine.running.chores import fetch_chain
from e2ecore.engine.running.job import Job
from e2ecore.engine.talk.conversations import Conversations
from e2ecore.engine.talk.handles import SentMessage
from e2ecore.errors import E2EError
from e2ecore.storage import guardians
from e2ecore.storage.tx import Tx
from e2ecore.transport.errors import RelayRefusedError
from e2ecore_protocol.chain.record import Controller
from e2ecore_protocol.frames.guardians import (
    FetchGuardianship,
    Guardianship,
    MarkedBy,
    MarkMinor,
    SubmitGuardian,
)
from e2ecore_protocol.frames.session import Ok
from e2ecore_protocol.guardians import EndingScope

if TYPE_CHECKING:
    from e2ecore.engine.running.core import Core

GUARDIAN_NOTICE: Final = "guardian"
"""What the notice is called that ward and guardian are shown before they agree to the bond."""


class Guardians:
    """Whoever is under 14 agrees to nothing without their guardian, another account.

    That an account is a child's is known to itself, its guardian and the relay, and to nobody else.
    The guardian decides; they get no key, and read nothing.
    """

    def __init__(self, core: "Core", conversations: Conversations) -> None:
        self._core = core
        self._conversations = conversations
        self._said: list[SentMessage] = []

    async def status(self) -> MinorStatus | None:
        """Return whether this account is that of somebody under 14; None: it is not."""
        core = self._core

        def work(tx: Tx) -> MinorStatus | None:
            mark = guardians.mark(tx)
            if mark is None or mark.until_ms <= core.clock_ms():
                return None
            row = guarding.own_guardian(tx)
            bond = guarding.bond_of(row) if row else None
            return MinorStatus(mark.until_ms, mark.marked_by == MarkedBy.OPERATOR, bond)

        core.check_open()
        return core.read(work)

    async def mark(self, until_ms: int) -> None:
        """Say that whoever uses this account is under 14 until a date.

        All consents that were given without a guardian are withdrawn. It can be made later, not
        earlier, and is not taken back by this account alone.

        Args:
            until_ms: The fourteenth birthday, in milliseconds since the Unix epoch; no date of
                birth is stored.

        Raises:
            BadMarkError: It is no time in the next 14 years.
            NotHolderError: This device was linked; say it on the first one.
            NotRegisteredError: There is no account yet.
        """
        await self._core.jobs.run(lambda job: guarding.mark(job, until_ms))
        self._core.upkeep.to_settle.set()

    async def invite(self, contact: Contact, notice: ConsentNotice | None = None) -> GuardianBond:
        """Ask somebody to be this account's guardian. Compare safety numbers first.

        An earlier invitation that was not accepted does not count any more.

        Args:
            contact: Who is to decide.
            notice: What was shown; None: the text that comes with this package, in English.

        Raises:
            NotMarkedError: This account is not marked.
            HasGuardianError: There is a guardian.
            OwnAccountError: It is this account.
        """
        text = (notice or shipped_notice(GUARDIAN_NOTICE)).text
        chat = await self._conversations.direct(contact)
        number = chat.local_number
        bond, said = await self._core.jobs.run(lambda job: guarding.invite(job, number, text))
        self._said.append(said)
        return bond

    async def bonds(self) -> tuple[GuardianBond, ...]:
        """Return all bonds and invitations of this account, on either side, the oldest first."""
        self._core.check_open()
        return tuple(map(guarding.bond_of, self._core.read(guardians.links)))

    async def accept(self, link_id: bytes) -> GuardianBond:
        """Agree to be somebody's guardian: the person was shown ``notice``, and says yes.

        Raises:
            UnknownBondError: There is no such invitation, or it is over.
        """
        return await self._core.jobs.run(lambda job: guarding.accept(job, link_id))

    async def decline(self, link_id: bytes) -> None:
        """Do not be somebody's guardian. They are told.

        Raises:
            UnknownBondError: There is no such invitation, or it is over.
        """
        number = await self._chat(lambda tx: guarding.peer_of(tx, link_id))
        self._said.append(
            await self._core.jobs.run(
                lambda job: guarding.decline(job, link_id, job.mirror(number))
            )
        )

    async def ask(
        self,
        notice: ConsentNotice,
        *,
        controller: Controller,
        scope: str = "",
        expires_ms: int | None = None,
        jurisdiction: str = "",
        terms: Terms | None = None,
    ) -> ApprovalRequest:
        """Note that the person agrees to what they were shown, and ask their guardian.

        The consent begins by itself as soon as the guardian has approved it; see
        ``ApprovalRequestChanged``. The arguments are those of ``Consents.grant``.

        Raises:
            NoGuardianError: There is no guardian yet.
            BadConsentError: A text is too long or missing, or it would be over already.
            YouthModeError: The purpose is closed in youth mode, which is on.
        """
        decision = Decision(
            notice=notice, controller=controller, scope=scope, expires_ms=expires_ms,
            jurisdiction=jurisdiction, terms=terms,
        )  # fmt: skip

        def guardian(tx: Tx) -> bytes:
            row = guarding.own_guardian(tx)
            if row is None:
                raise NoGuardianError
            return row.other

        number = await self._chat(guardian)

        def work(job: Job) -> tuple[ApprovalRequest, SentMessage]:
            return guarding.ask(job, decision.recorded(job), notice.text, number)

        asked, said = await self._core.jobs.run(work)
        self._said.append(said)
        return asked

    async def requests(self) -> tuple[ApprovalRequest, ...]:
        """Return what was ever asked, by this account and of it, the oldest first."""
        self._core.check_open()
        return tuple(self._core.read(guarding.requests))

    async def approve(self, consent_id: bytes) -> ApprovalRequest:
        """Agree to what a ward has asked for: the person has read ``notice`` and ``record``.

        Raises:
            UnknownRequestError: There is no such request, or it was decided.
        """
        return await self._core.jobs.run(lambda job: guarding.approve(job, consent_id))

    async def refuse(self, consent_id: bytes) -> ApprovalRequest:
        """Do not agree to what a ward has asked for. They are told.

        Raises:
            UnknownRequestError: There is no such request, or it was decided.
        """
        number = await self._chat(lambda tx: guarding.asker_of(tx, consent_id))
        refused, said = await self._core.jobs.run(
            lambda job: guarding.refuse(job, consent_id, job.mirror(number))
        )
        self._said.append(said)
        return refused

    async def take_back(self, consent_id: bytes) -> ApprovalRequest:
        """Agree no longer to what was approved: the ward's consent ends.

        The relay stops it as soon as it knows, the ward's device withdraws it for all.

        Raises:
            UnknownRequestError: There is no such request, or it was not approved.
        """
        return await self._core.jobs.run(lambda job: guarding.take_back(job, consent_id))

    async def leave(self, link_id: bytes) -> GuardianBond:
        """Be somebody's guardian no longer. They can agree to nothing until they have another one.

        A ward who calls this only asks for it: nothing ends.

        Raises:
            UnknownBondError: There is no such bond, or it is over.
        """
        return await self._core.jobs.run(lambda job: guarding.end(job, link_id, EndingScope.LINK))

    async def release(self, link_id: bytes) -> GuardianBond:
        """Say that the account is to count as a child's no longer. It ends when both have said so.

        Raises:
            UnknownBondError: There is no such bond, or it is over.
        """
        return await self._core.jobs.run(lambda job: guarding.end(job, link_id, EndingScope.MARK))

    async def settled(self) -> None:
        """Wait until the relay has what was decided and said here, and has told what it knows.

        Raises:
            TransientError: The relay was not reached. It is tried again with the next connection.
            E2EError: It refused.
        """
        self._core.upkeep.guarding.has_news = True
        await settle_guardians(self._core)
        while self._said:
            await self._said[0].accepted()
            self._said = [one for one in self._said if not one.is_accepted]

    async def _chat(self, peer: Callable[[Tx], bytes]) -> int:
        """Return the local number of the direct conversation with somebody."""
        core = self._core
        core.check_open()
        contact = load_contact(core, core.read(peer))
        chat = await self._conversations.direct(contact)
        return chat.local_number


async def keep_guardians(core: "Core") -> None:
    """Tell the relay what was decided, and hear what it knows, for the life of the engine."""
    while True:
        await core.upkeep.guarding.signal.wait()
        if core.link is None:
            continue  # the next connection gives the signal again
        try:
            await settle_guardians(core)
        except E2EError:
            continue


async def settle_guardians(core: "Core") -> None:
    """Give the relay what waits for it; then ask what it holds, if there may be anything."""
    upkeep = core.upkeep
    async with upkeep.guarding.lock:
        if not upkeep.guarding.has_news and not core.read(guardians.is_concerned):
            return
        await core.await_link()
        await _tell(core)
        upkeep.guarding.has_news = False
        try:
            link = core.need_link()
            answer = await link.request(FetchGuardianship(0), Guardianship)
            for account_id in await core.jobs.run(
                lambda job: guardianship.unknown_accounts(job, answer)
            ):
                await fetch_chain(core, account_id, is_contact=True)
            await core.jobs.run(lambda job: guardianship.take_guardianship(job, answer))
        except BaseException:
            upkeep.guarding.has_news = True
            raise
        upkeep.to_settle.set()


async def _tell(core: "Core") -> None:
    mark = core.read(guardians.mark)
    if mark is not None and not mark.told and mark.until_ms > core.clock_ms():
        await core.need_link().request(MarkMinor(0, mark.until_ms), Ok)
        told = mark._replace(told=1)
        await core.jobs.run(lambda job: guardians.set_mark(job.tx, told))
    for errand in core.read(guardians.errands):
        number, document = errand
        is_taken = True
        try:
            await core.need_link().request(SubmitGuardian(0, document), Ok)
        except RelayRefusedError as error:
            if error.can_retry:
                raise
            is_taken = False

        def finish(
            job: Job, number: int = number, document: bytes = document, *, is_taken: bool = is_taken
        ) -> None:
            guardians.finish_errand(job.tx, number)
            if not is_taken:
                guardianship.refused(job, document)

        await core.jobs.run(finish)
