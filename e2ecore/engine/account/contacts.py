"""People: found by handle, checked by their account chains, verified by safety number."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from e2ecore.engine.account import blocks, people
from e2ecore.engine.account.chains import party_of, set_verification
from e2ecore.engine.account.names import check_display_name, check_handle
from e2ecore.engine.errors import (
    BadCheckpointError,
    BadHandleError,
    ChainForkedError,
    ChainWithheldError,
    OwnAccountError,
    UnknownAccountError,
    UnknownHandleError,
)
from e2ecore.engine.own_talk.op_state import say_verified
from e2ecore.engine.own_talk.oplog import say
from e2ecore.engine.running.chores import fetch_chain, take_chain
from e2ecore.engine.running.job import Job
from e2ecore.engine.running.state import read_chain
from e2ecore.engine.values import ContactDevice, Verification
from e2ecore.ids import AccountId, DeviceId
from e2ecore.messaging.safety_number import SafetyNumber
from e2ecore.storage import chains
from e2ecore.storage.blocks import since
from e2ecore.storage.chains import ChainAccountRow
from e2ecore.storage.chains import Verification as StoredVerification
from e2ecore.storage.tx import Tx
from e2ecore.transport.errors import RelayRefusedError
from e2ecore_protocol.chain.checkpoint import Checkpoint
from e2ecore_protocol.chain.state import AccountState
from e2ecore_protocol.content.op_bodies import Blocked
from e2ecore_protocol.errors import ErrorCode, MalformedError
from e2ecore_protocol.frames.accounts import Account, LookupHandle

if TYPE_CHECKING:
    from e2ecore.engine.running.core import Core

VERIFICATIONS = {
    StoredVerification.UNVERIFIED: Verification.UNVERIFIED,
    StoredVerification.VERIFIED: Verification.VERIFIED,
    StoredVerification.CHANGED: Verification.CHANGED,
}


class Contact:
    """Another account, as known when this was made. ``refresh`` asks again."""

    def __init__(
        self,
        core: "Core",
        row: ChainAccountRow,
        chain: AccountState,
        own: AccountState,
        blocked_ms: int | None,
    ) -> None:
        self._core = core
        self._row = row
        self._blocked_ms = blocked_ms
        self._chain = chain
        self._own = own

    @property
    def account_id(self) -> AccountId:
        """20 bytes that name the account for good."""
        return AccountId(self._row.account_id)

    @property
    def handle(self) -> str | None:
        """The directory name, as the relay last said; None if the account has none."""
        return self._row.handle or None

    @property
    def display_name(self) -> str | None:
        """What the person wants to be called; None if they never said."""
        return self._row.display_name or None

    @property
    def name(self) -> str | None:
        """What this user calls the person, on all their devices; None: nothing of their own."""
        return self._row.name or None

    @property
    def is_contact(self) -> bool:
        """Are they among ``Contacts.list``? Not if they are a fellow member only, or forgotten."""
        return self._row.is_contact

    @property
    def verification(self) -> Verification:
        """What is known about the keys."""
        return VERIFICATIONS[StoredVerification(self._row.verification)]

    @property
    def device_ids(self) -> tuple[DeviceId, ...]:
        """The devices that the account's chain names."""
        return tuple(DeviceId(one.device_id) for one in self._chain.live_devices())

    @property
    def blocked_ms(self) -> int | None:
        """Since when this person is blocked, in milliseconds since the Unix epoch; None: not."""
        return self._blocked_ms

    @property
    def devices(self) -> tuple[ContactDevice, ...]:
        """Every device that the account ever had, oldest first, with its dates."""
        now_ms = self._core.clock_ms()
        valid = {one.device_id for one in self._chain.valid_devices(now_ms)}
        return tuple(
            ContactDevice(
                DeviceId(one.device_id), one.added_ms, one.removed_ms, one.device_id in valid
            )
            for one in self._chain.devices.values()
        )

    def checkpoint(self) -> bytes:
        """Return how far the account's chain is known here: for a QR code, about 60 bytes.

        Others who know this account pass it to ``compare_checkpoint``.
        """
        return self._chain.checkpoint().encode()

    async def compare_checkpoint(self, theirs: bytes) -> None:
        """Compare with what somebody else has seen of this account, from their ``checkpoint``.

        Returns if both have seen one and the same chain, one perhaps more of it. Best compared with
        what came in person, or over another channel than this relay.

        Raises:
            BadCheckpointError: It is of another account, or no checkpoint at all.
            ChainForkedError: They have seen another chain. Nothing is sent to this contact any more
                until it is accepted by ``mark_unverified``.
            ChainWithheldError: They have seen more than the relay shows here.
            TransientError: They have seen more, and the relay was not reached.
        """
        try:
            mark = Checkpoint.decode(theirs)
        except MalformedError as error:
            raise BadCheckpointError from error
        if mark.account_id != self._row.account_id:
            raise BadCheckpointError
        if mark.seq > self._chain.head_seq:
            await self.refresh()
        if mark.seq > self._chain.head_seq:
            raise ChainWithheldError
        rows = self._core.read(lambda tx: chains.entries(tx, mark.account_id, mark.seq))
        if rows[0].hash != mark.hash:
            if mark.account_id != self._core.account_id:
                await self._set(StoredVerification.CHANGED)
            raise ChainForkedError

    def safety_number(self) -> SafetyNumber:
        """Return what two people compare, in person, to know that nobody stands between them.

        Takes about 10 ms.
        """
        return SafetyNumber.between(party_of(self._own), party_of(self._chain))

    async def mark_verified(self) -> None:
        """Note that the safety numbers were compared and are equal."""
        await self._set(StoredVerification.VERIFIED)

    async def mark_unverified(self) -> None:
        """Take the verification back; also: accept a change of keys without comparing again."""
        await self._set(StoredVerification.UNVERIFIED)

    async def block(self) -> None:
        """Keep away what this person says to this account alone, from now on.

        They are not told, and the relay does not learn of it: it delivers as before, and what comes
        in the direct conversation is opened and dropped, without a receipt. It never comes back.
        Groups that they own and add this account to are left at once, unseen. In groups of other
        people they are heard as before.
        """
        await self._do(partial(_set_block, on=True))

    async def unblock(self) -> None:
        """Hear this person again. What they said meanwhile is gone."""
        await self._do(partial(_set_block, on=False))

    async def set_name(self, name: str) -> None:
        """Call this person by a name of one's own, on all devices. Nobody else learns of it.

        It makes them a contact.

        Args:
            name: At most 64 characters; empty: by none.

        Raises:
            NameTooLongError: It is longer.
            OwnAccountError: It is this account itself.
        """
        check_display_name(name)
        self._refuse_self()
        await self._do(partial(people.set_name, name=name))

    async def forget(self) -> None:
        """Have them no longer among the contacts, and without a ``name``, on all devices.

        Conversations stay, and so does what was compared and who is blocked: the keys have to be
        known. Looking them up again, or giving them a name, makes them a contact again.

        Raises:
            OwnAccountError: It is this account itself.
        """
        self._refuse_self()
        await self._do(people.forget)

    def _refuse_self(self) -> None:
        if self._row.account_id == self._core.account_id:
            raise OwnAccountError

    async def refresh(self) -> None:
        """Fetch what the account's chain has gained, and reload everything.

        Raises:
            ChainInvalidError: The relay served a bad chain; nothing changed.
            TransientError: The relay was not reached.
        """
        await self._core.await_link()
        await fetch_chain(self._core, self._row.account_id)
        self._reload()

    async def _set(self, verification: StoredVerification) -> None:
        def change(job: Job, account_id: bytes) -> None:
            set_verification(job, account_id, verification)
            say_verified(job, account_id)

        await self._do(change)

    async def _do(self, change: Callable[[Job, bytes], None]) -> None:
        account_id = self._row.account_id

        def work(job: Job) -> None:
            change(job, account_id)

        await self._core.jobs.run(work)
        self._reload()

    def _reload(self) -> None:
        fresh = load_contact(self._core, self._row.account_id)
        self._row, self._chain = fresh._row, fresh._chain  # noqa: SLF001 - of the same class
        self._blocked_ms = fresh.blocked_ms


