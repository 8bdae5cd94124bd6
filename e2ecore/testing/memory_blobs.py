"""The blobs of the relay in memory: the same rules as the real one's, without files and HTTP.

Spec: protocol/spec/40-blobs.md
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from e2ecore.crypto.rng import Rng
from e2ecore.crypto.signing import ED25519, SigningKey
from e2ecore.testing.memory_log import MemoryLog, RefusedError
from e2ecore.transport.blobs import BlobTicket
from e2ecore.transport.errors import BlobRefusedError
from e2ecore_protocol.blob_http import BlobProblem
from e2ecore_protocol.chain.bodies import HISTORY_TRANSFER
from e2ecore_protocol.chain.state import AccountState
from e2ecore_protocol.errors import ErrorCode
from e2ecore_protocol.frames.blobs import (
    AcknowledgeBlob,
    BlobCreated,
    BlobGranted,
    BlobStates,
    CreateBlob,
    DeletionReason,
    DeletionReceipt,
    FetchBlob,
    LiveBlob,
    QueryBlobs,
    RecallBlob,
    acknowledgement_message,
    promise_message,
    receipt_message,
)
from e2ecore_protocol.frames.conversations import ConversationKind, DeviceAddress
from e2ecore_protocol.frames.frame import Frame
from e2ecore_protocol.frames.session import Ok
from e2ecore_protocol.limits import (
    BLOB_SHARE_BYTES,
    BLOB_TOKEN_BYTES,
    BLOB_TOKEN_S,
    BLOB_UPLOAD_S,
    MAX_ATTACHMENT_TTL_DIRECT_S,
    MAX_ATTACHMENT_TTL_GROUP_S,
)

PORT: Final = 1
"""The port that answers name: nothing listens anywhere."""


@dataclass
class MemoryBlob:
    """One blob."""

    blob_id: bytes
    conversation: bytes
    sender: DeviceAddress
    size: int
    expires_ms: int
    upload_until_ms: int
    share: bytes
    promise: bytes
    upload_token: bytes
    waits: dict[bytes, bool]
    """By device that it is for: does it still need it?"""
    is_own: bool = False
    """Is it for other devices of the same account?"""
    tokens: dict[bytes, tuple[bytes, int]] = field(default_factory=dict)
    """By SHA-256 of a fetch token: its device, and until when it begins requests."""
    data: bytearray = field(default_factory=bytearray)
    complete: bool = False

    def is_over(self, now_ms: int) -> bool:
        """Tell whether its time, or that of its upload, is over."""
        return now_ms >= (self.expires_ms if self.complete else self.upload_until_ms)


class MemoryBlobs:
    """All blobs of one relay in memory."""

    def __init__(self, clock_ms: Callable[[], int], rng: Rng, server_name: str) -> None:
        self.live: dict[bytes, MemoryBlob] = {}
        """Public, so that a test can look at what a relay holds, and change it."""
        self.receipts: dict[bytes, DeletionReceipt] = {}
        self.news: list[tuple[DeviceAddress, DeletionReceipt]] = []
        """Receipts that their senders have not been told yet."""
        self.key: SigningKey = ED25519.generate(rng)
        self.max_bytes = 1 << 30
        self.cut_after: int | None = None
        """Bytes after which the next transfer breaks off, once."""
        self._clock_ms = clock_ms
        self._rng = rng
        self.server_name = server_name
        self.agreed_ms: Callable[[bytes, str], int | None] = lambda *_: None
        """Until when an account has agreed to something; None: no end is known. May refuse."""
        self.covered_ms: Callable[[DeviceAddress], int | None] = lambda _: None
        """Until when a device may be connected; None: no end is known."""

    # --- frames ---------------------------------------------------------------------------------

    def answer(
        self,
        frame: CreateBlob | FetchBlob | AcknowledgeBlob | RecallBlob | QueryBlobs,
        device: DeviceAddress,
        log_of: Callable[[bytes], MemoryLog],
        key_of: Callable[[DeviceAddress], bytes],
    ) -> Frame:
        """Answer a device."""
        match frame:
            case CreateBlob():
                return self.create(frame, device, log_of(frame.conversation))
            case FetchBlob():
                return self.fetch(frame, device)
            case AcknowledgeBlob():
                self.acknowledge(frame, device, key_of(device))
            case RecallBlob():
                self.recall(frame.blob_id, device.account_id)
            case QueryBlobs():
                return self.states(frame, device)
        return Ok(frame.request)

    def create(self, frame: CreateBlob, device: DeviceAddress, log: MemoryLog) -> BlobCreated:
        """Make room; a repeat gets the first answer with a new token."""
        if not log.is_member(device.device_id):
            raise RefusedError(ErrorCode.NOT_A_MEMBER)
        is_own = log.kind == ConversationKind.SELF
        agreed_ms = self.agreed_ms(device.account_id, HISTORY_TRANSFER) if is_own else None
        readers = [one for one in log.readers if log.is_member(one) and one != device.device_id]
        blob = self._find(frame.blob_id)
        if blob is None:
            blob = self._make(frame, device, log.kind, readers, agreed_ms)
        elif (blob.sender, blob.conversation, blob.size) != (
            *(device, frame.conversation, frame.size),
        ):
            raise RefusedError(ErrorCode.BLOB_EXISTS)
        token = self._rng(BLOB_TOKEN_BYTES)
        blob.upload_token = _hash(token)
        for reader in readers:
            blob.waits.setdefault(reader, True)
        return BlobCreated(
            *(frame.request, blob.share, token, blob.expires_ms, PORT),
            *(self.key.public, blob.promise),
        )

    def _make(
        self,
        frame: CreateBlob,
        device: DeviceAddress,
        kind: int,
        readers: list[bytes],
        agreed_ms: int | None,
    ) -> MemoryBlob:
        if frame.blob_id in self.receipts:
            raise RefusedError(ErrorCode.BLOB_GONE)
        if not readers:
            raise RefusedError(ErrorCode.NO_RECIPIENT)
        if frame.size > self.max_bytes:
            raise RefusedError(ErrorCode.TOO_LARGE)
        is_group = kind == ConversationKind.GROUP
        most_s = MAX_ATTACHMENT_TTL_GROUP_S if is_group else MAX_ATTACHMENT_TTL_DIRECT_S
        now_ms = self._clock_ms()
        expires_ms = _earliest(now_ms + 1_000 * min(frame.ttl_s, most_s), agreed_ms)
        message = promise_message(self.server_name, frame.blob_id, frame.size, expires_ms)
        blob = MemoryBlob(
            *(frame.blob_id, frame.conversation, device, frame.size, expires_ms),
            _upload_end(expires_ms, now_ms),
            *(self._rng(BLOB_SHARE_BYTES), self.key.sign(message), b""),
            waits={},
            is_own=kind == ConversationKind.SELF,
        )
        self.live[frame.blob_id] = blob
        return blob

    def _find(self, blob_id: bytes) -> MemoryBlob | None:
        self.expire()
        return self.live.get(blob_id)

    def _known(self, blob_id: bytes) -> MemoryBlob:
        blob = self._find(blob_id)
        if blob is None:
            gone = blob_id in self.receipts
            raise RefusedError(ErrorCode.BLOB_GONE if gone else ErrorCode.UNKNOWN_BLOB)
        return blob

    def fetch(self, frame: FetchBlob, device: DeviceAddress) -> BlobGranted:
        """Give a recipient the share and a token."""
        blob = self._known(frame.blob_id)
        if device.device_id not in blob.waits:
            raise RefusedError(ErrorCode.UNKNOWN_BLOB)
        if not blob.waits[device.device_id]:
            raise RefusedError(ErrorCode.BLOB_GONE)
        if not blob.complete:
            raise RefusedError(ErrorCode.BLOB_INCOMPLETE)
        token = self._rng(BLOB_TOKEN_BYTES)
        latest_ms = min(self._clock_ms() + 1_000 * BLOB_TOKEN_S, blob.expires_ms)
        until_ms = _earliest(latest_ms, self.covered_ms(device))
        kept = {name: one for name, one in blob.tokens.items() if one[0] != device.device_id}
        blob.tokens = {**kept, _hash(token): (device.device_id, until_ms)}
        return BlobGranted(
            *(frame.request, blob.share, token, until_ms, blob.size, blob.expires_ms, PORT),
            *(self.key.public, blob.promise),
        )

    def acknowledge(self, frame: AcknowledgeBlob, device: DeviceAddress, key: bytes) -> None:
        """Note that a device has it; the last one's word deletes it."""
        message = acknowledgement_message(self.server_name, frame.blob_id, *device)
        try:
            ED25519.verify(key, message, frame.signature)
        except Exception as error:
            raise RefusedError(ErrorCode.BAD_SIGNATURE) from error
        blob = self._find(frame.blob_id)
        if blob is None and frame.blob_id in self.receipts:
            return
        if blob is None or device.device_id not in blob.waits:
            raise RefusedError(ErrorCode.UNKNOWN_BLOB)
        blob.waits[device.device_id] = False
        self._end_if_done(blob)

    def recall(self, blob_id: bytes, account_id: bytes) -> None:
        """Delete what an account sent."""
        blob = self._find(blob_id)
        if blob is None and blob_id in self.receipts:
            return
        if blob is None or blob.sender.account_id != account_id:
            raise RefusedError(ErrorCode.UNKNOWN_BLOB)
        self.end(blob, DeletionReason.RECALLED)

    def states(self, frame: QueryBlobs, device: DeviceAddress) -> BlobStates:
        """Answer what became of blobs."""
        self.expire()
        found = [self.live[one] for one in frame.blob_ids if one in self.live]
        live = [
            LiveBlob(
                *(blob.blob_id, blob.size, int(blob.complete), len(blob.waits)),
                *(sum(blob.waits.values()), blob.expires_ms),
            )
            for blob in found
            if blob.sender.account_id == device.account_id or device.device_id in blob.waits
        ]
        ended = [self.receipts[one] for one in frame.blob_ids if one in self.receipts]
        return BlobStates(frame.request, tuple(live), tuple(ended))

    # --- the end --------------------------------------------------------------------------------

    def expire(self) -> None:
        """Delete what is over by the relay's clock."""
        now_ms = self._clock_ms()
        for blob in [blob for blob in self.live.values() if blob.is_over(now_ms)]:
            late = now_ms >= blob.expires_ms
            self.end(blob, DeletionReason.EXPIRED if late else DeletionReason.UNFINISHED)

    def left(self, device_id: bytes, conversation: bytes | None = None) -> int:
        """A device left a conversation, or all. Return how many blobs that ends."""
        before = len(self.live)
        for blob in list(self.live.values()):
            if conversation not in {None, blob.conversation}:
                continue
            if blob.waits.pop(device_id, False):
                self._end_if_done(blob)
        return before - len(self.live)

    def end_unagreed(self, chain: AccountState) -> None:
        """Delete what goes among an account's own devices without a consent that stands."""
        until_ms = chain.ends_ms(HISTORY_TRANSFER, 0)
        for blob in list(self.live.values()):
            is_theirs = blob.is_own and blob.sender.account_id == chain.account_id
            if is_theirs and until_ms is not None and blob.expires_ms > until_ms:
                self.end(blob, DeletionReason.RECALLED)

    def account_closed(self, account_id: bytes) -> None:
        """An account was closed: what it sent is deleted."""
        for blob in [one for one in self.live.values() if one.sender.account_id == account_id]:
            self.end(blob, DeletionReason.ACCOUNT_ERASED)

    def _end_if_done(self, blob: MemoryBlob) -> None:
        if blob.complete and not any(blob.waits.values()):
            self.end(blob, DeletionReason.ALL_FETCHED)

    def end(self, blob: MemoryBlob, reason: DeletionReason) -> None:
        """Delete a blob, for any reason, and sign that."""
        del self.live[blob.blob_id]
        now_ms = self._clock_ms()
        message = receipt_message(self.server_name, blob.blob_id, reason, now_ms)
        receipt = DeletionReceipt(blob.blob_id, int(reason), now_ms, self.key.sign(message))
        self.receipts[blob.blob_id] = receipt
        self.news.append((blob.sender, receipt))

    # --- bytes ----------------------------------------------------------------------------------

    def for_upload(self, ticket: BlobTicket) -> MemoryBlob:
        """Return the blob that a ticket may write."""
        blob = self._ticketed(ticket)
        if _hash(ticket.token) in blob.tokens:
            raise refusal(BlobProblem.TOKEN_WRONG_USE)
        if _hash(ticket.token) != blob.upload_token:
            raise refusal(BlobProblem.TOKEN_UNKNOWN)
        return blob

    def for_fetch(self, ticket: BlobTicket) -> MemoryBlob:
        """Return the blob that a ticket may read."""
        blob = self._ticketed(ticket)
        if _hash(ticket.token) == blob.upload_token:
            raise refusal(BlobProblem.TOKEN_WRONG_USE)
        device_id, until_ms = blob.tokens.get(_hash(ticket.token), (b"", 0))
        if not device_id:
            raise refusal(BlobProblem.TOKEN_UNKNOWN)
        if not blob.waits.get(device_id, False):
            raise refusal(BlobProblem.TOKEN_USED)
        if self._clock_ms() >= until_ms:
            raise refusal(BlobProblem.TOKEN_EXPIRED)
        return blob

    def _ticketed(self, ticket: BlobTicket) -> MemoryBlob:
        blob = self._find(ticket.blob_id)
        if blob is None:
            gone = ticket.blob_id in self.receipts
            raise refusal(BlobProblem.GONE if gone else BlobProblem.TOKEN_UNKNOWN)
        return blob

    def keep(self, blob: MemoryBlob, data: bytes) -> None:
        """Keep bytes that have come: the upload goes on."""
        blob.data += data
        if data:
            blob.upload_until_ms = _upload_end(blob.expires_ms, self._clock_ms())

    def completed(self, blob: MemoryBlob) -> None:
        """All bytes have come."""
        blob.complete = True
        self._end_if_done(blob)

    def room(self, wanted: int) -> int:
        """Return how many of some bytes pass before the transfer is cut off."""
        if self.cut_after is None:
            return wanted
        passed = min(wanted, self.cut_after)
        self.cut_after -= passed
        return passed


def refusal(problem: BlobProblem, offset: int | None = None) -> BlobRefusedError:
    """Return the error that a refusal over HTTP becomes."""
    return BlobRefusedError(problem.value, problem.status, offset)


def _upload_end(expires_ms: int, now_ms: int) -> int:
    return min(expires_ms, now_ms + 1_000 * BLOB_UPLOAD_S)


def _earliest(one_ms: int, other_ms: int | None) -> int:
    return one_ms if other_ms is None else min(one_ms, other_ms)


def _hash(token: bytes) -> bytes:
    return hashlib.sha256(token).digest()
