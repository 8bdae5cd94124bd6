"""Requests that are not envelopes: what each asks of the domain, and how it is answered.

Those that change something run in the writer's transaction and are answered after its commit, in
order. Those that only read run in a worker thread on a connection of their own.
"""

import shutil
from collections.abc import Callable
from functools import partial
from typing import Final, Protocol, TypeAlias

import anyio
import anyio.to_thread
import structlog

from e2ecore_protocol.errors import ErrorCode
from e2ecore_protocol.frames import (
    AcknowledgeBlob,
    AppendChain,
    Authenticate,
    ClaimDeviceKeyPackages,
    ClaimKeyPackages,
    ClientFrame,
    CloseRendezvous,
    Commit,
    Conversations,
    CreateBlob,
    Failed,
    FetchBlob,
    FetchChain,
    FetchGuardianship,
    FetchHeads,
    Frame,
    JoinRendezvous,
    KeyPackages,
    LeaveConversation,
    ListConversations,
    LookupHandle,
    MarkMinor,
    Ok,
    OpenRendezvous,
    PassRendezvous,
    PublishKeyPackages,
    QueryBlobs,
    RecallBlob,
    Register,
    Registered,
    SubmitGuardian,
)
from e2ecore_protocol.frames.conversations import DeviceAddress
from e2ecore_protocol.limits import MAX_DETAIL_BYTES, MAX_RETRY_AFTER_MS
from e2ecore_relay.domain import accounts, guardians, key_packages, membership, moving
from e2ecore_relay.domain.coverage import Covered
from e2ecore_relay.domain.errors import RefusedError
from e2ecore_relay.domain.exchange import Turn
from e2ecore_relay.domain.ports import Ledger, StoredDevice
from e2ecore_relay.domain.sessions import SessionEvent
from e2ecore_relay.server.authentication import verify
from e2ecore_relay.server.blob_requests import carry_out
from e2ecore_relay.server.hub import Hub
from e2ecore_relay.server.limits import network
from e2ecore_relay.server.visits import Visit

_log = structlog.get_logger()

_NOTICE_RANDOM_BYTES: Final = 10
"""Random part of the envelope ids of notices."""

Reply: TypeAlias = Callable[[], Frame]
"""Called on the event loop after the commit; returns the answer."""

Work: TypeAlias = Callable[[Turn], Reply]
"""Changes the store."""


_READS: Final = (LookupHandle, FetchChain, FetchHeads, FetchGuardianship, ListConversations)
"""Requests that change nothing."""


class Requester(Protocol):
    """The connection that asks."""

    hub: Hub
    address: str
    unanswered: int

    @property
    def stored(self) -> StoredDevice:
        """Its device."""
        ...

    @property
    def covered(self) -> Covered:
        """The same, and until when."""
        ...

    @property
    def visit(self) -> Visit:
        """Its part in a rendezvous."""
        ...

    def answer(self, frame: Frame) -> None:
        """Send a frame."""
        ...


def event_of(frame: ClientFrame) -> SessionEvent:
    """Return what a frame means for the connection's state."""
    match frame:
        case Register():
            return SessionEvent.REGISTER
        case Authenticate():
            return SessionEvent.AUTHENTICATE
        case JoinRendezvous():
            return SessionEvent.JOIN
        case _:
            return SessionEvent.REQUEST


async def register(client: Requester, frame: Register) -> None:
    """Make an account, and wait for it: the client may authenticate right behind."""
    hub = client.hub
    wait_ms = hub.limits.registrations.take(network(client.address), 1, hub.clock_ms())
    done = anyio.Event()

    def answered(outcome: Frame | Exception) -> None:
        client.unanswered -= 1
        client.answer(_frame(client, frame.request, outcome))
        done.set()

    def work(turn: Turn) -> Frame:
        if wait_ms:
            raise RefusedError(ErrorCode.RATE_LIMITED, retry_after_ms=wait_ms)
        if not _takes_accounts(hub):
            raise RefusedError(ErrorCode.REGISTRATION_CLOSED)
        account_id = accounts.register(turn, frame.entries, frame.handle, verify)
        hub.metrics.registered += 1
        return Registered(frame.request, account_id)

    client.unanswered += 1
    hub.store.call(work, answered)
    await done.wait()


def _takes_accounts(hub: Hub) -> bool:
    free = shutil.disk_usage(hub.config.data).free
    return hub.config.registration and free >= hub.config.min_free_bytes


async def take(client: Requester, frame: ClientFrame) -> None:
    """Carry out a request of an authenticated device."""
    request = getattr(frame, "request", 0)
    wait_ms = _wait_ms(client, frame)
    if wait_ms:
        refusal = RefusedError(ErrorCode.RATE_LIMITED, retry_after_ms=wait_ms)
        client.answer(_frame(client, request, refusal))
    elif isinstance(frame, _READS):
        client.answer(await _read(client, frame))
    elif isinstance(frame, OpenRendezvous | PassRendezvous | CloseRendezvous):
        _meet(client, frame)
    else:
        client.unanswered += 1
        client.hub.store.call(_work(client, frame), partial(_answered, client, request))


def _meet(client: Requester, frame: OpenRendezvous | PassRendezvous | CloseRendezvous) -> None:
    try:
        client.visit.take(frame)
    except RefusedError as refusal:
        client.answer(_frame(client, getattr(frame, "request", 0), refusal))


def _wait_ms(client: Requester, frame: ClientFrame) -> int:
    """Take from the buckets that a request needs. Return 0, or the milliseconds to wait."""
    limits, stored, now_ms = client.hub.limits, client.stored, client.hub.clock_ms()
    wait_ms = limits.requests.take(stored.account, 1, now_ms)
    if isinstance(frame, Commit) and not wait_ms:
        return limits.commits.take((stored.device, frame.conversation), 1, now_ms)
    return wait_ms


