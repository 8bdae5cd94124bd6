"""A relay in memory with the real rules, for tests of apps: no socket, no disk, no task.

It acts while it is being talked to, so a run depends on nothing but the order of calls. It checks
what the real relay checks.
"""

from collections.abc import Callable
from typing import Final

import anyio.lowlevel

from e2ecore.crypto.rng import Rng, system_rng
from e2ecore.crypto.signing import ED25519
from e2ecore.testing import memory_removals
from e2ecore.testing.faults import Faults
from e2ecore.testing.memory_blobs import MemoryBlobs
from e2ecore.testing.memory_bytes import MemoryBlobChannel
from e2ecore.testing.memory_channel import MemoryChannel, Session
from e2ecore.testing.memory_log import MemoryLog, Reader, RefusedError, check_creation, delivery
from e2ecore.testing.memory_lounge import MemoryLounge
from e2ecore.testing.memory_moves import append_chain
from e2ecore.testing.memory_people import MemoryAccount, MemoryPeople
from e2ecore.testing.memory_signals import forward
from e2ecore.testing.memory_stream import stream
from e2ecore.transport.errors import RelayUnreachableError
from e2ecore_protocol.chain.bodies import MULTI_DEVICE_SYNC
from e2ecore_protocol.errors import ErrorCode, MalformedError
from e2ecore_protocol.frames import decode_client_frame
from e2ecore_protocol.frames.accounts import (
    AppendChain,
    FetchChain,
    FetchHeads,
    LookupHandle,
    Register,
)
from e2ecore_protocol.frames.blobs import (
    AcknowledgeBlob,
    BlobsDeleted,
    CreateBlob,
    FetchBlob,
    QueryBlobs,
    RecallBlob,
)
from e2ecore_protocol.frames.conversations import (
    Commit,
    Committed,
    Conversations,
    ConversationState,
    DeviceAddress,
    LeaveConversation,
    ListConversations,
)
from e2ecore_protocol.frames.delivery import (
    INBOX,
    Ack,
    Envelope,
    EnvelopeKind,
    Submit,
    SubmitResult,
    Submitted,
    make_envelope_id,
)
from e2ecore_protocol.frames.frame import Frame
from e2ecore_protocol.frames.key_packages import (
    ClaimDeviceKeyPackages,
    ClaimKeyPackages,
    PublishKeyPackages,
)
from e2ecore_protocol.frames.notices import GuardianshipChanged
from e2ecore_protocol.frames.rendezvous import JoinRendezvous
from e2ecore_protocol.frames.session import (
    Authenticate,
    Challenge,
    Failed,
    GoAway,
    Ok,
    Ready,
    authentication_message,
)
from e2ecore_protocol.frames.signals import Signal
from e2ecore_protocol.limits import MAX_ENVELOPE_LIFETIME_S, NONCE_BYTES
from e2ecore_protocol.versions import PROTOCOL_VERSION

_AWAY: Final = (ErrorCode.DEVICE_REVOKED, ErrorCode.ACCOUNT_CLOSED)
_AboutLogs = Submit | Signal | Commit | Ack | ListConversations | LeaveConversation


