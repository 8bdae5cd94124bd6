"""What clients say inside the ciphertext. The relay never imports this.

Spec: protocol/spec/50-content.md
"""

from e2ecore_protocol.content.conversation import (
    CONVERSATION_EXTENSION,
    DIRECT_POLICY,
    GROUP_POLICY,
    ConversationInfo,
    HistorySharing,
    InfoKind,
    Policy,
    Role,
    RoleOf,
)
from e2ecore_protocol.content.messages import (
    CONTENT_VERSION,
    AnyContent,
    Profile,
    Receipt,
    Stored,
    Text,
    UnknownContent,
    decode_content,
    decode_counter,
    encode_counter,
)
from e2ecore_protocol.content.readd import FailedCommit, ReaddReason, ReaddRequest

__all__ = [
    "CONTENT_VERSION",
    "CONVERSATION_EXTENSION",
    "DIRECT_POLICY",
    "GROUP_POLICY",
    "AnyContent",
    "ConversationInfo",
    "FailedCommit",
    "HistorySharing",
    "InfoKind",
    "Policy",
    "Profile",
    "ReaddReason",
    "ReaddRequest",
    "Receipt",
    "Role",
    "RoleOf",
    "Stored",
    "Text",
    "UnknownContent",
    "decode_content",
    "decode_counter",
    "encode_counter",
]
