"""Errors of the wire format, and the codes by which a relay says no.

Spec: protocol/spec/20-relay-frames.md, "Error codes"
"""

from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class MalformedError(ValueError):
    """The bytes are not the canonical encoding of what is expected. The text names the rule."""


class NoCommonVersionError(ValueError):
    """Client and relay speak no common protocol version. One of them must be updated."""


class ErrorCode(StrEnum):
    """Why a relay refused. The set is closed within one protocol version."""

    MALFORMED = "malformed"
    TOO_LARGE = "too_large"
    UNAUTHENTICATED = "unauthenticated"
    BAD_SIGNATURE = "bad_signature"
    VERSION_UNSUPPORTED = "version_unsupported"
    RATE_LIMITED = "rate_limited"
    QUOTA_EXCEEDED = "quota_exceeded"
    UNKNOWN_ACCOUNT = "unknown_account"
    UNKNOWN_DEVICE = "unknown_device"
    DEVICE_REVOKED = "device_revoked"
    ACCOUNT_EXISTS = "account_exists"
    ACCOUNT_CLOSED = "account_closed"
    UNKNOWN_HANDLE = "unknown_handle"
    HANDLE_TAKEN = "handle_taken"
    BAD_HANDLE = "bad_handle"
    CHAIN_CONFLICT = "chain_conflict"
    CHAIN_INVALID = "chain_invalid"
    CONSENT_REQUIRED = "consent_required"
    GUARDIAN_REQUIRED = "guardian_required"
    GUARDIAN_INVALID = "guardian_invalid"
    NO_KEY_PACKAGE = "no_key_package"
    UNKNOWN_CONVERSATION = "unknown_conversation"
    CONVERSATION_EXISTS = "conversation_exists"
    NOT_A_MEMBER = "not_a_member"
    STALE_EPOCH = "stale_epoch"
    FUTURE_EPOCH = "future_epoch"
    TOO_MANY_DEVICES = "too_many_devices"
    TOO_MANY_MEMBERS = "too_many_members"
    UNKNOWN_BLOB = "unknown_blob"
    BLOB_GONE = "blob_gone"
    BLOB_EXISTS = "blob_exists"
    BLOB_INCOMPLETE = "blob_incomplete"
    NO_RECIPIENT = "no_recipient"
    UNKNOWN_RENDEZVOUS = "unknown_rendezvous"
    RELAY_FULL = "relay_full"
    REGISTRATION_CLOSED = "registration_closed"
    CONNECTED_ELSEWHERE = "connected_elsewhere"
    TIMED_OUT = "timed_out"
    SHUTTING_DOWN = "shutting_down"
    INTERNAL = "internal"

    @property
    def meaning(self) -> str:
        """One sentence for people: what is wrong and what to do."""
        return CODES[self].meaning

    @property
    def retry(self) -> bool:
        """May the same request succeed later, unchanged?"""
        return CODES[self].retry


@dataclass(frozen=True, slots=True)
class CodeInfo:
    """What an error code says."""

    meaning: str
    retry: bool = False


CODES: Final = MappingProxyType(
    {
        ErrorCode.MALFORMED: CodeInfo("The frame is not valid. A defect of the sender."),
        ErrorCode.TOO_LARGE: CodeInfo("A field, batch or frame is larger than its limit."),
        ErrorCode.UNAUTHENTICATED: CodeInfo("The connection has not authenticated a device."),
        ErrorCode.BAD_SIGNATURE: CodeInfo("A signature does not fit its key and message."),
        ErrorCode.VERSION_UNSUPPORTED: CodeInfo("The relay does not speak this version."),
        ErrorCode.RATE_LIMITED: CodeInfo("Too many requests. Wait as long as told.", retry=True),
        ErrorCode.QUOTA_EXCEEDED: CodeInfo("The relay holds too much for the readers.", retry=True),
        ErrorCode.UNKNOWN_ACCOUNT: CodeInfo("The relay knows no such account."),
        ErrorCode.UNKNOWN_DEVICE: CodeInfo("The account chain names no such device."),
        ErrorCode.DEVICE_REVOKED: CodeInfo("The device was removed from its account."),
        ErrorCode.ACCOUNT_EXISTS: CodeInfo("This genesis entry is registered already."),
        ErrorCode.ACCOUNT_CLOSED: CodeInfo("The account was closed by its owner."),
        ErrorCode.UNKNOWN_HANDLE: CodeInfo("Nobody has this handle."),
        ErrorCode.HANDLE_TAKEN: CodeInfo("Somebody else has this handle. Choose another."),
        ErrorCode.BAD_HANDLE: CodeInfo("The handle has forbidden letters or a forbidden length."),
        ErrorCode.CHAIN_CONFLICT: CodeInfo("The chain has grown. Fetch its head and try again."),
        ErrorCode.CHAIN_INVALID: CodeInfo("An entry breaks a rule of the account chain."),
        ErrorCode.CONSENT_REQUIRED: CodeInfo("The chain holds no consent that allows this."),
        ErrorCode.GUARDIAN_REQUIRED: CodeInfo("The guardian has not approved this consent."),
        ErrorCode.GUARDIAN_INVALID: CodeInfo(
            "The document of guardian and ward does not fit what the relay knows of them."
        ),
        ErrorCode.NO_KEY_PACKAGE: CodeInfo("A device has no key package left.", retry=True),
        ErrorCode.UNKNOWN_CONVERSATION: CodeInfo("The relay knows no such conversation."),
        ErrorCode.CONVERSATION_EXISTS: CodeInfo("A conversation with this id exists already."),
        ErrorCode.NOT_A_MEMBER: CodeInfo("The device is not in the route of the conversation."),
        ErrorCode.STALE_EPOCH: CodeInfo(
            "The epoch is over. Process the newer commits, encrypt again."
        ),
        ErrorCode.FUTURE_EPOCH: CodeInfo(
            "The relay has not seen the commit that begins this epoch."
        ),
        ErrorCode.TOO_MANY_DEVICES: CodeInfo("The account or conversation has its most devices."),
        ErrorCode.TOO_MANY_MEMBERS: CodeInfo("The conversation has its most members."),
        ErrorCode.UNKNOWN_BLOB: CodeInfo("The relay has no such blob for this device."),
        ErrorCode.BLOB_GONE: CodeInfo("The blob was deleted. Ask its sender for it again."),
        ErrorCode.BLOB_EXISTS: CodeInfo("There is another blob with this id. Choose a new one."),
        ErrorCode.BLOB_INCOMPLETE: CodeInfo("The blob is not uploaded yet.", retry=True),
        ErrorCode.NO_RECIPIENT: CodeInfo("Nobody else is in the conversation."),
        ErrorCode.UNKNOWN_RENDEZVOUS: CodeInfo(
            "No device waits under this number, or somebody has come already."
        ),
        ErrorCode.RELAY_FULL: CodeInfo("The relay has no room left. Try later.", retry=True),
        ErrorCode.REGISTRATION_CLOSED: CodeInfo("The relay takes no new accounts now.", retry=True),
        ErrorCode.CONNECTED_ELSEWHERE: CodeInfo("The same device opened a newer connection."),
        ErrorCode.TIMED_OUT: CodeInfo("The client was silent or slow for too long.", retry=True),
        ErrorCode.SHUTTING_DOWN: CodeInfo("The relay restarts. Connect again.", retry=True),
        ErrorCode.INTERNAL: CodeInfo("The relay failed. Nothing was changed.", retry=True),
    }
)
"""Meaning of every code. A test checks that none is missing, here or in the specification."""
