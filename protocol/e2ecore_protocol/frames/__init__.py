"""What a client and the relay say to each other, one module per family.

``decode_client_frame`` is the relay's entry, ``decode_server_frame`` the client's: any bytes in,
one frame or MalformedError out. Spec: protocol/spec/20-relay-frames.md
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, TypeAlias, TypeVar, get_args

from e2ecore_protocol.codec import Wire, unpack_fields
from e2ecore_protocol.errors import MalformedError
from e2ecore_protocol.frames.accounts import (
    Account,
    AppendChain,
    ChainHead,
    ChainHeads,
    FetchChain,
    FetchHeads,
    LookupHandle,
    Register,
    Registered,
)
from e2ecore_protocol.frames.blobs import (
    AcknowledgeBlob,
    BlobCreated,
    BlobGranted,
    BlobsDeleted,
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
from e2ecore_protocol.frames.conversations import (
    Commit,
    Committed,
    ConversationKind,
    Conversations,
    ConversationState,
    DeviceAddress,
    LeaveConversation,
    ListConversations,
    direct_conversation_id,
    group_conversation_id,
    is_group_conversation,
    is_self_conversation,
    self_conversation_id,
)
from e2ecore_protocol.frames.delivery import (
    INBOX,
    NO_ENVELOPE,
    Accepted,
    Ack,
    AcknowledgedLog,
    CaughtUp,
    Deliver,
    Delivery,
    DeliveryExtra,
    Envelope,
    EnvelopeKind,
    Gap,
    Refused,
    RouteChange,
    Submit,
    SubmitResult,
    Submitted,
    make_envelope_id,
)
from e2ecore_protocol.frames.frame import Frame
from e2ecore_protocol.frames.guardians import (
    ApprovalState,
    FetchGuardianship,
    Guardianship,
    MarkedBy,
    MarkMinor,
    MinorMark,
    SubmitGuardian,
    WardState,
)
from e2ecore_protocol.frames.key_packages import (
    ClaimDeviceKeyPackages,
    ClaimKeyPackages,
    DeviceKeyPackage,
    KeyPackages,
    PublishKeyPackages,
)
from e2ecore_protocol.frames.notices import GuardianshipChanged, KeyPackagesLow
from e2ecore_protocol.frames.removals import (
    DeviceReceipt,
    DevicesErased,
    Erased,
    device_receipt_message,
)
from e2ecore_protocol.frames.rendezvous import (
    CloseRendezvous,
    JoinRendezvous,
    OpenRendezvous,
    PassRendezvous,
    RendezvousClosed,
    RendezvousMessage,
    RendezvousOpened,
)
from e2ecore_protocol.frames.session import (
    Authenticate,
    Challenge,
    Failed,
    GoAway,
    Ok,
    Ready,
    authentication_message,
)
from e2ecore_protocol.frames.signals import Signal, Signalled
from e2ecore_protocol.limits import MAX_FRAME_BYTES

ClientFrame: TypeAlias = (
    Register
    | Authenticate
    | LookupHandle
    | FetchChain
    | FetchHeads
    | AppendChain
    | PublishKeyPackages
    | ClaimKeyPackages
    | ClaimDeviceKeyPackages
    | Submit
    | Commit
    | Ack
    | ListConversations
    | LeaveConversation
    | CreateBlob
    | FetchBlob
    | AcknowledgeBlob
    | RecallBlob
    | QueryBlobs
    | OpenRendezvous
    | JoinRendezvous
    | PassRendezvous
    | CloseRendezvous
    | Signal
    | MarkMinor
    | SubmitGuardian
    | FetchGuardianship
)
"""What a client sends."""

ServerFrame: TypeAlias = (
    Challenge
    | Ready
    | Ok
    | Failed
    | GoAway
    | CaughtUp
    | Registered
    | Account
    | ChainHeads
    | KeyPackages
    | Conversations
    | Submitted
    | Committed
    | Deliver
    | BlobCreated
    | BlobGranted
    | BlobStates
    | RendezvousOpened
    | RendezvousMessage
    | RendezvousClosed
    | Signalled
    | Guardianship
)
"""What a relay sends."""

_AnyFrame = TypeVar("_AnyFrame", ClientFrame, ServerFrame)

CLIENT_FRAMES: Final[Mapping[int, type[ClientFrame]]] = MappingProxyType(
    {kind.TYPE: kind for kind in get_args(ClientFrame)}
)
"""Frames of clients, by type number."""

SERVER_FRAMES: Final[Mapping[int, type[ServerFrame]]] = MappingProxyType(
    {kind.TYPE: kind for kind in get_args(ServerFrame)}
)
"""Frames of relays, by type number."""


def decode_client_frame(data: bytes, max_bytes: int = MAX_FRAME_BYTES) -> ClientFrame:
    """Parse one frame of a client.

    Args:
        data: One WebSocket message.
        max_bytes: The longest allowed now; MAX_UNAUTHENTICATED_FRAME_BYTES before authentication.

    Raises:
        MalformedError: Anything is wrong with it.
    """
    wire = unpack_fields(data, max_bytes)
    return _kind(CLIENT_FRAMES, wire).from_wire(wire)


def decode_server_frame(data: bytes, max_bytes: int = MAX_FRAME_BYTES) -> ServerFrame:
    """Parse one frame of a relay.

    Args:
        data: One WebSocket message.
        max_bytes: The longest allowed now.

    Raises:
        MalformedError: Anything is wrong with it.
    """
    wire = unpack_fields(data, max_bytes)
    return _kind(SERVER_FRAMES, wire).from_wire(wire)


def _kind(kinds: Mapping[int, type[_AnyFrame]], wire: tuple[Wire, ...]) -> type[_AnyFrame]:
    number = wire[0] if wire else None
    if type(number) is not int or number not in kinds:
        raise MalformedError("unknown type of frame")
    return kinds[number]


__all__ = [
    "CLIENT_FRAMES",
    "INBOX",
    "NO_ENVELOPE",
    "SERVER_FRAMES",
    "Accepted",
    "Account",
    "Ack",
    "AcknowledgeBlob",
    "AcknowledgedLog",
    "AppendChain",
    "ApprovalState",
    "Authenticate",
    "BlobCreated",
    "BlobGranted",
    "BlobStates",
    "BlobsDeleted",
    "CaughtUp",
    "ChainHead",
    "ChainHeads",
    "Challenge",
    "ClaimDeviceKeyPackages",
    "ClaimKeyPackages",
    "ClientFrame",
    "CloseRendezvous",
    "Commit",
    "Committed",
    "ConversationKind",
    "ConversationState",
    "Conversations",
    "CreateBlob",
    "DeletionReason",
    "DeletionReceipt",
    "Deliver",
    "Delivery",
    "DeliveryExtra",
    "DeviceAddress",
    "DeviceKeyPackage",
    "DeviceReceipt",
    "DevicesErased",
    "Envelope",
    "EnvelopeKind",
    "Erased",
    "Failed",
    "FetchBlob",
    "FetchChain",
    "FetchGuardianship",
    "FetchHeads",
    "Frame",
    "Gap",
    "GoAway",
    "Guardianship",
    "GuardianshipChanged",
    "JoinRendezvous",
    "KeyPackages",
    "KeyPackagesLow",
    "LeaveConversation",
    "ListConversations",
    "LiveBlob",
    "LookupHandle",
    "MarkMinor",
    "MarkedBy",
    "MinorMark",
    "Ok",
    "OpenRendezvous",
    "PassRendezvous",
    "PublishKeyPackages",
    "QueryBlobs",
    "Ready",
    "RecallBlob",
    "Refused",
    "Register",
    "Registered",
    "RendezvousClosed",
    "RendezvousMessage",
    "RendezvousOpened",
    "RouteChange",
    "ServerFrame",
    "Signal",
    "Signalled",
    "Submit",
    "SubmitGuardian",
    "SubmitResult",
    "Submitted",
    "WardState",
    "acknowledgement_message",
    "authentication_message",
    "decode_client_frame",
    "decode_server_frame",
    "device_receipt_message",
    "direct_conversation_id",
    "group_conversation_id",
    "is_group_conversation",
    "is_self_conversation",
    "make_envelope_id",
    "promise_message",
    "receipt_message",
    "self_conversation_id",
]
