"""Frames of blobs: room for an attachment, leave to fetch it, and the proof that it is gone.

The bytes themselves travel over HTTP. Spec: protocol/spec/40-blobs.md
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar, NamedTuple

from e2ecore_protocol.codec import pack
from e2ecore_protocol.frames.conversations import conversation_id
from e2ecore_protocol.frames.frame import Frame
from e2ecore_protocol.limits import (
    BLOB_ID_BYTES,
    BLOB_SHARE_BYTES,
    BLOB_TOKEN_BYTES,
    KEY_BYTES,
    MAX_ATTACHMENT_TTL_GROUP_S,
    MAX_BLOB_BYTES,
    MAX_BLOBS_PER_FRAME,
    SIGNATURE_BYTES,
)
from e2ecore_protocol.shape import (
    Check,
    exactly,
    integer,
    listing,
    number,
    one_of,
    record,
    request,
)
from e2ecore_protocol.shape import time_ms as a_time

_PROMISE_LABEL = b"e2ecore blob promise v1"
_RECEIPT_LABEL = b"e2ecore blob receipt v1"
_ACKNOWLEDGEMENT_LABEL = b"e2ecore blob acknowledgement v1"
_MAX_PORT = 65_535


class DeletionReason(IntEnum):
    """Why a relay deleted a blob."""

    ALL_FETCHED = 1
    """Every recipient device has acknowledged it, or is gone."""

    RECALLED = 2
    """A device of the sender's account asked for it, or took back the consent that it needs."""

    EXPIRED = 3
    """Its time was over."""

    ACCOUNT_ERASED = 4
    """The sender's account was closed."""

    OPERATOR = 5
    """The operator of the relay has ordered it."""

    UNFINISHED = 6
    """Its upload stood still for BLOB_UPLOAD_S."""

    LOST = 7
    """The relay has lost the bytes."""


class LiveBlob(NamedTuple):
    """What the relay holds of one blob. ``waiting`` of ``recipients`` devices still need it."""

    blob_id: bytes
    size: int
    complete: int
    recipients: int
    waiting: int
    expires_ms: int


class DeletionReceipt(NamedTuple):
    """The relay's signed word that a blob is gone: the share first, then the bytes."""

    blob_id: bytes
    reason: int
    time_ms: int
    signature: bytes


_BLOB_ID = exactly(BLOB_ID_BYTES)
_SHARE = exactly(BLOB_SHARE_BYTES)
_TOKEN = exactly(BLOB_TOKEN_BYTES)
_SIZE = integer(MAX_BLOB_BYTES, 1)
_PORT = integer(_MAX_PORT, 1)
_SIGNATURE = exactly(SIGNATURE_BYTES)
_LIVE = record(LiveBlob._make, _BLOB_ID, _SIZE, one_of(0, 1), number, number, a_time)
_RECEIPT = record(
    DeletionReceipt._make, _BLOB_ID, one_of(*map(int, DeletionReason)), a_time, _SIGNATURE
)


@dataclass(frozen=True, slots=True)
class CreateBlob(Frame):
    """Client: make room for a blob that the members of a conversation may fetch.

    Answered by BlobCreated. The device chooses the id, so that the same frame again is safe: it
    gets the same share and the same promise, and a fresh upload token.
    """

    TYPE: ClassVar[int] = 24
    SHAPE: ClassVar[tuple[Check[object], ...]] = (
        request,
        _BLOB_ID,
        conversation_id,
        _SIZE,
        integer(MAX_ATTACHMENT_TTL_GROUP_S, 1),
    )
    request: int
    blob_id: bytes
    conversation: bytes
    size: int
    ttl_s: int


@dataclass(frozen=True, slots=True)
class FetchBlob(Frame):
    """Client: this device wants a blob that it is a recipient of. Answered by BlobGranted."""

    TYPE: ClassVar[int] = 25
    SHAPE: ClassVar[tuple[Check[object], ...]] = (request, _BLOB_ID)
    request: int
    blob_id: bytes


