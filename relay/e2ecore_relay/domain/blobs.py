"""Blobs: who may have room, who may fetch, and when a share has to be destroyed.

Everything here runs within a transaction and decides only. Bytes, time, randomness and the signing
key belong to the shell. The sweep, which ends what these functions doom, is in ``blob_sweep``.

Spec: protocol/spec/40-blobs.md
"""

import hashlib
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from e2ecore_protocol.chain.state import Verify
from e2ecore_protocol.errors import ErrorCode
from e2ecore_protocol.frames.blobs import (
    AcknowledgeBlob,
    BlobCreated,
    BlobGranted,
    BlobStates,
    CreateBlob,
    DeletionReason,
    FetchBlob,
    LiveBlob,
    acknowledgement_message,
    promise_message,
)
from e2ecore_protocol.limits import (
    BLOB_SHARE_BYTES,
    BLOB_TOKEN_BYTES,
    BLOB_TOKEN_S,
    BLOB_UPLOAD_S,
    MAX_ATTACHMENT_TTL_DIRECT_S,
    MAX_ATTACHMENT_TTL_GROUP_S,
    MAX_BLOB_BYTES,
)
from e2ecore_relay.domain.blob_consents import agreed_until
from e2ecore_relay.domain.blob_ports import Blob, BlobTable, Grant, Stage
from e2ecore_relay.domain.clock import BlobTime
from e2ecore_relay.domain.coverage import Covered
from e2ecore_relay.domain.errors import BadSignatureError, RefusedError
from e2ecore_relay.domain.exchange import Turn
from e2ecore_relay.domain.log import Log, LogKind
from e2ecore_relay.domain.ports import Ledger, StoredDevice

MOST_TTL_S: Final = {
    LogKind.DIRECT: MAX_ATTACHMENT_TTL_DIRECT_S,
    LogKind.GROUP: MAX_ATTACHMENT_TTL_GROUP_S,
    LogKind.SELF: MAX_ATTACHMENT_TTL_DIRECT_S,
}
"""Seconds that a blob may wait at most, by the kind of its conversation. Nobody can raise them."""

_NOTED_EVERY_MS: Final = 3_600_000
"""Progress of an upload is noted at most so often, since that costs a transaction. An upload that
stands still is kept for as much longer."""


class BlobRules(NamedTuple):
    """What an operator sets. ``ttl_s`` is by kind of conversation, at most MOST_TTL_S."""

    max_bytes: int
    ttl_s: dict[LogKind, int]
    account_bytes: int
    account_blobs: int
    conversation_bytes: int


class BlobKeeper(NamedTuple):
    """What the relay signs with, where its bytes are, and what it allows.

    Attributes:
        server_name: The relay's name.
        rules: What the operator set.
        port: Where bytes are served.
        receipt_key: Public key of promises and receipts.
        sign: Signs with it.
        rng: Returns random bytes.
    """

    server_name: str
    rules: BlobRules
    port: int
    receipt_key: bytes
    sign: Callable[[bytes], bytes]
    rng: Callable[[int], bytes]


def token_hash(token: bytes) -> bytes:
    """Return what is stored of a token."""
    return hashlib.sha256(token).digest()


def create(
    keeper: BlobKeeper, turn: Turn, time: BlobTime, sender: StoredDevice, frame: CreateBlob
) -> BlobCreated:
    """Make room for a blob; a repeat gets the first answer with a new token.

    Raises:
        RefusedError: Nothing was changed.
    """
    table = turn.ledger.blobs
    log = _conversation(turn, sender, frame.conversation)
    recipients = {*log.audience} - {sender.device}
    agreed_ms = agreed_until(turn.ledger, sender.account, log.kind, time.later_ms)
    found = table.find([frame.blob_id]).get(frame.blob_id)
    if found is None:
        if not recipients:
            raise RefusedError(ErrorCode.NO_RECIPIENT)
        _check_room(keeper.rules, table, log, sender, frame)
        found = _new(keeper, log, time, sender, frame, agreed_ms=agreed_ms)
        share = keeper.rng(BLOB_SHARE_BYTES)
        token = keeper.rng(BLOB_TOKEN_BYTES)
        table.create(found, share, token_hash(token), recipients)
    else:
        _check_same(found, log, sender, frame, time)
        share = table.share(found.blob)
        token = keeper.rng(BLOB_TOKEN_BYTES)
        table.renew_upload(found.blob, token_hash(token))
        table.add_recipients(found.blob, recipients)
    return BlobCreated(
        *(frame.request, share, token, found.expires_ms, keeper.port),
        *(keeper.receipt_key, found.promise),
    )