class MemoryRelay:
    """A relay for tests. Give ``dial`` to the engine in place of an address."""

    def __init__(
        self,
        *,
        clock_ms: Callable[[], int],
        rng: Rng = system_rng,
        server_name: str = "memory.example",
    ) -> None:
        """Begin empty.

        Args:
            clock_ms: The relay's clock, milliseconds since the Unix epoch.
            rng: Where nonces come from.
            server_name: What devices sign when they authenticate.
        """
        self.faults = Faults()
        self.people = MemoryPeople(clock_ms)
        self.logs: dict[bytes, MemoryLog] = {}
        self.blobs = MemoryBlobs(clock_ms, rng, server_name)
        self.blobs.agreed_ms = self.people.agreed_ms
        self.blobs.covered_ms = self.people.covered_ms
        self.blob_channel = MemoryBlobChannel(self.blobs, lambda: self.faults.offline)
        self.server_name = server_name
        self._lounge = MemoryLounge(clock_ms, rng)
        self._clock_ms = clock_ms
        self._rng = rng
        self._sessions: list[Session] = []

    async def dial(self) -> MemoryChannel:
        """Open a connection.

        Raises:
            RelayUnreachableError: ``faults.offline`` is set.
        """
        await anyio.lowlevel.checkpoint()
        if self.faults.offline:
            raise RelayUnreachableError("the relay in memory is set to be offline")
        session = Session(self, self._rng(NONCE_BYTES))
        self._sessions.append(session)
        version = PROTOCOL_VERSION
        challenge = Challenge(version, version, self.server_name, session.nonce, self._clock_ms())
        session.push(challenge)
        return MemoryChannel(session, self.blob_channel)

    def disconnect(self) -> None:
        """Cut every connection."""
        for session in list(self._sessions):
            session.close()

    def stored_bytes(self) -> bytes:
        """Return everything that the relay holds of conversations, one after the other."""
        return b"".join(one.delivery.payload for log in self.logs.values() for one in log.items)

    def expire(self) -> None:
        """Forget what is older than its lifetime by the relay's clock; send away who lapsed."""
        self._send_lapsed_away()
        for log in self.logs.values():
            log.expire(self._clock_ms())
        self.blobs.expire()
        self._tell_of_blobs()

    def forget(self, session: Session) -> None:
        """A connection has ended."""
        if session in self._sessions:
            self._sessions.remove(session)
        self._lounge.leave(session)

    def take(self, session: Session, data: bytes) -> None:
        """Act on one frame of a client."""
        self._send_lapsed_away()
        if session.closed:
            return
        try:
            frame = decode_client_frame(data)
        except MalformedError:
            self._go_away(session, ErrorCode.MALFORMED)
            return
        try:
            answer = self._answer(session, frame)
        except RefusedError as refused:
            if not hasattr(frame, "request") or isinstance(frame, JoinRendezvous):
                self._go_away(session, refused.code)
                return
            pause = 1_000 if refused.code.retry else 0
            answer = Failed(frame.request, refused.code, "", pause, refused.data)
        device = session.device.device_id if session.device else b""
        for fault in self.faults.answers:
            answer = fault(device, answer) if answer is not None else None
        if answer is not None:
            session.push(answer)
        self._tell_of_blobs()
        self._tell_of_guardians()
        self._send_lapsed_away()
        self._stream()

    def _tell_of_blobs(self) -> None:
        """Send receipts to those whose blobs are gone."""
        news, self.blobs.news = self.blobs.news, []
        for address, receipt in news:
            if not self.people.accounts[address.account_id].state.closed:
                self._notice(address, BlobsDeleted((receipt,)))

    def _tell_of_guardians(self) -> None:
        """Tell both sides, and end what stood on an approval."""
        news, self.people.guardians.news = self.people.guardians.news, []
        for account_id in dict.fromkeys(news):
            self.blobs.end_unagreed(self.people.counted(account_id))
            for device in self.people.accounts[account_id].state.live_devices():
                self._notice(DeviceAddress(account_id, device.device_id), GuardianshipChanged())

    def _send_lapsed_away(self) -> None:
        """Send devices away that no consent covers any more."""
        for session in list(self._sessions):
            if session.device is not None and self.people.covered_ms(session.device) == 0:
                self._go_away(session, ErrorCode.CONSENT_REQUIRED)

    def _answer(self, session: Session, frame: Frame) -> Frame | None:
        if isinstance(frame, Register):
            return self.people.register(frame)
        if isinstance(frame, Authenticate):
            return self._authenticate(session, frame)
        if self._lounge.concerns(session, frame):
            return self._lounge.take(session, frame)
        if session.device is None:
            raise RefusedError(ErrorCode.UNAUTHENTICATED)
        if isinstance(frame, _AboutLogs):
            return self._answer_about_logs(session, session.device, frame)
        if isinstance(frame, CreateBlob | FetchBlob | AcknowledgeBlob | RecallBlob | QueryBlobs):
            return self.blobs.answer(frame, session.device, self._log, self._key_of)
        return self._answer_about_people(session.device, frame)

    def _answer_about_people(self, device: DeviceAddress, frame: Frame) -> Frame | None:
        match frame:
            case LookupHandle() | FetchChain() | FetchHeads():
                return self.people.show(frame)
            case AppendChain():
                return self._append(device, frame)
            case PublishKeyPackages():
                return self.people.publish(device, frame)
            case ClaimKeyPackages() | ClaimDeviceKeyPackages():
                return self.people.claim(device, frame, self._notice)
            case _:
                return self.people.guardians.answer(device.account_id, frame)

    def _append(self, device: DeviceAddress, frame: AppendChain) -> Ok:
        """Devices that their chain has removed leave all routes, and are sent away."""
        kept = memory_removals.Kept(self.logs.values(), self.people, self.blobs)
        gone, stay, proof = append_chain(kept, device, frame, self._clock_ms())
        self.blobs.end_unagreed(self.people.counted(device.account_id))
        for address in stay:
            self._notice(address, proof)
        for session in [one for one in self._sessions if one.device in gone]:
            self._go_away(session, _AWAY[self.people.accounts[device.account_id].state.closed])
        return Ok(frame.request)

    def _answer_about_logs(
        self,
        session: Session,
        device: DeviceAddress,
        frame: _AboutLogs,
    ) -> Frame | None:
        match frame:
            case Submit(request, envelopes):
                results = [self._submit(device, envelope) for envelope in envelopes]
                return Submitted(request, tuple(results))
            case Signal():
                log = self.logs.get(frame.conversation)
                forward(device.device_id, frame, log, self._sessions, self.faults)
                return None
            case Commit():
                return self._commit(device, frame)
            case Ack(logs):
                for log_id, upto in logs:
                    self._acknowledge(session, device, log_id, upto)
                return None
            case ListConversations(request):
                return Conversations(request, self._conversations(device))
            case LeaveConversation(request, conversation):
                self._log(conversation).readers.pop(device.device_id, None)
                self.blobs.left(device.device_id, conversation)
                return Ok(request)

    def _authenticate(self, session: Session, frame: Authenticate) -> Frame | None:
        account = self.people.accounts.get(frame.account_id)
        address = DeviceAddress(frame.account_id, frame.device_id)
        gone = memory_removals.removal_of(self.people, address)
        key = gone.key if gone else self._device_key(account, frame.device_id)
        message = authentication_message(frame.version, self.server_name, session.nonce, *address)
        try:
            ED25519.verify(key, message, frame.signature)
        except Exception:  # noqa: BLE001 - whatever is wrong with it, it is no signature
            self._go_away(session, ErrorCode.BAD_SIGNATURE)
            return None
        if gone is not None:
            session.push(*gone.pages)
            raise RefusedError(ErrorCode.DEVICE_REVOKED)
        for other in list(self._sessions):
            if other.device == address:
                self._go_away(other, ErrorCode.CONNECTED_ELSEWHERE)
        session.device = address
        self._inbox(frame.device_id)
        return Ready(self._clock_ms(), self.people.packages_left(frame.device_id))

    def _key_of(self, device: DeviceAddress) -> bytes:
        return self._device_key(self.people.accounts.get(device.account_id), device.device_id)

    def _device_key(self, account: MemoryAccount | None, device_id: bytes) -> bytes:
        if account is None:
            raise RefusedError(ErrorCode.UNKNOWN_ACCOUNT)
        device = account.state.devices.get(device_id)
        if device is None:
            raise RefusedError(ErrorCode.UNKNOWN_DEVICE)
        if device.removed_ms is not None:
            raise RefusedError(ErrorCode.DEVICE_REVOKED)
        if self.people.covered_ms(DeviceAddress(account.state.account_id, device_id)) == 0:
            raise RefusedError(ErrorCode.CONSENT_REQUIRED, MULTI_DEVICE_SYNC)
        return device.key

    def _go_away(self, session: Session, code: ErrorCode) -> None:
        session.push(GoAway(code))
        session.close()

    def _log(self, conversation: bytes) -> MemoryLog:
        log = self.logs.get(conversation)
        if log is None:
            raise RefusedError(ErrorCode.UNKNOWN_CONVERSATION)
        return log

    def _inbox(self, device_id: bytes) -> MemoryLog:
        name = b"inbox" + device_id
        if name not in self.logs:
            self.logs[name] = MemoryLog(INBOX, readers={device_id: Reader(1, 0)})
        return self.logs[name]

    def _submit(self, device: DeviceAddress, envelope: Envelope) -> SubmitResult:
        try:
            log = self._log(envelope.conversation)
            return log.submit(device.device_id, envelope, self._clock_ms())
        except RefusedError as refused:
            return refused.as_result()

    def _commit(self, device: DeviceAddress, frame: Commit) -> Frame:
        log = self.logs.get(frame.conversation)
        if log is not None:
            known = log.answers.get((frame.envelope_id, device.device_id))
            if known is not None:
                return Committed(frame.request, known.seq, known.time_ms)
            if frame.create_kind is not None:
                raise RefusedError(ErrorCode.CONVERSATION_EXISTS)
            if not log.is_member(device.device_id):
                raise RefusedError(ErrorCode.NOT_A_MEMBER)
        elif frame.create_kind is None:
            raise RefusedError(ErrorCode.UNKNOWN_CONVERSATION)
        else:
            check_creation(frame, [device.account_id, *(one.account_id for one in frame.added)])
            reader = Reader(1, 0)
            log = MemoryLog(
                frame.conversation, frame.create_kind, readers={device.device_id: reader}
            )
        for address in frame.added:
            self._key_of(address)
        now_ms = self._clock_ms()
        accepted = log.commit(device, frame, now_ms, MAX_ENVELOPE_LIFETIME_S)
        self.logs[frame.conversation] = log
        for address in frame.added:
            self._welcome(address, frame, log.epoch, now_ms)
        return Committed(frame.request, accepted.seq, accepted.time_ms)

    def _welcome(self, address: DeviceAddress, frame: Commit, epoch: int, now_ms: int) -> None:
        draft = delivery(
            EnvelopeKind.WELCOME, epoch, frame.envelope_id, frame.welcome or b"", frame.conversation
        )
        self._inbox(address.device_id).append(b"", draft, now_ms, MAX_ENVELOPE_LIFETIME_S)

    def _notice(self, address: DeviceAddress, notice: Frame) -> None:
        now_ms = self._clock_ms()
        draft = delivery(
            EnvelopeKind.NOTICE, 0, make_envelope_id(now_ms, self._rng(10)), notice.encode()
        )
        self._inbox(address.device_id).append(b"", draft, now_ms, MAX_ENVELOPE_LIFETIME_S)

    def _conversations(self, device: DeviceAddress) -> tuple[ConversationState, ...]:
        return tuple(
            ConversationState(
                log_id, log.kind, log.epoch, log.head, log.readers[device.device_id].cursor
            )
            for log_id, log in sorted(self.logs.items())
            if log.log_id != INBOX and log.is_member(device.device_id)
        )

    def _acknowledge(
        self, session: Session, device: DeviceAddress, log_id: bytes, upto: int
    ) -> None:
        name = b"inbox" + device.device_id if log_id == INBOX else log_id
        log = self.logs.get(name)
        if log is not None:
            log.acknowledge(device.device_id, upto)
        waiting = session.unacked.get(name, [])
        session.unacked[name] = [seq for seq in waiting if seq > upto]

    def _stream(self) -> None:
        for session in list(self._sessions):
            stream(session, self.logs, self.faults)