@dataclass(frozen=True, slots=True)
class AcknowledgeBlob(Frame):
    """Client: this device has committed the blob to disk and needs it no more. Answered by Ok.

    ``signature`` is by the device key over ``acknowledgement_message``.
    """

    TYPE: ClassVar[int] = 26
    SHAPE: ClassVar[tuple[Check[object], ...]] = (request, _BLOB_ID, _SIGNATURE)
    request: int
    blob_id: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class RecallBlob(Frame):
    """Client, of the sender's account: nobody shall get it any more. Answered by Ok."""

    TYPE: ClassVar[int] = 27
    SHAPE: ClassVar[tuple[Check[object], ...]] = (request, _BLOB_ID)
    request: int
    blob_id: bytes


@dataclass(frozen=True, slots=True)
class QueryBlobs(Frame):
    """Client: what became of these blobs? Answered by BlobStates."""

    TYPE: ClassVar[int] = 28
    SHAPE: ClassVar[tuple[Check[object], ...]] = (
        request,
        listing(_BLOB_ID, MAX_BLOBS_PER_FRAME, 1),
    )
    request: int
    blob_ids: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class BlobCreated(Frame):
    """Relay: there is room, durably. ``promise`` is a signature over ``promise_message``."""

    TYPE: ClassVar[int] = 88
    SHAPE: ClassVar[tuple[Check[object], ...]] = (
        request,
        _SHARE,
        _TOKEN,
        a_time,
        _PORT,
        exactly(KEY_BYTES),
        _SIGNATURE,
    )
    request: int
    share: bytes
    upload_token: bytes
    expires_ms: int
    port: int
    receipt_key: bytes
    promise: bytes


@dataclass(frozen=True, slots=True)
class BlobGranted(Frame):
    """Relay: the share, and a token by which this device may fetch the bytes for a while."""

    TYPE: ClassVar[int] = 89
    SHAPE: ClassVar[tuple[Check[object], ...]] = (
        request,
        _SHARE,
        _TOKEN,
        a_time,
        _SIZE,
        a_time,
        _PORT,
        exactly(KEY_BYTES),
        _SIGNATURE,
    )
    request: int
    share: bytes
    fetch_token: bytes
    token_expires_ms: int
    size: int
    expires_ms: int
    port: int
    receipt_key: bytes
    promise: bytes


@dataclass(frozen=True, slots=True)
class BlobStates(Frame):
    """Relay: blobs that it holds, and receipts of those that it has deleted."""

    TYPE: ClassVar[int] = 90
    SHAPE: ClassVar[tuple[Check[object], ...]] = (
        request,
        listing(_LIVE, MAX_BLOBS_PER_FRAME),
        listing(_RECEIPT, MAX_BLOBS_PER_FRAME),
    )
    request: int
    live: tuple[LiveBlob, ...]
    deleted: tuple[DeletionReceipt, ...]


@dataclass(frozen=True, slots=True)
class BlobsDeleted(Frame):
    """Notice to the device that made them: these blobs are gone, and here is the proof."""

    TYPE: ClassVar[int] = 2
    SHAPE: ClassVar[tuple[Check[object], ...]] = (listing(_RECEIPT, MAX_BLOBS_PER_FRAME, 1),)
    receipts: tuple[DeletionReceipt, ...]


def promise_message(server_name: str, blob_id: bytes, size: int, expires_ms: int) -> bytes:
    """Return what a relay signs when it makes room for a blob.

    Args:
        server_name: The relay's name, as in its Challenge.
        blob_id: Which blob.
        size: Its bytes.
        expires_ms: When the relay destroys share and bytes at the latest.
    """
    return _PROMISE_LABEL + pack((server_name, blob_id, size, expires_ms))


def receipt_message(server_name: str, blob_id: bytes, reason: int, time_ms: int) -> bytes:
    """Return what a relay signs when it has deleted a blob.

    Args:
        server_name: The relay's name, as in its Challenge.
        blob_id: Which blob.
        reason: A DeletionReason.
        time_ms: The relay's clock when share and bytes were gone.
    """
    return _RECEIPT_LABEL + pack((server_name, blob_id, reason, time_ms))


def acknowledgement_message(
    server_name: str, blob_id: bytes, account_id: bytes, device_id: bytes
) -> bytes:
    """Return what a recipient device signs once it has committed a blob."""
    return _ACKNOWLEDGEMENT_LABEL + pack((server_name, blob_id, account_id, device_id))