async def _read(client: Requester, frame: ClientFrame) -> Frame:
    hub, device = client.hub, client.stored.device

    def work(ledger: Ledger) -> Frame:
        match frame:
            case LookupHandle():
                return accounts.by_handle(ledger, frame.request, frame.handle)
            case FetchChain():
                stored = accounts.known(ledger, frame.account_id)
                return accounts.page(ledger, frame.request, stored, frame.from_seq)
            case FetchHeads():
                return accounts.heads(ledger, frame.request, frame.accounts)
            case FetchGuardianship():
                own = client.stored.address.account_id
                return guardians.show(ledger, frame.request, own, hub.clock_ms())
            case _:
                known = tuple(ledger.logs.conversations(device))
                return Conversations(getattr(frame, "request", 0), known)

    try:
        return await anyio.to_thread.run_sync(hub.store.read, work, limiter=hub.page_threads)
    except Exception as error:  # noqa: BLE001  one request fails; the connection goes on
        return _frame(client, getattr(frame, "request", 0), error)


def _answered(client: Requester, request: int, outcome: Reply | Exception) -> None:
    client.unanswered -= 1
    client.answer(_frame(client, request, outcome if isinstance(outcome, Exception) else outcome()))


def _frame(client: Requester, request: int, outcome: Frame | Exception) -> Frame:
    """Turn what came of a request into its answer."""
    if not isinstance(outcome, Exception):
        return outcome
    refusal = outcome if isinstance(outcome, RefusedError) else RefusedError(ErrorCode.INTERNAL)
    if refusal is not outcome:
        _log.error("request_failed", error=type(outcome).__name__, detail=str(outcome))
    client.hub.metrics.refused[refusal.code.value] += 1
    detail = refusal.detail.encode()[:MAX_DETAIL_BYTES].decode(errors="ignore")
    retry_after_ms = min(refusal.retry_after_ms, MAX_RETRY_AFTER_MS)
    return Failed(request, refusal.code, detail, retry_after_ms, refusal.data)


def _work(client: Requester, frame: ClientFrame) -> Work:
    """Return what to do in the transaction."""
    match frame:
        case Commit():
            return partial(_commit, client.stored, frame)
        case AppendChain() | MarkMinor() | SubmitGuardian():
            return partial(_about_account, client.hub, client.stored, frame)
        case PublishKeyPackages():
            return partial(_publish, client.stored, frame)
        case ClaimKeyPackages() | ClaimDeviceKeyPackages():
            return partial(_claim, client.hub, client.stored, frame)
        case LeaveConversation():
            return partial(_leave, client.hub, client.stored, frame)
        case CreateBlob() | FetchBlob() | AcknowledgeBlob() | RecallBlob() | QueryBlobs():
            return partial(carry_out, client.hub, client.covered, frame)
        case _:
            raise AssertionError(f"{type(frame).__name__} has no answer")


def _commit(sender: StoredDevice, frame: Commit, turn: Turn) -> Reply:
    committed = membership.commit(turn, sender, frame)
    return lambda: committed


def _about_account(
    hub: Hub, sender: StoredDevice, frame: AppendChain | MarkMinor | SubmitGuardian, turn: Turn
) -> Reply:
    if isinstance(frame, AppendChain):
        return _append_chain(hub, sender, frame, turn)
    account_id, random = sender.address.account_id, hub.rng(_NOTICE_RANDOM_BYTES)
    if isinstance(frame, MarkMinor):
        found = guardians.mark(turn, account_id, frame, random)
    else:
        found = guardians.submit(turn, account_id, frame.document, verify, random)

    def reply() -> Frame:
        hub.cover(found)
        return Ok(frame.request)

    return reply


def _append_chain(hub: Hub, sender: StoredDevice, frame: AppendChain, turn: Turn) -> Reply:
    moving.check_read(turn, sender, frame.entries)
    grown = accounts.append(
        hub.office.keeper, turn, sender.address.account_id, frame.entries, verify
    )

    def reply() -> Frame:
        hub.expel(grown.gone, grown.code)
        hub.cover(grown.coverage)
        if grown.gone:
            hub.office.look_soon()
        return Ok(frame.request)

    return reply


def _publish(sender: StoredDevice, frame: PublishKeyPackages, turn: Turn) -> Reply:
    key_packages.publish(turn, sender.device, frame.key_packages, frame.last_resort)
    return lambda: Ok(frame.request)


def _claim(
    hub: Hub, sender: StoredDevice, frame: ClaimKeyPackages | ClaimDeviceKeyPackages, turn: Turn
) -> Reply:
    count = len(frame.accounts) if isinstance(frame, ClaimKeyPackages) else 1
    wait_ms = hub.limits.key_packages.take(sender.account, count, turn.now_ms)
    if wait_ms:
        raise RefusedError(ErrorCode.RATE_LIMITED, retry_after_ms=wait_ms)
    random = hub.rng(_NOTICE_RANDOM_BYTES)
    if isinstance(frame, ClaimKeyPackages):
        packages = key_packages.claim(turn, sender.device, frame.accounts, random)
    else:
        address = DeviceAddress(frame.account_id, frame.device_id)
        packages = key_packages.claim_some(turn, sender, address, frame.count, random)
    return lambda: KeyPackages(frame.request, tuple(packages))


def _leave(hub: Hub, sender: StoredDevice, frame: LeaveConversation, turn: Turn) -> Reply:
    membership.leave(turn, sender.device, frame.conversation)

    def reply() -> Frame:
        hub.office.look_soon()
        return Ok(frame.request)

    return reply