def _set_block(job: Job, account_id: bytes, *, on: bool) -> None:
    (blocks.block if on else blocks.unblock)(job, account_id)
    say(job, account_id, Blocked(int(on)))


class Contacts:
    """The people this account knows."""

    def __init__(self, core: "Core") -> None:
        self._core = core

    async def find(self, handle: str) -> Contact:
        """Return the account with this handle, asking the relay, and checking its chain.

        Right after opening, this waits for the connection. Offline, an account that was found
        before is found again.

        Raises:
            BadHandleError: No handle looks like that.
            UnknownHandleError: Nobody has it.
            ChainInvalidError: The relay served a bad chain. It was not used.
            NotRegisteredError: There is no account yet.
            TransientError: The relay was not reached, and the handle is not known here. Why is said
                by the class: ``RelayUnreachableError``, ``RelayCertificateError`` and so on.
        """
        core = self._core
        check_handle(handle)
        known = self._known(handle)
        if core.link is None and known is not None:
            return known
        try:
            link = await core.await_link()
            answer = await link.request(LookupHandle(0, handle), Account)
        except RelayRefusedError as error:
            if error.code is ErrorCode.UNKNOWN_HANDLE:
                raise UnknownHandleError(handle) from error
            if error.code is ErrorCode.BAD_HANDLE:
                raise BadHandleError(handle) from error
            raise
        chain = await take_chain(core, answer.account_id, answer, is_contact=True)
        if chain.head_seq < answer.head_seq:
            await fetch_chain(core, answer.account_id, is_contact=True)
        return load_contact(core, answer.account_id)

    def _known(self, handle: str) -> Contact | None:
        rows = self._core.read(chains.contacts)
        for row in rows:
            if row.handle == handle:
                return load_contact(self._core, row.account_id)
        return None

    async def get(self, account_id: AccountId) -> Contact:
        """Return an account by its id.

        Raises:
            UnknownAccountError: Neither this device nor the relay knows it.
        """
        row = self._core.read(lambda tx: chains.account(tx, account_id))
        if row is None:
            await self._core.await_link()
            try:
                await fetch_chain(self._core, account_id, is_contact=True)
            except RelayRefusedError as error:
                raise UnknownAccountError from error
        return load_contact(self._core, account_id)

    async def list(self) -> list[Contact]:
        """Return everybody who was looked up or talked to, and not forgotten, by handle."""
        rows = self._core.read(chains.contacts)
        own = self._core.account_id
        return [load_contact(self._core, row.account_id) for row in rows if row.account_id != own]


def load_contact(core: "Core", account_id: bytes) -> Contact:
    """Return what is stored of an account.

    Raises:
        UnknownAccountError: Nothing is.
    """
    own_id = core.account_id

    def work(tx: Tx) -> Contact:
        row = chains.account(tx, account_id)
        chain = read_chain(tx, account_id)
        own = read_chain(tx, own_id)
        if row is None or chain is None or own is None:
            raise UnknownAccountError
        return Contact(core, row, chain, own, since(tx, account_id))

    return core.read(work)
