"""What clients say inside the ciphertext. The relay never imports this.

Spec: protocol/spec/50-content.md
"""

from e2ecore_protocol.content.attachments import (
    AttachmentAgain,
    AttachmentForm,
    AttachmentRequest,
    Attachments,
    FileItem,
    ForwardedAttachments,
    is_plain_name,
)
from e2ecore_protocol.content.cards import ContactCard
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
from e2ecore_protocol.content.guardians import (
    GuardianInvitation,
    GuardianRefusal,
    GuardianRequest,
)
from e2ecore_protocol.content.kind import CONTENT_VERSION
from e2ecore_protocol.content.messages import (
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
from e2ecore_protocol.content.pins import Pin
from e2ecore_protocol.content.polls import (
    Booth,
    Counted,
    Poll,
    PollClose,
    Vote,
    VoteReveal,
    vote_commitment,
)
from e2ecore_protocol.content.reactions import Reaction
from e2ecore_protocol.content.readd import FailedCommit, ReaddReason, ReaddRequest
from e2ecore_protocol.content.reading import Read, ReadReceipt
from e2ecore_protocol.content.revisions import Edit, Recall
from e2ecore_protocol.content.rich_text import Extras, Mention, Reply, RichText, quote_digest
from e2ecore_protocol.content.signals import SIGNAL_KEY_LABEL, Typing, decode_signal, pad, unpad

__all__ = [
    "CONTENT_VERSION",
    "CONVERSATION_EXTENSION",
    "DIRECT_POLICY",
    "GROUP_POLICY",
    "SIGNAL_KEY_LABEL",
    "AnyContent",
    "AttachmentAgain",
    "AttachmentForm",
    "AttachmentRequest",
    "Attachments",
    "Booth",
    "ContactCard",
    "ConversationInfo",
    "Counted",
    "Edit",
    "Extras",
    "FailedCommit",
    "FileItem",
    "ForwardedAttachments",
    "GuardianInvitation",
    "GuardianRefusal",
    "GuardianRequest",
    "HistorySharing",
    "InfoKind",
    "Mention",
    "Pin",
    "Policy",
    "Poll",
    "PollClose",
    "Profile",
    "Reaction",
    "Read",
    "ReadReceipt",
    "ReaddReason",
    "ReaddRequest",
    "Recall",
    "Receipt",
    "Reply",
    "RichText",
    "Role",
    "RoleOf",
    "Stored",
    "Text",
    "Typing",
    "UnknownContent",
    "Vote",
    "VoteReveal",
    "decode_content",
    "decode_counter",
    "decode_signal",
    "encode_counter",
    "is_plain_name",
    "pad",
    "quote_digest",
    "unpad",
    "vote_commitment",
]