def _conversation(turn: Turn, sender: StoredDevice, name: bytes) -> Log:
    log = turn.exchange.log(turn.ledger, name)
    if log is None or log.kind == LogKind.INBOX:
        raise RefusedError(ErrorCode.UNKNOWN_CONVERSATION)
    if log.member(sender.device) is None:
        raise RefusedError(ErrorCode.NOT_A_MEMBER)
    return log


def _check_room(
    rules: BlobRules, table: BlobTable, log: Log, sender: StoredDevice, frame: CreateBlob
) -> None:
    if table.receipts([frame.blob_id]):
        raise RefusedError(ErrorCode.BLOB_GONE)
    if frame.size > min(rules.max_bytes, MAX_BLOB_BYTES):
        raise RefusedError(ErrorCode.TOO_LARGE, f"this relay takes {rules.max_bytes} bytes")
    own, shared = table.usage_of_account(sender.account), table.usage_of_log(log.lid)
    if own.blobs >= rules.account_blobs or own.size + frame.size > rules.account_bytes:
        raise RefusedError(ErrorCode.QUOTA_EXCEEDED, "the account has too many attachments here")
    if shared.size + frame.size > rules.conversation_bytes:
        raise RefusedError(ErrorCode.QUOTA_EXCEEDED, "too many attachments of one conversation")


def _new(
    keeper: BlobKeeper,
    log: Log,
    time: BlobTime,
    sender: StoredDevice,
    frame: CreateBlob,
    *,
    agreed_ms: int | None,
) -> Blob:
    kind = LogKind(log.kind)
    ttl_s = min(frame.ttl_s, keeper.rules.ttl_s[kind], MOST_TTL_S[kind])
    expires_ms = time.later_ms + ttl_s * 1000
    if agreed_ms is not None:
        expires_ms = min(expires_ms, agreed_ms)
    due_ms, reason = _upload_end(expires_ms, time)
    message = promise_message(keeper.server_name, frame.blob_id, frame.size, expires_ms)
    return Blob(
        *(0, frame.blob_id, log.lid, sender.account, sender.device, frame.size, expires_ms),
        *(due_ms, Stage.UPLOADING, int(reason), 0, 0, keeper.sign(message)),
    )


def _upload_end(expires_ms: int, time: BlobTime) -> tuple[int, DeletionReason]:
    """Return when an upload is over that has just made progress, and why it is then."""
    due_ms = time.later_ms + BLOB_UPLOAD_S * 1000 + _NOTED_EVERY_MS
    if expires_ms <= due_ms:
        return expires_ms, DeletionReason.EXPIRED
    return due_ms, DeletionReason.UNFINISHED


def grown(blob: Blob, time: BlobTime) -> Blob | None:
    """Bytes of an upload have come. Return what is to be noted of that, if anything is.

    Its time begins anew with each of them, but never reaches beyond what was promised.
    """
    due_ms, reason = _upload_end(blob.expires_ms, time)
    gained_ms = due_ms - blob.due_ms
    if gained_ms >= _NOTED_EVERY_MS or (gained_ms > 0 and due_ms == blob.expires_ms):
        return blob._replace(due_ms=due_ms, reason=int(reason))
    return None


def _check_same(
    found: Blob, log: Log, sender: StoredDevice, frame: CreateBlob, time: BlobTime
) -> None:
    if (found.device, found.lid, found.size) != (sender.device, log.lid, frame.size):
        raise RefusedError(ErrorCode.BLOB_EXISTS)
    if is_gone(found, time):
        raise RefusedError(ErrorCode.BLOB_GONE)


def is_gone(blob: Blob, time: BlobTime) -> bool:
    """Tell whether a blob is not to be handed out any more."""
    return blob.stage is Stage.DOOMED or blob.due_ms <= time.later_ms


def fetch(
    keeper: BlobKeeper, turn: Turn, time: BlobTime, asker: Covered, frame: FetchBlob
) -> BlobGranted:
    """Give a recipient the share, and a token for the bytes.

    The token begins nothing once the device may not be connected any more.

    Raises:
        RefusedError: It is no recipient, or there is nothing to fetch.
    """
    table, device = turn.ledger.blobs, asker.device.device
    blob = table.find([frame.blob_id]).get(frame.blob_id)
    if blob is None and table.receipts([frame.blob_id]):
        raise RefusedError(ErrorCode.BLOB_GONE)
    waits = None if blob is None else table.waits(blob.blob, device)
    if blob is None or waits is None:
        raise RefusedError(ErrorCode.UNKNOWN_BLOB)
    if is_gone(blob, time) or not waits:
        raise RefusedError(ErrorCode.BLOB_GONE)
    if blob.stage is Stage.UPLOADING:
        raise RefusedError(ErrorCode.BLOB_INCOMPLETE)
    token = keeper.rng(BLOB_TOKEN_BYTES)
    until_ms = min(time.later_ms + BLOB_TOKEN_S * 1000, blob.expires_ms)
    if asker.until_ms is not None:
        until_ms = min(until_ms, asker.until_ms)
    table.grant(blob.blob, device, token_hash(token), until_ms)
    return BlobGranted(
        *(frame.request, table.share(blob.blob), token, until_ms, blob.size, blob.expires_ms),
        *(keeper.port, keeper.receipt_key, blob.promise),
    )


def acknowledge(
    keeper: BlobKeeper, turn: Turn, sender: StoredDevice, frame: AcknowledgeBlob, verify: Verify
) -> bool:
    """Note that a device has a blob. Return whether it was the last one: the share is destroyed.

    Raises:
        RefusedError: The signature does not fit, or the device is no recipient.
    """
    message = acknowledgement_message(keeper.server_name, frame.blob_id, *sender.address)
    try:
        verify(sender.key, message, frame.signature)
    except BadSignatureError as error:
        raise RefusedError(ErrorCode.BAD_SIGNATURE) from error
    table = turn.ledger.blobs
    blob = table.find([frame.blob_id]).get(frame.blob_id)
    waits = None if blob is None else table.waits(blob.blob, sender.device)
    if blob is None or waits is None:
        if table.receipts([frame.blob_id]):
            return False
        raise RefusedError(ErrorCode.UNKNOWN_BLOB)
    if not waits or blob.stage is Stage.DOOMED:
        return False
    table.acknowledge(blob.blob, sender.device, frame.signature)
    if blob.waiting > 1 or blob.stage is not Stage.COMPLETE:
        return False
    table.doom([(blob.blob, DeletionReason.ALL_FETCHED)])
    return True


def recall(turn: Turn, account: int, blob_id: bytes) -> None:
    """Destroy a share because the sender wants it.

    Raises:
        RefusedError: There is no such blob of this account.
    """
    table = turn.ledger.blobs
    blob = table.find([blob_id]).get(blob_id)
    if blob is None and table.receipts([blob_id]):
        return
    if blob is None or blob.account != account:
        raise RefusedError(ErrorCode.UNKNOWN_BLOB)
    table.doom([(blob.blob, DeletionReason.RECALLED)])


def states(ledger: Ledger, request: int, asker: StoredDevice, ids: Sequence[bytes]) -> BlobStates:
    """Answer what became of blobs."""
    table = ledger.blobs
    live = [
        LiveBlob(
            *(blob.blob_id, blob.size, int(blob.stage is Stage.COMPLETE)),
            *(blob.recipients, blob.waiting, blob.expires_ms),
        )
        for blob in table.find(ids).values()
        if blob.stage is not Stage.DOOMED
        and (blob.account == asker.account or table.waits(blob.blob, asker.device) is not None)
    ]
    return BlobStates(request, tuple(live), tuple(table.receipts(ids)))


def completed(table: BlobTable, blob_id: bytes) -> bool:
    """All bytes of a blob are durable. Return whether it is still wanted."""
    blob = table.find([blob_id]).get(blob_id)
    if blob is None or blob.stage is Stage.DOOMED:
        return False
    if blob.stage is Stage.UPLOADING:
        table.complete(blob.blob, blob.expires_ms)
        if not blob.waiting:
            table.doom([(blob.blob, DeletionReason.ALL_FETCHED)])
    return True


def device_left(ledger: Ledger, device: int, lid: int | None) -> int:
    """A device left a conversation, or all (it was removed): nobody waits for it any more.

    Returns:
        How many blobs waited for it alone, and are over now.
    """
    table = ledger.blobs
    done = table.dismiss(device, lid)
    table.doom([(blob.blob, DeletionReason.ALL_FETCHED) for blob in done])
    return len(done)


def account_closed(ledger: Ledger, account: int) -> None:
    """An account was closed: nothing that it sent waits any more."""
    ledger.blobs.doom_account(account, DeletionReason.ACCOUNT_ERASED)


def usable(ledger: Ledger, token: bytes) -> Grant | None:
    """Return what a token, as it was shown, stands for."""
    return ledger.blobs.granted(token_hash(token))
